"""Why a tool stood far behind: what stood before it, by which channel, and which of the question's terms it knows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from app.evaluation.dataset import Query
from app.evaluation.results import FUSED, Miss, Placed
from router import text
from router.catalog import Catalog
from router.evaluate.metrics import Places
from router.types import RankedList

_FAR = 5  # a wanted tool behind this rank is a miss
_AHEAD = 5
_TERMS = 8
_TEXT_CHARS = 400


def of(  # noqa: PLR0913, PLR0917 - what a miss is told from
    query: Query,
    groups: Sequence[int],
    catalog: Catalog,
    texts: Sequence[str],
    lists: Mapping[str, RankedList],
    ranks: Places,
) -> Miss | None:
    """Describe a miss; None where every wanted tool stands near the top, or nothing is ranked."""
    if not lists or all(rank is not None and rank <= _FAR for rank in ranks):
        return None
    order = lists[FUSED].ids.tolist()
    wanted = [_member(group, rank, order, groups) for group, rank in zip(query.gold, ranks, strict=True)]
    terms = _rare_first(texts, catalog)
    ahead = [position for position in order[:_AHEAD] if position not in wanted]
    rank = None if None in ranks else max(place for place in ranks if place is not None)
    return Miss(
        id=query.id,
        texts=tuple(texts),
        rank=rank,
        rankings=tuple(lists),
        wanted=tuple(_placed(position, catalog, lists, terms) for position in wanted),
        ahead=tuple(_placed(position, catalog, lists, terms) for position in ahead),
    )


def worst_first(misses: Sequence[Miss]) -> list[Miss]:
    """Order misses by rank; what is not ranked comes last: mostly it may not be offered, which no search can mend."""
    return sorted(misses, key=lambda miss: -(miss.rank or 0))


def _member(group: int, rank: int | None, order: Sequence[int], groups: Sequence[int]) -> int:
    """Give the best placed tool of a group."""
    return groups.index(group) if rank is None else order[rank - 1]


def _rare_first(texts: Sequence[str], catalog: Catalog) -> list[str]:
    """Give the terms of a question that the catalogue knows: the rarest decide most."""
    terms = dict.fromkeys(term for said in texts for term in text.terms(said))
    frequencies = {term: catalog.postings.frequency(term) for term in terms}
    return sorted((term for term in terms if frequencies[term]), key=lambda term: frequencies[term])


def _placed(position: int, catalog: Catalog, lists: Mapping[str, RankedList], terms: Sequence[str]) -> Placed:
    tool = catalog.tools[position]
    places: dict[str, tuple[int, float]] = {}
    for name, ranked in lists.items():
        found = np.flatnonzero(ranked.ids == position)
        if len(found) and not _lost(ranked, int(found[0])):
            places[name] = (int(found[0]) + 1, round(float(ranked.scores[found[0]]), 4))
    known = [term for term in terms if position in catalog.postings.of(term)[0]]
    return Placed(tool.name, tool.description[:_TEXT_CHARS], places, tuple(known[:_TERMS]))


def _lost(ranked: RankedList, place: int) -> bool:
    """Tell whether a tool shares the lowest score with others: the channel says nothing of it, its rank is chance."""
    lowest = ranked.scores[-1]
    return bool(ranked.scores[place] == lowest) and int((ranked.scores == lowest).sum()) > 1
