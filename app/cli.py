"""The `toolfunnel` command.

Exit codes: 0 done; 1 it could not be done, the message says why; 2 the command or the configuration is wrong.
"""

from __future__ import annotations

import asyncio
import json
import socket
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, TypeVar

import msgspec
import typer
import uvicorn
import yaml
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from app import importer, settings
from app.admin import records
from app.admin.service import decision
from app.demo import run as demo_run
from app.demo.upstream import create_upstream
from app.errors import ConfigurationError, GatewayError, NotFound
from app.main import make_encoder
from app.registry.snapshot import Snapshots
from app.registry.store import Registry
from app.routing import Options, Routing
from app.settings import Settings
from app.telemetry import Telemetry, configure_logging
from router.embed.embedder import Embedder
from router.errors import RouterError
from router.pipeline import Router
from router.types import Risk, Tool

T = TypeVar("T")

app = typer.Typer(
    name="toolfunnel",
    help="An OpenAI-compatible proxy that gives each request the few tools it needs.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
tools = typer.Typer(help="The tools of the catalogue.", no_args_is_help=True)
config = typer.Typer(help="The configuration.", no_args_is_help=True)
app.add_typer(tools, name="tools")
app.add_typer(config, name="config")

Config = Annotated[Path | None, typer.Option("--config", help="The configuration file.", show_default="config.yaml")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]

out = Console(width=None if sys.stdout.isatty() else 140)
_WIDE = 110  # columns from which there is room for descriptions
err = Console(stderr=True, soft_wrap=True)


def main() -> None:
    """Run the command line."""
    try:
        app()
    except ConfigurationError as error:
        _end(f"The configuration cannot be used.\n{error}", code=2)
    except (GatewayError, RouterError, importer.ImportFailed, demo_run.DemoFailed) as error:
        _end(str(error), code=1)


@app.command()
def serve(
    config: Config = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on.", min=0, max=65535)] = None,
    workers: Annotated[int, typer.Option(help="Processes that serve the port.", min=1, max=64)] = 1,
) -> None:
    """Start the gateway."""
    _override("server", host=host, port=port)
    loaded = _load(config)
    configure_logging(loaded.log)
    _check_port(loaded)
    asyncio.run(_check_registry(loaded))
    uvicorn.run(
        "app.main:create_app",
        factory=True,
        host=loaded.server.host,
        port=loaded.server.port,
        workers=workers,
        http="httptools",
        loop="asyncio",
        ws="none",
        lifespan="on",
        access_log=False,
        log_level="warning",
        server_header=False,
        date_header=False,
        timeout_graceful_shutdown=int(loaded.server.shutdown_grace_s) or None,
    )


@tools.command("import")
def import_tools(
    files: Annotated[list[Path], typer.Argument(help="JSON, JSONL or YAML files, or folders of them.")],
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Register tools from files: all of them, or none."""
    loaded = _load(config)
    found = importer.read_files(files)
    encoder = make_encoder(loaded)

    async def work(registry: Registry) -> None:
        with _progress("indexing tools") as report:
            result = await importer.store(registry, encoder, found, report)
        if as_json:
            _print_json(msgspec.to_builtins(result))
            return
        out.print(
            f"{len(found)} tools: {len(result.created)} created, {len(result.updated)} updated, "
            f"{len(result.unchanged)} unchanged"
        )

    _with_registry(loaded, work)


@tools.command("list")
def list_tools(  # noqa: PLR0913, PLR0917 - one option a filter
    config: Config = None,
    tag: Annotated[str | None, typer.Option(help="Only tools with this tag.")] = None,
    q: Annotated[str | None, typer.Option(help="Only tools with this in name or description.")] = None,
    risk: Annotated[Risk | None, typer.Option(help="Only tools of this risk.")] = None,
    limit: Annotated[int, typer.Option(help="At most so many.", min=1)] = 100_000,
    as_json: Json = False,
) -> None:
    """List the tools by name."""
    found = _with_registry(_load(config), lambda registry: registry.find(tag=tag, q=q, risk=risk, limit=limit))
    if as_json:
        _print_json([msgspec.to_builtins(_plain(tool)) for tool in found])
        return
    table = Table(box=None, pad_edge=False)
    table.add_column("name", no_wrap=True, min_width=max((len(tool.name) for tool in found), default=0))
    for heading in ("risk", "state"):
        table.add_column(heading, no_wrap=True, min_width=9 if heading == "risk" else 6)
    table.add_column("tags", no_wrap=True, overflow="ellipsis", max_width=24)
    table.add_column("description")
    for tool in found:
        state = "pinned" if tool.pinned and tool.enabled else "on" if tool.enabled else "off"
        table.add_row(tool.name, tool.risk, state, escape(", ".join(tool.tags)), _line(tool.description))
    out.print(table)
    out.print(f"{len(found)} tools")


@tools.command("show")
def show_tool(name: str, config: Config = None) -> None:
    """Print one tool as a JSON record."""
    tool = _with_registry(_load(config), lambda registry: registry.get(name))
    if tool is None:
        raise NotFound(f"There is no tool {name!r}. 'toolfunnel tools list --q TEXT' searches for one.")
    _print_json(_plain(tool))


@tools.command("rm")
def remove_tools(names: Annotated[list[str], typer.Argument(help="Names of tools.")], config: Config = None) -> None:
    """Remove tools from the catalogue."""

    async def work(registry: Registry) -> list[str]:
        return [name for name in names if not await registry.delete(name)]

    missing = _with_registry(_load(config), work)
    out.print(f"{len(names) - len(missing)} removed")
    if missing:
        raise NotFound(f"There is no tool {', '.join(missing)}.")


@app.command()
def route(
    question: str,
    k: Annotated[int | None, typer.Option("--k", help="Choose at most so many tools.", min=1)] = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Explain which tools a question would be sent with, and why. Nothing is sent."""
    loaded = _load(config)
    explained = _with_registry(loaded, lambda registry: _explain(loaded, registry, question, k))
    if as_json:
        _print_json(explained)
    else:
        _show_decision(question, explained)


@config.command("check")
def check_config(config: Config = None, as_json: Json = False) -> None:
    """Read the configuration as the server would, and print it without its secrets."""
    values = settings.redacted(_load(config))
    if as_json:
        _print_json(values)
    else:
        out.print(yaml.safe_dump(values, sort_keys=False, allow_unicode=True), end="", markup=False, highlight=False)


@app.command("demo-upstream")
def demo_upstream(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.", min=0, max=65535)] = 8001,
) -> None:
    """Start the stand-in for a model: speaks Chat Completions, calls the nearest tool, and says what it is."""
    uvicorn.run(create_upstream(), host=host, port=port, log_level="warning", access_log=False, loop="asyncio")


@app.command()
def demo(
    catalog: Annotated[Path, typer.Option(help="Catalogue files.")] = Path("examples/catalog"),
    model: Annotated[str | None, typer.Option(help="The provider's model.")] = None,
    once: Annotated[bool, typer.Option("--once", help="End after the questions.")] = False,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Ask three questions through a gateway with a sample catalogue, and show what happened."""
    settings.override("registry", "url", "sqlite:///data/demo.db")
    settings.override("log", "level", "warning")
    loaded = _load(config)
    _check_port(loaded)
    import_tools([catalog], config)
    demo_run.run(loaded, out, model=model, once=once, as_json=as_json)


async def _explain(loaded: Settings, registry: Registry, question: str, k: int | None) -> dict[str, Any]:
    encoder = make_encoder(loaded)
    routing = Routing(Router(Embedder(encoder)), loaded)
    snapshots = Snapshots(registry, encoder, Telemetry(), loaded.registry.poll_s)
    try:
        await snapshots.refresh()
        body = json.dumps({"messages": [{"role": "user", "content": question}]}).encode()
        return decision(await routing.explain(body, snapshots.catalog, Options(k=k)))
    finally:
        routing.close()


def _show_decision(question: str, explained: dict[str, Any]) -> None:
    rows = explained["tools"]
    chosen = [row for row in rows if row["chosen"]]
    near = [row for row in rows if row["why"] == "over budget"][:5]
    refused = sum(row["why"] in ("not permitted", "disabled") for row in rows)
    tokens = explained["tokens"]
    out.print(f"\n[bold]{escape(question)}[/bold]")
    out.print(
        f"{len(chosen)} of {explained['available']} tools, {tokens['after']:,} instead of {tokens['before']:,} tokens "
        f"(estimated), {explained['timings_ms']['route']:.1f} ms, by {explained['mode']} search\n"
    )
    table = Table(box=None, pad_edge=False)
    table.add_column("", justify="right", min_width=2)
    table.add_column("tool", no_wrap=True, min_width=max((len(row["name"]) for row in (*chosen, *near)), default=0))
    table.add_column("why", no_wrap=True, min_width=max((len(row["why"]) for row in (*chosen, *near)), default=0))
    for heading in ("fused", "by meaning", "by word"):
        table.add_column(heading, justify="right", no_wrap=True, min_width=5)
    if out.width >= _WIDE:
        table.add_column("description")
    by_rank = sorted(chosen, key=lambda row: row["fused"]["rank"] if row["fused"] else 0)
    for row in by_rank:
        table.add_row(*_cells(row)[: len(table.columns)])
    for row in near:
        table.add_row(*_cells(row)[: len(table.columns)], style="dim")
    out.print(table)
    if refused:
        out.print(f"\n{refused} tools may not be offered: disabled, or of a risk outside safety.allow", style="dim")


def _line(text: str) -> Text:
    """Give a cell that takes the room that is left and is cut there."""
    return Text(" ".join(text.split()), no_wrap=True, overflow="ellipsis")


def _cells(row: dict[str, Any]) -> list[str | Text]:
    def channel(name: str) -> str:
        value = row[name]
        return "-" if value is None else f"{value['score']:.2f} #{value['rank']}"

    fused = row["fused"]
    rank = "" if fused is None else str(fused["rank"])
    score = "-" if fused is None else f"{fused['score']:.3f}"
    scores = (score, channel("dense"), channel("lexical"))
    return [rank, escape(row["name"]), row["why"], *scores, _line(row["description"])]


def _load(config: Path | None) -> Settings:
    if config is not None:
        settings.use_file(config)
    return settings.load()


def _override(section: str, **values: object) -> None:
    for key, value in values.items():
        if value is not None:
            settings.override(section, key, value)


def _with_registry(loaded: Settings, work: Callable[[Registry], Awaitable[T]]) -> T:
    async def run() -> T:
        registry = await Registry.open(loaded.registry.url)
        try:
            return await work(registry)
        finally:
            await registry.close()

    return asyncio.run(run())


async def _check_registry(loaded: Settings) -> None:
    """Open and migrate once, before any worker does, so that a problem is one clear message."""
    registry = await Registry.open(loaded.registry.url)
    await registry.close()


def _check_port(loaded: Settings) -> None:
    host, port = loaded.server.host, loaded.server.port
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host.strip("[]"), port))
        except OSError as error:
            _end(f"Cannot listen on {host}:{port}: {error.strerror}. Choose another with --port.", code=1)


@contextmanager
def _progress(what: str) -> Iterator[Callable[[int, int], None]]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=err) as bar:
        task = bar.add_task(what, total=None, visible=False)
        yield lambda done, total: bar.update(task, completed=done, total=total, visible=True)


def _plain(tool: Tool) -> dict[str, Any]:
    record: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(records.as_record(tool)))
    return record


def _print_json(value: object) -> None:
    sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=2) + "\n")


def _end(message: str, *, code: int) -> None:
    err.print(message, style="red", markup=False, highlight=False)
    raise SystemExit(code)


if __name__ == "__main__":
    main()
