"""Figures agree with those of an independent scorer, to four decimals: overall, by language and by category."""

from __future__ import annotations

import asyncio
import json
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.encoders.readers import Reader
from app.evaluation import dataset, summary
from app.evaluation.dataset import Dataset
from app.evaluation.replay import Replay, catalog_of, routing_of
from app.evaluation.results import Summary
from app.routing import Options
from app.settings import Settings
from router.evaluate import metrics
from tests.support.documents import ROOT
from tests.support.inside import WordEncoder
from tests.unit.app.evaluation.conftest import quiet
from tests.unit.app.evaluation.test_summary import result

_DATA = ROOT.parent / "shared" / "data"
_SETS = ("bfcl", "metatool", "seal_tools", "acebench_en", "acebench_zh", "functionchat_ko", "apibank", "tooltalk")

pytestmark = pytest.mark.skipif(not _DATA.is_dir(), reason="there is no ../shared/data beside the project")


def _ids(folder: Path) -> list[str]:
    return [json.loads(line)["id"] for line in (folder / "tools.jsonl").read_text(encoding="utf-8").splitlines()]


def _scored(folder: Path, rankings: dict[str, list[str]], tmp_path: Path) -> dict[str, dict[str, float]]:
    """Let the other scorer judge rankings of ids."""
    run = tmp_path / "run.jsonl"
    run.write_text("".join(json.dumps({"id": k, "ranked": v}) + "\n" for k, v in rankings.items()), encoding="utf-8")
    command = [sys.executable, str(_DATA / "score.py"), str(folder), str(run), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    scores: dict[str, dict[str, float]] = json.loads(done.stdout)["scores"]
    return scores


def _agree(found: Summary, scores: dict[str, dict[str, float]]) -> None:
    groups = {"ALL": found.overall}
    groups |= {f"lang={name or None}": group for name, group in found.by["language"].items()}
    groups |= {f"category={name or None}": group for name, group in found.by["category"].items()}
    assert groups.keys() == scores.keys()
    for name, group in groups.items():
        theirs = {key: scores[name][key] for key in group.figures if key in scores[name]}
        assert len(theirs) == 9
        assert group.queries == scores[name]["n"]
        assert {key: round(group.figures[key], 4) for key in theirs} == pytest.approx(theirs, abs=1.01e-4), name


@pytest.mark.parametrize("name", _SETS)
def test_figures_of_any_ranking_agree(name: str, tmp_path: Path) -> None:
    """Wanted tools and their equivalents stand at ranks drawn at random, some nowhere."""
    folder, draw = _DATA / name, random.Random(name)
    read, ids = dataset.read(folder), _ids(folder)
    groups = np.asarray(read.groups)
    rankings: dict[str, list[str]] = {}
    results = []
    for query in read.queries:
        order = draw.sample(range(len(ids)), min(40, len(ids)))
        order += [i for gold in query.gold for i in np.flatnonzero(groups == gold).tolist() if i not in order]
        order = sorted(order, key=lambda _: draw.random())[:45]
        rankings[query.id] = [ids[i] for i in order]
        ranks = metrics.places(query.gold, np.asarray(order), groups)
        fields: dict[str, Any] = {"id": query.id, "lang": query.lang, "category": query.category}
        results.append(result(0, *ranks, **fields))
    _agree(summary.of(results, 50.0), _scored(folder, rankings, tmp_path))


async def _replayed(read: Dataset, ids: list[str]) -> tuple[Summary, dict[str, list[str]]]:
    readers = [Reader(WordEncoder())]
    routing = routing_of(readers, Settings())
    try:
        catalog = await catalog_of(read.name, read.tools, readers, quiet)
        results, _ = await Replay(read, catalog, routing, Options()).run(quiet)
        rankings = {}
        for query in read.queries:
            explained = await routing.explain(query.body, catalog, Options())
            assert explained.selection.rankings is not None
            rankings[query.id] = [ids[i] for i in explained.selection.rankings.fused.ids.tolist()]
    finally:
        routing.close()
    return summary.of(results, 50.0), rankings


def test_figures_of_a_replay_agree(tmp_path: Path) -> None:
    """The rankings that an explained decision shows, scored elsewhere, give the figures of the evaluation."""
    folder = _DATA / "tooltalk"
    found, rankings = asyncio.run(_replayed(dataset.read(folder), _ids(folder)))
    _agree(found, _scored(folder, rankings, tmp_path))
