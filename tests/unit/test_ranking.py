"""Who is rated best: luck does not win, and what is claimed of the interval is true."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.ranking import FEWEST, interval, ranking

SCORES = st.lists(st.integers(0, 300), min_size=5, max_size=5)


def places(**scores: tuple[int, ...]) -> list[tuple[str, int | None]]:
    return [(placed.one, placed.place) for placed in ranking(scores.items())]


def test_three_lucky_ratings_do_not_win() -> None:
    assert places(lucky=(0, 0, 0, 0, 3), proven=(2, 3, 10, 40, 145)) == [
        ("proven", 1),
        ("lucky", None),
    ]
    assert interval((0, 0, 0, 0, 3)).low < interval((2, 3, 10, 40, 145)).low
    # nor do as many as are needed for a place
    assert places(lucky=(0, 0, 0, 0, FEWEST), proven=(2, 3, 10, 40, 145))[0] == ("proven", 1)


def test_as_good_and_proven_more_often_is_better() -> None:
    assert [name for name, _ in places(few=(0, 1, 2, 7, 10), many=(0, 10, 20, 70, 100))] == [
        "many",
        "few",
    ]


def test_unknown_ones_have_no_place_but_are_told_even_without_ratings() -> None:
    found = places(bad=(60, 30, 10, 0, 0), new=(0, 0, 0, 0, 0), newer=(0, 0, 0, 1, 1))
    assert found == [("bad", 1), ("newer", None), ("new", None)]


def test_equals_share_a_place() -> None:
    found = places(a=(0, 0, 0, 10, 10), b=(0, 0, 0, 10, 10), c=(0, 0, 10, 10, 0))
    assert found == [("a", 1), ("b", 1), ("c", 3)]


def test_interval_is_that_of_the_formula() -> None:
    # 3 ratings of 5: shares 1/8 1/8 1/8 1/8 4/8, mean 30/8, variance (130/8 - (30/8)^2) / 9
    found = interval((0, 0, 0, 0, 3))
    assert found.low == pytest.approx(3.75 - 1.96 * (2.1875 / 9) ** 0.5)
    assert found.high == pytest.approx(3.75 + 1.96 * (2.1875 / 9) ** 0.5)


@given(SCORES)
def test_interval_lies_on_the_scale_and_narrows_with_ten_times_as_many(scores: list[int]) -> None:
    one, ten = interval(scores), interval([10 * n for n in scores])
    assert 1 <= one.low < one.high <= 5
    if sum(scores):
        assert ten.high - ten.low < one.high - one.low


@given(SCORES)
def test_mirrored_ratings_have_the_mirrored_interval(scores: list[int]) -> None:
    one, mirrored = interval(scores), interval(scores[::-1])
    assert one.low == pytest.approx(6 - mirrored.high)


@pytest.mark.parametrize(
    "shares", [(0.02, 0.03, 0.10, 0.35, 0.50), (0.1, 0.1, 0.3, 0.3, 0.2), (0.4, 0.3, 0.1, 0.1, 0.1)]
)
@pytest.mark.parametrize("ratings", [50, 300])
def test_true_mean_lies_in_the_interval_nearly_always(
    shares: tuple[float, ...], ratings: int
) -> None:
    true = sum(score * share for score, share in enumerate(shares, 1))
    draws = np.random.default_rng(1).multinomial(ratings, shares, 2000)
    within = [found.low <= true <= found.high for found in map(interval, draws.tolist())]
    assert np.mean(within) > 0.9
