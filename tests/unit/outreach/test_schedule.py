from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from ivr.config import CallbackSettings
from ivr.outreach.schedule import next_time, retry_at

ZONE = ZoneInfo("Asia/Shanghai")
OWN = CallbackSettings(
    hours_from=time(8),
    hours_to=time(20),
    awake_minutes=30,
    tries=4,
    retry_first_s=120,
    retry_most_s=300,
)


def local(day: int, hour: int, minute: int = 0) -> datetime:
    return datetime(2026, 11, day, hour, minute, tzinfo=ZONE)


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        (local(22, 12), local(22, 12)),
        (local(22, 8), local(22, 8)),
        (local(22, 7, 59), local(22, 8)),
        (local(22, 20), local(23, 8)),
        (local(22, 23), local(23, 8)),
        (local(30, 23), datetime(2026, 12, 1, 8, tzinfo=ZONE)),
    ],
)
def test_nobody_is_called_outside_the_hours(now: datetime, expected: datetime) -> None:
    long_ago = now - timedelta(hours=5)
    assert next_time(now, long_ago, ZONE, OWN) == expected


def test_hours_are_those_of_the_site_and_not_of_the_machine() -> None:
    at_noon_in_london = datetime(2026, 11, 22, 12, 30, tzinfo=UTC)  # 20:30 in Shanghai
    assert next_time(at_noon_in_london, local(22, 9), ZONE, OWN) == local(23, 8)


def test_one_who_has_just_asked_is_awake() -> None:
    assert next_time(local(22, 23), local(22, 22, 45), ZONE, OWN) == local(22, 23)
    assert next_time(local(22, 23), local(22, 22, 30), ZONE, OWN) == local(23, 8)


def test_tries_are_further_and_further_apart_and_then_end() -> None:
    noon, morning = local(22, 12), local(22, 9)
    waits = []
    for tries in range(1, 4):
        again = retry_at(tries, noon, morning, ZONE, OWN)
        assert again is not None
        waits.append((again - noon).total_seconds())
    assert waits == [120, 240, 300]
    assert retry_at(4, noon, morning, ZONE, OWN) is None


def test_try_that_would_be_in_the_night_is_made_in_the_morning() -> None:
    assert retry_at(1, local(22, 19, 59), local(22, 9), ZONE, OWN) == local(23, 8)


def test_hours_that_do_not_follow_each_other_are_refused() -> None:
    with pytest.raises(ValueError, match="hours_from is not before hours_to"):
        CallbackSettings(hours_from=time(20), hours_to=time(8))
