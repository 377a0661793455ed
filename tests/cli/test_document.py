"""docs/cli.md: its examples print what it says, and it leaves no command and no option out."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
import typer.main
from typer.core import TyperGroup

from app.cli import app
from tests.cli.command import Place
from tests.support.documents import ROOT

DOCUMENT = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
EXAMPLE = re.compile(r"<!-- test -->\n```bash\n(.*?)```\n\n<!-- prints -->\n```text\n(.*?)```", re.DOTALL)

_BAR = re.compile("indexing tools|asking")


def commands(group: object, path: tuple[str, ...] = ()) -> Iterator[tuple[str, list[str]]]:
    """Give every command with its options."""
    if isinstance(group, TyperGroup):
        for name, command in group.commands.items():
            yield from commands(command, (*path, name))
    else:
        options = [option for parameter in group.params for option in parameter.opts]  # type: ignore[attr-defined]
        yield " ".join(path), [option for option in options if option.startswith("--")]


COMMANDS = dict(commands(typer.main.get_command(app)))


def section(command: str) -> str:
    """Give the section about a command."""
    return DOCUMENT.split(f"\n## {command}\n")[1].split("\n## ")[0]


def test_document_has_a_section_for_every_command() -> None:
    """Sections and commands are the same, and so are the rows of the table on top."""
    sections = re.findall(r"^## (.*)$", DOCUMENT, re.MULTILINE)[1:]
    assert sorted(sections) == sorted(COMMANDS)
    assert sorted(re.findall(r"^\| .* \| \[`(.*)`\]\(#.*\) \|$", DOCUMENT, re.MULTILINE)) == sorted(COMMANDS)


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_document_names_every_option(command: str) -> None:
    """Each option stands in its command's section; those that all have, at the top."""
    common = {"--help", "--config"} | ({"--json"} if command in ("tools import", "route") else set())
    for option in COMMANDS[command]:
        place = DOCUMENT if option in common else section(command)
        assert f"`{option}" in place or f" {option} " in place, option


@pytest.mark.timeout(600)
def test_document_shows_what_its_examples_print(place: Place) -> None:
    """Each example is run after the one before it and prints what stands below it."""
    found = EXAMPLE.findall(DOCUMENT)
    assert len(found) == DOCUMENT.count("<!-- test -->") == DOCUMENT.count("<!-- prints -->") > 5
    for script, expected in found:
        done = place.shell(f"exec 2>&1\n{script}")
        shown = "\n".join(line.rstrip() for line in done.out.splitlines() if not _BAR.search(line))
        pattern = re.escape(expected.rstrip("\n")).replace("…", ".*")
        assert re.fullmatch(pattern, shown), f"{script}\n{shown}"
