"""When an elder may be called by us. Pure: times in, times out."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from ivr.config import FollowUpSettings


@dataclass(frozen=True, slots=True)
class Hours:
    """Calling hours of the site's day, the end not included; who has none is never called."""

    begin: time
    end: time
    days: str
    """ISO weekdays as digits, see StandingOrder.weekdays."""


def hours_of(
    call_from: time | None, call_to: time | None, call_days: str, own: FollowUpSettings
) -> Hours:
    """What an elder has asked for, as far as it is within the site's own hours and days."""
    begin = max(call_from or own.hours_from, own.hours_from)
    end = min(call_to or own.hours_to, own.hours_to)
    days = "".join(day for day in own.days if not call_days or day in call_days)
    return Hours(begin, end, days)


def is_allowed(at: datetime, hours: Hours, zone: ZoneInfo) -> bool:
    local = at.astimezone(zone)
    return str(local.isoweekday()) in hours.days and hours.begin <= local.time() < hours.end


def allowed_from(at: datetime, hours: Hours, zone: ZoneInfo) -> datetime | None:
    """The first moment from `at` on at which they may be called, in UTC; None: there is none.

    Hours that a change of the clocks takes away are left out, those it gives twice count twice.
    """
    if is_allowed(at, hours, zone):
        return at.astimezone(UTC)
    day = at.astimezone(zone).date()
    for ahead in range(9):  # the clocks may skip the hours of one day
        begin = datetime.combine(day + timedelta(days=ahead), hours.begin, zone)
        for once in (begin, begin.replace(fold=1)):  # or give them twice
            if once.astimezone(UTC) >= at and is_allowed(once.astimezone(UTC), hours, zone):
                return once.astimezone(UTC)
    return None
