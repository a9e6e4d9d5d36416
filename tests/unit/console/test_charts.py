"""Columns stand where their numbers say."""

from __future__ import annotations

import pytest

from ivr.console.charts import BESIDE, HEIGHT, LEFT, WIDTH, columns, rows


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


def test_parts_of_a_row_lie_side_by_side_and_reach_their_sum() -> None:
    chart = rows([(30, 20), None, (100,)], top=100)
    first, second, third = chart.bars
    assert (first.x, first.x + first.width) == (BESIDE, second.x)
    assert second.x + second.width == chart.ticks[2].at
    assert (third.column, third.x + third.width) == (2, chart.right)
    assert [tick.value for tick in chart.ticks] == [0, 25, 50, 75, 100]
    assert first.y < chart.labels[0].at < first.y + first.height < chart.labels[1].at
    assert chart.labels[2].at < chart.base < chart.height


def test_rows_without_anything_to_show_have_a_scale_all_the_same() -> None:
    assert rows([]).bars == rows([None, (0, 0)]).bars == ()
    assert [tick.value for tick in rows([None]).ticks] == [0, 1, 2, 3, 4]
