"""docs/security.md says which test holds a setting that reads as a guarantee: both exist."""

from __future__ import annotations

import re
from pathlib import Path

from tests.house.test_configuration import EVERY_KEY

ROOT = Path(__file__).parents[2]
TABLE = (ROOT / "docs" / "security.md").read_text(encoding="utf-8").partition("# Settings that read as a guarantee")[2]
ROWS = re.findall(r"^\| (.+?) \| .+? \| (`.*`) \|$", TABLE, re.MULTILINE)
# What an operator relies on, and would not look after again.
PROMISES = {"admin.key", "callers.keys", "callers.pepper", "safety.allow", "tools.source", "upstream.credentials"}


def test_every_guarantee_names_tests_that_exist() -> None:
    """A promise whose test was renamed or removed is one that nobody holds."""
    written = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    named = {test for _, tests in ROWS for test in re.findall(r"`(test_\w+)`", tests)}
    assert len(ROWS) > 10
    assert {test for test in named if f"def {test}(" not in written} == set()


def test_every_guarantee_is_a_settings() -> None:
    """The settings in the table exist, and those that are relied on are in it."""
    named = {re.split(r"[:` ]", text)[0] for setting, _ in ROWS for text in re.findall(r"`([a-z_]+\.[^`]+)`", setting)}
    assert named <= {key.name for key in EVERY_KEY}
    assert named >= PROMISES
