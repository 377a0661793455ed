"""What values take in memory, in bytes, as Python counts them. What several of them share counts for each."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain
from sys import getsizeof
from typing import Any

from numpy.typing import NDArray

from router.catalog import Catalog, Space
from router.postings import Postings
from router.types import Grants, Parameter, Tool

ARRAY_BYTES = 112  # an array beside its numbers
_NUMBER_BYTES = 32
# What a catalogue makes when it is first asked for, by tool: the places of its name, its rights, what its name weighs.
_MADE_LATER_BYTES = 320


def texts(values: Iterable[str | bytes]) -> int:
    """Count texts."""
    return sum(map(getsizeof, values))


def of_tool(tool: Tool) -> int:
    """Count a tool."""
    lists = (tool.tags, tool.keywords, tool.examples)
    said = (tool.name, tool.definition, tool.description, tool.source, tool.tenant, tool.marker or b"")
    inner = texts(said) + sum(map(texts, lists)) + sum(map(_of_parameter, tool.parameters))
    return getsizeof(tool) + getsizeof(tool.parameters) + sum(map(getsizeof, lists)) + inner


def of_catalog(catalog: Catalog) -> int:
    """Count a catalogue, with what it makes later."""
    tools = getsizeof(catalog.tools) + sum(map(of_tool, catalog.tools)) + len(catalog) * _MADE_LATER_BYTES
    arrays = _of_postings(catalog.postings) + _of_postings(catalog.names) + catalog.tokens.nbytes
    spellings = catalog.spellings
    arrays += spellings.nbytes + texts(spellings.heads) + texts(spellings.tails)
    return tools + arrays + sum(map(_of_space, catalog.spaces)) + 2_048


def of_grants(grants: Grants) -> int:
    """Count grants."""
    sets = [getattr(grants, name) for name in Grants.__slots__]
    return getsizeof(grants) + sum(map(getsizeof, sets)) + texts(chain.from_iterable(sets))


def of_array(array: NDArray[Any]) -> int:
    """Count an array that holds its own numbers."""
    return array.nbytes + ARRAY_BYTES


def _of_parameter(parameter: Parameter) -> int:
    said = texts((parameter.name, parameter.description)) + texts(parameter.values)
    return getsizeof(parameter) + said + getsizeof(parameter.values)


def _of_postings(postings: Postings) -> int:
    arrays = (postings.starts, postings.rows, postings.counts, postings.lengths)
    words = getsizeof(postings.vocabulary) + texts(postings.vocabulary) + _NUMBER_BYTES * len(postings.vocabulary)
    return words + sum(of_array(array) for array in arrays) + getsizeof(postings)


def _of_space(space: Space) -> int:
    vectors = getattr(space.index, "vectors", None)
    return of_array(space.ready) + (0 if vectors is None else of_array(vectors)) + 256
