"""When somebody may be called, and when again. Pure: times in, times out."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from ivr.config import CallbackSettings


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


def _on(local: datetime, clock: time, days: int, zone: ZoneInfo) -> datetime:
    return datetime.combine(local.date() + timedelta(days=days), clock, zone)
