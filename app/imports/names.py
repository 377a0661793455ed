"""Names of imported tools: legal for every provider, unique, the same at every import.

A source's own names may hold anything and be of any length. What they become is not computed back: the registry keeps
the original beside the name. A tool keeps the name that it got first, whatever comes to its source later.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping

MOST = 64
_ILLEGAL = re.compile(r"[^a-zA-Z0-9_-]+")
_MARK = 8  # hex digits that tell names apart


def assign(wishes: Mapping[str, str], prefix: str, known: Mapping[str, str]) -> dict[str, str]:
    """Give each original name (the keys) a name of its own: the one that is `known`, or one made of its wish."""
    names = {original: known[original] for original in wishes if original in known}
    taken = {*known.values()}
    # Wishes that are legal as they are go first: `a_b` keeps its name wherever `a.b` stands in the list.
    order = sorted((one for one in wishes if one not in names), key=lambda one: legal(wishes[one]) != wishes[one])
    for original in order:
        name = prefix + legal(wishes[original])
        if len(name) > MOST or name in taken:
            name = _marked(name, original)
        names[original] = name
        taken.add(name)
    return names


def legal(text: str) -> str:
    """Replace what a name may not hold."""
    return _ILLEGAL.sub("_", text) or "_"


def _marked(name: str, original: str) -> str:
    mark = hashlib.sha256(original.encode("utf-8", "surrogatepass")).hexdigest()[:_MARK]
    return f"{name[: MOST - _MARK - 1]}_{mark}"
