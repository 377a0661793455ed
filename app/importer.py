"""Catalogue files -> tools. JSON and JSONL keep each tool object byte for byte; YAML is written as JSON.

A file holds records or bare OpenAI tool objects: a list, `{"tools": [...]}`, one object, or one object a line (JSONL).
All files of an import are taken together, or none is, and then every problem is told with its place. YAML is read by
the core schema of YAML 1.2: `no`, `12:30` and `2024-05-01` are texts, and a key that stands there twice is refused.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import yaml

from app import yaml12
from app.admin import records
from app.errors import BadRequest, InvalidRecords
from app.registry.learn import Progress, embed_missing
from app.registry.store import Registry
from app.registry.writing import PutResult
from app.terminal import err
from router.errors import EncoderError
from router.types import Encoder, Tool

SUFFIXES = (".json", ".jsonl", ".yaml", ".yml")


class ImportFailed(Exception):
    """Files that cannot be imported; the text has a line for each problem."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join([*problems, "Nothing was imported."]))


class _Unreadable(ValueError):
    """A file that cannot be read; the text says why."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry and where it stands: file and number, from 1 (in JSONL: the line)."""

    raw: bytes
    place: str


def read_files(paths: Sequence[Path]) -> list[Tool]:
    """Read all entries of all files.

    Raises:
        ImportFailed: Anything cannot be taken; with every problem and its place.
    """
    problems: list[str] = []
    files: list[Path] = []
    entries: list[Entry] = []
    for path in paths:
        try:
            files += _files_of(path)
        except _Unreadable as error:
            problems.append(f"{path}: {error}")
    for file in files:
        try:
            entries += _entries(file)
        except _Unreadable as error:
            problems.append(f"{file}: {error}")
    tools = list(_read(entries, problems))
    if problems:
        raise ImportFailed(problems)
    return tools


async def store(
    registry: Registry, encoders: Sequence[Encoder], tools: list[Tool], progress: Progress | None = None
) -> PutResult:
    """Embed tools, then register them in one transaction: where they are seen, they are found by meaning too.

    An encoder that does not answer keeps back none of them: it is said, and the server embeds them later.
    """
    reasons = []
    for encoder in encoders:
        try:
            await embed_missing(registry, encoder, tools, progress)
        except EncoderError as error:
            reasons.append(str(error))
    result = await registry.put(tools)
    if reasons:
        err.print(f"Words find the tools until the server has embedded them: {'; '.join(reasons)}", markup=False)
    return result


def _files_of(path: Path) -> list[Path]:
    """Give a file, or those of a folder in order of their names."""
    try:
        if path.is_dir():
            found = sorted(p for p in path.iterdir() if p.suffix.lower() in SUFFIXES)
            if not found:
                raise _Unreadable(f"there are no {', '.join(SUFFIXES)} files in this folder")
            return found
        if not path.exists():
            raise _Unreadable("there is no such file")
    except OSError as error:
        raise _Unreadable(f"{error.strerror}") from error
    if path.suffix.lower() not in SUFFIXES:
        raise _Unreadable(f"its name should end in one of {', '.join(SUFFIXES)}")
    return [path]


def _read(entries: Sequence[Entry], problems: list[str]) -> Iterator[Tool]:
    """Give the tools; add a line to `problems` for each entry that is none."""
    places: dict[str, str] = {}
    for entry in entries:
        try:
            (tool,) = records.read_all([entry.raw])
        except InvalidRecords as error:
            name, reason = error.problems[0].name, error.problems[0].reason
            problems.append(f"{entry.place}{f' ({name})' if name else ''}: {reason}")
            continue
        if tool.name in places:
            problems.append(f"{entry.place}: the name {tool.name} stands in {places[tool.name]} already")
        places.setdefault(tool.name, entry.place)
        yield tool


def _entries(path: Path) -> list[Entry]:
    try:
        data = path.read_bytes().removeprefix(b"\xef\xbb\xbf")
        data.decode()
    except OSError as error:
        raise _Unreadable(f"{error.strerror}") from error
    except UnicodeDecodeError as error:
        number = data.count(b"\n", 0, error.start) + 1
        raise _Unreadable(f"line {number} is not UTF-8 text") from error
    if not data.strip():
        raise _Unreadable("the file is empty")
    suffix = path.suffix.lower()
    if suffix == ".jsonl":
        lines = enumerate(data.splitlines(), start=1)
        return [Entry(line, f"{path}, line {number}") for number, line in lines if line.strip()]
    try:
        raws = _json(data) if suffix == ".json" else _yaml(data)
    except RecursionError as error:
        raise _Unreadable("it is nested too deeply") from error
    return [Entry(raw, f"{path}, entry {number}") for number, raw in enumerate(raws, start=1)]


def _json(data: bytes) -> list[bytes]:
    text = data.strip()
    try:
        whole = msgspec.json.decode(text, type=dict[str, msgspec.Raw] if text.startswith(b"{") else msgspec.Raw)
        if text[:1] not in (b"{", b"["):
            raise _Unreadable("a catalogue is a list of tools or one tool")
        one = isinstance(whole, dict) and whole.keys() != {"tools"}
        return [text] if one else records.split(text)
    except (msgspec.MsgspecError, BadRequest) as error:
        raise _Unreadable(_why_not_json(data) or str(error)) from error


def _why_not_json(data: bytes) -> str:
    """Say where JSON is broken; nothing when it is not."""
    try:
        json.loads(data)
    except json.JSONDecodeError as error:
        return f"line {error.lineno}, column {error.colno} is not valid JSON: {error.msg}"
    return ""


def _yaml(data: bytes) -> list[bytes]:
    try:
        document = yaml12.load(data)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise _Unreadable(place + ", ".join(filter(None, (error.context, error.problem)))) from error
    except yaml.YAMLError as error:
        raise _Unreadable(str(error).splitlines()[0]) from error
    if document is None:
        raise _Unreadable("the file is empty")
    if isinstance(document, dict) and document.keys() == {"tools"}:
        document = document["tools"]
    entries = document if isinstance(document, list) else [document]
    return [_as_json(entry, number) for number, entry in enumerate(entries, start=1)]


def _as_json(entry: object, number: int) -> bytes:
    try:
        return json.dumps(entry, ensure_ascii=False, allow_nan=False).encode()
    except (TypeError, ValueError) as error:
        raise _Unreadable(f"entry {number} cannot be written as JSON: {error}") from error
