"""The table of docs/configuration.md says which policy is in force, and is complete."""

from __future__ import annotations

import re
from collections import Counter
from itertools import product
from pathlib import Path

from app.settings import SourcePolicy, granted

DOCUMENT = Path(__file__).parents[3] / "docs" / "configuration.md"
Said = tuple[SourcePolicy, SourcePolicy | None, SourcePolicy | None]
SAID: tuple[SourcePolicy | None, ...] = (None, *SourcePolicy)


def policies(cell: str) -> tuple[SourcePolicy | None, ...]:
    """Return what a cell of the table means."""
    words: list[str] = re.findall(r"`([^`]+)`", cell)
    return SAID if words == ["*"] else tuple(None if word == "-" else SourcePolicy(word) for word in words)


def table() -> list[tuple[Said, SourcePolicy]]:
    """Return every case of the table with what is in force."""
    text = (
        DOCUMENT.read_text(encoding="utf-8").partition("| setting | key | header | in force |")[2].partition("\n\n")[0]
    )
    rows = [[policies(cell) for cell in line.strip("|").split("|")] for line in text.splitlines()[2:]]
    return [
        ((setting, key, header), policy)
        for settings, keys, headers, (policy,) in rows
        for setting, key, header in product(settings, keys, headers)
        if setting is not None and policy is not None
    ]


def test_the_table_has_every_case_once() -> None:
    """Each setting with each key and each header."""
    assert Counter(said for said, _ in table()) == Counter(product(SourcePolicy, SAID, SAID))


def test_each_case_is_as_the_table_says() -> None:
    """The document and the program agree."""
    assert [(said, granted(*said).policy) for said, _ in table()] == table()


def test_nothing_is_widened() -> None:
    """Whatever a key and a header say, a limit of the operator's or of the key's stays."""
    for setting, key, header in product(SourcePolicy, SAID, SAID):
        limits = [said for said in (setting, key) if said is not None and said.is_limit]
        if limits:
            assert granted(setting, key, header).policy is limits[0]
