"""Numbers of any length, in every place where one is read."""

from __future__ import annotations

import pytest

from tests.support import tools
from tests.support.gateway import GatewayProcess
from tests.support.upstream import Upstream

DIGITS = "9" * 5000
NUMBERS = [DIGITS, f"-{DIGITS}", f"0.{DIGITS}", f"1e{DIGITS}", "1e999", "1" + "0" * 400]
TWICE = '{"messages":[{"role":"user","content":"hi"}],"seed":%s,"tools":[],"tools":[]}'
RECORD = '{"type":"function","function":{"name":"big","parameters":{"type":"object","title":"%s","maximum":%s}}}'
UNSEEN = "\\u200b"  # text that is looked into for what people do not see
QUERIES = [f"{name}={value}" for name in ("limit", "offset") for value in (DIGITS, f"-{DIGITS}", "٣", "1e2")]


@pytest.mark.parametrize("number", NUMBERS)
def test_b26_a_key_that_is_there_twice_is_found_beside_any_number(
    bare_gateway: GatewayProcess, upstream: Upstream, number: str
) -> None:
    """The number is not what the list is looked through for."""
    answer = bare_gateway.post((TWICE % number).encode())
    assert (answer.status_code, "'tools'" in answer.text, upstream.requests) == (400, True, [])


@pytest.mark.parametrize("title", ["plain", "é", UNSEEN, "long " * 60_000], ids=["plain", "é", "unseen", "long"])
def test_b26_a_number_of_a_record_is_refused_or_kept(bare_gateway: GatewayProcess, title: str) -> None:
    """What cannot be read is refused, however the record is read; nothing of it stays."""
    for number in (DIGITS, f"-{DIGITS}", "1e999"):
        answer = bare_gateway.admin("PUT", "/admin/tools/big", content=(RECORD % (title, number)).encode())
        assert answer.status_code == 400, answer.text
    assert bare_gateway.admin("GET", "/admin/tools/big").status_code == 404


def test_b26_a_long_number_is_kept_to_the_byte(stocked_gateway: GatewayProcess) -> None:
    """400 digits can be read, and none is lost."""
    number = "1" + "2" * 400
    try:
        put = stocked_gateway.admin("PUT", "/admin/tools/big", content=(RECORD % ("plain", number)).encode())
        assert put.status_code == 201, put.text
        assert number in stocked_gateway.admin("GET", "/admin/tools/big").text
    finally:
        stocked_gateway.admin("DELETE", "/admin/tools/big")


@pytest.mark.parametrize("query", QUERIES, ids=[query[:10] for query in QUERIES])
def test_b26_a_number_of_a_query_is_refused(bare_gateway: GatewayProcess, query: str) -> None:
    """The admin API answers 400, in words."""
    answer = bare_gateway.admin("GET", f"/admin/tools?{query}")
    assert answer.status_code == 400, answer.text


@pytest.mark.parametrize("value", [DIGITS, "1_0", "+1", "٣", "²", "0x1", "1e1"])
def test_b26_a_number_of_an_option_is_refused(bare_gateway: GatewayProcess, value: str) -> None:
    """`x-toolfunnel-k` takes ASCII digits, six at most."""
    answer = bare_gateway.post(tools.chat("hi"), x_toolfunnel_k=value.encode())  # type: ignore[arg-type]
    assert answer.status_code == 400, answer.text
