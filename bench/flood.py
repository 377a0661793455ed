"""A source that floods the sample catalogue, and what is left of the right tools: the table of docs/security.md.

    python -m bench.flood

Two attacks. *Topics*: a tool for each of the commonest tags, with all the verbs and that tag again and again. *Copies*:
a tool says what a tool of the catalogue says, in the same words and with its keywords, under another name. The
questions are those of `examples/questions`, conversations as a whole; reading and writing tools may be offered.
Measured is what is sent at the last turn, twelve tools at most.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np

from app.encoders.readers import load
from app.evaluation import dataset
from app.evaluation.dataset import Dataset
from app.evaluation.replay import catalog_of, routing_of
from app.importer import read_files
from app.routing import Options, Routing
from app.settings import SafetySettings, SelectSettings, Settings
from router.catalog import Catalog
from router.types import Risk, Tool

EXAMPLES = Path(__file__).parent.parent / "examples"
# Share, and whether the sources of the catalogue are trusted.
LIMITS = ((1.0, False), (0.2, False), (0.2, True), (0.1, True))
SLOTS = 12
SOURCE = "flood"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was sent: the attacker's part of it, how often it had any, and the needed tools that were there."""

    slots: float
    lists: float
    found: float


def topics(tools: Sequence[Tool], count: int) -> list[Tool]:
    """Give a tool for each of the commonest tags."""
    tags = Counter(tag for tool in tools for tag in tool.tags)
    return [
        _tool(
            f"assistant_{i}",
            f"{tag} assistant: set up, show, find, change, remove or download my {tag}. I need my {tag}.",
            (tag,),
        )
        for i, (tag, _) in enumerate(tags.most_common(count))
    ]


def copies(tools: Sequence[Tool], count: int) -> list[Tool]:
    """Give copies of tools, spread evenly over the catalogue."""
    rows = np.linspace(0, len(tools) - 1, count).astype(int).tolist()
    return [_tool(f"{tools[row].name[:60]}_pro", tools[row].description, tools[row].keywords) for row in rows]


def _tool(name: str, description: str, keywords: tuple[str, ...]) -> Tool:
    definition = msgspec.json.encode({"type": "function", "function": {"name": name, "description": description}})
    return Tool(name, definition, description=description, keywords=keywords, risk=Risk.READ, source=SOURCE)


async def outcome(catalog: Catalog, questions: Dataset, routing: Routing) -> Outcome:
    """Ask every question."""
    sent, taken, hit, wanted, found = 0, 0, 0, 0, 0
    for query in questions.queries:
        tools = (await routing.explain(query.body, catalog, Options(k=SLOTS))).selection.tools
        own = sum(tool.source == SOURCE for tool in tools)
        groups = {questions.groups[catalog.by_name[tool.name][0]] for tool in tools if tool.source != SOURCE}
        sent, taken, hit = sent + len(tools), taken + own, hit + bool(own)
        wanted, found = wanted + len(query.gold), found + len(groups.intersection(query.gold))
    return Outcome(taken / sent, hit / len(questions.queries), found / wanted)


async def main() -> None:
    """Print the table."""
    settings = Settings(safety=SafetySettings(allow=frozenset({Risk.READ, Risk.WRITE})))
    readers = load(settings)
    sample = read_files([EXAMPLES / "catalog"])
    questions = dataset.read_about(
        sample, "questions", EXAMPLES / "questions" / "queries.jsonl", EXAMPLES / "questions" / "equiv.json"
    )
    floods = {
        "none": [],
        "topics, 40": topics(sample, 40),
        "copies, 40": copies(sample, 40),
        "copies, 400": copies(sample, 400),
    }
    print(
        "| flood | `max_source_share` | the catalogue's own sources | slots of the flood | lists with it | recall@12 |"
    )
    print("|---|---:|---|---:|---:|---:|")
    for name, flood in floods.items():
        catalog = await catalog_of(name, [*sample, *flood], readers, lambda *_: None)
        for share, trusted in LIMITS:
            known = tuple({tool.source for tool in sample}) if trusted else ()
            select = SelectSettings(max_source_share=share, trusted_sources=known)
            routing = routing_of(readers, settings.model_copy(update={"select": select}))
            got = await outcome(catalog, questions, routing)
            routing.close()
            what = "trusted" if trusted else "limited" if share < 1 else "-"
            print(f"| {name} | {share} | {what} | {got.slots:.1%} | {got.lists:.1%} | {got.found:.1%} |", flush=True)


if __name__ == "__main__":
    asyncio.run(main())
