"""A catalogue of any size: the sample tools, then variants of them that nobody has seen.

A variant has the parameters of one tool and a description mixed of that and another's, belongs to one of many made-up
products and so has words of its own. Its vector is mixed likewise: encoding 100,000 of them takes ten minutes on one
core and says nothing about search. The same number always gives the same catalogue.
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
import numpy as np

from app.importer import read_files
from router.embed.embedder import tool_vectors
from router.types import Encoder, Risk, Tool, Vectors

SAMPLE = Path(__file__).parent.parent / "examples" / "catalog"

_TEAMS = 1_000  # tags: one leaves a thousandth of a large catalogue
_PRODUCTS = 20_000
_SYLLABLES = [a + b for a in "bdfgklmnprstvz" for b in ("a", "e", "i", "o", "u", "ar", "en", "il")]
_SENTENCE = re.compile(r"(?<=[.。!?])\s*")
_NOISE = 0.01  # a component: about a fifth of a vector's length at 512 dimensions


@dataclass(frozen=True)
class Grown:
    """Tools with their vectors, `float32[n, d]`, and questions that some of them answer."""

    tools: list[Tool]
    vectors: Vectors
    questions: list[str]


def grow(n: int, encoder: Encoder) -> Grown:
    """Make a catalogue of n tools."""
    sample = read_files([SAMPLE])
    vectors = np.concatenate([tool_vectors(encoder, sample[i : i + 32]) for i in range(0, len(sample), 32)])
    questions = [question for tool in sample for question in tool.examples]
    random.Random(1).shuffle(questions)
    chosen = sample[:n]
    rest = n - len(chosen)
    if not rest:
        return Grown(chosen, vectors[:n], questions)
    draw = np.random.default_rng(0)
    first, second = draw.integers(len(sample), size=(2, rest))
    share = draw.uniform(0.55, 0.9, rest).astype(np.float32)
    variants = [_variant(sample[a], sample[b], i) for i, (a, b) in enumerate(zip(first, second, strict=True))]
    assert len({tool.name for tool in variants}) == rest, "two variants have one name"
    chosen = chosen + variants
    grown = np.concatenate([vectors, np.empty((rest, vectors.shape[1]), dtype=np.float32)])
    for start in range(0, rest, 10_000):
        part = slice(start, start + 10_000)
        mixed = share[part, None] * vectors[first[part]] + (1 - share[part, None]) * vectors[second[part]]
        mixed += np.float32(_NOISE) * draw.standard_normal(mixed.shape, dtype=np.float32)
        mixed *= 0.95 / np.linalg.norm(mixed, axis=1, keepdims=True)
        grown[len(sample) :][part] = mixed
    return Grown(chosen, grown, questions)


def _variant(a: Tool, b: Tool, number: int) -> Tool:
    rng = random.Random(number)
    product = _word(rng.randrange(_PRODUCTS))
    name = f"{a.name[:40]}_{product}_{_word(rng.randrange(_TEAMS))}"
    sentences = [*_SENTENCE.split(a.description)[:2], *_SENTENCE.split(b.description)[:1]]
    description = f"{product.title()}: {' '.join(sentences)}"
    definition = msgspec.json.decode(a.definition)
    definition["function"] |= {"name": name, "description": description}
    return replace(
        a,
        name=name,
        definition=msgspec.json.encode(definition),
        description=description,
        tags=(*a.tags, f"team-{rng.randrange(_TEAMS)}", f"tenth-{rng.randrange(10)}"),
        keywords=(),
        examples=(),
        pinned=False,
        risk=Risk.READ,
        source=product,
    )


def _word(number: int) -> str:
    return "".join(random.Random(number).choices(_SYLLABLES, k=3))
