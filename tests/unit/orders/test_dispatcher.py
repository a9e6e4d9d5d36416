"""Who is proposed for an order. Distances are checked against places whose distance is known."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.orders.dispatcher import Candidate, Unfit, propose
from ivr.orders.dispatching import day_of
from ivr.orders.places import Place, distance_km, read_place

HOME = Place(31.3100, 120.6200)
KM = 1 / 111.195
"""Degrees of latitude in a kilometre."""


def candidate(id: int, km: float = 0.0, **more: object) -> Candidate:
    plain = Candidate(
        id=id, name=f"企业{id}", place=Place(HOME.latitude + km * KM, HOME.longitude),
        district="姑苏区", radius_km=5.0, orders_a_day=10, orders=0, declined=False,
    )  # fmt: skip
    return replace(plain, **more)  # type: ignore[arg-type]


def ranked(
    *candidates: Candidate, home: Place | None = HOME, district: str = "姑苏区"
) -> list[int]:
    return [one.candidate.id for one in propose(home, district, candidates) if one.unfit is None]


@pytest.mark.parametrize(
    ("one", "other", "km"),
    [
        (Place(31.3, 120.6), Place(31.3, 120.6), 0.0),
        (Place(0, 0), Place(0, 1), 111.195),
        (Place(60, 0), Place(60, 1), 55.597),
        (Place(31.2304, 121.4737), Place(39.9042, 116.4074), 1067.3),  # Shanghai to Beijing
        (Place(0, 179.5), Place(0, -179.5), 111.195),  # over the date line
        (Place(90, 0), Place(-90, 0), 20015.1),
    ],
)
def test_distance_is_that_of_the_great_circle(one: Place, other: Place, km: float) -> None:
    assert distance_km(one, other) == pytest.approx(km, abs=max(0.01, km / 1000))
    assert distance_km(other, one) == pytest.approx(distance_km(one, other))


def test_nearest_is_proposed_first() -> None:
    assert ranked(candidate(1, 3.0), candidate(2, 0.5), candidate(3, 1.5)) == [2, 3, 1]


def test_of_neighbours_the_one_with_less_to_do_comes_first() -> None:
    assert ranked(candidate(1, 1.0, orders=6), candidate(2, 1.4)) == [2, 1]
    assert ranked(candidate(1, 1.0, orders=9), candidate(2, 4.0)) == [1, 2]


def test_room_is_a_share_of_what_a_provider_can_do() -> None:
    small, large = candidate(1, 1.0, orders=4, orders_a_day=5), candidate(2, 1.0, orders=4)
    assert ranked(small, large) == [2, 1]


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"orders": 10}, Unfit.FULL),
        ({"orders": 11}, Unfit.FULL),
        ({"orders_a_day": 0}, Unfit.FULL),
        ({"declined": True}, Unfit.DECLINED),
        ({"radius_km": 0.9}, Unfit.TOO_FAR),
    ],
)
def test_who_cannot_is_listed_last_with_the_reason(more: dict[str, object], why: Unfit) -> None:
    first, last = propose(HOME, "", [candidate(1, 1.0, **more), candidate(2, 4.9)])
    assert (first.candidate.id, first.unfit) == (2, None)
    assert (last.candidate.id, last.unfit) == (1, why)


def test_district_decides_where_the_home_is_not_known() -> None:
    near, far = candidate(1, district="吴中区"), candidate(2, orders=5)
    anywhere = candidate(3, district="", orders=9)
    assert ranked(near, far, anywhere, home=None) == [2, 3]
    assert ranked(near, far, anywhere, home=None, district="") == [1, 2, 3]
    assert propose(None, "", [near])[0].distance_km is None


def test_who_does_a_standing_order_comes_first_unless_they_cannot() -> None:
    usual = candidate(1, 30.0, usual=True, district="别区")
    assert ranked(usual, candidate(2)) == [1, 2]
    assert ranked(usual, candidate(2), home=None) == [1, 2]
    assert ranked(replace(usual, declined=True), candidate(2)) == [2]
    assert ranked(replace(usual, orders=10), candidate(2)) == [2]


def test_nobody_offers_it() -> None:
    assert propose(HOME, "", []) == ()


@given(
    st.lists(
        st.tuples(st.floats(0, 8), st.integers(0, 12), st.booleans()), min_size=1, max_size=12
    ),
    st.randoms(use_true_random=False),
)
def test_proposal_depends_on_the_providers_and_not_on_their_order(
    rows: list[tuple[float, int, bool]], random: object
) -> None:
    candidates = [
        candidate(id, km, orders=orders, declined=declined)
        for id, (km, orders, declined) in enumerate(rows)
    ]
    shuffled = candidates[:]
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    proposals = propose(HOME, "", candidates)
    assert propose(HOME, "", shuffled) == proposals
    assert [one.unfit is not None for one in proposals] == sorted(
        one.unfit is not None for one in proposals
    )
    for one in proposals:
        fits = (
            not one.candidate.declined
            and one.candidate.orders < one.candidate.orders_a_day
            and (one.distance_km or 0) <= one.candidate.radius_km
        )
        assert fits == (one.unfit is None)


def test_day_of_an_order_is_the_towns_day() -> None:
    china = ZoneInfo("Asia/Shanghai")
    begin, end = day_of(datetime(2026, 11, 22, 16, 30, tzinfo=UTC), china)  # 00:30 on the 23rd
    assert begin == datetime(2026, 11, 22, 16, tzinfo=UTC)
    assert end == datetime(2026, 11, 23, 16, tzinfo=UTC)
    berlin = ZoneInfo("Europe/Berlin")
    begin, end = day_of(datetime(2026, 3, 29, 12, tzinfo=UTC), berlin)
    assert (end - begin).total_seconds() == 23 * 3600


@pytest.mark.parametrize(
    ("latitude", "longitude"), [("91", "0"), ("0", "181"), ("x", "1"), ("1", ""), ("nan", "1")]
)
def test_place_that_is_none_is_refused(latitude: str, longitude: str) -> None:
    with pytest.raises(ValueError, match="is not a place"):
        read_place(latitude, longitude)


def test_place_may_be_left_open() -> None:
    assert read_place(" ", "") is None
    assert read_place("31.31", " 120.62 ") == (31.31, 120.62)
