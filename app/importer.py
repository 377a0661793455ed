"""Catalogue files -> tools. JSON and JSONL keep each tool object byte for byte; YAML is written as JSON.

A file holds records or bare OpenAI tool objects: a list, `{"tools": [...]}`, one object, or one object a line (JSONL).
All files of an import are taken together, or none is, and then every problem is told with its place. YAML is read by
the core schema of YAML 1.2: `no`, `12:30` and `2024-05-01` are texts, and a key that stands there twice is refused.
Files are bounded as imports are: their bytes together, entries of a file and of all, values of an entry, what the
aliases of YAML come to.
"""

from __future__ import annotations

import errno
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import msgspec
import yaml

from app import files, yaml12
from app.admin import records
from app.errors import BadRequest, InvalidRecords
from app.registry.learn import Progress, embed_missing
from app.registry.store import Registry
from app.registry.writing import PutResult
from app.terminal import err
from router.errors import EncoderError
from router.types import Encoder, Tool

SUFFIXES = (".json", ".jsonl", ".yaml", ".yml")
_MOST_TOOLS = 500_000  # of all files together
_MOST_FILES = 10_000
_MOST_SIGNS = 1_000_000  # of one entry: its values stand between them, a hundred bytes each


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


def read_files(paths: Sequence[Path], left_out: dict[str, frozenset[str]] | None = None) -> list[Tool]:
    """Read all entries of all files. `left_out` takes up by name what records do not say.

    Raises:
        ImportFailed: Anything cannot be taken; with every problem and its place.
    """
    problems: list[str] = []
    found: list[Path] = []
    entries: list[Entry] = []
    for path in paths:
        try:
            found += _files_of(path)
        except _Unreadable as error:
            problems.append(f"{path}: {error}")
    room = files.MOST_CATALOGUE_BYTES
    for file in found:
        try:
            data = _data(file, room)
            room -= len(data)
            entries += _entries(file, data)
        except _Unreadable as error:
            problems.append(f"{file}: {error}")
        if len(entries) > _MOST_TOOLS:
            raise ImportFailed([*problems, f"{file}: with it there are more than {_MOST_TOOLS:,} tools"])
    tools = list(_read(entries, problems, {} if left_out is None else left_out))
    if problems:
        raise ImportFailed(problems)
    return tools


async def store(
    registry: Registry,
    encoders: Sequence[Encoder],
    tools: list[Tool],
    progress: Progress | None = None,
    left_out: Mapping[str, frozenset[str]] | None = None,
) -> PutResult:
    """Embed tools, then register them in one transaction: where they are seen, they are found by meaning too.

    What a record leaves out loosens nothing: a tool that was disabled stays so, and its risk and tenant stay.

    An encoder that does not answer keeps back none of them: it is said, and the server embeds them later.
    """
    reasons = []
    for encoder in encoders:
        try:
            await embed_missing(registry, encoder, tools, progress)
        except EncoderError as error:
            reasons.append(str(error))
    result = await registry.put(tools, left_out)
    if reasons:
        err.print(f"Words find the tools until the server has embedded them: {'; '.join(reasons)}", markup=False)
    return result


def _files_of(path: Path) -> list[Path]:
    """Give a file, or those of a folder in order of their names."""
    try:
        if path.is_dir():
            found = sorted(islice((p for p in path.iterdir() if p.suffix.lower() in SUFFIXES), _MOST_FILES + 1))
            if len(found) > _MOST_FILES:
                raise _Unreadable(f"there are more than {_MOST_FILES:,} files in this folder")
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


def _read(entries: Sequence[Entry], problems: list[str], left_out: dict[str, frozenset[str]]) -> Iterator[Tool]:
    """Give the tools; add a line to `problems` for each entry that is none, and to `left_out` what it does not say."""
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
        left_out[tool.name] = records.left_out(entry.raw)
        yield tool


def _data(path: Path, room: int) -> bytes:
    try:
        data = files.read(path, room).removeprefix(b"\xef\xbb\xbf")
        data.decode()
    except OSError as error:
        more = f"all files together have more than {files.MOST_CATALOGUE_BYTES:,} bytes"
        raise _Unreadable(more if error.errno == errno.EFBIG else f"{error.strerror}") from error
    except UnicodeDecodeError as error:
        number = data.count(b"\n", 0, error.start) + 1
        raise _Unreadable(f"line {number} is not UTF-8 text") from error
    return data


def _entries(path: Path, data: bytes) -> list[Entry]:
    if not data.strip():
        raise _Unreadable("the file is empty")
    suffix = path.suffix.lower()
    if suffix == ".jsonl":
        if data.count(b"\n") > _MOST_TOOLS:
            raise _Unreadable(f"it has more than {_MOST_TOOLS:,} lines")
        lines = enumerate(data.splitlines(), start=1)
        found = [Entry(line, f"{path}, line {number}") for number, line in lines if line.strip()]
    else:
        try:
            raws = _json(data) if suffix == ".json" else _yaml(data)
        except RecursionError as error:
            raise _Unreadable("it is nested too deeply") from error
        found = [Entry(raw, f"{path}, entry {number}") for number, raw in enumerate(raws, start=1)]
    for entry in found:
        if _is_too_large(entry.raw):
            raise _Unreadable(f"{entry.place.removeprefix(f'{path}, ')} has more than {_MOST_SIGNS:,} values")
    return found


def _is_too_large(raw: bytes) -> bool:
    return len(raw) > _MOST_SIGNS and sum(map(raw.count, (b",", b"[", b"{"))) > _MOST_SIGNS


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
    """Say where JSON is broken; nothing when it is not, or is too large to be read whole."""
    if _is_too_large(data):
        return ""
    try:
        json.loads(data)
    except json.JSONDecodeError as error:
        return f"line {error.lineno}, column {error.colno} is not valid JSON: {error.msg}"
    except ValueError as error:  # a number of thousands of digits
        return str(error)
    return ""


def _yaml(data: bytes) -> list[bytes]:
    try:
        document = yaml12.load(data.decode())
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
