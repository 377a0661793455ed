"""What imports show: a difference as lines, sources and what waits as tables, and all of it as plain values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from rich.table import Table

from app.imports.service import Report
from app.registry.sources import Known, Sources, pending
from app.settings.imports import ImportSettings
from app.terminal import counted, err, out, printable

_LINES = 20  # names of a kind that are shown
_NAMED = 3  # in a warning


async def listed(sources: Sources, settings: ImportSettings) -> list[dict[str, Any]]:
    """Give all sources by name, those that are configured and not imported yet among them."""
    rows = {
        source.name: {
            "name": source.name,
            "kind": source.kind,
            "origin": source.origin,
            "tools": tools,
            "waiting": waiting,
            "synced_at": source.synced_at,
            "due_at": source.due_at,
            "error": source.error,
        }
        for source, tools, waiting in await sources.counted()
    }
    for spec in settings.sources:
        never = {"tools": 0, "waiting": 0, "synced_at": None, "due_at": None, "error": None}
        rows.setdefault(spec.name, {"name": spec.name, "kind": spec.kind.value, "origin": spec.origin, **never})
    return [rows[name] for name in sorted(rows)]


async def waiting(sources: Sources, names: Sequence[str] | None = None) -> list[dict[str, Any]]:
    """Give what waits for approval: what was approved last, if anything, and what the source says now."""
    return [_pending(one) for one in await sources.waiting(names)]


def _pending(known: Known) -> dict[str, Any]:
    now, before = pending(known), known.provenance
    return {
        "name": known.tool.name,
        "source": before.source,
        "digest": now.digest,
        "approved": msgspec.json.decode(before.base) if before.digest else None,
        "now": msgspec.json.decode(now.base),
    }


def report(done: Report) -> None:
    """Print what an import changed, or would change."""
    would = "would be: " if done.dry_run else ""
    out.print(
        f"{done.source}: {would}{len(done.new):,} new, {len(done.changed):,} changed, {len(done.gone):,} gone, "
        f"{len(done.unchanged) + len(done.waiting):,} unchanged",
        highlight=False,
    )
    if done.dry_run:
        _lines("+", done.new)
        _lines("-", done.gone)
    _lines("~", [f"{one.name} ({', '.join(one.fields) or 'order or notes'})" for one in done.changed])
    _lines("refused:", [f"{one.original}: {one.reason}" for one in done.refused])
    _warn(done)


def _warn(done: Report) -> None:
    """Print what should be known of tools: a line for each kind, with the first names."""
    names: dict[str, list[str]] = {}
    reasons: dict[str, str] = {}
    for one in done.warnings:
        for reason in one.reasons:
            kind = reason.partition(":")[0]
            names.setdefault(kind, []).append(one.name)
            reasons.setdefault(kind, reason)
    for kind, found in names.items():
        shown = ", ".join(found[:_NAMED]) + (f" and {len(found) - _NAMED:,} more" if len(found) > _NAMED else "")
        line = printable(f"warning: {shown}: {reasons[kind]}")
        err.print(line, style="yellow", markup=False, highlight=False, soft_wrap=True)


def table(rows: Sequence[dict[str, Any]]) -> None:
    """Print sources."""
    shown = Table(box=None, pad_edge=False)
    for heading in ("name", "kind", "tools", "waiting", "synchronised", "origin"):
        shown.add_column(heading, justify="right" if heading in ("tools", "waiting") else "left", overflow="fold")
    for row in rows:
        at = row["synced_at"]
        when = "never" if at is None else f"{at:%Y-%m-%d %H:%M}"
        shown.add_row(row["name"], row["kind"], str(row["tools"]), str(row["waiting"]), when, printable(row["origin"]))
    if rows:
        out.print(shown, highlight=False)
    for row in rows:
        if row["error"]:
            err.print(f"{row['name']}: {printable(row['error'])}", style="red", markup=False, highlight=False)
    if not rows:
        out.print("Nothing was imported. 'toolfunnel import --help' says from where tools come.", highlight=False)


def waiting_table(rows: Sequence[dict[str, Any]]) -> None:
    """Print what waits for approval: every field that is not as it was approved, before and now."""
    for row in rows:
        what = "new" if row["approved"] is None else "changed"
        out.print(f"{row['name']}: {what}, digest {row['digest'][:12]}", markup=False, highlight=False)
        before, now = _fields(row["approved"]), _fields(row["now"])
        differing = [name for name in before | now if before.get(name) != now.get(name)]
        for name in differing:
            for sign, fields in (("-", before), ("+", now)):
                if name in fields:
                    out.print(f"  {sign} {name}: {_written(fields[name])}", markup=False, highlight=False)
        if not differing:
            out.print("  what a model sees is the same: its hints, title, path or server changed", highlight=False)
    out.print(f"{counted(len(rows))} wait for approval", highlight=False)


def _fields(record: dict[str, Any] | None) -> dict[str, Any]:
    """Give what a record says, on one level."""
    if record is None:
        return {}
    tool = record["tool"]
    beside = {name: value for name, value in record.items() if name not in ("tool", "source")}
    definition: dict[str, Any] = tool.get(tool["type"], {})
    return definition | beside


def _written(value: object) -> str:
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    return printable(text.replace("\n", " "))


def _lines(sign: str, items: Sequence[str]) -> None:
    for item in items[:_LINES]:
        out.print(f"{sign} {printable(item)}", markup=False, highlight=False)
    if len(items) > _LINES:
        out.print(f"{sign} and {len(items) - _LINES:,} more", markup=False, highlight=False)
