"""A write is seen by the next request: what a stock OpenAI client is offered follows the catalogue at once."""

from __future__ import annotations

from collections.abc import Callable

import httpx
import pytest

from tests.conftest import MakeClient
from tests.support import tools
from tests.support.gateway import GatewayProcess
from tests.support.upstream import Upstream

WEATHER = tools.function("get_weather", "The weather of a city, now and for three days.")
PAY = tools.function("pay_bill", "Pay a bill by bank transfer.")

Ask = Callable[[], list[str]]


@pytest.fixture
def ask(gateway: GatewayProcess, upstream: Upstream, client_of: MakeClient) -> Ask:
    """Ask about the weather as the official client does; give the names of the tools that the provider saw."""
    client = client_of(gateway)

    def question() -> list[str]:
        client.chat.completions.create(
            model="scripted", messages=[{"role": "user", "content": "What is the weather in Kyoto?"}]
        )
        return upstream.last.tool_names

    return question


def test_a_created_tool_is_offered_to_the_next_request(admin: httpx.Client, ask: Ask) -> None:
    """Without the tool nothing is offered, right after its creation it is."""
    assert ask() == []
    admin.put("/admin/tools/get_weather", json=WEATHER)
    assert ask() == ["get_weather"]


def test_a_batch_is_offered_to_the_next_request(admin: httpx.Client, ask: Ask) -> None:
    """The tools of a batch are there when it is answered."""
    admin.post("/admin/tools:batch", json=[WEATHER, PAY])
    assert "get_weather" in ask()


@pytest.mark.parametrize("change", [{"enabled": False}, {"risk": "dangerous"}])
def test_a_tool_that_may_not_be_offered_is_gone_with_the_next_request(
    admin: httpx.Client, ask: Ask, change: dict[str, object]
) -> None:
    """Disabled, and dangerous whatever safety.allow says, pinned or not: never offered."""
    admin.put("/admin/tools/get_weather", json={"tool": WEATHER, "pinned": True})
    admin.put("/admin/tools/pay_bill", json=PAY)
    assert "get_weather" in ask()
    admin.patch("/admin/tools/get_weather", json=change)
    assert "get_weather" not in ask()


def test_a_removed_tool_is_gone_with_the_next_request(admin: httpx.Client, ask: Ask) -> None:
    """A removed tool is not offered any more."""
    admin.post("/admin/tools:batch", json=[WEATHER, PAY])
    assert "get_weather" in ask()
    admin.delete("/admin/tools/get_weather")
    assert "get_weather" not in ask()


def test_a_tool_that_is_allowed_again_is_back(admin: httpx.Client, ask: Ask) -> None:
    """Enabling a tool brings it back at once."""
    admin.put("/admin/tools/get_weather", json={"tool": WEATHER, "enabled": False})
    assert ask() == []
    admin.patch("/admin/tools/get_weather", json={"enabled": True})
    assert ask() == ["get_weather"]


def test_a_changed_definition_is_what_the_next_request_carries(
    gateway: GatewayProcess, admin: httpx.Client, upstream: Upstream, ask: Ask
) -> None:
    """The provider sees the new tool object, and never again the old one."""
    admin.put("/admin/tools/get_weather", json=WEATHER)
    ask()
    fresh = tools.function("get_weather", "The weather and the air quality of a city.")
    admin.patch("/admin/tools/get_weather", json={"tool": fresh})
    ask()
    assert upstream.last.json()["tools"] == [fresh]


@pytest.mark.parametrize("way", ["tool_choice", "history"])
@pytest.mark.parametrize("change", [{"enabled": False}, {"risk": "dangerous"}])
def test_no_request_brings_back_what_may_not_be_offered(
    gateway: GatewayProcess, admin: httpx.Client, upstream: Upstream, way: str, change: dict[str, object]
) -> None:
    """Neither tool_choice nor a call in the history makes a forbidden tool be offered."""
    admin.post("/admin/tools:batch", json=[{"tool": WEATHER, **change}, PAY])
    messages = [tools.user("What is the weather in Kyoto?")]
    if way == "history":
        messages += [*tools.called("get_weather"), tools.user("And in Osaka?")]
    named = {"type": "function", "function": {"name": "get_weather"}}
    gateway.post(tools.chat(messages, **({"tool_choice": named} if way == "tool_choice" else {})))
    assert "get_weather" not in upstream.last.tool_names
