"""Times half said, on a Sunday at ten in the morning."""

from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.dialogue.times import Missing, Settled, agrees, corrected, settle
from ivr.understanding.when import Part, When

ZONE = ZoneInfo("Asia/Shanghai")
NOW = datetime(2026, 11, 22, 10, 0, tzinfo=ZONE)
TODAY, TOMORROW = date(2026, 11, 22), date(2026, 11, 23)


def at(when, now=NOW):
    found = settle(when, now, ask_part=False)
    return f"{found.at:%d %H:%M}" if isinstance(found, Settled) else found


@pytest.mark.parametrize(
    ("when", "moment"),
    [
        (When(day=TOMORROW), "23 09:00"),
        (When(day=TODAY), "22 14:00"),
        (When(part=Part.MORNING), "22 11:00"),
        (When(part=Part.EARLY), "23 08:00"),
        (When(day=TODAY, part=Part.EARLY), Missing.PAST),
        (When(clock=time(9)), "23 09:00"),
        (When(clock=time(3)), "22 15:00"),
        (When(clock=time(3), part=Part.NIGHT), "23 03:00"),
        (When(day=TODAY, clock=time(8)), "22 20:00"),
        (When(day=TODAY, clock=time(8), part=Part.EARLY), Missing.PAST),
        (When(day=TOMORROW, clock=time(9, 28)), "23 09:30"),
        (When(day=TOMORROW, clock=time(9, 59)), "23 09:55"),
        (When(day=date(2026, 11, 21)), Missing.PAST),
        (When(day=date(2027, 11, 21)), Missing.FAR),
        (When(asap=True), "22 10:00"),
        (When(), Missing.ALL),
        (None, Missing.ALL),
    ],
)
def test_moment_meant(when, moment):
    assert at(when) == moment


def test_rest_of_a_running_part_of_the_day():
    afternoon = NOW.replace(hour=15, minute=10)
    assert at(When(part=Part.AFTERNOON), afternoon) == "22 16:00"
    assert at(When(day=TODAY, part=Part.AFTERNOON), NOW.replace(hour=17, minute=40)) == Missing.PAST
    assert at(When(part=Part.AFTERNOON), NOW.replace(hour=17, minute=40)) == "23 14:00"
    assert at(When(day=TODAY), NOW.replace(hour=21)) == Missing.PAST


def test_part_is_asked_only_when_both_are_ahead():
    assert settle(When(day=TOMORROW), NOW, ask_part=True) is Missing.PART
    assert isinstance(settle(When(day=TODAY), NOW, ask_part=True), Settled)


@pytest.mark.parametrize(
    ("heard", "clock"),
    [
        (When(clock=time(8)), time(20)),
        (When(clock=time(8), part=Part.MORNING), time(8)),
        (When(day=TOMORROW), time(18)),
    ],
)
def test_correction_stays_in_the_evening(heard, clock):
    assert corrected(heard, When(day=TODAY, part=Part.EVENING, clock=time(18))).clock == clock


@pytest.mark.parametrize(
    ("heard", "same"),
    [
        (When(), True),
        (When(day=TOMORROW), True),
        (When(part=Part.MORNING), True),
        (When(clock=time(9, 30)), True),
        (When(day=TODAY), False),
        (When(part=Part.AFTERNOON), False),
        (When(clock=time(9)), False),
        (When(asap=True), False),
    ],
)
def test_saying_the_same_again_is_no_correction(heard, same):
    settled = When(day=TOMORROW, part=Part.MORNING, clock=time(9, 30))
    assert agrees(heard, settled) is same


def test_three_said_again_for_fifteen_hours_is_the_same():
    assert agrees(When(clock=time(3)), When(day=TOMORROW, clock=time(15)))


WHENS = st.builds(
    When,
    day=st.none() | st.dates(TODAY - timedelta(days=5), TODAY + timedelta(days=120)),
    part=st.none() | st.sampled_from(Part),
    clock=st.none() | st.times().map(lambda clock: clock.replace(second=0, microsecond=0)),
    asap=st.booleans(),
)
NOWS = st.datetimes(datetime(2026, 11, 1), datetime(2026, 12, 1)).map(lambda now: replace_zone(now))


def replace_zone(now):
    return now.replace(tzinfo=ZONE)


@given(WHENS, NOWS)
def test_what_is_settled_is_ahead_in_five_minutes_and_stays_settled(when, now):
    found = settle(when, now, ask_part=False)
    if not isinstance(found, Settled):
        return
    again = settle(found.when, now, ask_part=True)
    assert isinstance(again, Settled)
    assert again.at == found.at
    if not when.asap:
        assert found.at > now
        assert found.at.minute % 5 == 0
        assert when.day in (None, found.at.date())
        assert agrees(found.when, found.when)
