"""Scripts: in which writing a text is, as far as finding tools is concerned.

Encoders read some scripts and not others, and words of one script never match words of another. Japanese is told from
Chinese by its kana.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping

Scripts = Mapping[str, float]

# Characters and what one of them counts: a Chinese character says about as much as four Latin letters.
_RANGES = {
    "latin": (re.compile(r"[A-Za-z\u00aa\u00ba\u00c0-\u024f\u1e00-\u1eff\uff21-\uff3a\uff41-\uff5a]"), 0.25),
    "han": (re.compile(r"[\u3005-\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]"), 1.0),
    "kana": (re.compile(r"[\u3041-\u30ff\uff66-\uff9f]"), 1.0),
    "hangul": (re.compile(r"[\u1100-\u11ff\u3130-\u318f\uac00-\ud7af]"), 1.0),
    "cyrillic": (re.compile(r"[\u0400-\u052f]"), 0.25),
    "arabic": (re.compile(r"[\u0600-\u06ff]"), 0.25),
    "thai": (re.compile(r"[\u0e00-\u0e7f]"), 0.25),
    "devanagari": (re.compile(r"[\u0900-\u097f]"), 0.25),
}
_LOOKED_AT = 500  # characters of a text
_AT_HOME = 0.5  # share of the tools: from here on a script is one of the catalogue's own


def scripts(text: str) -> Scripts:
    """Give the shares of the scripts in a text; Latin where there are no letters, `other` for those not listed here."""
    head = text[:_LOOKED_AT]
    if head.isascii():
        return {"latin": 1.0}
    counts = {name: weight * len(pattern.findall(head)) for name, (pattern, weight) in _RANGES.items()}
    if counts["kana"]:
        counts["kana"] += counts.pop("han")
    letters = sum(map(str.isalpha, head))
    known = sum(len(pattern.findall(head)) for pattern, _ in _RANGES.values())
    counts["other"] = 0.25 * max(0, letters - known)
    total = sum(counts.values())
    return {name: count / total for name, count in counts.items() if count} if total else {"latin": 1.0}


def written(texts: Iterable[str]) -> Scripts:
    """Give the mean shares of the scripts in texts; Latin where there are none."""
    sums: Counter[str] = Counter()
    n = 0
    for n, text in enumerate(texts, start=1):  # noqa: B007 - counted
        sums.update(scripts(text))
    return {name: share / n for name, share in sums.items()} if n else {"latin": 1.0}


def kinship(question: Scripts, tools: Scripts) -> float:
    """Tell which share of a question, by scripts, is written as a good part of the tools is."""
    return sum(share * min(1.0, tools.get(name, 0.0) / _AT_HOME) for name, share in question.items())
