"""Figures -> coordinates of the charts in a report. Units are those of an SVG view box."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from app.evaluation.results import Moved
from app.evaluation.wording import is_share

WIDTH, HEIGHT = 640, 260
LEFT, RIGHT, TOP, BOTTOM = 44, 16, 14, 30
_SPAN = WIDTH - LEFT - RIGHT


@dataclass(frozen=True, slots=True)
class Point:
    """A value and where it is drawn."""

    x: float
    y: float
    k: int
    value: float


@dataclass(frozen=True, slots=True)
class Interval:
    """A difference, and where its ends and its middle are drawn: None where it is no share."""

    name: str
    moved: Moved
    ends: tuple[float, float, float] | None


def curves(found: Mapping[str, Mapping[int, float]]) -> dict[str, list[Point]]:
    """Place recall (0..1, upwards) over k (logarithmic)."""
    return {name: [Point(x(k), y(value), k, value) for k, value in line.items()] for name, line in found.items()}


def x(k: int, most: int = 100) -> float:
    """Place a k between 1 and `most`."""
    return round(LEFT + _SPAN * math.log(k) / math.log(most), 1)


def y(value: float) -> float:
    """Place a share."""
    return round(TOP + (HEIGHT - TOP - BOTTOM) * (1 - value), 1)


def intervals(figures: Mapping[str, Moved]) -> list[Interval]:
    """Place differences of shares left and right of the middle of a width of 100: low end, mean, high end."""
    shares = {name: one for name, one in figures.items() if is_share(name)}
    reach = max((max(abs(one.low), abs(one.high)) for one in shares.values()), default=0.0) or 1.0
    found = []
    for name, one in figures.items():
        low, mean, high = (round(50 + 48 * value / reach, 2) for value in (one.low, one.after - one.before, one.high))
        found.append(Interval(name, one, (low, mean, high) if name in shares else None))
    return found
