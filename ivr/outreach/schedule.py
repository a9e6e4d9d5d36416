"""When somebody may be called, and when again. Pure: times in, times out."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from ivr.config import CallbackSettings
from ivr.outreach.hours import Hours, allowed_from

HOUR_S = 3600


def next_time(at: datetime, asked_at: datetime, zone: ZoneInfo, own: CallbackSettings) -> datetime:
    """The first moment from `at` on at which somebody may be called who asked at `asked_at`."""
    if at - asked_at < timedelta(minutes=own.awake_minutes):
        return at
    local = at.astimezone(zone)
    if local.time() < own.hours_from:
        return _on(local, own.hours_from, 0, zone)
    if local.time() >= own.hours_to:
        return _on(local, own.hours_from, 1, zone)
    return at


def retry_at(
    tries: int, at: datetime, asked_at: datetime, zone: ZoneInfo, own: CallbackSettings
) -> datetime | None:
    """When to call again after `tries` calls without an answer; None when it is given up."""
    if tries >= own.tries:
        return None
    wait_s = min(own.retry_most_s, own.retry_first_s * 2 ** max(0, tries - 1))
    return next_time(at + timedelta(seconds=wait_s), asked_at, zone, own)


def another_hour(
    at: datetime, dialled: Iterable[datetime], hours: Hours, zone: ZoneInfo
) -> datetime | None:
    """The first moment from `at` on that is allowed, and in an hour of the day in which nobody was
    dialled before; in any hour where they have all been tried. None: there is none at all."""
    tried = {one.astimezone(zone).hour for one in dialled}
    moment = first = allowed_from(at, hours, zone)
    for _ in range(24):
        if moment is None:
            return None
        local = moment.astimezone(zone)
        if local.hour not in tried:
            return moment
        over_s = local.minute * 60 + local.second + local.microsecond / 1e6
        moment = allowed_from(moment + timedelta(seconds=HOUR_S - over_s), hours, zone)
    return first


def _on(local: datetime, clock: time, days: int, zone: ZoneInfo) -> datetime:
    return datetime.combine(local.date() + timedelta(days=days), clock, zone)
