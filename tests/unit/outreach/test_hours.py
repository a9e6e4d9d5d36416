from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.config import FollowUpSettings
from ivr.outreach.hours import Hours, allowed_from, hours_of, is_allowed

SHANGHAI = ZoneInfo("Asia/Shanghai")
BERLIN = ZoneInfo("Europe/Berlin")  # a zone whose clocks change
SITE = FollowUpSettings(hours_from=time(9), hours_to=time(19), days="123456")


def local(day: int, hour: int, minute: int = 0) -> datetime:
    """Of November 2026, in which the 22nd is a Sunday."""
    return datetime(2026, 11, day, hour, minute, tzinfo=SHANGHAI)


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        (local(23, 12), local(23, 12)),
        (local(23, 8, 59), local(23, 9)),
        (local(23, 19), local(24, 9)),
        (local(21, 19), local(23, 9)),  # nobody is called on Sunday
        (local(22, 12), local(23, 9)),
        (datetime(2026, 11, 23, 11, 30, tzinfo=UTC), local(24, 9)),  # 19:30 at the site
    ],
)
def test_elder_without_wishes_is_called_in_the_hours_of_the_site(
    at: datetime, expected: datetime
) -> None:
    assert allowed_from(at, hours_of(None, None, "", SITE), SHANGHAI) == expected


def test_elder_is_called_when_they_want_and_never_outside_the_hours_of_the_site() -> None:
    hours = hours_of(time(14), time(21), "27", SITE)
    assert hours == Hours(time(14), time(19), "2")
    assert allowed_from(local(23, 12), hours, SHANGHAI) == local(24, 14)


@pytest.mark.parametrize(("begin", "end", "days"), [(time(20), None, ""), (None, None, "7")])
def test_elder_whose_hours_are_none_of_the_site_is_never_called(
    begin: time | None, end: time | None, days: str
) -> None:
    assert allowed_from(local(23, 12), hours_of(begin, end, days, SITE), SHANGHAI) is None


def test_hours_begin_by_the_clock_on_the_wall_when_the_clocks_change() -> None:
    hours = Hours(time(9), time(19), "1234567")
    before = datetime(2026, 10, 24, 20, tzinfo=BERLIN)
    begin = allowed_from(before, hours, BERLIN)
    assert begin is not None and begin.astimezone(BERLIN).time() == time(9)
    assert begin - before.astimezone(UTC) == timedelta(hours=14)  # the night has an hour more


def test_hours_that_the_clocks_skip_are_those_of_the_next_day() -> None:
    night = Hours(time(2), time(2, 45), "1234567")
    skipped = datetime(2026, 3, 29, 1, 30, tzinfo=BERLIN)
    begin = allowed_from(skipped, night, BERLIN)
    assert begin == datetime(2026, 3, 30, 2, tzinfo=BERLIN)


@given(
    at=st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 31), timezones=st.just(UTC)),
    begin=st.times(),
    end=st.times(),
    days=st.sets(st.sampled_from("1234567"), min_size=1),
    zone=st.sampled_from((SHANGHAI, BERLIN, ZoneInfo("America/New_York"), UTC)),
)
def test_first_moment_is_always_allowed_and_no_earlier_minute_is(
    at: datetime, begin: time, end: time, days: set[str], zone: ZoneInfo
) -> None:
    hours = Hours(begin, end, "".join(sorted(days)))
    found = allowed_from(at, hours, zone)
    if found is None:
        later = (at + timedelta(minutes=15 * n) for n in range(8 * 96))
        assert not any(is_allowed(one, hours, zone) for one in later)
        return
    assert found >= at and is_allowed(found, hours, zone)
    between = int((found - at) / timedelta(minutes=15))
    assert not any(is_allowed(at + timedelta(minutes=15 * n), hours, zone) for n in range(between))
