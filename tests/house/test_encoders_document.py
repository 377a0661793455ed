"""docs/encoders.md says what app/settings/encoders.py does."""

from __future__ import annotations

import json
import re
from enum import Enum
from pathlib import Path

import pytest
from pydantic import BaseModel

from app.settings.encoders import EndpointSpec, OnnxSpec, TransformerSpec

DOCUMENT = (Path(__file__).parents[2] / "docs" / "encoders.md").read_text(encoding="utf-8")
KINDS: dict[str, type[BaseModel]] = {
    "sentence-transformers": TransformerSpec,
    "onnx": OnnxSpec,
    "endpoint": EndpointSpec,
}


def rows(kind: str) -> dict[str, tuple[str, str]]:
    """Give default and meaning of every key in a kind's section."""
    section = DOCUMENT.split(f"\n## {kind}\n")[1].split("\n## ")[0]
    found = re.findall(r"^\| `([a-z_]+)` \| (.*?) \| (.*) \|$", section, re.MULTILINE)
    return {key: (default, meaning) for key, default, meaning in found}


@pytest.mark.parametrize("kind", KINDS)
def test_document_has_a_row_for_every_key_of_a_kind(kind: str) -> None:
    """Each key stands in its kind's section with its default and its description word for word."""
    expected = {}
    for name, field in KINDS[kind].model_fields.items():
        if name != "kind":
            default = field.default.value if isinstance(field.default, Enum) else field.default
            shown = "required" if field.is_required() else f"`{default or json.dumps(default)}`"
            expected[name] = (shown, field.description)
    assert rows(kind) == expected
