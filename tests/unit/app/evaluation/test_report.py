"""The page: complete, self-contained, and no text of a data set is markup in it."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from app.evaluation import EvaluationFailed, charts, compare, report
from app.evaluation.results import Moved
from tests.support import tools
from tests.support.datasets import entry, question
from tests.unit.app.evaluation.conftest import Evaluate, run_of

_MARKUP = '<script>alert(1)</script> & "quotes" \x1b[2J'
_MANY = [{"id": tools.name_of(tool), "tool": tool} for tool in tools.distinct(20)]


class _Page(HTMLParser):
    """Collects elements and their attributes; every element is closed in its order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag not in ("meta",):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.fixture
def page(evaluate: Evaluate) -> str:
    """A page with every part: several categories, misses, small talk, a comparison, and markup in every text."""
    entries = [*_MANY, entry("wanted", _MARKUP)]
    asked = [
        question(_MARKUP, f"Show an invoice {_MARKUP}", "list_contract", lang="en", category=_MARKUP),
        question(2, ["List contracts", "All of them"], "list_contract", lang="ko", category="b"),
        question(3, "Hello"),
    ]
    run = run_of(evaluate(asked, entries=entries))
    other = run_of(evaluate(asked, entries=entries, k=1))
    return report.page(compare.with_comparison(run, other))


def test_page_is_well_formed_and_loads_nothing(page: str) -> None:
    """No script, no link, no address, no style from elsewhere; the policy in its head forbids them, too."""
    found = _Page(page)
    assert found.open == []
    names = {name for name, _ in found.found}
    assert not names & {"script", "link", "img", "iframe", "object", "embed", "base", "form", "a"}
    assert not {key for _, attributes in found.found for key in attributes} & {"src", "href", "onclick", "onload"}
    assert not re.search(r"https?://|url\(|@import", page)
    assert "default-src 'none'" in page


def test_page_shows_texts_as_texts(page: str) -> None:
    """Markup of a question is shown, not obeyed; what does not print is replaced."""
    assert "<script>" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt; &amp;" in page
    assert "\x1b" not in page


def test_page_has_every_part(page: str) -> None:
    """Figures, curve with a line a ranking, groups, what moved, misses."""
    for part in ("R@5", "C@sent", "Recall against", "By ranking", "By language", "What moved", "The worst misses"):
        assert part in page
    assert page.count("<polyline") == 5  # fused, words, lexical, names, the reference recipe
    assert "category b" in page
    assert "nothing needed, nothing added" in page


def test_page_of_small_talk_alone_has_no_recall(evaluate: Evaluate) -> None:
    """Nothing is wanted: there is no curve."""
    text = report.page(run_of(evaluate([question(1, "Hello")])))
    assert "<polyline" not in text
    assert "nothing needed, nothing added" in text


def test_report_that_cannot_be_written_is_told(tmp_path: Path, evaluate: Evaluate) -> None:
    """The reason is the system's."""
    with pytest.raises(EvaluationFailed, match="No such file or directory"):
        report.write(tmp_path / "none" / "page.html", run_of(evaluate([question(1, "Hello")])))


def test_curve_is_drawn_upwards_and_to_the_right() -> None:
    """The first k stands at the left edge, 100 at the right one; all found is at the top."""
    (points,) = charts.curves({"fused": {1: 0.0, 10: 0.5, 100: 1.0}}).values()
    assert [point.x for point in points] == [charts.LEFT, (charts.LEFT + charts.WIDTH - charts.RIGHT) / 2, 624]
    assert [point.y for point in points] == [charts.HEIGHT - charts.BOTTOM, 122, charts.TOP]


def test_intervals_share_a_scale_with_zero_in_the_middle() -> None:
    """The widest reaches 48 of 50; a figure that is no share is not drawn."""
    gain, loss = Moved(0.5, 0.6, 0.0, 0.2, False, 3, 1), Moved(0.5, 0.4, -0.1, -0.1, True, 0, 9)
    found = charts.intervals({"R@5": gain, "C@5": loss, "tool tokens": gain})
    assert [one.ends for one in found] == [(50.0, 74.0, 98.0), (26.0, 26.0, 26.0), None]
    assert [one.ends for one in charts.intervals({"R@5": Moved(1, 1, 0, 0, False, 0, 0)})] == [(50.0, 50.0, 50.0)]
