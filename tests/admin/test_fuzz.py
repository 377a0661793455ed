"""The admin API answers as its OpenAPI document says, whatever comes."""

from __future__ import annotations

from pathlib import Path

from tests.admin.fuzz import fuzz


def test_b22_every_answer_is_one_of_the_document(tmp_path: Path) -> None:
    """Valid and invalid requests to every operation: no 500, no answer of another form, none without the key."""
    code, said = fuzz(tmp_path, examples=3)
    assert code == 0, said
