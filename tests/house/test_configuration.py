"""config.yaml and docs/configuration.md say what app/settings does."""

import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import BaseModel

from app import settings
from app.settings import Settings, load

ROOT = Path(__file__).parents[2]
CONFIG = ROOT / "config.yaml"
DOCUMENT = ROOT / "docs" / "configuration.md"


@dataclass(frozen=True)
class Key:
    """One setting, as the models define it."""

    name: str
    default: object
    description: str

    @property
    def variable(self) -> str:
        """The environment variable of this setting."""
        return f"{settings.PREFIX}{self.name.replace('.', '__')}".upper()


def walk(model: type[BaseModel], defaults: dict[str, Any], prefix: str = "") -> list[Key]:
    """Give every setting below `model`."""
    keys: list[Key] = []
    for name, field in model.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            keys += walk(kind, defaults[name], f"{prefix}{name}.")
        else:
            keys.append(Key(prefix + name, defaults[name], field.description or ""))
    return keys


def flat(values: dict[str, Any], prefix: str = "") -> dict[str, object]:
    """Turn sections into dotted keys."""
    found: dict[str, object] = {}
    for name, value in values.items():
        found |= flat(value, f"{prefix}{name}.") if isinstance(value, dict) else {prefix + name: value}
    return found


EVERY_KEY = walk(Settings, Settings.model_construct().model_dump(mode="json"))
IN_FILE = flat(yaml.safe_load(CONFIG.read_text(encoding="utf-8")))


def row(key: Key) -> list[str]:
    """Give the cells of a setting's row in the document."""
    rows = [line for line in DOCUMENT.read_text(encoding="utf-8").splitlines() if line.startswith(f"| `{key.name}` |")]
    assert len(rows) == 1, f"{DOCUMENT.name} has {len(rows)} rows for {key.name}"
    return [cell.strip() for cell in rows[0].strip("|").split(" | ")]


@pytest.fixture(autouse=True)
def without_our_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the environment of whoever runs the tests out of them."""
    for name in [name for name in os.environ if name.upper().startswith(settings.PREFIX)]:
        monkeypatch.delenv(name)


@pytest.mark.parametrize("key", EVERY_KEY, ids=lambda key: key.name)
def test_config_yaml_shows_every_key_with_its_default(key: Key) -> None:
    """Each setting stands in config.yaml, at its default."""
    assert key.name in IN_FILE
    assert json.dumps(IN_FILE[key.name]) == json.dumps(key.default)


def test_config_yaml_shows_no_other_key() -> None:
    """config.yaml holds nothing that is not a setting."""
    assert set(IN_FILE) == {key.name for key in EVERY_KEY}


def test_config_yaml_loads_as_the_defaults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """config.yaml is accepted as it is and changes nothing."""
    monkeypatch.chdir(tmp_path)
    assert load(CONFIG) == load()


@pytest.mark.parametrize("key", EVERY_KEY, ids=lambda key: key.name)
def test_config_yaml_explains_every_key(key: Key) -> None:
    """Each key has a comment on the line above it."""
    *sections, name = key.name.split(".")
    lines = CONFIG.read_text(encoding="utf-8").splitlines()
    top = lines.index(f"{sections[0]}:") if sections else 0
    place = next(n for n, line in enumerate(lines[top:], top) if line.strip().startswith(f"{name}:"))
    assert lines[place - 1].strip().startswith("# ")


@pytest.mark.parametrize("key", EVERY_KEY, ids=lambda key: key.name)
def test_document_has_a_row_for_every_key(key: Key) -> None:
    """Each setting has a row: key, variable, default, and its description word for word."""
    _, variable, default, meaning = row(key)
    assert variable == f"`{key.variable}`"
    assert default == f"`{key.default if key.default and isinstance(key.default, str) else json.dumps(key.default)}`"
    assert key.description
    assert key.description in meaning


def test_document_has_rows_for_nothing_else() -> None:
    """No row describes a setting that does not exist."""
    named = re.findall(r"^\| `([a-z_.]+)` \|", DOCUMENT.read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert sorted(named) == sorted(key.name for key in EVERY_KEY)


def test_document_names_no_unknown_variable() -> None:
    """Every variable the document names sets something."""
    named = set(re.findall(rf"{settings.PREFIX}[A-Z_]*[A-Z]", DOCUMENT.read_text(encoding="utf-8")))
    assert named - {key.variable for key in EVERY_KEY} <= {settings.CONFIG_VARIABLE}
