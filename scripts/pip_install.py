"""Run `pip install` with the arguments given and show how far it is: pip itself writes nothing, or 500 lines.

Works with any Python 3.11 and needs no package: it runs before there are any. What pip wrote is shown where it failed.
"""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path

_PACKAGE = re.compile(r"(?:Collecting|Requirement already satisfied:) ([A-Za-z0-9._-]+)")
_PINNED = re.compile(r"^[A-Za-z0-9._-]+(?:\[[^\]]*\])?==", flags=re.MULTILINE)
_EVERY_S = 5.0  # seconds between lines where no terminal redraws them
_TAIL = 40  # lines of pip's output shown after a failure


class Progress:
    """One line that is redrawn on a terminal; elsewhere a line every few seconds."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._seen = 0
        self._began = self._shown = time.monotonic()
        self._redraws = sys.stdout.isatty()

    def package(self, name: str) -> None:
        """Show that a package is fetched."""
        self._seen += 1
        self._show(f"  {self._seen:3}/{self._total}  {name}")

    def installing(self) -> None:
        """Show that everything is fetched, and is now unpacked."""
        self._show(f"  unpacking {self._total} packages …", always=True)

    def done(self) -> None:
        """Show how long it took."""
        self._show(f"  {self._total} packages in {time.monotonic() - self._began:.0f} s\n", always=True, end="")

    def _show(self, text: str, *, always: bool = False, end: str = "\n") -> None:
        if self._redraws:
            sys.stdout.write(f"\r\033[K{text}")
        elif always or time.monotonic() - self._shown >= _EVERY_S:
            self._shown = time.monotonic()
            sys.stdout.write(f"{text}{end}")
        sys.stdout.flush()


def followed(lines: Iterable[str], progress: Progress) -> list[str]:
    """Return all lines of pip, after showing what they tell."""
    kept = []
    for line in lines:
        kept.append(line)
        if found := _PACKAGE.match(line):
            progress.package(found[1])
        elif line.startswith("Installing collected packages"):
            progress.installing()
    return kept


def pinned(arguments: list[str]) -> int:
    """Return how many packages the requirement files of a command line pin."""
    files = [after for option, after in pairwise(arguments) if option == "-r"]
    return sum(len(_PINNED.findall(Path(file).read_text(encoding="utf-8"))) for file in files)


def main(arguments: list[str]) -> int:
    """Return pip's exit code."""
    command = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--disable-pip-version-check",
        "--progress-bar",
        "off",
        *arguments,
    ]
    progress = Progress(pinned(arguments))
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as pip:
        lines = followed(pip.stdout or (), progress)
    if pip.returncode != 0:
        print(f"\n{''.join(lines[-_TAIL:])}\n{' '.join(command)}\nended with exit code {pip.returncode}.")
    else:
        progress.done()
    return pip.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
