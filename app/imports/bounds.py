"""What a source may make us read. What is beyond is refused whole, with a sentence that says which bound it is."""

from __future__ import annotations

import json
from typing import Any

import yaml

from app import yaml12
from app.errors import SourceRefused

MOST_DEPTH = 100
# Signs that values stand between: a bound of how many there are, known before any is made.
_JSON_SIGNS, _MOST_IN_JSON = b",[{", 1_000_000  # a hundred bytes each
MOST_NODES = yaml12.MOST_NODES
MOST_STEPS = 10_000_000  # values looked at, all tools of a document together: some 1 µs each
MOST_CHARACTERS = 2**27  # of the texts that are read and written on the way


class Work:
    """What the tools of one document may cost, all together: what stands in it once can be referred to by every tool.

    Another thread may `stop()` it; whoever works ends at the next step.
    """

    def __init__(self, most_steps: int = MOST_STEPS, most_characters: int = MOST_CHARACTERS) -> None:
        self.steps = 0
        self.characters = 0
        self._most_steps, self._most_characters = most_steps, most_characters
        self._stopped = False

    def stop(self) -> None:
        """End it: nobody waits for what comes of it."""
        self._stopped = True

    def step(self, count: int = 1) -> None:
        """Count values that are looked at.

        Raises:
            SourceRefused: They are too many, or the work was stopped.
        """
        self.steps += count
        if self._stopped:
            raise SourceRefused("Reading was given up")
        if self.steps > self._most_steps:
            raise SourceRefused(f"Its tools take more than {self._most_steps:,} steps to put together: {_AGAIN}")

    def text(self, count: int) -> None:
        """Count characters that are gone through or written.

        Raises:
            SourceRefused: They are too many.
        """
        self.characters += count
        if self.characters > self._most_characters:
            raise SourceRefused(f"Its tools take more than {self._most_characters:,} characters of text: {_AGAIN}")


_AGAIN = "what is large is referred to again and again"


def parsed(data: bytes, what: str) -> Any:
    """Read a document, JSON or YAML 1.2, into plain values.

    Raises:
        SourceRefused: It is neither, nested too deeply, or says too much by repeating itself.
    """
    if _count(data, _JSON_SIGNS) > _MOST_IN_JSON:
        raise SourceRefused(f"{what} has more than {_MOST_IN_JSON:,} values")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise SourceRefused(f"{what} is not UTF-8 text") from error
    try:
        value = json.loads(text) if text.lstrip()[:1] in "{[" else _yaml(text)
    except json.JSONDecodeError as error:
        value = _yaml_after(text, what, f"line {error.lineno}, column {error.colno} is not valid JSON: {error.msg}")
    except RecursionError as error:
        raise SourceRefused(f"{what} is nested too deeply") from error
    except yaml.YAMLError as error:
        raise SourceRefused(f"{what} is neither JSON nor YAML: {_first_line(error)}") from error
    except ValueError as error:  # a number of thousands of digits
        raise SourceRefused(f"{what} cannot be read: {error}") from error
    _check_depth(value, what)
    return value


def _count(data: bytes, signs: bytes) -> int:
    return sum(data.count(sign) for sign in signs)


def _yaml_after(text: str, what: str, reason: str) -> Any:
    """Read YAML that begins like JSON; where it is none, the reason is that of JSON."""
    try:
        return _yaml(text)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise SourceRefused(f"{what}: {reason}") from error


def _yaml(text: str) -> Any:
    try:
        return yaml12.load(text, MOST_NODES)
    except yaml12.TooMuch as error:
        raise SourceRefused(str(error)) from error


def is_deeper(value: object, levels: int) -> bool:
    """Return whether a value of JSON is nested more deeply than that."""
    level = [value]
    for _ in range(levels):
        level = [inner for one in level for inner in _inside(one)]
        if not level:
            return False
    return True


def _check_depth(value: object, what: str) -> None:
    level = [value]
    for _ in range(MOST_DEPTH):
        level = [inner for one in level for inner in _inside(one)]
        if not level:
            return
        if len(level) > MOST_NODES:
            raise SourceRefused(f"{what} has more than {MOST_NODES:,} values")
    raise SourceRefused(f"{what} is nested more than {MOST_DEPTH} levels deep")


def _inside(value: object) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []


def _first_line(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    place = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
    return place + (getattr(error, "problem", None) or str(error).splitlines()[0])


def words(value: object) -> str:
    """Give a text, and nothing for anything else."""
    return value if isinstance(value, str) else ""


def mapping(value: object) -> dict[str, Any]:
    """Give a mapping, and an empty one for anything else."""
    return value if isinstance(value, dict) else {}
