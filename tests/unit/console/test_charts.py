"""Columns stand where their numbers say."""

from __future__ import annotations

import pytest

from ivr.console.charts import HEIGHT, LEFT, WIDTH, columns


def test_parts_stand_on_each_other_and_reach_their_sum() -> None:
    chart = columns([(3, 1), (0, 2), None, (8,)])
    first, second, third, fourth = chart.bars
    assert [tick.value for tick in chart.ticks] == [0, 2, 4, 6, 8]
    zero, highest = chart.ticks[0].y, chart.ticks[-1].y
    assert (first.y + first.height, second.y + second.height) == (zero, first.y)
    assert (third.part, third.column, third.y) == (1, 1, chart.ticks[1].y)
    assert (fourth.y, fourth.column) == (highest, 3)
    assert 3 * (second.height) == pytest.approx(first.height, abs=0.3)
    assert [label.column for label in chart.labels] == [0, 1, 2, 3]


def test_nothing_leaves_the_drawing() -> None:
    chart = columns([(n * 7.3, 250.0) for n in range(24)], mark=95, every=2)
    assert all(bar.x >= LEFT and bar.x + bar.width <= WIDTH for bar in chart.bars)
    assert all(bar.y >= 0 and bar.y + bar.height <= HEIGHT for bar in chart.bars)
    assert len(chart.labels) == 12
    assert chart.mark_y is not None and chart.base > chart.mark_y > 0


@pytest.mark.parametrize(
    ("highest", "top"),
    [(0, 4), (3, 4), (5, 8), (9, 12), (13, 20), (100, 100), (101, 200), (3000, 4000), (9e3, 12e3)],
)
def test_scales_end_in_round_numbers(highest: float, top: float) -> None:
    assert columns([(highest,)]).ticks[-1].value == top


def test_shares_are_drawn_on_a_whole_hundred() -> None:
    chart = columns([(50,)], top=100, mark=95)
    assert [tick.value for tick in chart.ticks] == [0, 25, 50, 75, 100]
