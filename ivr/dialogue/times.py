"""A time half said becoming a moment that can be booked, or the question that is missing."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from enum import StrEnum

from ivr.understanding.when import START_OF, Part, When

MAX_AHEAD = timedelta(days=90)
STEP_MINUTES = 5
"""Visits start on multiples of this; an odd minute heard is more likely a slip."""
NOTICE = timedelta(minutes=30)
"""The least time ahead when only a part of the running day was said."""

END_OF = {
    Part.EARLY: 9,
    Part.MORNING: 12,
    Part.NOON: 14,
    Part.AFTERNOON: 18,
    Part.EVENING: 21,
    Part.NIGHT: 24,
}
"""The hour at which a part of the day is over."""


class Missing(StrEnum):
    """Why a time cannot be booked yet."""

    ALL = "all"
    PART = "part"
    PAST = "past"
    FAR = "far"


@dataclass(frozen=True, slots=True)
class Settled:
    """A time that can be booked."""

    when: When
    """With day and clock filled in, unless it is as soon as possible."""
    at: datetime


def said(when: When | None) -> bool:
    """Whether anything of a time was said."""
    return when is not None and when != When()


def settle(when: When | None, now: datetime, *, ask_part: bool) -> Settled | Missing:
    """The moment meant. With `ask_part`, a day alone is not enough; otherwise morning is taken."""
    if when is None or when == When():
        return Missing.ALL
    if when.asap:
        return Settled(When(asap=True), now.replace(second=0, microsecond=0))
    if when.clock:
        at = _at_clock(when, when.clock, now)
    elif when.part:
        at = _in_part(when.day, when.part, now)
    else:
        first = _moment(when.day or now.date(), START_OF[Part.MORNING], now)
        if ask_part and now < first:
            return Missing.PART
        at = _on_day(when.day or now.date(), now)
    if at is None:
        return Missing.PAST
    if at > now + MAX_AHEAD:
        return Missing.FAR
    return Settled(replace(when, day=at.date(), clock=at.time()), at)


def corrected(heard: When, earlier: When | None) -> When:
    """What was heard, over what was said before; 八点 after 晚上六点 stays in the evening."""
    merged = heard.merged_into(earlier)
    before = earlier and (earlier.clock or (START_OF[earlier.part] if earlier.part else None))
    if before and before.hour >= 18 and heard.clock and not heard.part and heard.clock.hour < 12:
        return replace(merged, clock=heard.clock.replace(hour=heard.clock.hour + 12))
    return merged


def _moment(day: date, at: time, now: datetime) -> datetime:
    return datetime.combine(day, at, tzinfo=now.tzinfo)


def _at_clock(when: When, clock: time, now: datetime) -> datetime | None:
    minute = min(round(clock.minute / STEP_MINUTES) * STEP_MINUTES, 60 - STEP_MINUTES)
    clock = time(clock.hour, minute)
    afternoon = clock.replace(hour=clock.hour % 12 + 12)
    if when.part is None and 1 <= clock.hour <= 6:
        clock = afternoon  # nobody orders a visit for three at night without saying so
    at = _moment(when.day or now.date(), clock, now)
    if at > now:
        return at
    later = _moment(at.date(), afternoon, now)
    if when.day == now.date() and when.part is None and later > now:
        return later
    return at + timedelta(days=1) if when.day is None else None


def _in_part(day: date | None, part: Part, now: datetime) -> datetime | None:
    start = _moment(day or now.date(), START_OF[part], now)
    if start > now:
        return start
    end = _moment(start.date(), time(0), now) + timedelta(hours=END_OF[part])
    soon = now + NOTICE
    half_hour = soon.replace(minute=0, second=0, microsecond=0) + timedelta(
        minutes=30 if soon.minute < 30 else 60
    )
    if half_hour < end:
        return half_hour
    return start + timedelta(days=1) if day is None else None


def _on_day(day: date, now: datetime) -> datetime | None:
    starts = (
        _moment(day, START_OF[part], now) for part in (Part.MORNING, Part.AFTERNOON, Part.EVENING)
    )
    return next((start for start in starts if start > now), None)


def agrees(heard: When, settled: When | None) -> bool:
    """Whether what was heard says nothing else than the time already settled (对，明天上午)."""
    if heard == When():
        return True
    if settled is None or heard.asap or settled.asap:
        return settled is not None and heard.asap == settled.asap
    clock = settled.clock
    if heard.day and heard.day != settled.day:
        return False
    if clock is None:
        return heard.clock is None and heard.part == settled.part
    if heard.clock:
        same_dial = heard.part is None and heard.clock.hour % 12 == clock.hour % 12
        return heard.clock == clock or (same_dial and heard.clock.minute == clock.minute)
    return heard.part is None or START_OF[heard.part].hour <= clock.hour < END_OF[heard.part]
