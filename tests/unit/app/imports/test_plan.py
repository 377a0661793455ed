"""What an import changes: new, changed, gone, held, approved; what an operator changed stays."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from app.admin import records
from app.imports.plan import Hold, Offer, Origin, Plan, approved, plan
from app.registry.sources import Known
from router.types import Risk
from tests.support import tools

NOW = datetime(2026, 11, 21, tzinfo=UTC)
ORIGIN = Origin("crm", "mcp", "https://crm.example/mcp", NOW)
FREE, CHANGED, BOTH = Hold(new=False, changed=False), Hold(new=False, changed=True), Hold(new=True, changed=True)


def offer(name: str, description: str = "Does it.", digest: str = "", **fields: Any) -> Offer:
    """Give a tool as its source has it; its digest is its description's unless told otherwise."""
    base = json.dumps(tools.record(tools.function(name, description), **fields))
    return Offer(f"there.{name}", records.read(base.encode()), base, digest or description)


def taken(*offers: Offer) -> list[Known]:
    """Give what is known after a first import."""
    return list(plan(offers, [], ORIGIN, FREE).written)


def again(known: list[Known], *offers: Offer, hold: Hold = CHANGED) -> tuple[Plan, list[Known]]:
    """Import once more; give the difference and what is known then."""
    made = plan(offers, known, ORIGIN, hold)
    after = {one.tool.name: one for one in known if one.tool.name not in made.gone}
    return made, list((after | {one.tool.name: one for one in made.written}).values())


def test_a_plan_tells_new_changed_gone_and_unchanged() -> None:
    """Every tool of either side is in one of the lists, and only what differs is written."""
    known = taken(offer("a"), offer("b"), offer("c"))
    made, _ = again(known, offer("b"), offer("c", "Another."), offer("d"), hold=FREE)
    assert (made.new, made.changed, made.gone, made.unchanged) == (("d",), {"c": ("description",)}, ("a",), ("b",))
    assert [one.tool.name for one in made.written] == ["c", "d"]


def test_a_plan_of_the_same_again_writes_nothing() -> None:
    """Equal digests and records are left alone."""
    known = taken(offer("a"))
    assert again(known, offer("a"))[0].written == ()


def test_a_plan_holds_what_changed() -> None:
    """The old definition stays, is not offered, and keeps its digest; the new one waits."""
    made, after = again(taken(offer("a")), offer("a", "Another."))
    assert (made.held, made.changed) == (("a",), {"a": ("description",)})
    assert (after[0].tool.enabled, after[0].tool.description) == (False, "Does it.")
    assert after[0].provenance.digest == "Does it."


def test_a_plan_holds_what_is_new_when_nobody_asked() -> None:
    """It is registered and not offered; nothing of it was ever approved."""
    made, after = again(taken(offer("a")), offer("a"), offer("b"), hold=BOTH)
    assert (made.new, made.held) == (("b",), ("b",))
    assert [(one.tool.enabled, one.provenance.digest) for one in after] == [(True, "Does it."), (False, "")]


@pytest.mark.parametrize("hold", [CHANGED, BOTH])
def test_a_plan_leaves_what_waits(hold: Hold) -> None:
    """The same definition again still waits, and nothing is written, whoever asks."""
    _, after = again(taken(offer("a")), offer("a", "Another."), offer("b"), hold=BOTH)
    made, _ = again(after, offer("a", "Another."), offer("b"), hold=hold)
    assert (made.waiting, made.held, made.written) == (("a", "b"), (), ())


def test_a_plan_keeps_the_latest_of_what_waits() -> None:
    """A third definition takes the place of the second, and approving takes it."""
    _, after = again(taken(offer("a")), offer("a", "Second."))
    made, after = again(after, offer("a", "Third."))
    assert made.held == ("a",)
    assert approved(after[0], NOW).tool.description == "Third."


def test_a_plan_offers_again_what_was_approved() -> None:
    """A source that takes its change back needs no approval."""
    _, after = again(taken(offer("a")), offer("a", "Another."))
    made, after = again(after, offer("a"))
    assert (made.held, made.waiting) == ((), ())
    assert (after[0].tool.enabled, after[0].provenance.pending) == (True, None)


def test_a_plan_does_not_enable_what_an_operator_disabled() -> None:
    """Held, taken back, or approved: a tool that was off stays off."""
    (known,) = taken(offer("a"))
    off = [replace(known, tool=replace(known.tool, enabled=False))]
    _, held = again(off, offer("a", "Another."))
    assert approved(held[0], NOW).tool.enabled is False
    _, back = again(held, offer("a"))
    assert back[0].tool.enabled is False


def test_approving_keeps_what_an_operator_changed() -> None:
    """Tags, keywords, examples and a risk set by hand stay; the definition is the source's."""
    (known,) = taken(offer("a", tags=["theirs"]))
    edited = replace(known.tool, tags=("mine",), keywords=("word",), examples=("How?",), risk=Risk.WRITE, pinned=True)
    _, held = again([replace(known, tool=edited)], offer("a", "Another.", tags=["theirs", "new"]))
    tool = approved(held[0], NOW).tool
    assert (tool.tags, tool.keywords, tool.examples, tool.risk, tool.pinned, tool.description) == (
        ("mine",), ("word",), ("How?",), Risk.WRITE, True, "Another.",
    )  # fmt: skip


def test_a_risk_that_the_source_raises_is_raised() -> None:
    """A risk that was lowered by hand stays until the source itself says that it is higher."""
    (known,) = taken(offer("a", risk="write"))
    lowered = [replace(known, tool=replace(known.tool, risk=Risk.READ))]
    _, after = again(lowered, offer("a", "Another.", risk="write"), hold=FREE)
    assert after[0].tool.risk is Risk.READ
    _, after = again(lowered, offer("a", "Another.", risk="dangerous"), hold=FREE)
    assert after[0].tool.risk is Risk.DANGEROUS


def test_a_risk_that_was_raised_by_hand_is_not_lowered() -> None:
    """Whatever the source says of it, less or more than before."""
    (known,) = taken(offer("a", risk="read"))
    raised = [replace(known, tool=replace(known.tool, risk=Risk.DANGEROUS))]
    _, after = again(raised, offer("a", "Another.", risk="write"), hold=FREE)
    assert after[0].tool.risk is Risk.DANGEROUS


def test_a_definition_rewritten_by_hand_stays_until_the_source_has_another() -> None:
    """Better words for a tool outlive imports that bring nothing new."""
    (known,) = taken(offer("a", tags=["one"]))
    better = records.read(json.dumps(tools.function("a", "Better words.")).encode())
    edited = [replace(known, tool=replace(better, tags=("one",), source=known.tool.source))]
    assert again(edited, offer("a", tags=["one"]))[0].written == ()
    _, after = again(edited, offer("a", tags=["two"], digest="Does it."))
    assert (after[0].tool.description, after[0].tool.tags) == ("Better words.", ("two",))
    _, after = again(edited, offer("a", "Third."), hold=FREE)
    assert after[0].tool.description == "Third."
