"""`toolfunnel import` and `toolfunnel sources`, and `toolfunnel tools approve`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, Any, TypeVar

import msgspec
import typer
from pydantic import ValidationError

from app import terminal
from app.admin import duplicates
from app.admin.duplicates import Duplicates
from app.encoders import close_all, make_encoders
from app.errors import BadRequest, InvalidRecords
from app.imports import show
from app.imports.service import Imports, Order, Report
from app.registry.console import RISKS, Config, Json, load, risk_of, with_registry
from app.registry.learn import embed_missing, learned
from app.registry.sources import Sources
from app.registry.store import Registry
from app.settings import Settings, in_words
from app.settings.imports import SourceKind, SourceSpec
from app.terminal import err, given, out, print_json
from router.errors import EncoderError
from router.types import Encoder, Risk, Tool

T = TypeVar("T")

_DIGITS = 8  # of a digest that say which it is


def _given(text: str | None) -> str | None:
    return None if text is None else given(text)


imports = typer.Typer(help="Import tools from where they are defined.", no_args_is_help=True)
sources = typer.Typer(help="Where tools were imported from.", no_args_is_help=True)

Name = Annotated[str, typer.Option("--source", help="What the source is called here.", callback=given)]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would change, and change nothing.")]
Approve = Annotated[bool, typer.Option("--approve", help="Take changed definitions, this once.")]
Skip = Annotated[bool, typer.Option("--skip", help="Leave out tools that cannot be taken, instead of taking none.")]
Every = Annotated[float | None, typer.Option("--every", help="Seconds after which the server does it again.", min=1)]
Tenant = Annotated[str, typer.Option("--tenant", help="Whose the tools are; without, everyone's.", callback=given)]
RiskOption = Annotated[
    Risk | None, typer.Option("--risk", help="The risk of the tools.", parser=risk_of, metavar=RISKS)
]


@imports.command("openapi")
def import_openapi(  # noqa: PLR0913, PLR0917 - options
    where: Annotated[str, typer.Argument(help="A document, JSON or YAML.", metavar="FILE|URL", callback=given)],
    source: Name,
    method: Annotated[list[str] | None, typer.Option(help="Only operations of this method.")] = None,
    path: Annotated[list[str] | None, typer.Option(help="Only operations of this path; * is anything.")] = None,
    tag: Annotated[list[str] | None, typer.Option(help="Only operations with this tag.")] = None,
    risk: RiskOption = None,
    tenant: Tenant = "",
    every: Every = None,
    dry_run: DryRun = False,
    approve: Approve = False,
    skip: Skip = False,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Register the operations of an API as tools. Tools that its document has no more are removed."""
    filters = {"methods": method or [], "paths": path or [], "tags": tag or [], "risk": risk, "tenant": tenant}
    spec = _spec(SourceKind.OPENAPI, source, where, filters, every, skip=skip)
    _run(config, Order(spec, dry_run=dry_run, approve=approve), as_json=as_json)


@imports.command("mcp")
def import_mcp(  # noqa: PLR0913, PLR0917 - options
    url: Annotated[str, typer.Argument(help="An MCP server over streamable HTTP.", metavar="URL", callback=given)],
    source: Name,
    risk: RiskOption = None,
    tenant: Tenant = "",
    every: Every = None,
    dry_run: DryRun = False,
    approve: Approve = False,
    skip: Skip = False,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Register the tools of an MCP server. One that is a command stands in the configuration: 'sources sync'."""
    spec = _spec(SourceKind.MCP, source, url, {"risk": risk, "tenant": tenant}, every, skip=skip)
    _run(config, Order(spec, dry_run=dry_run, approve=approve), as_json=as_json)


@imports.command("file")
def import_file(  # noqa: PLR0913, PLR0917 - options
    file: Annotated[str, typer.Argument(help="Definitions, JSON or YAML.", metavar="FILE|URL", callback=given)],
    source: Name,
    risk: RiskOption = None,
    tenant: Tenant = "",
    every: Every = None,
    dry_run: DryRun = False,
    approve: Approve = False,
    skip: Skip = False,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Register tools that are defined for LangChain, LlamaIndex, Anthropic, MCP or OpenAI."""
    spec = _spec(SourceKind.TOOLS, source, file, {"risk": risk, "tenant": tenant}, every, skip=skip)
    _run(config, Order(spec, dry_run=dry_run, approve=approve), as_json=as_json)


@sources.command("list")
def list_sources(config: Config = None, as_json: Json = False) -> None:
    """List the sources: what they are, how many tools they have, and how many of those wait for approval."""
    loaded = load(config)
    rows = _with(loaded, lambda work: show.listed(work.sources, loaded.imports))
    if as_json:
        print_json(rows)
    else:
        show.table(rows)


@sources.command("sync")
def sync_source(
    name: Annotated[str, typer.Argument(help="A source, imported before or configured.", metavar="NAME")],
    dry_run: DryRun = False,
    approve: Approve = False,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Import a source again, as it was imported or is configured."""
    spec = _with(load(config), lambda work: work.spec(name))
    _run(None, Order(spec, dry_run=dry_run, approve=approve), as_json=as_json)


@sources.command("remove")
def remove_source(
    name: Annotated[str, typer.Argument(help="A source.", metavar="NAME")],
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Remove a source with all its tools."""
    removed = _with(load(config), lambda work: work.sources.remove(name))
    if as_json:
        print_json({"removed": removed})
    else:
        out.print(f"{name} and its {terminal.counted(len(removed))} removed", highlight=False)


def approve_tools(
    names: Annotated[list[str] | None, typer.Argument(help="Names of tools.", metavar="NAME")] = None,
    source: Annotated[str | None, typer.Option("--source", help="All tools of this source.", callback=_given)] = None,
    digest: Annotated[str | None, typer.Option(help="Only if this is what waits: what was listed.")] = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Approve what sources have changed. Without a name: list what waits."""
    loaded = load(config)
    if digest is not None and (len(names or ()) != 1 or len(digest) < _DIGITS):
        raise typer.BadParameter(f"it goes with one NAME, and has {_DIGITS} characters or more", param_hint="--digest")
    if not names and source is None:
        waiting = _with(loaded, lambda work: show.waiting(work.sources))
        return print_json(waiting) if as_json else show.waiting_table(waiting)
    approved = _with(loaded, lambda work: work.approve(names or None, source, digest))
    if as_json:
        return print_json({"approved": approved})
    return out.print(f"{terminal.counted(len(approved))} approved", highlight=False)


def _spec(
    kind: SourceKind, name: str, where: str, further: dict[str, Any], every: float | None, **flags: bool
) -> SourceSpec:
    """Make the specification of a source from options.

    Raises:
        BadRequest: They do not go together.
    """
    at: dict[str, Any] = {"url": where} if "://" in where else {"file": Path(where).absolute()}
    try:
        return SourceSpec(name=name, kind=kind, interval_s=every, **at, **further, **flags)
    except ValidationError as error:
        raise BadRequest("\n".join(map(in_words, error.errors()))) from error


def _run(config: Path | None, order: Order, *, as_json: bool) -> None:
    loaded = load(config)
    try:
        report, like = _with(loaded, lambda work: _imported(work, loaded, order))
    except InvalidRecords as error:
        lines = [f"{problem.name}: {problem.reason}" for problem in error.problems]
        raise BadRequest(
            "\n".join([*lines, "Nothing was imported. --skip leaves out what cannot be taken."])
        ) from error
    except KeyboardInterrupt:
        err.print("Stopped. A source is imported whole or not at all: nothing is left half done.")
        raise
    if as_json:
        print_json(msgspec.to_builtins(report) | {"near_duplicates": like and like["duplicates"]})
    else:
        show.report(report)
        terminal.warn_of_duplicates(like)
        terminal.tell_offering(report.offer)


async def _imported(work: _Work, loaded: Settings, order: Order) -> tuple[Report, Duplicates | None]:
    """Import; tell what came of it, and what the written tools are like. None: they are too many to compare."""
    reasons: list[str] = []
    encoders: list[Encoder] = []
    try:
        with terminal.progress("indexing tools") as progress:

            async def embed(tools: list[Tool]) -> None:
                if tools:  # an encoder takes a second to load
                    encoders.extend(make_encoders(loaded))
                for encoder in encoders:
                    try:
                        await embed_missing(work.registry, encoder, tools, progress)
                    except EncoderError as error:
                        reasons.append(str(error))

            report = await work.run(order, embed)
        if reasons:
            err.print(f"Words find the tools until the server has embedded them: {'; '.join(reasons)}", markup=False)
        return report, await _like(work, loaded, report, encoders)
    finally:
        close_all(encoders)


async def _like(work: _Work, loaded: Settings, report: Report, encoders: list[Encoder]) -> Duplicates | None:
    if not encoders:
        return {"duplicates": [], "total": 0}
    stored = await learned(work.registry, encoders[0])
    written = {*report.new, *(one.name for one in report.changed)}
    rows = [row for row, tool in enumerate(stored.tools) if tool.name in written]
    try:
        return duplicates.among(stored, rows, loaded.safety.duplicate_similarity, duplicates.TOLD)
    except BadRequest:
        return None


class _Work(Imports):
    """Imports with the registry that they go to."""

    def __init__(self, registry: Registry, loaded: Settings) -> None:
        super().__init__(Sources(registry), loaded.imports, loaded.safety.allow)
        self.registry = registry


def _with(loaded: Settings, work: Callable[[_Work], Awaitable[T]]) -> T:
    return with_registry(loaded, lambda registry: work(_Work(registry, loaded)))
