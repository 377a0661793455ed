"""Nothing outside a caller's grants is ever offered, named or ranked."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace

from router.catalog import Catalog, Pool
from router.embed.embedder import Embedder
from router.embed.profile import Profile
from router.pipeline import Router
from router.types import Budget, Conversation, Grants, Kind, Risk, RouteRequest, Selection, Source, Tool, Turn
from tests.auth.conftest import Issue, Pair
from tests.support import tools
from tests.support.upstream import Upstream
from tests.unit.router.fakes import HashingEncoder, catalog, soon, tool

CASES = 10_000
WORLDS = 20
WORDS = ("mail", "weather", "refund", "flight", "hotel", "song", "ticket", "map", "天气", "list")
TENANTS = ("", "", "acme", "globex", "initech")
ENCODER = HashingEncoder()


@dataclass
class World:
    """Callers of all kinds before one router, whose memories they share, and one catalogue that changes."""

    router: Router
    registered: Catalog
    own: Catalog
    chance: random.Random

    def some(self, words: tuple[str, ...], most: int) -> tuple[str, ...]:
        """Draw some words."""
        return tuple(self.chance.sample(sorted(set(words)), self.chance.randint(0, most)))

    def tool(self, name: str) -> Tool:
        """Draw a tool of this name: whose it is, what it does, and what it is found by."""
        draw = self.chance.choice
        return tool(
            name,
            " ".join(self.some(WORDS, 3)),
            pinned=self.chance.random() < 0.15,
            enabled=self.chance.random() < 0.9,
            risk=draw((Risk.READ, Risk.READ, Risk.WRITE, Risk.DANGEROUS)),
            kind=draw((Kind.FUNCTION, Kind.FUNCTION, Kind.CUSTOM)),
            tags=self.some(("x", "y", "z"), 2),
            keywords=self.some(WORDS, 1),
            source=draw(("", "crm", "erp")),
            tenant=draw(TENANTS),
        )

    def grants(self) -> Grants:
        """Draw grants, most of them narrow in one way or two."""
        few = (1, 1, 1, 0) if self.chance.random() < 0.7 else (2, 2, 2, 2)
        return Grants(
            frozenset(self.chance.sample(list(Risk), self.chance.choice((0, 1, 2, 2, 3, 3)))),
            frozenset(self.some(("x", "y", "z"), 3)) if self.chance.randrange(4) < few[0] else frozenset(),
            frozenset(self.some(("", "crm"), 2)) if self.chance.randrange(4) < few[1] else frozenset(),
            frozenset(self.some(("acme", "globex", "umbrella"), 3)),
            frozenset(self.some(("y", "z"), 2)) if self.chance.randrange(4) < few[3] else frozenset(),
        )

    def conversation(self) -> Conversation:
        """Draw a conversation out of so few that different callers have the same ones; calls name anything."""
        names = (*self.registered.by_name, *self.own.by_name, "unknown")
        turns = [Turn(f"{self.chance.choice(WORDS)} {word}", self.some(names, 1)) for word in self.some(WORDS[:3], 3)]
        return Conversation((Turn(self.chance.choice(WORDS[:3])), *turns))

    def request(self) -> RouteRequest:
        """Draw a request; all callers pass for one."""
        return RouteRequest(
            self.conversation(),
            forced=self.some((*self.registered.by_name, "unknown"), 2) if self.chance.random() < 0.3 else (),
            grants=self.grants(),
            budget=self.chance.choice((Budget(2, 3), Budget(4, 8), Budget(3, 9, 0.3))),
            source=self.chance.choice((Source.BOTH, Source.BOTH, Source.REGISTRY, Source.REQUEST)),
            kinds=self.chance.choice((frozenset({Kind.FUNCTION}), frozenset(Kind))),
        )

    def route(self, request: RouteRequest) -> Selection:
        """Route it, by what is remembered where that is enough."""
        known = self.router.known(self.registered, self.own, request)
        explain = self.chance.random() < 0.2
        return known or self.router.route(self.registered, self.own, request, soon(), explain=explain)


def worlds() -> Iterator[World]:
    """Give worlds, the same every time."""
    for seed in range(WORLDS):
        chance = random.Random(seed)
        embedders = [Embedder(ENCODER, Profile())] if seed % 4 == 0 else []
        world = World(Router(*embedders), catalog(), catalog(version="own"), chance)
        names = [f"{chance.choice(WORDS)}_{number}" for number in range(chance.randint(4, 16))]
        own = [name if chance.random() < 0.3 else f"own_{name}" for name in chance.sample(names, 4)]
        world.own = catalog(*(tool(name, chance.choice(WORDS)) for name in own), version=f"own {seed}")
        for version in range(2):  # whose tools are whose is drawn anew, and the same conversations go on
            drawn = (world.tool(name) for name in names)
            encoder = ENCODER if embedders else None
            world.registered = catalog(*drawn, encoder=encoder, version=f"{seed}.{version}")
            yield world
        world.router.close()


def reaches(one: Tool, request: RouteRequest) -> bool:
    """Tell by the rules, in plain words, whether a tool of the catalogue may be offered."""
    grants, tags = request.grants, set(one.tags)
    return (
        one.enabled
        and one.kind in request.kinds
        and one.risk is not Risk.DANGEROUS
        and one.risk in grants.risks
        and (one.tenant == "" or one.tenant in grants.tenants)
        and (not grants.tags or bool(tags & grants.tags))
        and (not grants.wanted or bool(tags & grants.wanted))
        and (not grants.sources or one.source in grants.sources)
    )


def leaks(world: World, request: RouteRequest, selection: Selection) -> list[str]:
    """Give what of the catalogue is offered, named or ranked, or counted, and should not be."""
    pool = Pool(world.own, world.registered)
    first = len(pool.own)
    seen = {*selection.positions, *(selection.rankings.rows.tolist() if selection.rankings else ())}
    if selection.rankings is not None:
        seen |= set(selection.rankings.fused.ids.tolist())
    foreign = [p for p in seen if p >= first and not reaches(pool.tool(p), request)]
    reached = sum(reaches(one, request) for one in world.registered.tools)
    too_many = [] if selection.available <= first + reached else ["more are counted than are reached"]
    unlisted = [] if [pool.tool(p) for p in selection.positions] == list(selection.tools) else ["others are sent"]
    return [pool.tool(p).name for p in foreign] + too_many + unlisted


def test_auth_e05_nothing_outside_the_grants_is_offered_or_ranked() -> None:
    """In 10,000 requests of callers with all kinds of grants, who share every memory of the router, nothing leaks."""
    offered = 0
    each = CASES // (2 * WORLDS)
    for world in worlds():
        for _ in range(each):
            request = world.request()
            selection = world.route(request)
            assert leaks(world, request, selection) == [], request
            offered += sum(position >= len(world.own) for position in selection.positions)
    assert offered > CASES // 3  # else nothing was looked at


def test_auth_e05_a_foreign_tool_is_as_good_as_an_unknown_one() -> None:
    """To name a tool that is not granted, in `tool_choice` or in the history, is to name one that does not exist."""
    compared = 0
    for world in worlds():
        request = replace(world.request(), source=Source.BOTH, forced=())
        for _ in range(2):  # without vectors the second time may find more
            world.route(request)
        for one in world.registered.tools:
            if not reaches(one, request) and one.name not in world.own.by_name:
                chosen = [
                    world.router.route(world.registered, world.own, replace(request, forced=(name,)), soon()).tools
                    for name in (one.name, "unknown")
                ]
                assert chosen[0] == chosen[1]
                compared += 1
    assert compared > 100


def stocked() -> list[dict[str, object]]:
    """Give records of two tenants and of nobody, of two sources, some that write."""
    listed = tools.distinct(60)
    return [
        tools.record(
            one,
            tenant=("", "acme", "globex")[number % 3],
            source=("crm", "erp")[number % 2],
            risk="write" if number % 5 == 0 else "read",
            tags=[tools.thing_of(one)],
            pinned=number in (1, 2),
        )
        for number, one in enumerate(listed)
    ]


def granted(record: dict[str, object], key: int) -> bool:
    """Tell whether a record is within what one of the three keys below grants."""
    tenant, source, risk, tags = (record[field] for field in ("tenant", "source", "risk", "tags"))
    return (
        tenant in ("", "acme") and risk == "read",
        tenant == "" and source == "crm",
        tags in (["invoice"], ["contract"]),
    )[key]


def test_auth_e05_the_provider_sees_only_what_is_granted(pair: Pair, issue: Issue, upstream: Upstream) -> None:
    """Over the wire: pinned, forced, called and found tools are all within the grants, and so is what is counted."""
    records = stocked()
    pair[0].register(records)
    fields = {tools.name_of(record["tool"]): record for record in records}  # type: ignore[arg-type]
    acme = issue(tenants=["acme"], risks=["read"])["key"]
    nobody = issue(sources=["crm"])["key"]
    both = issue(tenants=["acme", "globex"], tags=["invoice", "contract"])["key"]
    for number, name in enumerate(fields):
        key = (acme, nobody, both)[number % 3]
        choice = {"type": "function", "function": {"name": name}}
        messages = [tools.user(f"{name} please"), *tools.called(name), tools.user("and the next invoice")]
        own, shown = tools.distinct(2, "own_"), {"authorization": f"Bearer {key}", "x_toolfunnel_source": "both"}
        assert pair[0].post(tools.chat(messages, own, tool_choice=choice), **shown).status_code == 200
        expected = [*map(tools.name_of, own), *[name] * granted(fields[name], {acme: 0, nobody: 1, both: 2}[key])]
        assert upstream.last.tool_names == expected
        answer = pair[0].post(tools.chat(messages, own), **shown)
        assert answer.status_code == 200
        offered = [fields[one] for one in upstream.last.tool_names if one in fields]
        counted = int(answer.headers["x-toolfunnel-tools"].partition("/")[2])
        assert (name in upstream.last.tool_names) == granted(fields[name], {acme: 0, nobody: 1, both: 2}[key])
        assert offered
        if key == acme:
            assert {(one["tenant"], one["risk"]) for one in offered} <= {("", "read"), ("acme", "read")}
            assert counted == 2 + sum(one["tenant"] != "globex" and one["risk"] == "read" for one in records)
        elif key == nobody:
            assert {(one["tenant"], one["source"]) for one in offered} <= {("", "crm")}
        else:
            assert {tuple(one["tags"]) for one in offered} <= {("invoice",), ("contract",)}  # type: ignore[arg-type]
            assert counted == 2 + 20
