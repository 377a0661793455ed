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


def rows(key: Key) -> list[list[str]]:
    """Return the cells of a setting's rows in the document."""
    lines = DOCUMENT.read_text(encoding="utf-8").splitlines()
    found = [line for line in lines if line.startswith(f"| `{key.name}` |")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in found]


def is_described(key: Key) -> bool:
    """Return whether a setting has one row: key, variable, default, and its description word for word."""
    default = key.default if key.default and isinstance(key.default, str) else json.dumps(key.default)
    match rows(key):
        case [[_, variable, given, meaning]]:
            there = (variable, given) == (f"`{key.variable}`", f"`{default}`")
            return there and bool(key.description) and key.description in meaning
    return False


def is_explained(key: Key) -> bool:
    """Return whether a setting has a comment on the line above it in config.yaml."""
    *sections, name = key.name.split(".")
    lines = CONFIG.read_text(encoding="utf-8").splitlines()
    top = lines.index(f"{sections[0]}:") if sections else 0
    places = (n for n, line in enumerate(lines[top:], top) if line.strip().startswith(f"{name}:"))
    place = next(places, 0)
    return place > 0 and lines[place - 1].strip().startswith("# ")


@pytest.fixture(autouse=True)
def without_our_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the environment of whoever runs the tests out of them."""
    for name in [name for name in os.environ if name.upper().startswith(settings.PREFIX)]:
        monkeypatch.delenv(name)


def test_config_yaml_shows_every_key_with_its_default_and_no_other() -> None:
    """Each setting stands in config.yaml, at its default; nothing else does."""
    assert {name: json.dumps(value) for name, value in IN_FILE.items()} == {
        key.name: json.dumps(key.default) for key in EVERY_KEY
    }


def test_config_yaml_loads_as_the_defaults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """config.yaml is accepted as it is and changes nothing."""
    monkeypatch.chdir(tmp_path)
    assert load(CONFIG) == load()


def test_config_yaml_explains_every_key() -> None:
    """Each key has a comment on the line above it."""
    assert [key.name for key in EVERY_KEY if not is_explained(key)] == []


def test_document_has_a_row_for_every_key() -> None:
    """Each setting has a row: key, variable, default, and its description word for word."""
    assert {key.name: rows(key) for key in EVERY_KEY if not is_described(key)} == {}


def test_document_has_rows_for_nothing_else() -> None:
    """No row describes a setting that does not exist."""
    named = re.findall(r"^\| `([a-z_.]+)` \|", DOCUMENT.read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert sorted(named) == sorted(key.name for key in EVERY_KEY)


def test_document_names_no_unknown_variable() -> None:
    """Every variable the document names sets something."""
    named = set(re.findall(rf"{settings.PREFIX}[A-Z_]*[A-Z]", DOCUMENT.read_text(encoding="utf-8")))
    assert named - {key.variable for key in EVERY_KEY} <= {settings.CONFIG_VARIABLE}
