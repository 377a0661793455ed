"""YAML by the core schema of version 1.2, for catalogue files.

PyYAML reads version 1.1, which makes False of `no`, 750 of `12:30`, 8 of `010` and a date of `2024-05-01`: none of it
is what someone means who writes the values of an enum. And it lets the second of two equal keys win, unseen.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable
from typing import Any

import yaml

_TAG = "tag:yaml.org,2002:"
# Signs that values stand between: a bound of how many there are, known before any is made; 20 µs each.
_SIGNS, _MOST_SIGNS = ",[{:\n", 200_000
MOST_NODES = 2_000_000  # values of a document, its aliases followed
_ALIASED_CHARACTERS = 64  # of a text that weigh as much as a value
_MOST_DIGITS = 4_300  # Python's own bound


class Misfit(yaml.YAMLError):
    """A value that is not what its form or tag says. The text repeats nothing of it."""


class TooMuch(yaml.YAMLError):
    """A document that says more than is read; the text says which bound it is."""


def load(text: str, most_nodes: int = MOST_NODES) -> Any:
    """Return the value of one document. All keys are texts, as in JSON.

    Raises:
        YAMLError: It is not YAML, or a key stands twice in a mapping.
        TooMuch: It has too many values, or grows to so many when its aliases are followed.
        RecursionError: It is nested too deeply.
    """
    return bounded(_FastLoader, text, most_nodes)


def bounded(loader: Callable[[str], Any], text: str, most_nodes: int) -> Any:
    """Return the value of one document as a loader of PyYAML reads it, if it stays within the bounds.

    Raises:
        YAMLError: It is not YAML.
        TooMuch: It has too many values, or grows to so many when its aliases are followed.
        RecursionError: It is nested too deeply.
    """
    if sum(map(text.count, _SIGNS)) > _MOST_SIGNS:
        raise TooMuch(f"YAML of more than {_MOST_SIGNS:,} values takes too long to read; write it as JSON")
    loading = loader(text)
    try:
        node = loading.get_single_node()
        if node is None:
            return None
        _weigh(node, most_nodes)
        return _constructed(loading, node)
    finally:
        loading.dispose()


def _constructed(loading: Any, node: yaml.Node) -> Any:
    """Return the value of a node; what PyYAML lets through of Python's errors becomes one of YAML."""
    try:
        return loading.construct_document(node)
    except (ValueError, LookupError, AttributeError, TypeError, OverflowError) as error:
        raise Misfit(
            "A value cannot be read: a number of thousands of digits, no such date, or not what its tag says"
        ) from error


def _weigh(root: yaml.Node, most: int) -> None:
    """Refuse a document that grows when its aliases are followed: aliases of aliases, and one that holds itself."""
    sizes: dict[int, int] = {}
    open_nodes: set[int] = set()
    waiting: list[tuple[yaml.Node, bool]] = [(root, False)]
    while waiting:
        node, done = waiting.pop()
        children = _children(node)
        if done:
            open_nodes.discard(id(node))
            sizes[id(node)] = _own(node) + sum(sizes[id(child)] for child in children)
            if sizes[id(node)] > most:
                raise TooMuch(f"The YAML says more than {most:,} values when its aliases are followed")
        elif id(node) in open_nodes:
            raise TooMuch("The YAML has an alias that holds itself")
        elif id(node) not in sizes:
            open_nodes.add(id(node))
            waiting.append((node, True))
            waiting += [(child, False) for child in children]


def _own(node: yaml.Node) -> int:
    return 1 + len(node.value) // _ALIASED_CHARACTERS if isinstance(node, yaml.ScalarNode) else 1


def _children(node: yaml.Node) -> list[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        return [part for pair in node.value for part in pair]
    return list(node.value) if isinstance(node, yaml.SequenceNode) else []


class _PythonParser(yaml.reader.Reader, yaml.scanner.Scanner, yaml.parser.Parser):
    def __init__(self, text: str) -> None:
        yaml.reader.Reader.__init__(self, text)
        yaml.scanner.Scanner.__init__(self)
        yaml.parser.Parser.__init__(self)


_PARSER: Any = getattr(getattr(yaml, "cyaml", None), "CParser", _PythonParser)  # not every build has libyaml


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
        """Refuse a key that stands there twice; a key is the text that it is written as."""
        seen: set[str] = set()
        for key in (key for key, _ in node.value if isinstance(key, yaml.ScalarNode)):
            if key.value in seen:
                raise yaml.constructor.ConstructorError(
                    problem=f"the key {key.value!r} stands there twice", problem_mark=key.start_mark
                )
            seen.add(key.value)
        self.flatten_mapping(node)
        for key in (key for key, _ in node.value if isinstance(key, yaml.ScalarNode)):
            key.tag = f"{_TAG}str"  # of a dictionary, 1 and true would be one key
        return yaml.constructor.SafeConstructor.construct_mapping(self, node, deep)

    def construct_decimal(self, node: yaml.ScalarNode) -> int:
        """Read digits as a decimal number, whatever the first is."""
        if len(node.value) > _MOST_DIGITS:
            problem = f"a number of more than {_MOST_DIGITS:,} digits cannot be read"
            raise yaml.constructor.ConstructorError(problem=problem, problem_mark=node.start_mark)
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
    """Parses by libyaml where PyYAML has it: ten times as fast.

    What puts the parts together is Python's: libyaml's crashes where they are nested deeply.
    """

    yaml_implicit_resolvers = _Loader.yaml_implicit_resolvers
    yaml_constructors = _Loader.yaml_constructors
    construct_decimal = _Loader.construct_decimal
    construct_mapping = _Loader.construct_mapping

    def __init__(self, text: str) -> None:
        _PARSER.__init__(self, text)
        yaml.composer.Composer.__init__(self)
        yaml.constructor.SafeConstructor.__init__(self)
        yaml.resolver.Resolver.__init__(self)
