"""Figures by number of tools as an SVG: one panel a measure, both axes logarithmic, no library."""

from __future__ import annotations

import math
from collections.abc import Mapping

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
