"""docs/clients.md: the code that it shows is the code that the tests run, with the packages that it names."""

from __future__ import annotations

import json
import re
from pathlib import Path

from tests.clients.applications import FOLDER, shown

_ROOT = Path(__file__).parents[2]
_DOCUMENT = (_ROOT / "docs/clients.md").read_text(encoding="utf-8")
_BLOCK = re.compile(r"^```(python|js)\n(.*?)\n```$", re.DOTALL | re.MULTILINE)
_SCRIPTS = [
    path for path in sorted(FOLDER.glob("*/*.*")) if path.suffix in (".py", ".mjs") and "scenarios" not in path.name
]
_PACKAGES = {
    "openai for Python": ["openai"],
    "openai for Node": ["node:openai"],
    "Vercel AI, `@ai-sdk/openai-compatible`": ["node:ai", "node:@ai-sdk/openai-compatible"],
    "Vercel AI, `@ai-sdk/openai`": ["node:@ai-sdk/openai"],
    "LangChain": ["langchain", "langchain-openai"],
    "LangGraph": ["langgraph"],
    "openai-agents, chat model": ["openai-agents"],
    "openai-agents, default model": ["openai-agents"],
    "pydantic-ai": ["pydantic-ai-slim"],
    "LlamaIndex": ["llama-index-core"],
    "LiteLLM": ["litellm"],
    "instructor": ["instructor"],
    "haystack": ["haystack-ai"],
    "autogen": ["autogen-agentchat"],
    "smolagents": ["smolagents"],
    "anthropic": ["anthropic"],
}


def test_shown_code_is_the_tested_code() -> None:
    """Every block of code is a part of a script that the tests run, and every part that is to be shown is there."""
    parts = {("js" if path.suffix == ".mjs" else "python", text) for path in _SCRIPTS for text in shown(path).values()}
    assert len(_SCRIPTS) == 13
    assert set(_BLOCK.findall(_DOCUMENT)) == parts


def test_shown_code_is_short() -> None:
    """What a reader has to type fits a screen, and needs no other address than the gateway's default."""
    for path in _SCRIPTS:
        for text in shown(path).values():
            assert len(text.splitlines()) <= 32, path.name
            assert set(re.findall(r"https?://\S+?(?=[\"/])", text)) <= {"http://127.0.0.1:8000"}


def test_versions_are_those_that_are_locked() -> None:
    """The table names sixteen clients, each with the release that `make test-clients` installs."""
    rows = re.findall(r"^\| ([^|]+?) \| ([\d., ]+?) \|", _DOCUMENT, flags=re.MULTILINE)
    assert {name: versions.split(", ") for name, versions in rows} == {
        name: [_locked(package) for package in packages] for name, packages in _PACKAGES.items()
    }
    assert len(rows) == 16


def test_every_section_is_in_the_contents() -> None:
    """The list at the top leads to every section."""
    sections = {
        re.sub(r"[^a-z0-9 -]", "", title.lower()).replace(" ", "-")
        for title in re.findall(r"^## (.+)$", _DOCUMENT, flags=re.MULTILINE)
    }
    assert sections <= set(re.findall(r"\(#([\w-]+)\)", _DOCUMENT))


def _locked(package: str) -> str:
    if package.startswith("node:"):
        lock = json.loads((FOLDER / "node/package-lock.json").read_text(encoding="utf-8"))
        return str(lock["packages"][f"node_modules/{package.removeprefix('node:')}"]["version"])
    text = (_ROOT / "requirements/clients.txt").read_text(encoding="utf-8")
    found = re.search(rf"^{re.escape(package)}==(\S+)", text, flags=re.MULTILINE)
    return found[1] if found else ""
