"""What a text names, in whatever way it is written."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from router import cut
from router.catalog import EMPTY, Catalog, Pool
from router.named import MAX_CHARS, find, named_in
from router.spellings import is_near
from router.types import Budget
from tests.unit.router.fakes import catalog, tool

CATALOG = catalog(
    *map(tool, ("list_pods", "amap_weather", "amap_weather_alerts", "jp_transit_save_route", "getUserById")),
    *map(tool, ("search", "time", "bash", "check_in", "what_is_the", "time_zone", "redis_get_key", "redis_set_key")),
    tool("cjk____9d00a829", "查询天气\n返回天气。", keywords=("查询天气",)),
    tool("wx", "Current weather report\nAsks a station."),
    tool("ja", "天気予報"),
    tool("zones", "Lists them by timezone."),
)


def names(said: str, *, identifiers: bool = False, listed: bool = False, among: Catalog = CATALOG) -> list[str]:
    """Give the names of what counts, in order of mention."""
    pool = Pool(EMPTY, among)
    found = find(pool, said, identifiers=identifiers, listed=listed)
    everything = np.ones(len(pool), dtype=np.bool_)
    return [pool.tool(position).name for position in cut.named(pool, found, everything, Budget())]


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(map(str.title, others))


def _wide(name: str) -> str:
    return "".join(chr(ord(sign) + 0xFEE0) for sign in name)


WRITINGS: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "upper case": str.upper,
    "camel": _camel,
    "pascal": lambda name: name.title().replace("_", ""),
    "kebab": lambda name: name.replace("_", "-"),
    "dots": lambda name: name.replace("_", "."),
    "slashes": lambda name: name.replace("_", "/"),
    "blanks": lambda name: name.replace("_", " "),
    "title case": lambda name: name.replace("_", " ").title(),
    "run together": lambda name: name.replace("_", ""),
    "full width": _wide,
}
AROUND = (
    "{}", "Use {} now, please.", "call {}", "run `{}`", 'the "{}"', "**{}**", "do this:\n{}\nthanks", "{}(x=1)",
    "use {}.", "请调用{}工具", "用{}查一下", "{}를 실행해줘", "{}을 써줘", "{}로 해줘",
    "{}を実行してください", "{}で調べて", "「{}」を使って",
    "mcp__server__{}", "server.{}", "functions.{}", "use srv_{} for it",
)  # fmt: skip
JOINED = AROUND[-4:]


@pytest.mark.parametrize("around", AROUND)
@pytest.mark.parametrize("writing", WRITINGS)
def test_a_name_is_found_in_any_writing(writing: str, around: str) -> None:
    """Case, signs, blanks, width, particles, quotes and the name of a server in front: it is the same name."""
    if writing in {"blanks", "title case"} and around in JOINED:
        around = "{}"  # nobody joins a server's name to words that are apart
    for name in ("list_pods", "amap_weather", "jp_transit_save_route"):
        assert names(around.format(WRITINGS[writing](name))) == [name]


def test_many_names_are_found_in_their_order() -> None:
    """Each of several names counts, and the longer one where one is the beginning of another."""
    said = "Use jp_transit_save_route, amap_weather_alerts and then list-pods; at last getUserById."
    assert names(said) == ["jp_transit_save_route", "amap_weather_alerts", "list_pods", "getUserById"]


@pytest.mark.parametrize(
    "said",
    ["amap_weathr", "use amap_weahter now", "amap_wexther를 실행해줘", "amapWeathher", "mcp__server__amap_weater",
     "amapweater"],
)  # fmt: skip
def test_a_name_within_one_edit_counts(said: str) -> None:
    """A character left out, put in, another one, two exchanged."""
    assert names(said) == ["amap_weather"]


@pytest.mark.parametrize("said", ["redis_et_key", "redis_xet_key", "lst_pds", "listing_pods", "list_pod5"])
def test_what_may_be_several_or_is_further_away_does_not_count(said: str) -> None:
    """Within one edit of two names it is neither; two edits are too many, and another digit is another thing."""
    assert names(said) == []


@pytest.mark.parametrize(
    "said",
    [
        "search for the time of the next train", "what is the time", "Time to bash the search", "what is the weather",
        "when can I check in?", "in which timezone is it", "今天天气怎么样", "check-in is at four",
        "my_list_pods_helper",
        "amap_weather_alerts_today", "list, pods", "list\npods", "", "。！", "times(s) and email(s)", "searching tools",
    ],
)  # fmt: skip
def test_an_ordinary_sentence_names_nothing(said: str) -> None:
    """One word, words that stand in any sentence, a part of a longer identifier, words apart."""
    assert names(said) == []


@pytest.mark.parametrize(
    "said",
    ["call bash", "run `bash` now", "the bash tool", "the tool bash", "bash工具", "请调用bash", "「bash」ツール",
     "bash도구", "bash를 호출해줘", "bash(x)", "functions.bash", "mcp__shell__bash", "bash", "Bash"],
)  # fmt: skip
def test_a_name_of_one_word_counts_where_it_is_marked(said: str) -> None:
    """As code, as what is called, as a tool, or where it is all there is."""
    assert names(said) == ["bash"]


@pytest.mark.parametrize(
    ("said", "name"),
    [
        ("帮我查询天气吧", "cjk____9d00a829"),
        ("明日の天気予報を教えて", "ja"),
        ("Show me the current weather report.", "wx"),
        ("run “Current Weather Report”", "wx"),
    ],
)
def test_a_title_and_an_original_name_are_names(said: str, name: str) -> None:
    """What a tool is called where it comes from, and what it is called for people."""
    assert names(said) == [name]


def test_a_title_of_many_tools_says_nothing() -> None:
    """Four tools of one title are not named by it, two are."""
    many = [tool(f"t{number}", "查询天气\nDoes so.") for number in range(4)]
    assert names("帮我查询天气吧", among=catalog(*many)) == []
    assert names("帮我查询天气吧", among=catalog(*many[:2])) == ["t0", "t1"]


def test_names_that_differ_in_their_signs_alone_are_told_apart() -> None:
    """The one that is written so, and all of them where it is none of them."""
    among = catalog(tool("get_user"), tool("getUser"))
    assert names("use get_user", among=among) == ["get_user"]
    assert names("use getUser", among=among) == ["getUser"]
    assert names("use get-user please", among=among) == ["get_user", "getUser"]


def test_in_a_context_only_identifiers_count() -> None:
    """A document that speaks of listing pods names nothing; one that has the identifier does."""
    assert names("how to list pods, by search", identifiers=True) == []
    assert names("`bash` and the bash tool, amap_weathr", identifiers=True) == []
    assert names("see list_pods or getUserById, amap-weather", identifiers=True) == [
        "list_pods", "getUserById", "amap_weather",
    ]  # fmt: skip


def test_instructions_name_the_tools_of_a_list() -> None:
    """Also names of one word: in a list that explains them, as a tool, and with their capitals in mid-sentence."""
    own = catalog(*map(tool, ("Bash", "Read", "search", "final_answer", "grep", "Write", "time", "think")))
    said = (
        "Read the task. End with final_answer.\n- grep: finds lines\n2. `search` - more\nUse Bash, and the think tool."
    )
    assert {own.tools[p].name for p in named_in(own, said)} == {"final_answer", "grep", "search", "Bash", "think"}


def test_the_client_s_own_and_the_catalogue_are_found_together() -> None:
    """Positions are those of the pool, the client's tools first."""
    own = catalog(tool("ask_user"), tool("list_pods"))
    found = find(Pool(own, CATALOG), "list_pods, then ask_user and amap_weather")
    assert [mention.positions for mention in found] == [(1, 2), (0,), (3,)]


def test_a_long_text_is_read_at_both_ends() -> None:
    """Of what is between them only identifiers count, and of very long ones not all, so that time is bounded."""
    filling = "word " * MAX_CHARS
    said = "list pods {} amap weather, jp_transit_save_route {} getUserById".format
    assert names(said(filling[:20_000], filling[:20_000])) == ["list_pods", "jp_transit_save_route", "getUserById"]
    assert names(said(filling, filling)) == ["list_pods", "getUserById"]


@given(st.text(alphabet="ab1", max_size=5), st.text(alphabet="ab1", max_size=5))
def test_one_edit_is_one_edit(one: str, other: str) -> None:
    """It is what an edit of one of the texts gives, but for edits of digits."""
    edits = {one[:at] + one[at + 1 :] for at in range(len(one))}
    edits |= {one[:at] + sign + one[at:] for at in range(len(one) + 1) for sign in "ab1"}
    edits |= {one[:at] + sign + one[at + 1 :] for at in range(len(one)) for sign in "ab1"}
    edits |= {one[:at] + one[at + 1] + one[at] + one[at + 2 :] for at in range(len(one) - 1)}
    assert is_near(one, other) is (other in edits - {one} and one.count("1") == other.count("1"))


_NAMES = st.from_regex(r"[a-zA-Z0-9_-]{2,64}", fullmatch=True) | st.text(min_size=1, max_size=80)


@given(st.text(max_size=400), st.lists(_NAMES, max_size=4))
def test_any_text_can_be_read(said: str, called: list[str]) -> None:
    """Whatever is said and however tools are called, a name that a provider takes is found where it is all there is."""
    among = catalog(*map(tool, called))
    find(Pool(among, CATALOG), said)
    for name in called:
        if re.fullmatch("[a-zA-Z0-9_-]{2,64}", name) and re.search("[a-zA-Z0-9].*[a-zA-Z0-9]", name):
            assert find(Pool(EMPTY, among), name) != ()


@pytest.mark.parametrize("said", ["a_" * 30_000, "aB" * 30_000, "a " * 30_000, "「a」" * 20_000, "_" * 60_000])
def test_what_is_looked_at_is_bounded(said: str) -> None:
    """Texts of nothing but parts of names, and lists of one name a thousand times, are looked at as far as it goes."""
    alike = catalog(*(tool("a" * i + "_" + "a" * j) for i in range(1, 32) for j in range(1, 32)))
    assert all(len(mention.positions) <= 16 for mention in find(Pool(alike, EMPTY), said))


def test_all_tools_of_one_name_are_named_by_it() -> None:
    """Of a client's tools that share a name all count, however many they are."""
    own = catalog(*(tool("same_name") for _ in range(40)), tool("other_name"))
    assert named_in(own, "use same_name") == set(range(40))
