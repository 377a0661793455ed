"""How figures are written, on a terminal and on a page."""

from __future__ import annotations

from collections.abc import Iterator

from app.evaluation.results import REFERENCE, DatasetRun, Group, Moved
from app.evaluation.summary import NOTHING_ADDED
from app.terminal import printable

_SHARES = ("R@", "C@", "nDCG", "MRR", "nothing")


def questions(number: int) -> str:
    """Write a number of questions."""
    return f"{number:,} question{'' if number == 1 else 's'}"


def percent(value: float | None) -> str:
    """Write a share."""
    return "-" if value is None else f"{100 * value:.1f}"


def named(ranking: str) -> str:
    """Name a ranking for people."""
    return "reference recipe" if ranking == REFERENCE else ranking


def figure(name: str, value: float | None) -> str:
    """Write a figure: shares in percent, others as they are."""
    return percent(value) if value is None or is_share(name) else f"{value:,.1f}"


def line(text: str) -> str:
    """Give a text as one line that steers nothing."""
    return printable(" ".join(text.split()))


def is_share(figure: str) -> bool:
    """Tell whether a figure is one in 0..1, from its name."""
    return figure.startswith(_SHARES)


def grouped(run: DatasetRun) -> dict[str, Group]:
    """Give the rows by language and category under the one for all; a kind that has but one value is left out."""
    rows = {"all": run.summary.overall}
    for kind, groups in run.summary.by.items():
        if len(groups) > 1:
            rows |= {f"{kind} {name or '-'}": group for name, group in groups.items()}
    return rows


def facts(run: DatasetRun, budget_ms: float) -> Iterator[str]:
    """Say what is one sentence each."""
    figures = run.summary
    yield (
        f"Sent: {figures.sent_tools:.1f} tools on average; {figures.tokens_after:,.0f} instead of "
        f"{figures.tokens_before:,.0f} tool tokens (estimated)."
    )
    if figures.later_turns:
        yield (
            f"Later turns: {figures.later_turns:,}; the list grew at {percent(figures.grown)} % of them "
            f"and was chosen anew at {percent(figures.renewed)} %."
        )
    if figures.nothing_wanted:
        talk = figures.nothing_wanted["all"]
        yield (
            f"Nothing needed: {questions(talk.queries)}; "
            f"nothing was added at {percent(talk.figures[NOTHING_ADDED])} % of them."
        )
    if figures.timed:
        yield (
            f"Routing a new question: {figures.route_p50_ms:.1f} ms (p50), {figures.route_p99_ms:.1f} ms (p99); "
            f"{figures.over_budget:,} of {figures.timed:,} took longer than select.budget_ms ({budget_ms:g} ms)."
        )


def moved(name: str, one: Moved) -> list[str]:
    """Write before, after, change, interval, how many went up and down, and whether that is sure.

    Shares are in percent, their changes in points of a percent.
    """
    scale = 100 if is_share(name) else 1
    before, after, low, high = (scale * value for value in (one.before, one.after, one.low, one.high))
    interval = f"{low:+,.1f} … {high:+,.1f}"
    change = f"{after - before:+,.1f}"
    return [
        f"{before:,.1f}",
        f"{after:,.1f}",
        change,
        interval,
        f"{one.up:,}",
        f"{one.down:,}",
        "*" if one.sure else "",
    ]
