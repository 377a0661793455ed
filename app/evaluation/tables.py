"""An evaluation for people: tables on standard output."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.table import Table
from rich.text import Text

from app.evaluation import wording
from app.evaluation.results import FUSED, Comparison, DatasetRun, Group, Miss, Placed, Run
from app.terminal import counted, out

_WIDEST_LABEL = 40
_WIDE = 100  # columns from which there is room for every figure
_LEFT_OUT = ("C@5", "C@10")


def show(run: Run) -> None:
    """Print everything."""
    size = f"{run.initial} to {run.max} tools a request" if run.initial < run.max else f"{run.max} tools a request"
    _say(f"\nEncoder {run.encoder}, {size}. Figures in percent.")
    for one in run.datasets:
        _show_dataset(one, run.budget_ms)
    for comparison in run.compared:
        _show_comparison(comparison)


def _show_dataset(run: DatasetRun, budget_ms: float) -> None:
    figures = run.summary
    sample = ", a sample" if run.sampled else ""
    _heading(f"{run.name}: {counted(run.tools)}, {wording.questions(run.queries)}{sample}")
    if figures.overall.queries:
        out.print(_figures(wording.grouped(run), "questions"))
        if out.width < _WIDE:
            _say(f"{' and '.join(_LEFT_OUT)}: in a wider terminal, or with --json.")
        out.print()
        out.print(_figures({wording.named(name): one for name, one in figures.rankings.items()}, "ranking"))
        out.print()
        out.print(_curve(figures.curves[FUSED]))
        out.print()
    if figures.nothing_wanted:
        out.print(_figures(figures.nothing_wanted, "nothing needed"))
        out.print()
    for sentence in wording.facts(run, budget_ms):
        _say(sentence)
    for number, miss in enumerate(run.misses, start=1):
        _show_miss(number, miss)


def _figures(rows: Mapping[str, Group], heading: str) -> Table:
    names = [name for name in next(iter(rows.values())).figures if out.width >= _WIDE or name not in _LEFT_OUT]
    cells = [
        [
            wording.line(label),
            f"{group.queries:,}",
            *(wording.figure(name, group.figures.get(name)) for name in names),
        ]
        for label, group in rows.items()
    ]
    return _table([heading], ["n", *names], cells)


def _curve(curve: Mapping[int, float]) -> Table:
    return _table(["top"], [str(k) for k in curve], [["recall", *map(wording.percent, curve.values())]])


def _show_miss(number: int, miss: Miss) -> None:
    rank = "not ranked" if miss.rank is None else f"#{miss.rank:,}"
    _heading(f"Miss {number}, {rank}: {wording.line(miss.texts[0])}")
    cells = [
        [
            label,
            wording.line(tool.name),
            *_places(tool, miss.rankings),
            wording.line(" ".join(tool.terms)),
        ]
        for label, tools in (("wanted", miss.wanted), ("before it", miss.ahead))
        for tool in tools
    ]
    out.print(_table(["", "tool"], [wording.named(name) for name in miss.rankings], cells, "knows the words"))
    for tool in (*miss.wanted[:1], *miss.ahead[:1]):
        described = wording.line(f"  {tool.name}: {tool.description}")
        out.print(Text(described, no_wrap=True, overflow="ellipsis", style="dim"))


def _places(tool: Placed, names: Sequence[str]) -> list[str]:
    return [f"{tool.places[n][1]:.2f} #{tool.places[n][0]}" if n in tool.places else "-" for n in names]


def _show_comparison(comparison: Comparison) -> None:
    _heading(f"{comparison.name}, compared over {wording.questions(comparison.queries)}")
    if comparison.missing:
        _say(f"{wording.questions(comparison.missing)} in one of the two runs only.")
    headings = ["before", "after", "change", "95 % interval", "up", "down", ""]
    cells = [[name, *wording.moved(name, one)] for name, one in comparison.figures.items()]
    out.print(_table([""], headings, cells))
    _say("\n*: the interval leaves zero out. up, down: questions for which the figure went up, or down.")


def _heading(text: str) -> None:
    out.print(Text(f"\n{text}\n", style="bold", no_wrap=True, overflow="ellipsis"))


def _say(text: str) -> None:
    out.print(text, markup=False, highlight=False)


def _table(labels: Sequence[str], figures: Sequence[str], rows: Sequence[Sequence[str]], last: str = "") -> Table:
    """Lay rows out: labels give way where the terminal is narrow, figures do not."""
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
    for heading in labels:
        table.add_column(heading, max_width=_WIDEST_LABEL)
    for i, heading in enumerate(figures, start=len(labels)):
        width = max(len(heading), *(len(row[i]) for row in rows))
        table.add_column(heading, justify="right", no_wrap=True, min_width=width)
    if last:
        table.add_column(last, max_width=_WIDEST_LABEL)
    for row in rows:
        table.add_row(*(Text(cell, no_wrap=True, overflow="ellipsis") for cell in row))
    return table
