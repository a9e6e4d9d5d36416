"""Where the columns or rows of a chart stand: numbers in, places out; templates draw them as SVG.

Columns are for what follows in time, rows for what has a name, which has more room beside a row.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

WIDTH, HEIGHT = 480, 190
"""Of the whole drawing, in its own units."""
LEFT, RIGHT, TOP, BOTTOM = 40, 6, 12, 26
"""What is left around the columns for the numbers beside and below them."""
FILLED = 0.68
"""Share of its place that a column takes."""
TICKS = 4
BESIDE = 132
"""What is left beside rows for their names."""
ROW = 26
"""Height of a row's place."""


@dataclass(frozen=True, slots=True)
class Bar:
    x: float
    y: float
    width: float
    height: float
    part: int
    """Which of the parts of the column or row, counted from its base."""
    column: int
    """Or row."""
    value: float


@dataclass(frozen=True, slots=True)
class Tick:
    y: float
    value: float


@dataclass(frozen=True, slots=True)
class Label:
    x: float
    column: int


@dataclass(frozen=True, slots=True)
class Columns:
    """A chart of columns, each of parts on top of each other."""

    bars: tuple[Bar, ...]
    ticks: tuple[Tick, ...]
    labels: tuple[Label, ...]
    """One for each column that has room for its text."""
    mark_y: float | None
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    right: int = WIDTH - RIGHT
    base: int = HEIGHT - BOTTOM


@dataclass(frozen=True, slots=True)
class Mark:
    """A number of the scale below rows, or the middle of a row."""

    at: float
    value: float


@dataclass(frozen=True, slots=True)
class Rows:
    """A chart of rows, each of parts side by side."""

    bars: tuple[Bar, ...]
    ticks: tuple[Mark, ...]
    """`at` is an x."""
    labels: tuple[Mark, ...]
    """One a row; `at` is a y, `value` the row's number."""
    height: float
    base: float
    """Where the scale is."""
    width: int = WIDTH
    left: int = BESIDE
    right: int = WIDTH - ROW
    top: int = TOP


class Chart(NamedTuple):
    """A drawing on a page; its texts are SECTION.chart.NAME and SECTION.part.NAME.PART."""

    section: str
    name: str
    parts: tuple[str, ...]
    """What is stacked, from the base; the names of their colours too."""
    drawing: Columns | Rows
    percent: bool = False


def columns(
    values: Sequence[Sequence[float] | None],
    *,
    top: float | None = None,
    mark: float | None = None,
    every: int = 1,
) -> Columns:
    """values: the parts of each column from below; None where there is nothing to show.

    top: what the scale ends at, without it whatever has room for all; mark: where a line is drawn
    across; every: which columns are labelled.
    """
    highest = max((sum(parts) for parts in values if parts), default=0.0)
    top = top or _round_up(max(highest, mark or 0.0))
    height = HEIGHT - TOP - BOTTOM
    place = (WIDTH - LEFT - RIGHT) / max(1, len(values))

    def y(value: float) -> float:
        return round(TOP + height * (1 - min(value, top) / top), 1)

    bars = []
    for column, parts in enumerate(values):
        below = 0.0
        for part, value in enumerate(parts or ()):
            upper, lower = y(below + value), y(below)
            if lower > upper:
                x = LEFT + place * (column + (1 - FILLED) / 2)
                bars.append(
                    Bar(round(x, 1), upper, round(place * FILLED, 1), round(lower - upper, 1),
                        part, column, value)
                )  # fmt: skip
            below += value
    ticks = [Tick(y(top * n / TICKS), top * n / TICKS) for n in range(TICKS + 1)]
    labels = [
        Label(round(LEFT + place * (column + 0.5), 1), column)
        for column in range(0, len(values), every)
    ]
    return Columns(
        tuple(bars), tuple(ticks), tuple(labels), None if mark is None else y(mark)
    )  # fmt: skip


def rows(values: Sequence[Sequence[float] | None], *, top: float | None = None) -> Rows:
    """values: the parts of each row from the left, the upmost row first; None: nothing to show.

    top: what the scale ends at, without it whatever has room for all.
    """
    top = top or _round_up(max((sum(parts) for parts in values if parts), default=0.0))
    length = WIDTH - ROW - BESIDE

    def x(value: float) -> float:
        return round(BESIDE + length * min(value, top) / top, 1)

    bars = []
    for row, parts in enumerate(values):
        before = 0.0
        for part, value in enumerate(parts or ()):
            begin, end = x(before), x(before + value)
            if end > begin:
                y = TOP + ROW * (row + (1 - FILLED) / 2)
                bars.append(
                    Bar(begin, round(y, 1), round(end - begin, 1), round(ROW * FILLED, 1), part,
                        row, value)
                )  # fmt: skip
            before += value
    base = TOP + ROW * len(values)
    return Rows(
        tuple(bars),
        tuple(Mark(x(top * n / TICKS), top * n / TICKS) for n in range(TICKS + 1)),
        tuple(Mark(TOP + ROW * (row + 0.5), row) for row in range(len(values))),
        base + BOTTOM,
        base,
    )


def _round_up(value: float) -> float:
    """To a number whose quarters people like to read: 4, 8, 12, 20, 40, 60, 80, 100, 120, ..."""
    unit = 10 ** max(0, math.floor(math.log10(max(value, 1))))
    tops = (step * unit for step in (1, 2, 4, 6, 8, 12, 20))
    return float(next(top for top in tops if top >= value and top % TICKS == 0))
