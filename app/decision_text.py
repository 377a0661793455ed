"""A decision laid out for people: what was asked, what is sent and why, what came close, what is withheld, what to do.

Laws: it fits the terminal, and 100 columns where there are more; wide characters count double. What is the same in
every line is not written.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.cells import cell_len, set_cell_size
from rich.table import Table
from rich.text import Text

from app.terminal import counted, out, printable
from router.types import KEYWORDS, LEXICAL, NAMES, Reason, Source

WIDTH = 100
_NEAR = 5  # tools that were nearly chosen
_WITHHELD = 5  # tools that are kept back and would be sent
_TOP = 3  # ranks at which also what can never be offered is worth telling
_OWN = 3  # tools of the client, all kept, that are listed one by one
_QUESTION_CELLS = 300  # of a question that are shown
_BLOCKS = 12  # of a message that are shown
_EARLIER_CELLS = 75  # of what was said before
_NAME_PERCENT = 42  # of the width, at most
_DESCRIBED = 18  # columns that a description is worth showing in
_WORDS = (LEXICAL, NAMES, KEYWORDS)  # all other channels are encoders
_TOLD = (
    Reason.FIXED,
    Reason.PINNED,
    Reason.FORCED,
    Reason.HISTORY,
    Reason.NAMED,
    Reason.OWN,
    Reason.GROWN,
    Reason.SOURCE_SHARE,
)
_MODES = {
    "hybrid": "by meaning and words",
    "lexical": "by words alone: vectors were not ready",
    "untouched": "the list goes out as it came",
    "off": "the header x-toolfunnel-tools is off",
}
_ALONE = {
    "own": "the request has tools of its own",
    "forced": "it forces a call of one of its own",
    "structured": "it asks for structured output",
    "setting": "tools.source is request",
    "key": "the caller's key says request",
    "header": "the header x-toolfunnel-source says request",
}
_Row = Mapping[str, Any]


def show_decision(question: str, explained: Mapping[str, Any]) -> None:
    """Print a decision. `question` is what was asked; empty: the newest text that was searched with."""
    rows: Sequence[_Row] = explained["tools"]
    chosen = [row for row in rows if row["chosen"]]
    own = [row for row in chosen if row["why"] == Reason.OWN]
    listed = sorted((row for row in chosen if len(own) <= _OWN or row["why"] != Reason.OWN), key=_rank)
    near = [row for row in rows if not row["chosen"] and row["fused"]][:_NEAR]
    kept = [row for row in rows if row["withheld"] and _is_worth_telling(row)]
    _head(question, explained, len(chosen))
    if listed or near:
        _print(_tools_table(rows, listed, near, needless=_is_needless(explained)))
    if len(own) > _OWN:
        _print()
        _print(Text(f"and the client's own {counted(len(own))}, all of them: {_some(own)}"))
    if kept:
        _print()
        _print(_withheld_table(kept[:_WITHHELD], more=len(kept) - _WITHHELD))
    _foot(explained, kept)


def _head(question: str, explained: Mapping[str, Any], chosen: int) -> None:
    query = explained["query"]
    _print()
    _print(Text(_clipped(question or (query[0]["text"] if query else "(no text to search with)")), style="bold"))
    for part in query[1:]:
        _print(Text(f"after: {_clipped(part['text'], _EARLIER_CELLS)} (counts {part['weight']:.2f})", style="dim"))
    _message(explained.get("message", ()))
    tokens, took = explained["tokens"], explained["timings_ms"]["route"]
    if chosen:
        of = f"{chosen:,} of {counted(explained['available'])} {'is' if chosen == 1 else 'are'} sent"
        _print(f"{of}, {tokens['after']:,} instead of {tokens['before']:,} tokens (estimated)")
        _print(Text(f"{_MODES[explained['mode']]}, {took:.1f} ms", style="dim"))
    else:
        _print(f"No tool is sent, of {counted(explained['available'])}")
    if why := _alone(explained):
        _print(f"Of the catalogue nothing is added: {why}")
    if _is_needless(explained):
        below = -explained["relevance"]["margin"]
        _print(f"This needs no tool that may be offered: it is {below:.1f} deviations below what does (select.floor)")
    _print()


def _message(blocks: Sequence[_Row]) -> None:
    """Print what of the last message was taken for what, where that is more than a request alone."""
    if len(blocks) < 2:
        return
    for one in blocks[:_BLOCKS]:
        said = f"{one['role']:8} {one['characters']:>7,} characters  {one['why']}: {one['begins']}"
        _print(Text(_clipped(said, _width() - 2), style="" if one["role"] == "request" else "dim"))
    if len(blocks) > _BLOCKS:
        _print(Text(f"and {len(blocks) - _BLOCKS:,} more blocks", style="dim"))


def _is_worth_telling(row: _Row) -> bool:
    withheld = row["withheld"]
    return withheld["would_be_sent"] and (bool(withheld["do"]) or row["would_be"]["rank"] <= _TOP)


def _alone(explained: Mapping[str, Any]) -> str:
    """Return why a request gets no tool but its own; '' where the catalogue's may join."""
    source = explained["source"]
    return _ALONE.get(source["why"], source["why"]) if source["used"] == Source.REQUEST else ""


def _is_needless(explained: Mapping[str, Any]) -> bool:
    relevance = explained["relevance"]
    return relevance is not None and not relevance["relevant"]


def _tools_table(rows: Sequence[_Row], chosen: Sequence[_Row], near: Sequence[_Row], *, needless: bool) -> Table:
    """Lay out what is sent, then what came close; a column says why where that is not what it is for most."""
    channels, reasons = _channels(rows), [_why(row) for row in (*chosen, *near)]
    table = _table()
    table.add_column("", justify="right", min_width=2, no_wrap=True)
    names = _name_width([*chosen, *near])
    close = "nearest" if needless else "came close"
    table.add_column("sent" if chosen else close, no_wrap=True, min_width=names)
    with_reasons = any(reasons)
    if with_reasons:
        table.add_column("why", no_wrap=True, min_width=max(map(len, reasons)))
    for heading in ("score", *channels.values()):
        table.add_column(heading, justify="right", no_wrap=True, min_width=len(heading))
    used = 4 + names + with_reasons * (2 + max(map(len, reasons))) + 7 + sum(2 + len(one) for one in channels.values())
    described = _width() - used > _DESCRIBED
    if described:
        table.add_column("description")

    def add(row: _Row, style: str) -> None:
        reason = [_why(row)] if with_reasons else []
        fused = row["fused"]
        score = "-" if fused is None else f"{fused['score']:.2f}"
        places = [_place(row["channels"].get(name)) for name in channels]
        text = [_line(row["description"])] if described else []
        rank = "" if fused is None else str(fused["rank"])
        table.add_row(rank, _name(row["name"], names), *reason, score, *places, *text, style=style)

    for row in chosen:
        add(row, "")
    if chosen and near:
        table.add_row()
        table.add_row("", Text(close, style="bold"))
    for row in near:
        add(row, "dim")
    return table


def _withheld_table(kept: Sequence[_Row], more: int) -> Table:
    """Lay out what would be sent if it were not kept back, by the rank that it would have."""
    table = _table()
    table.add_column("", justify="right", min_width=2, no_wrap=True)
    names = _name_width(kept)
    table.add_column("withheld, and would be sent", no_wrap=True, min_width=names)
    table.add_column("")
    for row in kept:
        reasons = "; ".join(row["withheld"]["reasons"])
        rank = row["would_be"]["rank"]
        text = f"{'would be first; ' if rank == 1 else ''}{reasons}"
        table.add_row(str(rank), _name(row["name"], names), Text(printable(text)))
    if more > 0:
        table.add_row("", Text(f"and {more:,} more", style="dim"))
    return table


def _foot(explained: Mapping[str, Any], kept: Sequence[_Row]) -> None:
    """Say how many tools are withheld in all, and what to do."""
    withheld = explained["withheld"]
    if withheld["tools"]:
        groups = "; ".join(f"{group['tools']:,} {group['reason']}" for group in withheld["by"])
        _print()
        _print(Text(printable(f"{counted(withheld['tools'])} withheld: {groups}"), style="dim"))
    steps = [*_remedies(kept), *_advice(explained)]
    _print()
    for step in steps:
        _print(Text(f"- {printable(step)}", style="dim"))


def _remedies(kept: Sequence[_Row]) -> Iterator[str]:
    names: dict[str, list[str]] = {}
    for row in kept:
        if row["withheld"]["do"]:
            names.setdefault("; ".join(row["withheld"]["do"]), []).append(row["name"])
    for remedy, found in names.items():
        yield f"to have {_several(found, 2)} offered: {remedy}"


def _some(rows: Sequence[_Row]) -> str:
    return printable(_several([row["name"] for row in rows], 4))


def _several(names: Sequence[str], shown: int) -> str:
    return ", ".join(names[:shown]) + (f" and {len(names) - shown:,} more" if len(names) > shown else "")


def _advice(explained: Mapping[str, Any]) -> Iterator[str]:
    if explained["source"] == {"used": Source.REQUEST, "why": "own"}:
        yield "where the application can run tools of the catalogue: the header x-toolfunnel-source: both"
    if _is_needless(explained):
        yield "to have the nearest sent all the same: select.floor: false"
    yield "a tool is missing? 'toolfunnel tools list --q TEXT' searches; keywords and examples lift a tool"


def _why(row: _Row) -> str:
    """Say why, where it is not the usual: the best are sent, the next ones came close."""
    words = [] if row["why"] not in _TOLD else [row["why"]]
    if KEYWORDS in row["channels"]:
        words.append("keyword")
    if row["from"] == "client" and row["why"] != Reason.OWN:
        words.append("client's")
    return ", ".join(words)


def _channels(rows: Sequence[_Row]) -> dict[str, str]:
    """Give the channels that are shown with their headings. Two encoders go by their names."""
    encoders = [name for name in dict.fromkeys(name for row in rows for name in row["channels"]) if name not in _WORDS]
    meaning = {name: f"by {name}" for name in encoders} if len(encoders) > 1 else {"".join(encoders): "meaning"}
    return meaning | {LEXICAL: "words"}


def _place(place: _Row | None) -> str:
    """Write a rank, where the channel speaks for the tool at all."""
    return f"#{place['rank']}" if place is not None and place["score"] > 0 else "-"


def _rank(row: _Row) -> int:
    return row["fused"]["rank"] if row["fused"] else 0


def _name_width(rows: Sequence[_Row]) -> int:
    longest = max((cell_len(row["name"]) for row in rows), default=0)
    return min(longest, _NAME_PERCENT * _width() // 100)


def _name(name: str, width: int) -> str:
    """Shorten a long name in its middle: names of one source begin alike."""
    name = printable(name)
    if cell_len(name) <= width:
        return name
    tail = (width - 1) // 2
    return f"{set_cell_size(name, width - 1 - tail)}…{name[-tail:]}"


def _clipped(text: str, cells: int = _QUESTION_CELLS) -> str:
    line = printable(" ".join(text.split()))
    return line if cell_len(line) <= cells else f"{set_cell_size(line, cells - 1).rstrip()}…"


def _line(text: str) -> Text:
    """Give a cell that takes the room that is left and is cut there."""
    return Text(printable(" ".join(text.split())), no_wrap=True, overflow="ellipsis")


def _table() -> Table:
    return Table(box=None, pad_edge=False)


def _width() -> int:
    return min(out.width, WIDTH)


def _print(what: Table | Text | str = "") -> None:
    out.print(what, width=_width(), markup=False, highlight=False)
