"""Imports a source: read it, check it, compare it, write what is different. All or nothing."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from app.admin import records
from app.admin.withheld import Holds, Keeping, Waiting, offering
from app.errors import Conflict, InvalidRecords, NotFound, Problem, SourceRefused
from app.imports import reading
from app.imports.bounds import mapping
from app.imports.found import Found, Refused, canonical, shown
from app.imports.names import assign
from app.imports.plan import Hold, Offer, Origin, Plan, approved, plan
from app.registry.sources import Exchange, Known, Source, Sources, pending
from app.settings.imports import ImportSettings, SourceKind, SourceSpec
from app.wire.acceptable import refusals
from router.types import Risk, Tool

Ready = Callable[[list[Tool]], Awaitable[None]]
Step = Callable[[str, int], None]


_MOST_REASON = 1_000  # characters


class Changed(msgspec.Struct):
    """A tool whose definition is another one, and in what."""

    name: str
    fields: tuple[str, ...]


class Warned(msgspec.Struct):
    """A tool that was taken, and what should be known of it: what providers may refuse, what was left out."""

    name: str
    reasons: tuple[str, ...]

    def __post_init__(self) -> None:
        """Make the reasons fit to be shown: a source may have written anything."""
        self.reasons = tuple(shown(reason, _MOST_REASON) for reason in self.reasons)


class Report(msgspec.Struct):
    """What an import changed, or would change. `held` are new or changed and wait for approval, as do `waiting`.

    `offer` says how many of the source's tools can be offered, and what keeps the others: see `withheld.offering`.
    """

    source: str
    dry_run: bool
    new: tuple[str, ...]
    changed: tuple[Changed, ...]
    gone: tuple[str, ...]
    unchanged: tuple[str, ...]
    held: tuple[str, ...]
    waiting: tuple[str, ...]
    refused: tuple[Refused, ...]
    warnings: tuple[Warned, ...]
    offer: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Order:
    """What is asked for. `attended`: an operator asks, and sees what comes of it; `approve`: and takes it once."""

    spec: SourceSpec
    document: bytes | None = None
    dry_run: bool = False
    attended: bool = True
    approve: bool = False


class Imports:
    """Imports sources into a registry. `allow` is `safety.allow`: what can be offered is told by it."""

    def __init__(
        self, sources: Sources, settings: ImportSettings, allow: frozenset[Risk] = frozenset({Risk.READ})
    ) -> None:
        self.sources = sources
        self.settings = settings
        self.allow = allow

    async def run(self, order: Order, ready: Ready | None = None, step: Step = lambda _, __: None) -> Report:
        """Import a source. `ready` is awaited with the tools to be written, before they are.

        Raises:
            SourceRefused: It cannot be read, or has no tools at all.
            InvalidRecords: Some of its tools cannot be taken, and nothing was.
            Conflict: Someone else changed the tools of the source at the same time.
        """
        spec = order.spec
        self._check_own(spec)
        step("reading", 0)
        answer = await reading.read(spec, self.settings, order.document)
        if not answer.found:
            raise SourceRefused(f"{spec.name} has no tools, or none that its filters let through; nothing was changed")
        step("comparing", len(answer.found))
        known = await self.sources.known(spec.name)
        names = await asyncio.to_thread(_names, spec, answer.found, known)
        foreign = await self.sources.foreign(spec.name, list(names.values()))
        offers, refused = await asyncio.to_thread(_offers, spec, answer.found, names, foreign)
        if refused and not spec.skip:
            raise InvalidRecords(
                [Problem(place, names.get(one.original, one.original), one.reason) for place, one in refused]
            )
        if not offers:
            first = refused[0][1]
            raise SourceRefused(f"None of the tools of {spec.name} can be taken: {first.original}: {first.reason}")
        now = datetime.now(UTC)
        hold = _hold(order, await self.sources.get(spec.name))
        origin = Origin(spec.name, spec.kind.value, spec.origin, now)
        made = await asyncio.to_thread(plan, offers, known, origin, hold)
        if not order.dry_run:
            step("writing", len(made.written))
            if ready is not None:
                await ready([one.tool for one in made.written])
            source = self.source(spec, now, answer.fresh_s)
            await self.sources.exchange(source, Exchange(known, made.written, made.gone))
        tools, holds = _after(known, made)
        offer = offering(tools, Keeping(self.allow, holds))
        return _report(order, made, offers, [one for _, one in refused], offer)

    async def approve(
        self, names: Sequence[str] | None = None, source: str | None = None, digest: str | None = None
    ) -> list[str]:
        """Take what waits for approval: of the tools named, or all of a source; give their names.

        `digest`: of the definition that was looked at, or its first characters.

        Raises:
            NotFound: Nothing waits under one of these names.
            Conflict: Another definition waits than the one that was looked at.
        """
        waiting = await self.sources.waiting(names, source)
        if missing := [name for name in names or () if name not in {one.tool.name for one in waiting}]:
            raise NotFound("\n".join(f"Nothing of {name!r} waits for approval." for name in missing))
        if digest is not None and any(not pending(one).digest.startswith(digest) for one in waiting):
            raise Conflict("The source has another definition by now than the one that was looked at; look again.")
        now = datetime.now(UTC)
        await self.sources.take(waiting, [approved(one, now) for one in waiting])
        return [one.tool.name for one in waiting]

    async def spec(self, name: str) -> SourceSpec:
        """Give what is configured for a source, or else what was asked for at its first import.

        Raises:
            NotFound: There is no such source.
        """
        configured = self._configured(name)
        if configured is not None:
            return configured
        stored = await self.sources.get(name)
        if stored is None:
            raise NotFound(f"There is no source {name!r}")
        return SourceSpec.model_validate_json(stored.spec)

    def source(self, spec: SourceSpec, now: datetime, fresh_s: float | None = None) -> Source:
        """Give what is stored of a source: nothing secret, no command, and no clock that the configuration has."""
        every = spec.interval_s
        due = None if every is None else now + timedelta(seconds=min(every, max(fresh_s or every, 1.0)))
        kept = {"token", "headers", "env", "command"} | ({"interval_s"} if spec in self.settings.sources else set())
        plain = spec.model_dump(mode="json", exclude=kept, exclude_defaults=True)
        return Source(spec.name, spec.kind.value, spec.origin, json.dumps(plain), now, due)

    def _check_own(self, spec: SourceSpec) -> None:
        configured = self._configured(spec.name)
        if configured is not None and configured.place != spec.place:
            raise Conflict(
                f"The source {spec.name!r} is configured, and somewhere else; synchronise it, or take a new name"
            )

    def _configured(self, name: str) -> SourceSpec | None:
        return next((spec for spec in self.settings.sources if spec.name == name), None)


def _names(spec: SourceSpec, found: Sequence[Found | Refused], known: Sequence[Known]) -> dict[str, str]:
    prefixed = spec.prefix if spec.prefix is not None else spec.kind is not SourceKind.TOOLS
    prefix = f"{spec.name}__" if prefixed else ""
    before = {one.provenance.original: one.tool.name for one in known}
    return assign({one.original: one.wish for one in found if isinstance(one, Found)}, prefix, before)


def _offers(
    spec: SourceSpec, found: Sequence[Found | Refused], names: dict[str, str], foreign: set[str]
) -> tuple[list[Offer], list[tuple[int, Refused]]]:
    """Give the tools that can be taken, and by their places those that cannot."""
    offers: list[Offer] = []
    refused: list[tuple[int, Refused]] = []
    seen: set[str] = set()
    for place, one in enumerate(found):
        offer = one if isinstance(one, Refused) else _offer(spec, one, names[one.original], foreign, seen)
        if isinstance(offer, Refused):
            refused.append((place, offer))
        else:
            seen.add(offer.original)
            offers.append(offer)
    return offers, refused


def _offer(spec: SourceSpec, one: Found, name: str, foreign: set[str], seen: set[str]) -> Offer | Refused:
    if one.original in seen:
        return Refused(one.original, "the source has this name twice")
    if name in foreign:
        return Refused(one.original, f"the name {name} is registered, and not from this source")
    try:
        one.original.encode()
        raw = one.record(name, spec.name, spec.tenant)
        tool = records.read(raw)
    except (records.InvalidEntry, RecursionError, UnicodeEncodeError) as error:
        reason = "a text of it holds half a character" if isinstance(error, UnicodeEncodeError) else str(error)
        return Refused(one.original, reason)
    if "\0" in one.original or "\0" in tool.description:
        return Refused(one.original, "a text of it holds a NUL, which no database takes")
    return Offer(
        original=one.original,
        tool=tool,
        base=raw.decode(),
        digest=one.digest,
        binding=canonical(one.binding) if one.binding else "",
        earlier=one.earlier or one.digest,
        notes=(*one.notes, *refusals(mapping(one.tool[one.tool["type"]]).get("parameters"))),
    )


def _hold(order: Order, before: Source | None) -> Hold:
    """Decide what has to be approved. Nothing of a file, or of a first import: that is what an operator asked for."""
    spec = order.spec
    if spec.approve or order.approve or not (spec.url or spec.command):
        return Hold(new=False, changed=False)
    was_imported = before is not None and before.synced_at is not None
    return Hold(new=was_imported and not order.attended, changed=True)


def _after(known: Sequence[Known], made: Plan) -> tuple[list[Tool], Holds]:
    """Return the tools of a source as they are after its import, and which of them wait for approval."""
    there = {one.tool.name: one for one in (*known, *made.written) if one.tool.name not in made.gone}
    waiting = [one for one in there.values() if one.provenance.pending is not None]
    holds = {one.tool.name: Waiting(one.provenance.source, pending(one).since) for one in waiting}
    return [one.tool for one in there.values()], holds


def _report(order: Order, made: Plan, offers: Sequence[Offer], refused: list[Refused], offer: dict[str, Any]) -> Report:
    written = {*made.new, *made.changed, *made.held}
    noted = [one for one in offers if one.notes and one.tool.name in written]
    return Report(
        source=order.spec.name,
        dry_run=order.dry_run,
        new=made.new,
        changed=tuple(Changed(name, fields) for name, fields in made.changed.items()),
        gone=made.gone,
        unchanged=made.unchanged,
        held=made.held,
        waiting=made.waiting,
        refused=tuple(refused),
        warnings=tuple(Warned(one.tool.name, one.notes) for one in noted),
        offer=offer,
    )
