"""What reaches the provider is the client's own request, except for its tool list."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.conftest import MakeClient
from tests.support import tools
from tests.support.gateway import GatewayProcess
from tests.support.upstream import COMPLETION, Upstream

HEAD = (
    b'{ "z":1.0,"model" :"m", "seed":12345678901234567890,"temperature":-0.0,"top_p":1e400,\n'
    b'"messages":[{"role":"user","content":"list the \\u00e9xam p\xc3\xa9riods"}],"tools":'
)
TAIL = b' ,"store":false,"metadata":{"a":"\\/b"},"stop":null,"x-unknown":[1.50,{"k":[]}] }\n'
FORTY = tools.distinct(40)


def body_with(entries: list[Any]) -> bytes:
    """Give a body of peculiar but valid JSON around a tool list."""
    return HEAD + b"[" + b" , ".join(tools.encoded(entry) for entry in entries) + b"]" + TAIL


def test_c01_without_tools_the_bytes_are_the_clients(bare_gateway: GatewayProcess, upstream: Upstream) -> None:
    """A request without tools passes byte for byte, and so does its answer."""
    body = HEAD.removesuffix(b',"tools":') + TAIL
    answer = bare_gateway.post(body)
    assert upstream.last.body == body
    assert (answer.status_code, answer.content) == (200, COMPLETION.body)


def test_c02_a_short_tool_list_passes_byte_for_byte(bare_gateway: GatewayProcess, upstream: Upstream) -> None:
    """With no more tools than the budget, nothing is rewritten: key order, spaces, escapes and floats survive."""
    body = body_with(FORTY[:12])
    bare_gateway.post(body)
    assert upstream.last.body == body


def test_c03_a_long_list_is_trimmed_and_nothing_else_changes(bare_gateway: GatewayProcess, upstream: Upstream) -> None:
    """Of 40 tools 8 go out, each as it was and in the client's order; there is still no `tool_choice`."""
    bare_gateway.post(body_with(FORTY), x_toolfunnel_k="8")
    sent = upstream.last.body
    assert sent.startswith(HEAD)
    assert sent.endswith(TAIL)
    entries, originals = tools.listed(sent), [tools.encoded(tool) for tool in FORTY]
    places = [originals.index(entry) for entry in entries]
    assert len(places) == 8
    assert places == sorted(places)


def test_c04_three_hundred_tools_become_few(bare_gateway: GatewayProcess, upstream: Upstream) -> None:
    """A list beyond the providers' limit of 128 is taken and trimmed."""
    answer = bare_gateway.post(tools.chat("export the exams", tools.distinct(300)))
    assert answer.status_code == 200
    assert 1 <= len(upstream.last.tool_names) <= 20
    assert "export_exam" in upstream.last.tool_names


def test_c05_unknown_keys_of_a_kept_tool_survive(bare_gateway: GatewayProcess, upstream: Upstream) -> None:
    """Kept tools keep keys that the gateway does not know."""
    odd = [{**tool, "x-foo": [1.0], "cache_control": {"type": "ephemeral"}} for tool in FORTY]
    for tool in odd:
        tool["function"] = {**tool["function"], "strict": None}
    bare_gateway.post(body_with(odd), x_toolfunnel_k="8")
    originals = [tools.encoded(tool) for tool in odd]
    plain = [entry for entry in tools.listed(upstream.last.body) if entry in originals]
    assert len(plain) == 8


def test_c05_a_deferred_tool_is_never_trimmed(bare_gateway: GatewayProcess, upstream: Upstream) -> None:
    """A tool that the provider is to load later stays, whatever its rank."""
    late = tools.function("zzz", "nothing of interest", defer_loading=True)
    bare_gateway.post(body_with([*FORTY, late]), x_toolfunnel_k="4")
    assert tools.encoded(late) in tools.listed(upstream.last.body)
    assert len(upstream.last.tool_names) == 5


def test_c06_the_cache_marker_of_a_lost_tool_moves_to_the_last_one(
    bare_gateway: GatewayProcess, upstream: Upstream
) -> None:
    """The prompt cache's breakpoint is neither lost nor doubled when its tool is trimmed."""
    marker = {"type": "ephemeral", "ttl": "1h"}
    marked = tools.function("zzz", "nothing of interest", cache_control=marker)
    bare_gateway.post(body_with([*FORTY, marked]), x_toolfunnel_k="4")
    sent = upstream.last.json()["tools"]
    assert "zzz" not in upstream.last.tool_names
    assert [tool.get("cache_control") for tool in sent] == [None, None, None, marker]


def test_c06_a_marker_stands_once_and_is_the_clients(stocked_gateway: GatewayProcess, upstream: Upstream) -> None:
    """A pinned tool that was registered with a marker of its own goes out with the client's, or without one."""
    marker = {"type": "ephemeral", "ttl": "1h"}
    pinned = tools.function("pinned", "quagga", cache_control={"type": "ephemeral"})
    stocked_gateway.register([tools.record(pinned, pinned=True)])
    try:
        for marked in ([], [tools.function("zzz", "nothing of interest", cache_control=marker)]):
            stocked_gateway.post(body_with([*FORTY, *marked]), x_toolfunnel_k="4")
            sent = tools.listed(upstream.last.body)
            assert "pinned" in upstream.last.tool_names
            assert sum(one.count(b"cache_control") for one in sent) == len(marked)
    finally:
        stocked_gateway.admin("DELETE", "/admin/tools/pinned")


def test_c13_an_empty_list_is_forwarded_as_it_is(stocked_gateway: GatewayProcess, upstream: Upstream) -> None:
    """`tools: []` is the provider's to complain about."""
    body = body_with([])
    stocked_gateway.post(body)
    assert upstream.last.body == body


@pytest.mark.parametrize("text", ["", "xqzv", "🙂", "\u0000\u2028", "the of and"])
def test_c15_a_question_that_finds_nothing_still_gets_tools(
    stocked_gateway: GatewayProcess, upstream: Upstream, text: str
) -> None:
    """A list is never made empty, however little the question says."""
    stocked_gateway.post(tools.chat(text or "?", tools.distinct(40, "own_")))
    assert upstream.last.tool_names


def test_c21_function_and_custom_tools_are_trimmed_alike(bare_gateway: GatewayProcess, upstream: Upstream) -> None:
    """Both forms compete, and those that are kept keep their form."""
    mixed = [tools.custom(f"c_{tools.name_of(t)}", t["function"]["description"]) for t in FORTY[::2]] + FORTY[1::2]
    bare_gateway.post(body_with(mixed), x_toolfunnel_k="20")
    entries = tools.listed(upstream.last.body)
    assert len(entries) == 20
    assert set(entries) <= {tools.encoded(tool) for tool in mixed}
    assert {tool["type"] for tool in upstream.last.json()["tools"]} == {"function", "custom"}


@pytest.mark.parametrize("odd", [{"type": "web_search"}, {"type": "x", "name": "y"}, {"type": 7}, {"type": None}])
def test_c22_a_tool_of_an_unknown_type_is_kept(bare_gateway: GatewayProcess, upstream: Upstream, odd: Any) -> None:
    """What the gateway does not understand it does not trim."""
    bare_gateway.post(body_with([*FORTY, odd]), x_toolfunnel_k="4")
    assert tools.encoded(odd) in tools.listed(upstream.last.body)
    assert len(tools.listed(upstream.last.body)) == 5


def test_c23_two_tools_of_one_name_stay_together(bare_gateway: GatewayProcess, upstream: Upstream) -> None:
    """Namesakes are both kept or both dropped, never merged or renamed."""
    twins = [tools.function("twin", "List the exam periods."), tools.function("twin", "Bake a cake.")]
    bare_gateway.post(body_with([twins[0], *FORTY, twins[1]]), x_toolfunnel_k="8")
    entries = tools.listed(upstream.last.body)
    assert [tools.encoded(twin) in entries for twin in twins] == [True, True]
    assert len(entries) == 8


@pytest.mark.parametrize("bad", ["x", 7, None, []])
def test_c24_a_malformed_tool_sends_the_bytes_untouched(
    stocked_gateway: GatewayProcess, upstream: Upstream, bad: Any
) -> None:
    """A list that no provider would take goes to the provider as it is."""
    body = body_with([*FORTY, bad])
    stocked_gateway.post(body)
    assert upstream.last.body == body


@pytest.mark.parametrize(
    "odd", [b'{"type":"function"}', b'{"type":"function","function":{"maximum":1e999}}', b'{"function":{"name":5}}']
)
def test_case_06_one_odd_tool_does_not_switch_routing_off(
    bare_gateway: GatewayProcess, upstream: Upstream, odd: bytes
) -> None:
    """A nameless tool among forty goes out as it came, and the others are trimmed."""
    body = body_with([*FORTY, "odd"]).replace(b'"odd"', odd)
    bare_gateway.post(body, x_toolfunnel_k="4")
    assert tools.listed(upstream.last.body)[-1] == odd
    assert len(tools.listed(upstream.last.body)) == 5


def test_c25_parallel_tool_calls_stays(bare_gateway: GatewayProcess, upstream: Upstream) -> None:
    """The field is kept, as there are always tools beside it."""
    bare_gateway.post(tools.chat("list exams", FORTY, parallel_tool_calls=False), x_toolfunnel_k="3")
    assert upstream.last.json()["parallel_tool_calls"] is False
    assert len(upstream.last.tool_names) == 3


def test_c26_text_parts_are_searched_and_all_parts_pass(stocked_gateway: GatewayProcess, upstream: Upstream) -> None:
    """The question is found in the text parts of a content list; pictures, sound and files pass unchanged."""
    parts = [
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
        {"type": "text", "text": "archive the coupon"},
        {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}},
        {"type": "file", "file": {"file_id": "f"}},
    ]
    stocked_gateway.post(tools.chat([{"role": "user", "content": parts}]))
    assert "archive_coupon" in upstream.last.tool_names
    assert upstream.last.json()["messages"][0]["content"] == parts


def test_c27_a_key_that_stands_twice_goes_out_twice(stocked_gateway: GatewayProcess, upstream: Upstream) -> None:
    """With a duplicate key that does not decide about tools, the list is trimmed and all other bytes stay."""
    body = b'{"model":"a","model":"b",' + body_with(FORTY)[1:].replace(b'"model" :"m", ', b"")
    assert stocked_gateway.post(body).status_code == 200
    start = body.index(b'"tools"')
    assert upstream.last.body.startswith(body[:start] + b'"tools"')
    assert 0 < len(upstream.last.tool_names) < 40


@pytest.mark.parametrize("key", ["tools", "t\\u006fols", "messages", "tool_choice", "functions", "function_call"])
def test_c27_a_key_about_tools_that_stands_twice_is_refused(
    stocked_gateway: GatewayProcess, upstream: Upstream, key: str
) -> None:
    """Where the checked list might not be the forwarded one, the request is refused."""
    name = key.replace("\\u006f", "o").encode()
    body = b'{"' + key.encode() + b'":[],"' + name + b'":null,' + body_with(FORTY)[1:]
    answer = stocked_gateway.post(body)
    assert answer.status_code == 400
    assert answer.json()["error"]["type"] == "invalid_request_error"
    assert upstream.requests == []


UNREADABLE = {
    "not JSON": b'{"model": ',
    "empty": b"",
    "BOM": b"\xef\xbb\xbf" + body_with(FORTY),
    "array": b"[" + body_with(FORTY) + b"]",
    "text": b"hello",
    "not UTF-8": HEAD.replace(b"\xc3\xa9", b"\xe9") + b"[]" + TAIL,
    "UTF-16": '{"messages":[]}'.encode("utf-16"),
    "two documents": body_with(FORTY) + body_with(FORTY),
    "very deep": b'{"messages":' + b"[" * 100_000,
    "tools are an object": b'{"messages":[],"tools":{}}',
    "no messages": b'{"tools":[]}',
    "messages are text": b'{"messages":"hello"}',
    "message without role": b'{"messages":[{"content":"x"}]}',
    "role is a number": b'{"messages":[{"role":1}]}',
    "number too large": b'{"messages":[],"tool_choice":1e999}',
}


@pytest.mark.parametrize("case", UNREADABLE)
def test_c28_what_cannot_be_read_passes_untouched(
    stocked_gateway: GatewayProcess, upstream: Upstream, case: str
) -> None:
    """A body that is no chat request as far as the gateway can tell goes to the provider as it came."""
    answer = stocked_gateway.post(UNREADABLE[case])
    assert answer.status_code == 200
    assert upstream.last.body == UNREADABLE[case]


def test_c31_a_body_of_sixty_megabytes_passes(stocked_gateway: GatewayProcess, upstream: Upstream) -> None:
    """A huge picture in a message arrives whole, and costs the gateway no more than four times its size."""
    process = psutil.Process(stocked_gateway.pid)
    before = process.memory_info().rss
    Path(f"/proc/{process.pid}/clear_refs").write_text("5", encoding="ascii")  # forget the highest so far
    url = "data:image/png;base64," + "A" * 60_000_000
    body = tools.chat([{"role": "user", "content": [{"type": "image_url", "image_url": {"url": url}}]}])
    assert stocked_gateway.post(body).status_code == 200
    assert upstream.last.json()["messages"] == body["messages"]
    assert highest(process.pid) - before < 4 * 60_000_000


def highest(pid: int) -> int:
    """Give the most memory that a process had."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return 1024 * int(status.split("VmHWM:")[1].split()[0])


def test_c36_a_glm_request_with_tools_keeps_some(bare_gateway: GatewayProcess, upstream: Upstream) -> None:
    """A request with tools never becomes one without, which some models answer to wrongly."""
    body = {**tools.chat("xqzv", FORTY), "model": "glm-4.6"}
    bare_gateway.post(body, x_toolfunnel_k="1")
    assert len(upstream.last.tool_names) == 1


@pytest.mark.parametrize("text", ["把考试成绩导出到电子表格", "試験の結果を表計算ファイルに書き出す"])
def test_c37_a_question_in_another_language_finds_the_tool(
    stocked_gateway: GatewayProcess, upstream: Upstream, text: str
) -> None:
    """A Chinese or Japanese question finds a tool that is described in English."""
    assert stocked_gateway.post(tools.chat(text)).status_code == 200
    assert "export_exam" in upstream.last.tool_names


CHINESE = {
    "t1": "把考试成绩导出到电子表格文件",
    "t2": "预订酒店房间",
    "t3": "播放一首歌曲",
    "t4": "查询天气预报",
    "t5": "翻译一段文字",
    "t6": "发送电子邮件",
    "t7": "打开客厅的灯",
    "t8": "查询股票价格",
    "t9": "叫一辆出租车",
}


@pytest.mark.parametrize(
    ("text", "name"),
    [("Export the exam results to a spreadsheet", "t1"), ("Book a hotel room in Kyoto", "t2"), ("Call a taxi", "t9")],
)
def test_c37_an_english_question_finds_a_tool_in_chinese(
    bare_gateway: GatewayProcess, upstream: Upstream, text: str, name: str
) -> None:
    """And the reverse: an English question finds a tool that is described in Chinese."""
    own = [tools.function(key, description) for key, description in CHINESE.items()]
    deadline = time.monotonic() + 60
    bare_gateway.post(tools.chat(text, own), x_toolfunnel_k="3")
    while name not in upstream.last.tool_names:  # before its vectors are there words choose, and it is kept
        assert time.monotonic() < deadline, upstream.last.tool_names
        text += "!"
        bare_gateway.post(tools.chat(text, own), x_toolfunnel_k="3")


def test_c38_fields_of_every_kind_pass_unchanged(
    stocked_gateway: GatewayProcess, client_of: MakeClient, upstream: Upstream
) -> None:
    """What the official client sends beside messages and tools arrives as it is."""
    fields: dict[str, Any] = {
        "response_format": {"type": "text"},
        "store": True,
        "metadata": {"a": "b"},
        "prompt_cache_key": "k",
    }
    extra = {"enable_thinking": True, "top_k": 3, "chat_template_kwargs": {"x": [1]}}
    client_of(stocked_gateway).chat.completions.create(
        model="m", messages=[{"role": "user", "content": "list exams"}], **fields, extra_body=extra
    )
    sent = upstream.last.json()
    assert {key: sent[key] for key in fields | extra} == fields | extra
    assert 1 <= len(sent["tools"]) <= 20
