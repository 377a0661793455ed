"""The `eval` command: its options, its order of work, and nothing of how things are measured."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from threadpoolctl import threadpool_limits

from app import __version__, importer, terminal
from app.encoders import close_all
from app.encoders.readers import Reader, load
from app.errors import ConfigurationError
from app.evaluation import EvaluationFailed, compare, dataset, report, summary, tables
from app.evaluation.dataset import Dataset
from app.evaluation.replay import Reference, Replay, catalog_of, routing_of
from app.evaluation.results import DatasetRun, Run
from app.registry import console
from app.registry.learn import embed_missing
from app.registry.snapshot import Snapshots
from app.registry.store import Registry
from app.routing import Options
from app.settings import Settings, SourcePolicy
from app.telemetry import Telemetry, configure_logging
from app.terminal import err
from router import permit
from router.catalog import Catalog
from router.types import Grants, Tool

_LIVE = "live"


@dataclass(frozen=True, slots=True)
class _Job:
    """What to measure, and how much of it."""

    loaded: Settings
    folders: Sequence[Path]
    catalog: str | None
    queries: Path | None
    tags: bool
    split: str | None
    k: int | None
    limit: int | None
    misses: int
    reference: bool

    def cut(self, found: Dataset) -> Dataset:
        """Keep the questions that are asked for."""
        return found.only(self.split).sample(self.limit)

    def about(self, tools: Sequence[Tool]) -> list[Dataset]:
        """Read the questions about a catalogue's tools."""
        if not self.folders and self.queries:
            return [
                self.cut(dataset.read_about(tools, _LIVE if self.catalog == _LIVE else self.queries.stem, self.queries))
            ]
        return [
            self.cut(dataset.read_about(tools, f.resolve().name, self.queries or f / "queries.jsonl", f / "equiv.json"))
            for f in self.folders
        ]


def evaluate(  # noqa: PLR0913, PLR0917 - options
    datasets: Annotated[
        list[Path] | None, typer.Argument(help="Folders with tools.jsonl and queries.jsonl.", metavar="DATASET")
    ] = None,
    catalog: Annotated[
        str | None,
        typer.Option(
            help="The tools instead of tools.jsonl: live (the registry's) or catalogue files.", metavar="live|PATH"
        ),
    ] = None,
    queries: Annotated[Path | None, typer.Option(help="A file of questions, instead of queries.jsonl.")] = None,
    tags: Annotated[bool, typer.Option("--tags", help="Give the tools of the data set their tags.")] = False,
    split: Annotated[str | None, typer.Option(help="Only questions of this split.")] = None,
    k: Annotated[int | None, typer.Option("--k", help="Send at most so many tools.", min=1)] = None,
    limit: Annotated[int | None, typer.Option(help="Only so many questions of each set, a sample.", min=1)] = None,
    misses: Annotated[int, typer.Option(help="Show so many of the worst misses.", min=0)] = 3,
    reference: Annotated[bool, typer.Option("--reference", help="Rank by the reference recipe, too.")] = False,
    page: Annotated[Path | None, typer.Option("--report", help="Write a page with charts.", metavar="FILE")] = None,
    earlier: Annotated[
        Path | None, typer.Option("--compare", help="What --json printed before.", metavar="FILE")
    ] = None,
    force: console.Force = False,
    config: console.Config = None,
    as_json: console.Json = False,
) -> None:
    """Measure how well the tools for questions with known answers are found."""
    _check_usage(datasets or [], catalog, queries)
    loaded = console.load(config)
    configure_logging(loaded.log.model_copy(update={"level": "warning"}))
    if loaded.tools.source is SourcePolicy.REQUEST:
        raise ConfigurationError("tools.source: with 'request' no catalogue is used, so there is nothing to measure")
    before = None if earlier is None else compare.read(earlier)
    if page is not None and (page.is_dir() or not page.absolute().parent.is_dir()):
        raise EvaluationFailed(f"{page}: a report cannot be written there")
    if page is not None and not force and os.path.lexists(page):
        raise EvaluationFailed(f"{page} is there already. --force replaces it")
    job = _Job(loaded, datasets or [], catalog, queries, tags, split, k, limit, misses, reference)
    run = _run(job)
    if before is not None:
        run = compare.with_comparison(run, before)
    if page is not None:
        report.write(page, run)
    if as_json:
        terminal.print_json(run)
    else:
        tables.show(run)


def _check_usage(datasets: Sequence[Path], catalog: str | None, queries: Path | None) -> None:
    if not datasets and not (catalog and queries):
        raise typer.BadParameter("name data sets, or a --catalog and --queries about it", param_hint="'DATASET'")
    if queries and len(datasets) > 1:
        raise typer.BadParameter("it stands in for the questions of one data set", param_hint="'--queries'")
    if len({folder.resolve().name for folder in datasets}) < len(datasets):
        raise typer.BadParameter("two data sets have the same name", param_hint="'DATASET'")


def _readers(loaded: Settings) -> list[Reader]:
    return load(loaded)


def _run(job: _Job) -> Run:
    started = datetime.now(UTC).replace(microsecond=0)
    try:
        with threadpool_limits(limits=1, user_api="blas"):  # as in the gateway
            readers, runs = asyncio.run(_measured(job))
        close_all(reader.encoder for reader in readers)
    except KeyboardInterrupt:
        err.print("Stopped. Nothing was written.")
        raise
    select = job.loaded.select
    return Run(
        created=started.isoformat(),
        version=__version__,
        encoder=" + ".join(reader.encoder.key for reader in readers),
        initial=min(job.k or select.initial, select.max),
        max=min(job.k or select.max, select.max),
        budget_ms=select.budget_ms,
        datasets=tuple(runs),
    )


async def _measured(job: _Job) -> tuple[list[Reader], list[DatasetRun]]:
    """Read everything, then encode and ask."""
    if job.catalog == _LIVE:
        readers = _readers(job.loaded)
        catalog = await _live(job, readers)
        about = job.about(catalog.tools)
        _warn(job, about)
        return readers, [await _measure(job, readers, found, catalog) for found in about]
    if job.catalog is not None:
        tools = importer.read_files([Path(job.catalog)])
        about = job.about(tools)
        _warn(job, about)
        readers = _readers(job.loaded)
        catalog = await _indexed(job.catalog, tools, readers)
        return readers, [await _measure(job, readers, found, catalog) for found in about]
    read = [job.cut(dataset.read(folder, queries=job.queries, tags=job.tags)) for folder in job.folders]
    readers = _readers(job.loaded)
    return readers, [await _measure(job, readers, one, await _indexed(one.name, one.tools, readers)) for one in read]


async def _indexed(name: str, tools: Sequence[Tool], readers: Sequence[Reader]) -> Catalog:
    with terminal.progress(f"{name}: indexing tools") as told:
        return await catalog_of(name, tools, readers, told)


async def _live(job: _Job, readers: Sequence[Reader]) -> Catalog:
    """Give the registry's tools as the gateway would have them."""
    encoders = [reader.encoder for reader in readers]
    registry = await Registry.open(job.loaded.registry.address)
    try:
        with terminal.progress("live: indexing tools") as told:
            for encoder in encoders:
                await embed_missing(registry, encoder, (await registry.load())[1], told)
        snapshots = Snapshots(registry, encoders, Telemetry(), job.loaded.registry.poll_s)
        await snapshots.refresh()
    finally:
        await registry.close()
    return snapshots.catalog


def _warn(job: _Job, about: Sequence[Dataset]) -> None:
    """Say what cannot be found, however good the search is."""
    grants = Grants(job.loaded.safety.allow)
    for found in about:
        wanted = {group for query in found.queries for group in query.gold}
        offered = {
            group for group, tool in zip(found.groups, found.tools, strict=True) if not permit.refusal(tool, grants)
        }
        if refused := len(wanted - offered):
            err.print(
                f"{found.name}: {refused} of the wanted tools may not be offered: disabled, or of a risk outside "
                "safety.allow.",
                highlight=False,
            )


async def _measure(job: _Job, readers: Sequence[Reader], found: Dataset, catalog: Catalog) -> DatasetRun:
    routing = routing_of(readers, job.loaded)
    reference = Reference(readers[0].encoder, catalog) if job.reference else None
    try:
        with terminal.progress(f"{found.name}: asking") as told:
            results, missed = await Replay(found, catalog, routing, Options(k=job.k), reference).run(told)
    finally:
        routing.close()
    return DatasetRun(
        name=found.name,
        tools=len(found.tools),
        queries=len(found.queries),
        sampled=job.limit is not None,
        summary=summary.of(results, job.loaded.select.budget_ms),
        misses=tuple(missed[: job.misses]),
        results=tuple(results),
    )
