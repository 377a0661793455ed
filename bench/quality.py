"""The table of docs/benchmarks/retrieval-quality.md: how well the right tools are found, by set and configuration.

    python -m bench.quality [--run LABEL[=CONFIG.yaml]]... [--limit N] [--out FILE] [FOLDER]...

Every figure comes from `toolfunnel eval --json`, one run a configuration, over the folders and the examples of this
repository. Folders without tools.jsonl and queries.jsonl are passed over.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from app.evaluation import compare
from app.evaluation.results import FUSED, REFERENCE, DatasetRun, Group, Run
from bench import forms

EXAMPLES = Path(__file__).parent.parent / "examples"
_IDLE = "irrelevance.jsonl"
_WRAPPED = 40  # questions in each form
HEADLINE = ("R@5", "R@10", "R@20", "C@20")

_ABOUT = """# How well the right tools are found

Made by `make eval` on {date}, Toolfunnel {version}. [evaluation.md](../evaluation.md) says what the figures
mean; all are percentages. Conversations go in as a whole, and what is ranked for is their last turn. *Best
single channel* is the one of the same run with the highest R@10. *Reference recipe*: 0.7 times the similarity
of the first encoder of the run `{first}`, without what was learned on top of it, and 0.3 times BM25, each
stretched to 0..1. In `questions`, the examples of this repository, tools of risk `write` may be offered, too;
of their small talk it is the half `test`. Times are of the machine that made this.

| run | encoder | tools a request |
|---|---|---|
{runs}
"""


def main(
    folders: Annotated[list[Path] | None, typer.Argument(help="Data sets.")] = None,
    run: Annotated[list[str] | None, typer.Option(help="LABEL or LABEL=CONFIG.yaml; several.")] = None,
    limit: Annotated[int | None, typer.Option(help="Only so many questions of each set.")] = None,
    out: Annotated[Path | None, typer.Option(help="Where to write; otherwise it is printed.")] = None,
) -> None:
    """Measure, and write the tables."""
    sets = [
        folder for folder in folders or () if (folder / "tools.jsonl").exists() and (folder / "queries.jsonl").exists()
    ]
    found = {
        label: _measured(sets, config, limit) for label, _, config in (one.partition("=") for one in run or ["default"])
    }
    text = "\n".join(page(found))
    if out is None:
        print(text)
    else:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(text + "\n", encoding="utf-8")


def _measured(folders: Sequence[Path], config: str, limit: int | None) -> Run:
    """Give one run over everything; the later calls' sets are put behind the first one's."""
    common = [*(["--config", config] if config else []), *(["--limit", str(limit)] if limit else [])]
    catalog = ["--catalog", str(EXAMPLES / "catalog")]
    runs = [_eval(str(EXAMPLES / "questions"), *catalog, *common)]
    runs += [_eval(*map(str, folders), *common)] if folders else []
    runs.append(_eval(str(EXAMPLES / "small_talk"), *catalog, "--split", "test", *common))
    with tempfile.TemporaryDirectory() as made:
        wrapped = Path(made) / "forms.jsonl"
        forms.write(wrapped, limit=min(limit or _WRAPPED, _WRAPPED))
        runs.append(_eval("--queries", str(wrapped), *catalog, *(common[:2] if config else [])))
    idle = [folder for folder in folders if (folder / _IDLE).exists()]
    runs += [_eval(str(folder), "--queries", str(folder / _IDLE), *common) for folder in idle]
    return msgspec.structs.replace(runs[0], datasets=tuple(one for run in runs for one in run.datasets))


def _eval(*arguments: str) -> Run:
    environment = os.environ | {"TOOLFUNNEL_SAFETY__ALLOW": '["read", "write"]'}
    with tempfile.NamedTemporaryFile(suffix=".json") as file:
        command = [sys.executable, "-m", "app", "eval", *arguments, "--reference", "--misses", "0", "--json"]
        done = subprocess.run(command, stdout=file, check=False, env=environment)
        if done.returncode:
            raise typer.Exit(done.returncode)
        return compare.read(Path(file.name))


def page(found: dict[str, Run]) -> Iterator[str]:
    """Give the document for runs by label; every run has the same sets."""
    first = next(iter(found.values()))
    rows = [f"| {label} | {run.encoder} | {run.initial} to {run.max} |" for label, run in found.items()]
    yield _ABOUT.format(date=first.created[:10], version=first.version, first=next(iter(found)), runs="\n".join(rows))
    yield "## The ranking\n\nR@5 / R@10 / R@20 / C@20\n"
    yield from _ranking(found)
    yield "\n## The list in force\n"
    yield from _lists(found)
    yield "\n## Questions as agents and RAG applications wrap them\n"
    yield from _wrapped(found)
    yield "\n## Where no tool is needed\n"
    yield from _small_talk(found)


def _ranking(found: dict[str, Run]) -> Iterator[str]:
    columns = [heading for label in found for heading in (label, f"best single channel of {label}")]
    yield from _head("set (tools; questions)", *columns, "reference recipe")
    below: list[str] = []
    for sets in zip(*(run.datasets for run in found.values()), strict=True):
        if not sets[0].summary.overall.queries:
            continue
        cells = []
        for label, one in zip(found, sets, strict=True):
            name, best = _best_channel(one)
            cells += [_four(one.summary.rankings[FUSED]), f"{name} {_four(best)}"]
            below += [
                f"{label} on {one.name}, {figure} {100 * mine:.1f} ({name} {100 * best.figures[figure]:.1f})"
                for figure in HEADLINE
                if (mine := one.summary.rankings[FUSED].figures[figure]) < best.figures[figure]
            ]
        yield _row(_named(sets[0]), *cells, _four(sets[0].summary.rankings[REFERENCE]))
    yield "\nBelow the best single channel: " + ("; ".join(below) or "nothing") + "."


def _lists(found: dict[str, Run]) -> Iterator[str]:
    yield from _head(
        "set", "run", "C@sent", "tools sent", "later turns", "list grew", "chosen anew", "tool tokens", "p50 / p99 ms"
    )
    for sets in zip(*(run.datasets for run in found.values()), strict=True):
        for label, one in zip(found, sets, strict=True):
            s = one.summary
            if s.overall.queries:
                yield _row(
                    one.name,
                    label,
                    _percent(s.overall.figures["C@sent"]),
                    f"{s.sent_tools:.1f}",
                    f"{s.later_turns:,}",
                    _percent(s.grown),
                    _percent(s.renewed),
                    f"{s.tokens_before:,.0f} → {s.tokens_after:,.0f}",
                    f"{s.route_p50_ms or 0:.1f} / {s.route_p99_ms or 0:.1f}",
                )


def _wrapped(found: dict[str, Run]) -> Iterator[str]:
    yield "Questions with all their tools sent, by form (`bench/forms.json`); the first row is the question alone.\n"
    yield from _head("form", *found)
    shares = {label: _forms_of(run) for label, run in found.items()}
    for name in next(iter(shares.values()), {}):
        yield _row(name, *(_percent(one.get(name)) for one in shares.values()))


def _forms_of(run: Run) -> dict[str, float]:
    one = next((one for one in run.datasets if "plain" in one.summary.by.get("category", {})), None)
    groups = one.summary.by["category"] if one is not None else {}
    shares = {name: group.figures["C@sent"] for name, group in groups.items()}
    return {"plain": shares.pop("plain"), **shares} if shares else {}


def _small_talk(found: dict[str, Run]) -> Iterator[str]:
    yield from _head("set", "run", "questions", "nothing added", "alone", "in a conversation")
    for sets in zip(*(run.datasets for run in found.values()), strict=True):
        for label, one in zip(found, sets, strict=True):
            if talk := one.summary.nothing_wanted:
                shares = {name: group.figures["nothing added"] for name, group in talk.items()}
                cells = (_percent(shares.get(name)) for name in ("all", "alone", "in a conversation"))
                yield _row(one.name, label, f"{talk['all'].queries:,}", *cells)


def _best_channel(one: DatasetRun) -> tuple[str, Group]:
    channels = {name: group for name, group in one.summary.rankings.items() if name not in (FUSED, REFERENCE)}
    return max(channels.items(), key=lambda item: item[1].figures["R@10"])


def _named(one: DatasetRun) -> str:
    return f"{one.name} ({one.tools:,}; {one.queries:,})"


def _four(group: Group) -> str:
    return " / ".join(_percent(group.figures[name]) for name in HEADLINE)


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.1f}"


def _head(*headings: str) -> Iterator[str]:
    yield _row(*headings)
    yield "|---" * len(headings) + "|"


def _row(*cells: str) -> str:
    return "| " + " | ".join(cells) + " |"


if __name__ == "__main__":
    typer.run(main)
