"""Names of imported tools and of their parameters: legal for every provider, unique, the same at every import.

A source's own names may hold anything and be of any length. What they become is not computed back: the registry keeps
the original beside the name, of a tool and of each of its parameters. A tool keeps the name that it got first, whatever
comes to its source later.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Mapping, Sequence

MOST = 64
BODY = "body"
_ILLEGAL = re.compile(r"[^a-zA-Z0-9_-]+")
_ILLEGAL_PROPERTY = re.compile(r"[^a-zA-Z0-9_.-]+")  # Anthropic's rule: ^[a-zA-Z0-9_.-]{1,64}$; the others take more
_TELLING = re.compile("[a-zA-Z0-9]")
_MARK = 8  # hex digits that tell names apart
_READ = 1_000  # characters that a name is made of


def assign(wishes: Mapping[str, str], prefix: str, known: Mapping[str, str]) -> dict[str, str]:
    """Give each original name (the keys) a name of its own: the one that is `known`, or one made of its wish."""
    names = {original: known[original] for original in wishes if original in known}
    taken = {*known.values()}
    # Wishes that are legal as they are go first: `a_b` keeps its name wherever `a.b` stands in the list.
    order = sorted((one for one in wishes if one not in names), key=lambda one: legal(wishes[one]) != wishes[one])
    for original in order:
        name = prefix + legal(wishes[original])
        if not _TELLING.search(legal(wishes[original])):
            name = _marked(f"{prefix}tool", original, taken)
        elif len(name) > MOST or name in taken:
            name = _marked(name, original, taken)
        names[original] = name
        taken.add(name)
    return names


def legal(text: str) -> str:
    """Replace what a name may not hold."""
    return _ILLEGAL.sub("_", text) or "_"


def is_telling(name: str) -> bool:
    """Return whether a legal name has anything but signs."""
    return _TELLING.search(name) is not None


def is_property(name: str) -> bool:
    """Return whether every provider takes a parameter of this name."""
    return 0 < len(name) <= MOST and not _ILLEGAL_PROPERTY.search(name)


def parameter_names(found: Sequence[tuple[str, str]]) -> list[str]:
    """Return a name for each parameter, given its place and its name there: legal, and no two the same.

    What is legal as it is stays. A parameter with the name of a property of the body, or of one in another place, gets
    its place behind its name (`id__path`). Of those that would become the same, each gets a mark that follows from
    its own place and name, so that their order does not count.
    """
    wishes = _wishes(found)
    made = [_property(wish) for wish in wishes]
    alike = Counter(made)
    names: dict[int, str] = {}
    taken: set[str] = set()
    for at, wish in enumerate(wishes):
        if made[at] == wish and len(wish) <= MOST and wish not in taken:
            names[at] = wish
            taken.add(wish)
    for at, (place, wire) in enumerate(found):
        if at in names:
            continue
        name = made[at] if is_telling(made[at]) else place
        if alike[made[at]] > 1 or len(name) > MOST or not is_telling(made[at]) or name in taken:
            name = _marked(name, f"{place}\0{wire}", taken)
        names[at] = name
        taken.add(name)
    return [names[at] for at in range(len(found))]


def _wishes(found: Sequence[tuple[str, str]]) -> list[str]:
    body = {wire for place, wire in found if place == BODY}
    seen: set[str] = set()
    wishes: list[str] = []
    for place, wire in found:
        twice = place != BODY and (wire in body or wire in seen)
        wishes.append(f"{wire}__{place}" if twice else wire)
        seen.add(wire)
    return wishes


def _property(wish: str) -> str:
    return _ILLEGAL_PROPERTY.sub("_", wish[:_READ])


def _marked(name: str, original: str, taken: set[str]) -> str:
    """Give a name with a mark of its original; where someone has made another name look like that, the next one."""
    for number in range(len(taken) + 1):
        salted = f"{original}\0{number}" if number else original
        mark = hashlib.sha256(salted.encode("utf-8", "surrogatepass")).hexdigest()[:_MARK]
        marked = f"{name[: MOST - _MARK - 1]}_{mark}"
        if marked not in taken:
            return marked
    raise AssertionError("more names are taken than there are")
