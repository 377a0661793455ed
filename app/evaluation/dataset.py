"""A folder -> Dataset: tools, questions with the tools they need, and which tools do the same.

    tools.jsonl     {"id": "…", "tool": {an OpenAI tool object}, "tags": ["…"]}
    queries.jsonl   {"id": "…", "messages": […], "gold": ["id", …], "lang": "en", "category": "…", "split": "…"}
    equiv.json      {"id": "group", …}, where there is one

The tools may be those of a catalogue instead; then names are the ids. Other fields are not read. A user's messages in a
row are turns of their own: such sets leave the model's answers out.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from app import files
from app.evaluation import EvaluationFailed
from app.wire import chat, tool_object
from router.types import Tool

_SHOWN = 20
_SEED = 0

T = TypeVar("T", bound="_ToolLine | _QueryLine")


class _ToolLine(msgspec.Struct):
    id: str
    tool: msgspec.Raw
    tags: tuple[str, ...] = ()


class _QueryLine(msgspec.Struct):
    id: str
    messages: list[dict[str, Any]]
    gold: list[str]
    lang: str | None = None
    category: str | None = None
    split: str | None = None


@dataclass(frozen=True, slots=True)
class Query:
    """A question: request bodies as they are at its last turn and at the end of the turn before, if there is one.

    `texts` are what the user said, a turn each. `gold` are groups, see `Dataset.groups`; none: no tool is needed.
    """

    id: str
    texts: tuple[str, ...]
    body: bytes
    before: bytes | None
    gold: tuple[int, ...]
    lang: str = ""
    category: str = ""
    split: str = ""


@dataclass(frozen=True, slots=True)
class Dataset:
    """Tools and questions. `groups` has a number a tool; tools that do the same share theirs."""

    name: str
    tools: tuple[Tool, ...]
    groups: tuple[int, ...]
    queries: tuple[Query, ...]

    def only(self, split: str | None) -> Dataset:
        """Keep the questions of a split.

        Raises:
            EvaluationFailed: There are none.
        """
        if split is None:
            return self
        kept = tuple(query for query in self.queries if query.split == split)
        if not kept:
            raise EvaluationFailed(f"{self.name}: no question is of the split {split!r}.")
        return replace(self, queries=kept)

    def sample(self, limit: int | None) -> Dataset:
        """Keep so many questions, drawn the same every time, in their order."""
        if limit is None or limit >= len(self.queries):
            return self
        drawn = sorted(random.Random(_SEED).sample(range(len(self.queries)), limit))  # noqa: S311 - no secret
        return replace(self, queries=tuple(self.queries[i] for i in drawn))


def read(folder: Path, *, queries: Path | None = None, tags: bool = False) -> Dataset:
    """Read a folder. `queries` stands in for its queries.jsonl; `tags`: give the tools theirs.

    Raises:
        EvaluationFailed: Something in it cannot be used; with every problem and its place.
    """
    if not folder.is_dir():
        raise EvaluationFailed(f"{folder}: there is no such folder")
    problems: list[str] = []
    path = folder / "tools.jsonl"
    found = list(_tools(path, problems, tags=tags))
    if not found and not problems:
        problems.append(f"{path}: it holds no tools")
    same = _equivalent(folder / "equiv.json", problems)
    groups = _groups([name for name, _ in found], same)
    _refuse(problems)
    asked = _queries(queries or folder / "queries.jsonl", _meant(groups, same), problems)
    _refuse(problems)
    return Dataset(folder.resolve().name, tuple(tool for _, tool in found), tuple(groups.values()), asked)


def read_about(tools: Sequence[Tool], name: str, queries: Path, equivalent: Path | None = None) -> Dataset:
    """Read questions about the tools of a catalogue, which `gold` and `equivalent` call by their names.

    Raises:
        EvaluationFailed: Something in the files cannot be used.
    """
    problems: list[str] = []
    same = {} if equivalent is None else _equivalent(equivalent, problems)
    groups = _groups([tool.name for tool in tools], same)
    asked = _queries(queries, _meant(groups, same), problems)
    _refuse(problems)
    return Dataset(name, tuple(tools), tuple(groups.values()), asked)


def _refuse(problems: Sequence[str]) -> None:
    if problems:
        more = [f"… and {len(problems) - _SHOWN:,} more"] if len(problems) > _SHOWN else []
        raise EvaluationFailed("\n".join([*problems[:_SHOWN], *more, "Nothing was measured."]))


def _tools(path: Path, problems: list[str], *, tags: bool) -> Iterator[tuple[str, Tool]]:
    def entry(line: _ToolLine) -> tuple[str, Tool]:
        tool = tool_object.read(bytes(line.tool))
        return line.id, replace(tool, tags=line.tags) if tags else tool

    return _entries(path, _ToolLine, entry, problems)


def _queries(path: Path, groups: Mapping[str, int], problems: list[str]) -> tuple[Query, ...]:
    def entry(line: _QueryLine) -> Query:
        turns = _turns(line.messages)
        last = max((i for i, message in enumerate(turns) if message.get("role") == "user"), default=-1)
        if last < 0:
            raise ValueError("there is no message of a user")
        if not all(isinstance(message.get("role"), str) for message in turns):
            raise ValueError("a message has no role")
        earlier = any(message.get("role") == "user" for message in turns[:last])
        body, before = _body(turns), _body(turns[:last]) if earlier else None
        texts = tuple(turn.text for turn in chat.parse(body).conversation.turns)
        if unknown := [name for name in line.gold if name not in groups]:
            raise ValueError(f"there is no tool {unknown[0]!r} that its gold could mean")
        gold = dict.fromkeys(groups[name] for name in line.gold)
        return Query(line.id, texts, body, before, tuple(gold), line.lang or "", line.category or "", line.split or "")

    told = len(problems)
    found = tuple(_entries(path, _QueryLine, entry, problems))
    if not found and len(problems) == told:
        problems.append(f"{path}: it holds no questions")
    return found


def _entries(path: Path, kind: type[T], entry: Callable[[T], Any], problems: list[str]) -> Iterator[Any]:
    """Give what the lines of a file say; add a line to `problems` for each that cannot be used."""
    lines: dict[str, int] = {}
    for number, raw in _lines(path, problems):
        try:
            line = msgspec.json.decode(raw, type=kind)
            if line.id in lines:
                raise ValueError(f"the id {line.id!r} stands in line {lines[line.id]} already")  # noqa: TRY301
            lines[line.id] = number
            yield entry(line)
        except (ValueError, UnicodeDecodeError, RecursionError) as error:
            problems.append(f"{path}, line {number}: {error}")


def _lines(path: Path, problems: list[str]) -> Iterator[tuple[int, bytes]]:
    try:
        data = files.read(path, files.MOST_CATALOGUE_BYTES).removeprefix(b"\xef\xbb\xbf")
    except OSError as error:
        problems.append(f"{path}: {'there is no such file' if not path.exists() else error.strerror}")
        return
    yield from ((n, line) for n, line in enumerate(data.split(b"\n"), start=1) if line.strip())


def _equivalent(path: Path, problems: list[str]) -> dict[str, str]:
    if not path.exists():
        return {}
    try:
        return msgspec.json.decode(files.read(path, files.MOST_CATALOGUE_BYTES), type=dict[str, str])
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        problems.append(f"{path}: {error}")
        return {}


def _groups(ids: Sequence[str], equivalent: Mapping[str, str]) -> dict[str, int]:
    """Number the groups of the tools; one that has none is its own, under a name that may be a group's, too."""
    numbers: dict[str, int] = {}
    return {name: numbers.setdefault(equivalent.get(name, name), len(numbers)) for name in ids}


def _meant(groups: dict[str, int], equivalent: Mapping[str, str]) -> dict[str, int]:
    """Give the groups that a question can name: by a tool, and by what is equivalent to one and is no tool here."""
    labels = {equivalent.get(name, name): group for name, group in groups.items()}
    return {name: labels[label] for name, label in equivalent.items() if label in labels} | groups


def _turns(messages: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Put an answer that says nothing between a user's messages in a row, so that each is a turn."""
    turns: list[dict[str, Any]] = []
    for message in messages:
        if turns and turns[-1].get("role") == message.get("role") == "user":
            turns.append({"role": "assistant", "content": ""})
        turns.append(message)
    return turns


def _body(messages: Sequence[dict[str, Any]]) -> bytes:
    return json.dumps({"messages": messages}, ensure_ascii=False).encode("utf-8", "surrogatepass")
