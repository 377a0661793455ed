"""Any sequence of changes, imports, crashes, restarts and searches, beside a dictionary of what must be there."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from app.errors import BadRequest, NotFound
from app.registry import backup
from app.registry.snapshot import Snapshots
from app.registry.store import Registry
from app.telemetry import Telemetry
from router.embed.embedder import tool_vectors
from router.types import Tool
from tests.durability.writers import Writers, batch
from tests.support.inside import WordEncoder

T = TypeVar("T")

NAMES = st.sampled_from(["rain", "invoice", "song", "train", "parcel", "mail"])
WORDS = st.sampled_from(["weather of a city", "list of invoices", "play music aloud", "book a seat"])
DYING = st.sampled_from(["after insert", "after generation", "before commit", "after commit"])


class Machine(RuleBasedStateMachine):
    """A registry with its catalogue, as a gateway has them, and another process that writes to it."""

    def __init__(self, url: str, directory: Path, writers: Writers) -> None:
        super().__init__()
        self._url, self._directory, self._writers = url, directory, writers
        self._runner = asyncio.Runner()
        self._encoder = WordEncoder()
        self._told: dict[str, Tool] = {}
        self._batches = 0
        self._open()

    @rule(name=NAMES, words=WORDS)
    def put(self, name: str, words: str) -> None:
        """Create a tool, or write over it."""
        tool = Tool(name, b"{}", description=words)
        self._run(self._registry.put([tool]))
        self._told[name] = tool

    @rule(names=st.sets(NAMES), words=WORDS)
    def import_many(self, names: set[str], words: str) -> None:
        """Put several at once, twice: the second time changes nothing."""
        tools = [Tool(name, b"[]", description=words, tags=("imported",)) for name in sorted(names)]
        self._run(self._registry.put(tools))
        before = self._run(self._registry.state())
        assert self._run(self._registry.put(tools)).unchanged == tuple(tool.name for tool in tools)
        assert self._run(self._registry.state()) == before
        self._told |= {tool.name: tool for tool in tools}

    @rule(name=NAMES, words=WORDS)
    def import_wrong(self, name: str, words: str) -> None:
        """Put one that cannot be stored behind one that can: neither is."""
        with pytest.raises(BadRequest):
            self._run(self._registry.put([Tool(name, b"x", description=words), Tool("wrong", b"", description="\0")]))

    @rule(name=NAMES)
    def delete(self, name: str) -> None:
        """Remove a tool, if it is there."""
        assert self._run(self._registry.delete(name)) == (self._told.pop(name, None) is not None)

    @rule(name=NAMES)
    def switch(self, name: str) -> None:
        """Disable a tool, or enable it again."""

        def edit(tool: Tool) -> Tool:
            return replace(tool, enabled=not tool.enabled)

        if name in self._told:
            self._told[name] = edit(self._told[name])
            assert self._run(self._registry.change(name, edit)) == self._told[name]
        else:
            with pytest.raises(NotFound):
                self._run(self._registry.change(name, edit))

    @rule(failpoint=DYING)
    def another_dies_in_a_put(self, failpoint: str) -> None:
        """Another process is killed in a put: all of it is there where it was committed, and nothing where not."""
        tools = {tool.name: tool for tool in batch(self._batches)}
        run = self._writers.start("put", self._url, first=self._batches, puts=1, failpoint=failpoint, countdown=1)
        assert self._writers.wait(run) == -9
        if failpoint == "after commit":
            self._told |= tools
            self._batches += 1

    @rule()
    def restart(self) -> None:
        """Open everything anew."""
        self._run(self._registry.close())
        self._open()

    @rule()
    def restore(self) -> None:
        """Put what is there in place of itself."""
        file = self._directory / "machine.zip"
        self._run(backup.backup(self._registry, file, force=True))
        self._run(backup.restore(self._registry, file, replace=True))

    @invariant()
    def the_registry_holds_what_was_told(self) -> None:
        """Tools and their order are those of the dictionary."""
        assert self._run(self._registry.load())[1] == list(self._told.values())

    @invariant()
    def search_finds_what_was_told(self) -> None:
        """The catalogue is the dictionary, has all vectors, and finds each enabled tool by its own words."""
        self._run(self._snapshots.refresh())
        catalog = self._snapshots.catalog
        assert list(catalog.tools) == list(self._told.values())
        enabled = np.asarray([tool.enabled for tool in catalog.tools], dtype=np.bool_)
        space = catalog.spaces[0]
        for tool in [tool for tool in catalog.tools if tool.enabled][:3]:
            (vector,) = tool_vectors(self._encoder, [tool])
            rows, scores = space.index.search(vector, enabled & space.ready, len(catalog))
            assert enabled[rows].all()
            near = [
                catalog.tools[row].name for row, score in zip(rows, scores, strict=True) if score > scores[0] - 1e-5
            ]
            assert tool.name in near

    def teardown(self) -> None:
        """Close."""
        self._run(self._registry.close())
        self._runner.close()

    def _open(self) -> None:
        self._registry = self._run(Registry.open(self._url))
        self._snapshots = Snapshots(self._registry, [self._encoder], Telemetry(), 60.0)

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return self._runner.run(work)


def explore(make: Callable[[], Machine], sequences: int, steps: int) -> None:
    """Run so many sequences.

    Raises:
        AssertionError: One of them differs from its dictionary; the shortest that does is shown.
    """
    run_state_machine_as_test(
        make,  # type: ignore[arg-type]  # it is called, whatever it is
        settings=settings(
            max_examples=sequences, stateful_step_count=steps, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
