"""What the commands show: tables and progress for people, JSON for programs, messages on standard error.

Laws: standard output holds the result and nothing else. A terminal that lacks a character gets another one, never an
error. Text of the catalogue cannot steer the terminal: what does not print is replaced.
"""

from __future__ import annotations

import io
import json
import os
import re
import sys
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, NoReturn

import msgspec
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from app.settings.columns import columns
from router.types import Risk, Tool

out = Console(width=None if sys.stdout.isatty() else 140)
err = Console(stderr=True, soft_wrap=not sys.stderr.isatty())
_JUST_NOW = timedelta(minutes=2)  # a busy key's last use is written once a minute
_GUARDED_SHOWN = 10


def prepare() -> None:
    """Let characters that a stream cannot encode become question marks, and output be as wide as COLUMNS says."""
    if (wide := columns()) is not None:
        out.width = wide
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def end(message: str, *, code: int) -> NoReturn:
    """Say why it ends, and end."""
    if message:
        err.print(printable(message, keep="\n"), style="red", markup=False, highlight=False)
    raise SystemExit(code)


def end_without_output(error: OSError) -> NoReturn:
    """End because standard output takes no more, silently where its reader has left."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what is still buffered goes there at the end
    if isinstance(error, BrokenPipeError):
        raise SystemExit(1)
    what = "The output cannot be written" if error.filename is None else str(error.filename)
    end(f"{what}: {error.strerror or error}", code=1)


def print_json(value: object) -> None:
    """Print a value, or raw JSON, indented. Numbers and escapes inside raw JSON stay as they are."""
    text = msgspec.json.format(msgspec.json.encode(value), indent=2).decode()
    if not (sys.stdout.encoding or "").lower().startswith("utf"):
        text = re.sub(r"[^\x00-\x7f]", lambda found: json.dumps(found[0])[1:-1], text)
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def printable(text: str, keep: str = "") -> str:
    """Replace what a terminal would obey or cannot show."""
    return "".join(c if c.isprintable() or c in keep else "\N{REPLACEMENT CHARACTER}" for c in text)


def given(text: str) -> str:
    """Read a text of the command line as UTF-8 where the locale could not read it."""
    return os.fsencode(text).decode("utf-8", "replace") if any("\udc80" <= c <= "\udcff" for c in text) else text


def counted(number: int) -> str:
    """Write a number of tools."""
    return f"{number:,} tool{'' if number == 1 else 's'}"


def show_tools(tools: Sequence[Tool], allow: Collection[Risk], waiting: Collection[str]) -> None:
    """Print tools as a table. `allow` are the risks that may be offered, `waiting` names what waits for approval."""
    table = _table()
    table.add_column("name", no_wrap=True, min_width=max(len(tool.name) for tool in tools))
    for heading, width in (("risk", 9), ("state", 8)):
        table.add_column(heading, no_wrap=True, min_width=width)
    table.add_column("tags", no_wrap=True, overflow="ellipsis", max_width=24)
    table.add_column("description")
    for tool in tools:
        table.add_row(
            tool.name, tool.risk, _state(tool, allow, waiting), _line(", ".join(tool.tags)), _line(tool.description)
        )
    out.print(table)


def _state(tool: Tool, allow: Collection[Risk], waiting: Collection[str]) -> str:
    if not tool.enabled:
        return "waits" if tool.name in waiting else "off"
    if tool.risk not in allow:
        return "withheld"
    return "pinned" if tool.pinned else "on"


def used_text(at: datetime | None, now: datetime) -> str:
    """Return when a key was used last, for people."""
    if at is None:
        return "never"
    return "just now" if now - at < _JUST_NOW else at.strftime("%Y-%m-%d %H:%M")


def show_keys(keys: Sequence[Mapping[str, Any]]) -> None:
    """Print callers' keys as a table."""
    table = _table()
    for heading in ("id", "state", "name", "reaches", "limits", "used"):
        table.add_column(heading, no_wrap=heading in ("id", "state", "used"))
    for key in keys:
        grants = ((name, key[name]) for name in ("tenants", "sources", "tags", "risks"))
        said = [f"{name}: {', '.join(words)}" for name, words in grants if words]
        reaches = "; ".join([*said, *([f"source: {key['tools_source']}"] if key["tools_source"] else [])])
        used = used_text(key["used_at"], datetime.now(UTC))
        table.add_row(
            key["id"], key["state"], _line(key["name"]), _line(reaches), _line(", ".join(key["limits"])), used
        )
    out.print(table)
    out.print(f"{len(keys):,} key{'' if len(keys) == 1 else 's'}", highlight=False)


def show_duplicates(found: Mapping[str, Any]) -> None:
    """Print near-duplicates as a table."""
    if found["duplicates"]:
        out.print(_duplicate_table(found["duplicates"]))
    some = "" if len(found["duplicates"]) == found["total"] else f"{len(found['duplicates']):,} of "
    out.print(f"{some}{_pairs(found['total'])}", highlight=False)


def tell_guarded(names: Sequence[str]) -> None:
    """Say which tools stay as they were set, where a file says nothing of it."""
    if names:
        shown = ", ".join(names[:_GUARDED_SHOWN]) + (", …" if len(names) > _GUARDED_SHOWN else "")
        text = f"Still disabled, or of the risk or tenant that was set, as the files do not say: {printable(shown)}"
        err.print(text, style="yellow", markup=False, highlight=False)


def tell_offering(offer: Mapping[str, Any]) -> None:
    """Say how many of the imported tools can be offered to models, and what to do about the others."""
    style = "yellow" if offer["withheld"] else None
    what = f"{offer['now']:,} of {counted(offer['tools'])} can be offered now"
    err.print(what, style=style, markup=False, highlight=False)
    for group in offer["withheld"]:
        remedy = f": {group['do']}" if group["do"] else ""
        text = printable(f"{group['tools']:>4,}  {group['reason']}{remedy}")
        err.print(text, style=style, markup=False, highlight=False)
    for tenant, number in offer["tenants"].items():
        text = printable(f"{number:>4,}  tenant {tenant}: to callers whose key names it")
        err.print(text, markup=False, highlight=False)


def warn_of_duplicates(found: Mapping[str, Any] | None) -> None:
    """Tell which new tools are like others; nothing where none is."""
    if found is None:
        err.print(
            "Too many tools to look for near-duplicates. 'toolfunnel tools duplicates --source NAME' compares some."
        )
    elif found["total"]:
        more = found["total"] - len(found["duplicates"])
        err.print(f"{_pairs(found['total'])}; nothing was refused for that:", style="yellow", highlight=False)
        err.print(_duplicate_table(found["duplicates"]))
        if more:
            err.print(f"and {more:,} more: 'toolfunnel tools duplicates' lists them", highlight=False)


@contextmanager
def progress(what: str) -> Iterator[Callable[[int, int], None]]:
    """Give what is told done and total; a bar appears with the first report."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    bar = Progress(*columns, console=err)
    task = bar.add_task(what, total=None)

    def report(done: int, total: int) -> None:
        bar.start()
        bar.update(task, completed=done, total=total)

    try:
        yield report
    finally:
        if bar.live.is_started:
            bar.stop()


def _duplicate_table(rows: Sequence[Mapping[str, Any]]) -> Table:
    table = _table()
    for heading, key in (("tool", "name"), ("is like", "like")):
        table.add_column(heading, no_wrap=True, min_width=max(len(row[key]) for row in rows))
    table.add_column("similarity", justify="right")
    table.add_column("")
    for row in rows:
        cosine = "-" if row["similarity"] is None else f"{row['similarity']:.2f}"
        table.add_row(row["name"], row["like"], cosine, "same description" if row["same_description"] else "")
    return table


def _pairs(number: int) -> str:
    return f"{number:,} pair{'' if number == 1 else 's'} of near-duplicates"


def _table() -> Table:
    return Table(box=None, pad_edge=False)


def _line(text: str) -> Text:
    """Give a cell that takes the room that is left and is cut there."""
    return Text(printable(" ".join(text.split())), no_wrap=True, overflow="ellipsis")
