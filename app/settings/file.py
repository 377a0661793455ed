"""The configuration file: read whole, and told apart from one of which a part is missing.

A file is to be replaced by renaming another over it. Where it is written in place instead, a reader may find a part of
it, and a part of a YAML file often is YAML, too: what it leaves out would have its default.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from app import files, yaml12
from app.errors import ConfigurationError

DEFAULT = Path("config.yaml")
_MOST_VALUES = 100_000  # its aliases followed
_END = "\n..."  # YAML's mark of a document's end, on a line of its own


@dataclass(frozen=True, slots=True)
class ConfigFile:
    """What was found: `path` is None where there is no file, and none is named."""

    path: Path | None = None
    text: str = field(default="", repr=False)
    values: dict[str, Any] = field(default_factory=dict, repr=False)


NO_FILE = ConfigFile()


def read(path: Path | None) -> ConfigFile:
    """Read a file; without a path ./config.yaml, where there is one.

    Raises:
        ConfigurationError: It is missing, broken, or not made of sections.
    """
    if path is None and not DEFAULT.exists():
        return NO_FILE
    path = path or DEFAULT
    try:
        text = files.read_text(path, files.MOST_CONFIGURATION_BYTES)
        values = yaml12.bounded(_Loader, text, _MOST_VALUES)
    except FileNotFoundError as error:
        raise ConfigurationError(f"{path}: there is no such file") from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path}: {files.reason(error)}") from error
    except yaml.YAMLError as error:
        raise ConfigurationError(f"{path}: {_place(error)}") from None  # what is beneath quotes the file
    except RecursionError as error:
        raise ConfigurationError(f"{path}: it is nested too deeply") from error
    return ConfigFile(path, text, _sections(path, values))


def check_whole(before: ConfigFile, after: ConfigFile) -> None:
    """Refuse a file of which a part is missing, as far as the one in force tells.

    Raises:
        ConfigurationError: It is gone or empty, or its end is missing.
    """
    if before.path is not None and after.path is None:
        raise ConfigurationError(f"{before.path}: the file is gone")
    if before.values and not after.values:
        raise ConfigurationError(f"{after.path}: the file is empty")
    if before.text.rstrip().endswith(_END) and not after.text.rstrip().endswith(_END):
        raise ConfigurationError(f"{after.path}: it does not end with '...' as before, so its end may be missing")
    if not after.text.endswith("\n") and (before.text.endswith("\n") or _is_cut(before.text, after.text)):
        raise ConfigurationError(f"{after.path}: there is no line break at its end, so the rest of it may be missing")


def _is_cut(before: str, after: str) -> bool:
    return len(after) < len(before) and before.startswith(after)


def _sections(path: Path, values: object) -> dict[str, Any]:
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise ConfigurationError(f"{path}: expected sections such as 'server:' at the top")
    for key in values:  # an argument of pydantic-settings, such as _env_prefix, is no key either
        if not isinstance(key, str) or key.startswith("_"):
            raise ConfigurationError(f"{key}: there is no such key")
    return {key: {} if value is None else value for key, value in values.items()}


def _place(error: yaml.YAMLError) -> str:
    """Say where YAML is broken without quoting it: the text may be a secret."""
    if isinstance(error, yaml12.TooMuch | yaml12.Misfit):
        return str(error)
    if not isinstance(error, yaml.MarkedYAMLError) or error.problem_mark is None:
        return "this is not YAML text"
    place = f"line {error.problem_mark.line + 1}, column {error.problem_mark.column + 1} is not valid YAML"
    quotes_nothing = isinstance(error, yaml.scanner.ScannerError | yaml.parser.ParserError | _KeyTwice)
    return f"{place}: {error.problem}" if quotes_nothing else place


class _KeyTwice(yaml.constructor.ConstructorError):
    """A key stands twice in a mapping: which of the two values counts would be the parser's choice."""


class _Loader(yaml.SafeLoader):
    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        """Return a mapping in which every key stands once."""
        seen: set[str] = set()
        for key in (key for key, _ in node.value if isinstance(key, yaml.ScalarNode)):
            if key.value in seen:
                raise _KeyTwice(problem="a key stands there twice", problem_mark=key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)
