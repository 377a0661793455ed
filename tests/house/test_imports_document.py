"""docs/imports.md says what app/settings/imports.py does."""

from __future__ import annotations

import json
import re

from app.settings.imports import SourceSpec
from tests.support.documents import ROOT

DOCUMENT = (ROOT / "docs" / "imports.md").read_text(encoding="utf-8")


def test_document_has_a_row_for_every_key_of_a_source() -> None:
    """Each key stands there with its default and its description word for word."""
    rows = re.findall(r"^\| `([a-z_]+)` \| (required|`.*?`) \| (.*) \|$", DOCUMENT, re.MULTILINE)
    expected = [
        (name, "required" if field.is_required() else f"`{json.dumps(field.default)}`", field.description)
        for name, field in SourceSpec.model_fields.items()
    ]
    assert sorted(rows) == sorted(expected)
