"""A small data set on its way through the real routing, with an encoder that counts words."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from app.encoders.readers import Reader
from app.evaluation import dataset, summary
from app.evaluation.replay import Reference, Replay, catalog_of, routing_of
from app.evaluation.results import DatasetRun, Run
from app.routing import Options
from app.settings import SelectSettings, Settings
from router.types import Encoder
from tests.support import datasets
from tests.support.inside import WordEncoder

Evaluate = Callable[..., DatasetRun]


@pytest.fixture
def evaluate(tmp_path: Path) -> Evaluate:
    """Give what was measured for questions about `datasets.WEATHER`."""

    def measure(
        questions: Sequence[object],
        *,
        entries: Sequence[object] = datasets.WEATHER,
        k: int | None = None,
        initial: int = 2,
        most: int = 3,
        encoder: Encoder | None = None,
    ) -> DatasetRun:
        folder = datasets.write(tmp_path / "weather", entries, questions, datasets.SAME_WEATHER)
        settings = Settings(select=SelectSettings(initial=initial, max=most))
        return asyncio.run(_measured(dataset.read(folder), settings, k, encoder or WordEncoder()))

    return measure


def quiet(done: int, total: int) -> None:
    """Show no progress."""


async def _measured(read: dataset.Dataset, settings: Settings, k: int | None, encoder: Encoder) -> DatasetRun:
    readers = [Reader(encoder)]
    routing = routing_of(readers, settings)
    try:
        catalog = await catalog_of(read.name, read.tools, readers, quiet)
        results, missed = await Replay(
            read, catalog, routing, Options(k=k), Reference(readers[0].encoder, catalog)
        ).run(quiet)
    finally:
        routing.close()
    figures = summary.of(results, settings.select.budget_ms)
    return DatasetRun(read.name, len(read.tools), len(read.queries), False, figures, tuple(missed), tuple(results))


def run_of(*measured: DatasetRun) -> Run:
    """Give an evaluation of these."""
    return Run("2026-03-02T09:30:00+00:00", "0.1.0", "words", 2, 3, 50.0, measured)
