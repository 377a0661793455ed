"""YAML by the core schema of version 1.2, for catalogue files.

PyYAML reads version 1.1, which makes False of `no`, 750 of `12:30`, 8 of `010` and a date of `2024-05-01`: none of it
is what someone means who writes the values of an enum. And it lets the second of two equal keys win, unseen.
"""

from __future__ import annotations

import re
from collections.abc import Hashable
from typing import Any

import yaml

_TAG = "tag:yaml.org,2002:"


def load(data: bytes) -> Any:
    """Read one document.

    Raises:
        YAMLError: It is not YAML, or a key stands twice in a mapping.
    """
    return yaml.load(data, Loader=_Loader)  # noqa: S506 - a safe loader


class _PythonParser(yaml.reader.Reader, yaml.scanner.Scanner, yaml.parser.Parser):
    def __init__(self, text: str) -> None:
        yaml.reader.Reader.__init__(self, text)
        yaml.scanner.Scanner.__init__(self)
        yaml.parser.Parser.__init__(self)


_PARSER: Any = getattr(getattr(yaml, "cyaml", None), "CParser", _PythonParser)  # not every build has libyaml


def fast_loader(text: str) -> Any:
    """Give a loader by libyaml where PyYAML has it: ten times as fast. All keys are texts, as in JSON."""
    return _FastLoader(text)


class _Composer(yaml.composer.Composer):
    """Lets an anchor be defined again, as YAML 1.2 does (7.1): an alias is of the last definition before it."""

    anchors: dict[str | None, yaml.Node]
    check_event: Any  # of the parser that a loader is mixed with
    peek_event: Any

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """Forget an earlier anchor of this name, of which PyYAML makes an error."""
        if not self.check_event(yaml.AliasEvent):
            self.anchors.pop(self.peek_event().anchor, None)
        composed: yaml.Node | None = super().compose_node(parent, index)
        return composed


class _Loader(_Composer, yaml.SafeLoader):
    yaml_implicit_resolvers = {}  # noqa: RUF012 - filled below, as PyYAML does it

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        """Refuse a key that stands there twice."""
        seen: set[str] = set()
        for key in (key for key, _ in node.value if isinstance(key, yaml.ScalarNode)):
            if key.value in seen:
                raise yaml.constructor.ConstructorError(
                    problem=f"the key {key.value!r} stands there twice", problem_mark=key.start_mark
                )
            seen.add(key.value)
        return yaml.constructor.SafeConstructor.construct_mapping(self, node, deep)

    def construct_decimal(self, node: yaml.ScalarNode) -> int:
        """Read digits as a decimal number, whatever the first is."""
        return int(self.construct_scalar(node))


for _kind, _pattern, _first in (
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("int", r"[-+]?[0-9]+", list("-+0123456789")),
    ("float", r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", list("-+.0123456789")),
    ("merge", r"<<", ["<"]),
):
    _Loader.add_implicit_resolver(_TAG + _kind, re.compile(f"^(?:{_pattern})$"), _first)
_Loader.add_constructor(f"{_TAG}int", _Loader.construct_decimal)


class _FastLoader(_Composer, _PARSER, yaml.constructor.SafeConstructor, yaml.resolver.Resolver):  # type: ignore[misc]
    """Parses by libyaml. What puts the parts together is Python's: libyaml's crashes where they are nested deeply."""

    yaml_implicit_resolvers = _Loader.yaml_implicit_resolvers
    yaml_constructors = _Loader.yaml_constructors
    construct_decimal = _Loader.construct_decimal

    def __init__(self, text: str) -> None:
        _PARSER.__init__(self, text)
        yaml.composer.Composer.__init__(self)
        yaml.constructor.SafeConstructor.__init__(self)
        yaml.resolver.Resolver.__init__(self)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        return {str(key): value for key, value in _Loader.construct_mapping(self, node, deep).items()}
