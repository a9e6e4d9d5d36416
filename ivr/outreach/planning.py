"""What is planned of standing orders and greetings: a day at a time, as often as one likes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import structlog

from ivr.catalog import support
from ivr.config import PlanSettings, Settings
from ivr.outreach.hours import allowed_from, hours_of
from store import greetings, planned_calls, standing
from store.database import Store
from store.greetings import Greeted, Window
from store.models import Elder
from store.standing import Draft, Source

Allowed = Callable[[datetime], datetime]
"""The first moment from a time on at which an elder may be called."""

NEVER = datetime.max.replace(tzinfo=UTC)
"""Of an elder whose hours lie outside the site's: their calls expire."""

log = structlog.get_logger()


def plan(store: Store, settings: Settings, now: datetime) -> None:
    """Makes today's greetings, and the orders of today and the days after it.

    Raises StoreError.
    """
    today = now.astimezone(settings.zone).date()

    def draft(source: Source) -> Draft | None:
        return drafted(source, day, now, settings)

    def window(one: Greeted) -> Window | None:
        return greeting(one, today, now, settings)

    for ahead in range(settings.plan.days_ahead + 1):
        day = today + timedelta(days=ahead)
        if made := standing.plan_day(store, day, now, draft):
            log.info("orders of a day", day=str(day), made=made)
    if made := greetings.plan_day(store, today, now, window):
        log.info("greetings of a day", day=str(today), made=made)


def expire(store: Store, settings: Settings, now: datetime) -> None:
    """Gives up calls that are useless now, also while nobody is called. Raises StoreError."""
    if late := planned_calls.expire(store, now):
        log.info("too late to call", calls=late)


def drafted(source: Source, day: date, now: datetime, settings: Settings) -> Draft | None:
    """The order of a day, and when to call about it; None if it is too late for that day."""
    scheduled_for = on_day(day, source.at, settings.zone)
    if scheduled_for <= now:
        return None
    pay_fen = support(source.price_fen, source.support_class, settings.subsidised_percent)
    if source.calls_refused:
        return Draft(scheduled_for, pay_fen, None)
    call = confirming(scheduled_for, settings.zone, settings.plan, _allowed(source, settings))
    return Draft(scheduled_for, pay_fen, call.call_at, call.call_until)


def greeting(one: Greeted, day: date, now: datetime, settings: Settings) -> Window | None:
    """When somebody is greeted on a day; None if they want no calls, or it is too late."""
    at = on_day(day, one.plan.at, settings.zone)
    until = at + timedelta(minutes=settings.plan.greeting_minutes)
    if one.elder.calls_refused or until <= now:
        return None
    return Window(min(_allowed(one.elder, settings)(at), until), until)


def confirming(
    scheduled_for: datetime, zone: ZoneInfo, own: PlanSettings, allowed: Allowed
) -> Window:
    """When to ask whether a planned service is still wanted.

    On the day, a few hours before; where the calling hours leave less than one for that, from the
    afternoon before on. Who may not be called in that time is not called, and that is kept.
    """
    until = scheduled_for - timedelta(minutes=own.confirm_until_minutes)
    at = allowed(scheduled_for - timedelta(hours=own.confirm_hours))
    if until - at < timedelta(hours=1):
        day_before = scheduled_for.astimezone(zone).date() - timedelta(days=1)
        at = min(at, allowed(on_day(day_before, own.evening, zone)))
    return Window(min(at, until), until)


def on_day(day: date, clock: time, zone: ZoneInfo) -> datetime:
    """A time of a day as people say it; one that the clocks skip is as much after the gap."""
    return datetime.combine(day, clock, zone).astimezone(UTC)


def _allowed(elder: Elder | Source, settings: Settings) -> Allowed:
    hours = hours_of(elder.call_from, elder.call_to, elder.call_days, settings.follow_up)
    return lambda at: allowed_from(at, hours, settings.zone) or NEVER
