"""What is kept back, in words."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from app.admin.withheld import Keeping, Waiting, offering, summary, told
from router.permit import barriers
from router.types import Grants, Kind, Risk, Tool
from tests.unit.router.fakes import tool

READ = frozenset({Risk.READ})
BOTH = frozenset({Risk.READ, Risk.WRITE})
HELD = {"a": Waiting("shop", datetime(2026, 3, 2, 9, 30, tzinfo=UTC))}


@pytest.mark.parametrize(
    ("kept", "grants", "reason", "remedy"),
    [
        (tool("b", enabled=False), Grants(), "disabled", "enabled: true"),
        (tool("a", enabled=False), Grants(), "waits for approval since 2026-03-02 09:30 (source shop)", "approve a"),
        (tool("a", risk=Risk.WRITE), Grants(), "risk write, not in safety.allow", "add write to safety.allow"),
        (tool("a", risk=Risk.DANGEROUS), Grants(), "risk dangerous, which is never offered", ""),
        (tool("a", tenant="acme"), Grants(), "tenant acme, only for callers whose key names it", "tenant acme"),
        (tool("a", tenant="acme"), Grants(tenants=frozenset({"b"})), "tenant acme, which the key does not", "acme"),
        (tool("a", tags=("x",)), Grants(tags=frozenset({"z", "y"})), "none of the key's tags: y, z", "key"),
        (tool("a"), Grants(wanted=frozenset({"y"})), "none of the tags that the request asks for: y", ""),
        (
            tool("a", source="crm"),
            Grants(sources=frozenset({"erp"})),
            "source crm, and the key is for erp",
            "any source",
        ),
        (tool("a"), Grants(sources=frozenset({"erp"})), "no source, and the key is for erp", "any source"),
        (tool("a", kind=Kind.CUSTOM), Grants(), "a custom tool, which this request's form", ""),
    ],
)
def test_each_barrier_has_a_reason_and_a_remedy(kept: Tool, grants: Grants, reason: str, remedy: str) -> None:
    """It names the risk, the grant, the hold and since when; what nobody can change has no remedy."""
    (words,) = told(kept, barriers(kept, grants, frozenset({Kind.FUNCTION})), grants, Keeping(READ, HELD))
    assert words.reason.startswith(reason)
    assert remedy in words.remedy
    assert bool(words.remedy) == bool(remedy)


def test_a_risk_that_the_key_does_not_grant_is_told_apart() -> None:
    """What safety.allow has and the key has not is the key's."""
    kept = tool("a", risk=Risk.WRITE)
    (words,) = told(kept, barriers(kept, Grants()), Grants(), Keeping(BOTH))
    assert words.reason == "risk write, not granted by the key"


def test_summary_counts_by_all_that_keeps_a_tool_back() -> None:
    """Most first; tools that wait are counted by their source, whatever their names and times."""
    tools = [tool("a", enabled=False), tool("c", enabled=False), *(tool(f"w{i}", risk=Risk.WRITE) for i in range(3))]
    keeping = Keeping(READ, HELD | {"c": Waiting("shop")})
    found = summary(told(one, barriers(one, Grants()), Grants(), keeping) for one in tools)
    assert found == [
        {"tools": 3, "reason": "risk write, not in safety.allow", "do": "add write to safety.allow"},
        {
            "tools": 2,
            "reason": "waiting for approval (source shop)",
            "do": "toolfunnel tools approve --source shop",
        },
    ]


def test_offering_counts_what_can_be_offered_now() -> None:
    """Of 53 tools 38 can be; those of a tenant can be offered to its callers, and are told."""
    tools = [tool(f"r{i}") for i in range(36)] + [tool(f"t{i}", tenant="acme") for i in range(2)]
    tools += [tool(f"w{i}", risk=Risk.WRITE) for i in range(15)]
    found = offering(tools, Keeping(READ))
    assert (found["tools"], found["now"], found["tenants"]) == (53, 38, {"acme": 2})
    assert [group["tools"] for group in found["withheld"]] == [15]
