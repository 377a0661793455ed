"""examples/catalog is a catalogue that people would register: many services, careful words, legal records."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import yaml

from app.admin import records
from router.types import Risk, Tool

FILES = sorted((Path(__file__).parents[2] / "examples" / "catalog").glob("*.yaml"))
# The C loader reads the same, ten times as fast; not every build of PyYAML has it.
LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def read(path: Path) -> list[dict[str, Any]]:
    """Give the records of a file."""
    entries: list[dict[str, Any]] = yaml.load(path.read_text(encoding="utf-8"), Loader=LOADER)
    return entries


RECORDS = [record for path in FILES for record in read(path)]
TOOLS = records.read_all([json.dumps(record, ensure_ascii=False).encode() for record in RECORDS])


def parameters(tool: Tool) -> dict[str, Any]:
    """Give the schema of a tool's parameters."""
    schema: dict[str, Any] = json.loads(tool.definition)["function"].get("parameters", {})
    return schema


def doubles(values: list[str]) -> list[str]:
    """Give what stands there more than once."""
    return [value for value, times in Counter(values).items() if times > 1]


def test_catalog_is_large_enough_to_need_routing() -> None:
    """There are at least 240 tools of at least 24 services, and no service has but one."""
    services = Counter(tool.source for tool in TOOLS)
    assert len(TOOLS) >= 240
    assert len(services) >= 24
    assert min(services.values()) > 1
    assert "" not in services


def test_catalog_names_are_unique_and_legal() -> None:
    """Every name is one that providers take, and stands there once."""
    names = [tool.name for tool in TOOLS]
    assert doubles(names) == []
    assert [name for name in names if not records.NAME.match(name)] == []


def test_catalog_descriptions_are_unique_and_say_something() -> None:
    """No description is a copy of another one, and each has at least a few words."""
    assert doubles([tool.description.casefold() for tool in TOOLS]) == []
    assert [tool.name for tool in TOOLS if len(tool.description) < 20] == []


def undescribed(tool: Tool) -> set[str]:
    """Return the parameters at the top of a tool's schema without a description, or required and not there."""
    properties = parameters(tool).get("properties", {})
    unsaid = {name for name, value in properties.items() if not value.get("description")}
    return unsaid | (set(parameters(tool).get("required", [])) - set(properties))


def test_catalog_describes_every_parameter() -> None:
    """Every parameter at the top of a schema has a description, and every required one is there."""
    assert {tool.name: undescribed(tool) for tool in TOOLS if undescribed(tool)} == {}


def test_catalog_schemas_are_objects() -> None:
    """Parameters are an object, which is what providers ask for."""
    assert [tool.name for tool in TOOLS if parameters(tool).get("type") != "object"] == []


def test_catalog_has_tools_of_every_risk() -> None:
    """Something to read, something to write, something dangerous."""
    assert {tool.risk for tool in TOOLS} == set(Risk)


def test_catalog_tools_can_be_asked_for_by_tag() -> None:
    """Every tool has tags, and none that a header could not carry."""
    assert [tool.name for tool in TOOLS if not tool.tags] == []
    assert [tag for tool in TOOLS for tag in tool.tags if "," in tag or tag != tag.strip()] == []


def test_catalog_pins_and_disables_nothing() -> None:
    """Whoever imports it gets tools that compete for their places."""
    assert [tool.name for tool in TOOLS if tool.pinned or not tool.enabled] == []
