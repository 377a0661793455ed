"""Figures as an SVG, no library: lines by number of tools, or groups of bars; axes are logarithmic."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence

Figures = Mapping[int, Mapping[str, float]]

_PANELS = (
    ("Question, ms", (("query_p50_ms", "new question"), ("exact_ms", "exact search"), ("faiss_ms", "FAISS"))),
    ("Seconds", (("import_s", "batch import"), ("ready_s", "ready again"), ("rewrite_s", "one tool rewritten"))),
    ("Memory, MiB", (("memory_mib", "catalogue"), ("process_mib", "process"), ("peak_mib", "at most"))),
)
_COLOURS = ("#1b6ca8", "#c0392b", "#2e8b57")
_WIDTH, _HEIGHT, _LEFT, _TOP = 300, 240, 46, 62


def svg(figures: Figures) -> str:
    """Draw the panels side by side."""
    panels = [_panel(number, title, lines, figures) for number, (title, lines) in enumerate(_PANELS)]
    width = len(_PANELS) * (_WIDTH + _LEFT + 20)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {_HEIGHT + _TOP + 44}" '
        'font-family="sans-serif" font-size="11" role="img" aria-label="Time and memory by number of tools">\n'
        f'<rect width="100%" height="100%" fill="white"/>\n{"".join(panels)}</svg>\n'
    )


def _panel(number: int, title: str, lines: tuple[tuple[str, str], ...], figures: Figures) -> str:
    values = [one[name] for one in figures.values() for name, _ in lines if one[name] > 0]
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    sizes = sorted(figures)
    first, last = math.log10(sizes[0]), max(math.log10(sizes[-1]), math.log10(sizes[0]) + 1e-9)

    def x(size: int) -> float:
        return _LEFT + (math.log10(size) - first) / (last - first) * _WIDTH

    def y(value: float) -> float:
        return _TOP + _HEIGHT - (math.log10(max(value, 10**low)) - low) / max(high - low, 1) * _HEIGHT

    parts = [f'<text x="{_LEFT}" y="14" font-size="13" font-weight="bold">{title}</text>']
    for power in range(low, high + 1):
        at = y(10**power)
        parts.append(f'<path d="M{_LEFT} {at:.1f}h{_WIDTH}" stroke="#ddd"/>')
        parts.append(f'<text x="{_LEFT - 6}" y="{at + 4:.1f}" text-anchor="end">{10**power:g}</text>')
    parts += [
        f'<text x="{x(size):.1f}" y="{_TOP + _HEIGHT + 16}" text-anchor="middle">{_short(size)}</text>'
        for size in sizes
    ]
    parts.append(f'<text x="{_LEFT + _WIDTH / 2}" y="{_TOP + _HEIGHT + 34}" text-anchor="middle">tools</text>')
    for (name, words), colour, line in zip(lines, _COLOURS, range(len(lines)), strict=True):
        points = " ".join(f"{x(size):.1f},{y(figures[size][name]):.1f}" for size in sizes)
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [
            f'<circle cx="{p.split(",")[0]}" cy="{p.split(",")[1]}" r="3" fill="{colour}"/>' for p in points.split()
        ]
        parts.append(f'<text x="{_LEFT + line * 105}" y="34" fill="{colour}">{words}</text>')
        end = figures[sizes[-1]][name]
        parts.append(f'<text x="{_LEFT + line * 105}" y="48" fill="{colour}">{end:.3g} at {_short(sizes[-1])}</text>')
    return f'<g transform="translate({number * (_WIDTH + _LEFT + 20)} 4)">{"".join(parts)}</g>\n'


def _short(size: int) -> str:
    return f"{size // 1000}k" if size >= 1000 else str(size)


_BAR, _WIDE, _WORDS_WIDTH = 13, 360, 150


def bars(panels: Sequence[tuple[str, Mapping[str, Mapping[str, float]]]]) -> str:
    """Draw groups of horizontal bars on a logarithmic axis, the panels side by side."""
    drawn = [_bar_panel(title, groups) for title, groups in panels]
    height = max(bottom for _, bottom in drawn) + 10
    wide = _WORDS_WIDTH + _WIDE + 90
    parts = [f'<g transform="translate({number * wide} 4)">{text}</g>\n' for number, (text, _) in enumerate(drawn)]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {len(panels) * wide} {height}" '
        f'font-family="sans-serif" font-size="11" role="img" aria-label="{", ".join(title for title, _ in panels)}">\n'
        f'<rect width="100%" height="100%" fill="white"/>\n{"".join(parts)}</svg>\n'
    )


def _bar_panel(title: str, groups: Mapping[str, Mapping[str, float]]) -> tuple[str, int]:
    """Draw one panel; give it with its lower end."""
    values = [value for group in groups.values() for value in group.values()]
    low = math.floor(math.log10(min(values, default=1)))
    span = max(math.log10(max(values, default=10)) - low, 1e-9)
    names = list(dict.fromkeys(name for group in groups.values() for name in group))
    colours = dict(zip(names, itertools.cycle((*_COLOURS, "#8e6c8a")), strict=False))
    y, parts = 20, [f'<text x="4" y="14" font-size="13" font-weight="bold">{title}</text>']
    for words, group in groups.items():
        y += 18
        parts.append(f'<text x="4" y="{y}" font-style="italic">{words}</text>')
        for name, value in group.items():
            y += _BAR + 3
            width = max((math.log10(value) - low) / span * _WIDE, 2)
            parts.append(f'<text x="{_WORDS_WIDTH - 6}" y="{y}" text-anchor="end">{name}</text>')
            parts.append(
                f'<rect x="{_WORDS_WIDTH}" y="{y - 10}" width="{width:.1f}" height="{_BAR}" fill="{colours[name]}"/>'
            )
            parts.append(f'<text x="{_WORDS_WIDTH + width + 4:.1f}" y="{y}">{value:,.4g}</text>')
    return "".join(parts), y
