"""The `toolfunnel` command.

Exit codes: 0 done; 1 it could not be done, the message says why; 2 the command or the configuration is wrong;
130 stopped by Ctrl-C before it was done (`app.__main__` sees to it). Servers that are stopped end with 0.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
import yaml

from app import __version__, importer, serving, settings, terminal
from app.admin import duplicates, records
from app.admin.duplicates import Duplicates
from app.admin.withheld import Keeping, keeping, offering
from app.callers.commands import keys
from app.decision_text import show_decision
from app.demo import DemoFailed
from app.encoders import close_all, make_encoders
from app.encoders.commands import encoder
from app.errors import BadRequest, ConfigurationError, GatewayError, NotFound
from app.evaluation import EvaluationFailed
from app.evaluation.command import evaluate
from app.explaining import asked_as, explain, request_body, search
from app.explaining import question as asked
from app.imports import commands as imports
from app.registry.commands import backup, migrate, restore
from app.registry.console import RISKS, Config, Json, load, read, risk_of, with_registry
from app.registry.learn import learned
from app.registry.sources import Sources
from app.registry.store import Registry
from app.registry.writing import PutResult
from app.settings import Settings
from app.settings.secret import secrets_of
from app.telemetry import configure_logging
from app.terminal import err, out, print_json
from router.errors import RouterError
from router.types import Risk, Tool

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
app.command("eval")(evaluate)
app.command("migrate")(migrate)
app.command("backup")(backup)
app.command("restore")(restore)
app.add_typer(encoder, name="encoder")
app.add_typer(keys, name="keys")
app.add_typer(imports.imports, name="import")
app.add_typer(imports.sources, name="sources")
tools.command("approve")(imports.approve_tools)

_FOUND, _LISTED = 20, 100_000  # tools that a search and a list show, unless told otherwise
Port = Annotated[int | None, typer.Option(help="Port to listen on; 0 takes a free one.", min=0, max=65535)]


def main() -> None:
    """Run the command line."""
    terminal.prepare()
    try:
        app()
    except ConfigurationError as error:
        terminal.end(f"The configuration cannot be used.\n{error}", code=2)
    except (
        GatewayError,
        RouterError,
        importer.ImportFailed,
        DemoFailed,
        EvaluationFailed,
        serving.CannotServe,
    ) as error:
        terminal.end(str(error), code=1)
    except OSError as error:
        terminal.end_without_output(error)


def _given(text: str | None) -> str | None:
    return None if text is None else terminal.given(text)


def _version(wanted: bool) -> None:
    if wanted:
        out.print(f"toolfunnel {__version__}", highlight=False)
        raise typer.Exit


@app.callback()
def common(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", is_eager=True, callback=_version)
    ] = False,
) -> None:
    """An OpenAI-compatible proxy that gives each request the few tools it needs."""


@app.command()
def serve(
    config: Config = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Port = None,
    workers: Annotated[int, typer.Option(help="Processes that serve the port.", min=1, max=64)] = 1,
) -> None:
    """Start the gateway. Ctrl-C ends it."""
    _override("server", host=host, port=port)
    configuration = read(config)
    loaded = configuration.settings
    configure_logging(loaded.log, secrets_of(loaded))
    listen_on = serving.port_to_use(loaded.server.host, loaded.server.port)
    with_registry(loaded, Registry.count)  # opened and migrated before any worker does: one clear message
    serving.run(configuration, listen_on, workers)


@tools.command("import")
def import_tools(
    files: Annotated[list[Path], typer.Argument(help="JSON, JSONL or YAML files, or folders of them.", metavar="FILE")],
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Register tools from files: all of them, or none. Near-duplicates are told."""
    result, like, offer = _import(load(config), files)
    if as_json:
        told = msgspec.to_builtins(result) | {"near_duplicates": like and like["duplicates"], "offer": offer}
        print_json({name: value for name, value in told.items() if value or name != "guarded"})
    else:
        out.print(_summary(result), highlight=False)
        terminal.tell_guarded(result.guarded)
        terminal.warn_of_duplicates(like)
        terminal.tell_offering(offer)


@tools.command("list")
def list_tools(  # noqa: PLR0913, PLR0917 - one option a filter
    config: Config = None,
    tag: Annotated[str | None, typer.Option(help="Only tools with this tag.", callback=_given)] = None,
    q: Annotated[
        str | None, typer.Option(help="Search, as requests do: by meaning and words, best first.", callback=_given)
    ] = None,
    risk: Annotated[Risk | None, typer.Option(help="Only tools of this risk.", parser=risk_of, metavar=RISKS)] = None,
    tenant: Annotated[str | None, typer.Option(help="Only tools of this tenant.", callback=_given)] = None,
    limit: Annotated[int | None, typer.Option(help="At most so many; of a search 20 unless told.", min=1)] = None,
    as_json: Json = False,
) -> None:
    """List the tools by name, or search for them."""
    loaded = load(config)

    async def work(registry: Registry) -> tuple[list[Tool], int, Keeping]:
        if q is not None and q.strip():
            found = await search(loaded, registry, q, limit or _FOUND, tag=tag, risk=risk, tenant=tenant)
        else:
            found = await registry.find(tag=tag, risk=risk, tenant=tenant, limit=limit or _LISTED)
        return found, await registry.count(), await keeping(Sources(registry), loaded.safety.allow)

    found, total, kept = with_registry(loaded, work)
    if as_json:
        print_json([records.as_record(tool) for tool in found])
    elif found:
        terminal.show_tools(found, kept.allow, kept.holds)
        some = "" if len(found) == total else f"{len(found):,} of "
        out.print(some + terminal.counted(total) + (", best first" if q else ""), highlight=False)
    else:
        out.print(
            f"None of {terminal.counted(total)} is like that." if total else _empty(loaded),
            markup=False,
            highlight=False,
        )


@tools.command("show")
def show_tool(
    name: Annotated[str, typer.Argument(help="Name of a tool.", metavar="NAME")],
    config: Config = None,
    as_json: Json = False,  # noqa: ARG001 - a record is JSON in any case
) -> None:
    """Print one tool as a JSON record."""
    tool = with_registry(load(config), lambda registry: registry.get(name))
    if tool is None:
        raise NotFound(f"There is no tool {name!r}. 'toolfunnel tools list --q TEXT' searches for one.")
    print_json(records.as_record(tool))


@tools.command("rm")
def remove_tools(
    names: Annotated[list[str], typer.Argument(help="Names of tools.", metavar="NAME")],
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Remove tools from the catalogue. Exit code 1 when one was not there."""
    wanted = list(dict.fromkeys(names))

    async def work(registry: Registry) -> list[str]:
        return [name for name in wanted if not await registry.delete(name)]

    missing = with_registry(load(config), work)
    removed = [name for name in wanted if name not in missing]
    if as_json:
        print_json({"removed": removed, "missing": missing})
    else:
        out.print(f"{len(removed)} removed", highlight=False)
    if missing:
        raise NotFound("\n".join(f"There is no tool {name!r}." for name in missing))


@tools.command("duplicates")
def list_duplicates(
    config: Config = None,
    source: Annotated[str | None, typer.Option(help="Only tools of this source.", callback=_given)] = None,
    threshold: Annotated[float | None, typer.Option(help="Cosine from which on to tell.", min=0.5, max=1)] = None,
    limit: Annotated[int, typer.Option(help="At most so many pairs.", min=1, max=100_000)] = 100,
    as_json: Json = False,
) -> None:
    """List pairs of tools that are nearly the same."""
    loaded = load(config)
    first = make_encoders(loaded)[0]
    at = threshold or loaded.safety.duplicate_similarity

    async def work(registry: Registry) -> Duplicates:
        stored = await learned(registry, first)
        return duplicates.among(stored, duplicates.rows_of(stored.tools, source), at, limit)

    like = with_registry(loaded, work)
    if as_json:
        print_json(like)
    else:
        terminal.show_duplicates(like)


@app.command()
def route(  # noqa: PLR0913, PLR0917 - options
    question: Annotated[
        str | None, typer.Argument(help="What a user would ask.", metavar="QUESTION", callback=_given)
    ] = None,
    request: Annotated[
        Path | None,
        typer.Option(
            help="Explain a whole request instead: a file with its JSON body; - is standard input.", metavar="FILE"
        ),
    ] = None,
    k: Annotated[int | None, typer.Option("--k", help="Choose at most so many tools.", min=1)] = None,
    key: Annotated[str | None, typer.Option(help="Id of a caller's key: choose as for its requests.")] = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Explain which tools a question or a request would be sent with, and why. Nothing is sent."""
    if (question is None) == (request is None):
        raise typer.BadParameter("a question, or --request FILE: one of them", param_hint="'QUESTION'")
    if question is not None and not question.strip():
        raise typer.BadParameter("it is empty; ask something", param_hint="'QUESTION'")
    loaded = load(config)
    body = asked(question) if question is not None else request_body(request or Path("-"), loaded.server.max_body_bytes)

    async def work(registry: Registry) -> dict[str, Any]:
        return await explain(loaded, registry, body, await asked_as(registry, k, key))

    explained = with_registry(loaded, work)
    if as_json:
        print_json(explained)
    elif explained["tools"]:
        show_decision(question or "", explained)
    else:
        out.print(_empty(loaded), markup=False, highlight=False)


@config.command("check")
def check_config(config: Config = None, as_json: Json = False) -> None:
    """Read the configuration as the server would, and print it without its secrets."""
    loaded = load(config)
    values = settings.redacted(loaded)
    if as_json:
        print_json(values)
    else:
        text = yaml.safe_dump(values, sort_keys=False, allow_unicode=True)
        out.print(text, end="", markup=False, highlight=False, soft_wrap=True)
    if note := settings.doubt_about_provider(loaded.upstream):
        err.print(note, style="yellow", markup=False, highlight=False)


@app.command("demo-upstream")
def demo_upstream(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on; 0 takes a free one.", min=0, max=65535)] = 8001,
) -> None:
    """Start the stand-in for a model: speaks Chat Completions, calls the nearest tool, and says what it is."""
    from app.demo.upstream import create_upstream  # noqa: PLC0415 - loaded where it is used

    listen_on = serving.port_to_use(host, port)
    application = create_upstream()
    base_url = f"{serving.url(host, listen_on)}/v1"
    err.print(f"The stand-in for a model serves at {base_url} until Ctrl-C.", highlight=False)
    serving.run_app(application, host, listen_on)


@app.command()
def demo(  # noqa: PLR0913, PLR0917 - options
    catalog: Annotated[Path, typer.Option(help="A folder of catalogue files, or one file.", metavar="PATH")] = Path(
        "examples/catalog"
    ),
    model: Annotated[str | None, typer.Option(help="The provider's model, where it serves several.")] = None,
    port: Port = None,
    once: Annotated[bool, typer.Option("--once", help="End after the questions.")] = False,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Ask three questions through a gateway with a sample catalogue, and show what happened."""
    from app.demo import run  # noqa: PLC0415 - the official client takes a second

    if not catalog.exists():
        raise DemoFailed(f"{catalog}: there is no such folder. Name one with catalogue files: --catalog PATH")
    _override("registry", url="sqlite:///data/demo.db")
    _override("log", level="warning")
    _override("server", port=port)
    server = load(config).server
    _override("server", port=serving.port_to_use(server.host, server.port))
    loaded = load(None)
    err.print(f"Reading the catalogue {catalog} …", markup=False, highlight=False)
    err.print(_summary(_import(loaded, [catalog])[0]), highlight=False)
    run.run(loaded, model=model, once=once, as_json=as_json)


def _import(loaded: Settings, files: list[Path]) -> tuple[PutResult, Duplicates | None, dict[str, Any]]:
    """Register tools; tell what came of it, what the new ones are like, and how many of all can be offered.

    None: they are too many to compare.
    """
    left_out: dict[str, frozenset[str]] = {}
    found = importer.read_files(files, left_out)
    encoders = make_encoders(loaded)

    async def work(registry: Registry) -> tuple[PutResult, Duplicates | None, dict[str, Any]]:
        with terminal.progress("indexing tools") as report:
            result = await importer.store(registry, encoders, found, report, left_out)
        written = {*result.created, *result.updated}
        stored = await learned(registry, encoders[0])
        rows = [row for row, tool in enumerate(stored.tools) if tool.name in written]
        imported = written | {*result.unchanged}
        kept = await keeping(Sources(registry), loaded.safety.allow)
        offer = offering([tool for tool in stored.tools if tool.name in imported], kept)
        try:
            return result, duplicates.among(stored, rows, loaded.safety.duplicate_similarity, duplicates.TOLD), offer
        except BadRequest:
            return result, None, offer

    try:
        return with_registry(loaded, work)
    except KeyboardInterrupt:
        err.print("Stopped. Tools are registered all together or not at all: nothing is left half done.")
        raise
    finally:
        close_all(encoders)


def _summary(result: PutResult) -> str:
    created, updated, unchanged = len(result.created), len(result.updated), len(result.unchanged)
    total = terminal.counted(created + updated + unchanged)
    return f"{total}: {created:,} created, {updated:,} updated, {unchanged:,} unchanged"


def _empty(loaded: Settings) -> str:
    return f"The catalogue {loaded.registry.url} is empty. 'toolfunnel tools import FILE...' registers tools."


def _override(section: str, **values: object) -> None:
    for key, value in values.items():
        if value is not None:
            settings.override(section, key, value)


if __name__ == "__main__":
    main()
