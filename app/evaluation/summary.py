"""Results -> figures: means over all questions, by language, by category, by ranking."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np

from app.evaluation.results import FUSED, Group, Result, Summary
from router.evaluate import metrics

SENT = "C@sent"
NOTHING_ADDED = "nothing added"


def of_result(result: Result, ranking: str = FUSED) -> dict[str, float]:
    """Give the figures of one question that has something to find."""
    figures = metrics.of_query(places(result, ranking))
    return figures | {SENT: float(result.found == result.wanted)} if ranking == FUSED else figures


def places(result: Result, ranking: str) -> metrics.Places:
    """Give the ranks of the wanted tools; a ranking that was not made for a question holds none."""
    return result.ranks.get(ranking) or (None,) * result.wanted


def of(results: Sequence[Result], budget_ms: float) -> Summary:
    """Give all means of a data set."""
    asked = [result for result in results if result.wanted]
    times = [result.route_ms for result in results if result.route_ms is not None]
    later = [result for result in results if result.change != "first"]
    rankings = list(dict.fromkeys(name for result in asked for name in result.ranks))
    p50, p99 = map(float, np.percentile(times, (50, 99))) if times else (None, None)
    return Summary(
        overall=_group(asked),
        by={
            "language": _groups(asked, lambda result: result.lang),
            "category": _groups(asked, lambda result: result.category),
        },
        rankings={name: _group(asked, name) for name in rankings},
        curves={name: metrics.curve([places(result, name) for result in asked]) for name in rankings},
        sent_tools=_mean(result.sent for result in results),
        later_turns=len(later),
        grown=_share(result.change == "grown" for result in later),
        renewed=_share(result.change == "renewed" for result in later),
        nothing_wanted=_small_talk([result for result in results if not result.wanted]),
        tokens_before=_mean(result.tokens_before for result in results),
        tokens_after=_mean(result.tokens_after for result in results),
        timed=len(times),
        route_p50_ms=p50,
        route_p99_ms=p99,
        over_budget=sum(time > budget_ms for time in times),
    )


def _groups(results: Sequence[Result], key: Callable[[Result], str]) -> dict[str, Group]:
    members: dict[str, list[Result]] = {}
    for result in results:
        members.setdefault(key(result), []).append(result)
    largest_first = sorted(members.items(), key=lambda item: (-len(item[1]), item[0]))
    return {name: _group(found) for name, found in largest_first}


def _group(results: Sequence[Result], ranking: str = FUSED) -> Group:
    figures = [of_result(result, ranking) for result in results]
    names = figures[0] if figures else ()
    return Group(len(results), {name: _mean(one[name] for one in figures) for name in names})


def _small_talk(results: Sequence[Result]) -> dict[str, Group]:
    """Say to how many questions no tool was added, alone and in the middle of a conversation, too."""
    keys: tuple[Callable[[Result], str], ...] = (
        lambda result: "alone" if result.change == "first" else "in a conversation",
        lambda result: f"language {result.lang or '-'}",
        lambda result: f"category {result.category or '-'}",
    )
    groups = {"all": list(results)} if results else {}
    for key in keys:
        groups |= {label: [one for one in results if key(one) == label] for label in dict.fromkeys(map(key, results))}
    return {
        label: Group(
            len(found),
            {NOTHING_ADDED: _mean(one.added == 0 for one in found), "tools added": _mean(one.added for one in found)},
        )
        for label, found in groups.items()
    }


def _mean(values: Iterable[float]) -> float:
    found = list(values)
    return sum(found) / len(found) if found else 0.0


def _share(flags: Iterable[bool]) -> float | None:
    found = list(flags)
    return sum(found) / len(found) if found else None
