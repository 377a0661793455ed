"""Catalogue files -> tools. JSON and JSONL keep each tool object byte for byte; YAML is written as JSON.

A file holds records or bare OpenAI tool objects: a list, `{"tools": [...]}`, one object, or one object a line (JSONL).
All files of an import are taken together, or none is.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import yaml

from app.admin import records
from app.errors import BadRequest, InvalidRecords
from app.registry.snapshot import Progress, embed_missing
from app.registry.store import PutResult, Registry
from router.types import Encoder, Tool

SUFFIXES = (".json", ".jsonl", ".yaml", ".yml")


class ImportFailed(Exception):
    """Files that cannot be imported; the text has a line for each problem."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry and where it stands: file and number, from 1 (in JSONL: the line)."""

    raw: bytes
    place: str


def files_of(paths: Sequence[Path]) -> list[Path]:
    """Give the files, those of a folder in order of their names.

    Raises:
        ImportFailed: A path is missing, of an unknown kind, or a folder without catalogue files.
    """
    files: list[Path] = []
    for path in paths:
        if path.is_dir():
            found = sorted(p for p in path.iterdir() if p.suffix in SUFFIXES)
            if not found:
                raise ImportFailed(f"{path}: there are no {', '.join(SUFFIXES)} files in this folder")
            files += found
        elif not path.exists():
            raise ImportFailed(f"{path}: there is no such file")
        elif path.suffix not in SUFFIXES:
            raise ImportFailed(f"{path}: expected one of {', '.join(SUFFIXES)}")
        else:
            files.append(path)
    return files


def read_files(paths: Sequence[Path]) -> list[Tool]:
    """Read all entries of all files.

    Raises:
        ImportFailed: Anything cannot be taken; with every problem and its place.
    """
    entries = [entry for path in files_of(paths) for entry in _entries(path)]
    try:
        return records.read_all([entry.raw for entry in entries])
    except InvalidRecords as error:
        lines = [f"{entries[p.index].place} ({p.name or 'no name'}): {p.reason}" for p in error.problems]
        raise ImportFailed("\n".join(lines)) from error


async def store(
    registry: Registry, encoder: Encoder, tools: list[Tool], progress: Progress | None = None
) -> PutResult:
    """Embed tools, then register them in one transaction: where they are seen, they are found by meaning too."""
    await embed_missing(registry, encoder, tools, progress)
    return await registry.put(tools)


def _entries(path: Path) -> list[Entry]:
    try:
        data = path.read_bytes().removeprefix(b"\xef\xbb\xbf")
        if path.suffix == ".jsonl":
            lines = enumerate(data.splitlines(), start=1)
            return [Entry(line, f"{path}, line {number}") for number, line in lines if line.strip()]
        raws = _yaml(data) if path.suffix in (".yaml", ".yml") else _json(data)
    except (OSError, UnicodeDecodeError, yaml.YAMLError, BadRequest) as error:
        raise ImportFailed(f"{path}: {error}") from error
    return [Entry(raw, f"{path}, entry {number}") for number, raw in enumerate(raws, start=1)]


def _json(data: bytes) -> list[bytes]:
    text = data.strip()
    if text.startswith(b"{"):
        try:
            keys = msgspec.json.decode(text, type=dict[str, msgspec.Raw]).keys()
        except msgspec.MsgspecError as error:
            raise BadRequest(str(error)) from error
        if keys != {"tools"}:
            return [text]
    return records.split(text)


def _yaml(data: bytes) -> list[bytes]:
    document = yaml.safe_load(data)
    if isinstance(document, dict) and document.keys() == {"tools"}:
        document = document["tools"]
    if not isinstance(document, list):
        document = [document]
    try:
        return [json.dumps(entry, ensure_ascii=False).encode() for entry in document]
    except TypeError as error:
        raise BadRequest(f"{error}; put dates and times in quotes") from error
