"""The build context: the files of a folder that its .dockerignore lets through."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

Rule = tuple[bool, str, re.Pattern[str]]  # whether it lets in, its text, what it matches


def rules(text: str) -> list[Rule]:
    """Read a .dockerignore: the last rule that matches a path, or a folder above it, decides."""
    lines = [line.strip() for line in text.splitlines()]
    bare = [(line.startswith("!"), line.lstrip("!").strip("/")) for line in lines if line and not line.startswith("#")]
    return [(lets_in, pattern, _matching(pattern)) for lets_in, pattern in bare]


def ignored(path: str, ignoring: list[Rule]) -> bool:
    """Tell whether a path, relative and with slashes, stays out."""
    out = False
    for lets_in, _, pattern in ignoring:
        if pattern.fullmatch(path):
            out = not lets_in
    return out


def files(folder: Path, ignoring: list[Rule]) -> list[str]:
    """Give the paths of all files that are let through, sorted."""
    found: list[str] = []
    for where, folders, names in os.walk(folder):
        below = Path(where).relative_to(folder).as_posix().removeprefix(".")
        prefix = f"{below}/" if below else ""
        folders[:] = [name for name in folders if _may_hold(f"{prefix}{name}", ignoring)]
        found += [f"{prefix}{name}" for name in names if not ignored(f"{prefix}{name}", ignoring)]
    return sorted(found)


def stage(folder: Path, into: Path) -> int:
    """Copy the context; give the number of its files."""
    text = (folder / ".dockerignore").read_text(encoding="utf-8")
    found = files(folder, rules(text))
    for path in found:
        (into / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(folder / path, into / path)
    return len(found)


def _may_hold(path: str, ignoring: list[Rule]) -> bool:
    """Tell whether something below a folder may be let through."""
    inside = any(lets_in and (pattern.startswith(f"{path}/") or "*" in pattern) for lets_in, pattern, _ in ignoring)
    return inside or not ignored(path, ignoring)


def _matching(pattern: str) -> re.Pattern[str]:
    parts = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    pieces = re.split(r"(\*\*/|\*\*|\*|\?)", pattern)
    return re.compile("".join(parts.get(piece) or re.escape(piece) for piece in pieces) + "(?:/.*)?")
