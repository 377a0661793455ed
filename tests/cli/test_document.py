"""docs/cli.md: every command and option is in it, and its examples print what it says."""

from __future__ import annotations

import re

import typer

from app.cli import app
from tests.cli.command import Place
from tests.support.documents import ROOT

TEXT = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
_SHOWN = re.compile(r"<!-- test -->\n```bash\n(?P<script>.*?)\n```\n\n```text\n(?P<output>.*?)\n```", re.DOTALL)
_FIGURES = re.compile(r"[\d.,]+ ms|…|\s+")


def _plain(text: str) -> str:
    """Give a text without its layout, its timings and the marks where it is cut."""
    return _FIGURES.sub(" ", text).strip()


def test_examples_print_what_the_document_says(place: Place) -> None:
    """The commands run in order; the lines shown below each are in its output, but for timings and cut ends."""
    shown = list(_SHOWN.finditer(TEXT))
    assert len(shown) == TEXT.count("```bash")
    for example in shown:
        done = place.shell("set -euo pipefail\n" + example["script"].replace("examples/", f"{ROOT}/examples/"))
        assert done.code == 0, done.err
        for line in example["output"].splitlines():
            assert _plain(line) in _plain(done.out), example["script"]


def test_every_command_and_option_is_in_the_document() -> None:
    """What the command line takes is told."""
    group = typer.main.get_command(app)
    found = [("", group)]
    for path, command in found:
        found += [(f"{path} {name}", inner) for name, inner in getattr(command, "commands", {}).items()]
        assert f"toolfunnel{path}" in TEXT
        options = {name for option in command.params for name in option.opts if name.startswith("--")}
        assert not {name for name in options - {"--version"} if name not in TEXT}
