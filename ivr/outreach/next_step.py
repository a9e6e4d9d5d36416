"""What is done about a follow-up: now, and after a call that came to nothing. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from ivr.config import FollowUpSettings
from ivr.outreach.hours import allowed_from, hours_of
from ivr.outreach.schedule import another_hour
from store.follow_ups import Again, Due, GiveUp, Message
from store.models import FollowUpEnd, Purpose


class Miss(StrEnum):
    """How a call came to nothing; the words are kept with the follow-up."""

    NO_ANSWER = "no answer"
    BUSY = "busy"
    REFUSED = "refused"
    """They saw that we call, and did not want to talk."""
    MACHINE = "machine"
    CUT_OFF = "cut off"
    """They answered, and nothing was settled."""
    NOT_NOW = "not now"
    """They have asked us to call another time."""
    WRONG_PERSON = "wrong person"
    BAD_NUMBER = "no such number"
    FORBIDDEN = "outbound.numbers does not allow this number"


_LAST: Mapping[Miss, FollowUpEnd] = {
    Miss.WRONG_PERSON: FollowUpEnd.WRONG_PERSON,
    Miss.BAD_NUMBER: FollowUpEnd.BAD_NUMBER,
    Miss.FORBIDDEN: FollowUpEnd.BAD_NUMBER,
}
"""After these the same number is neither called nor written to any more."""


@dataclass(slots=True)
class Tick:
    """What to do at one moment."""

    dial: list[Due] = field(default_factory=list)
    put_off: list[tuple[Due, datetime]] = field(default_factory=list)
    give_up: list[tuple[Due, FollowUpEnd]] = field(default_factory=list)
    write: list[Due] = field(default_factory=list)
    """Who wants no calls is asked by SMS, if that is possible."""


def decide(
    due: Iterable[Due],
    at: datetime,
    room: int,
    engaged: Collection[str],
    own: FollowUpSettings,
    zone: ZoneInfo,
) -> Tick:
    """What to do with those of `due`, in their order; at most `room` are dialled.

    `engaged` are numbers being called already: nobody is called twice at a time.
    """
    tick = Tick()
    called = set(engaged)
    for one in due:
        first = earliest(one, at, own, zone)
        if one.calls_refused and one.purpose is Purpose.RATING:
            tick.write.append(one)
        elif first is None or (one.calls_refused and one.purpose is Purpose.GREETING):
            tick.give_up.append((one, FollowUpEnd.REFUSED))
        elif end := _too_late(one, first):
            tick.give_up.append((one, end))
        elif first > at:
            tick.put_off.append((one, first))
        elif len(tick.dial) < room and one.phone not in called:
            called.add(one.phone)
            tick.dial.append(one)
    return tick


def earliest(due: Due, at: datetime, own: FollowUpSettings, zone: ZoneInfo) -> datetime | None:
    """When somebody may be called, from `at` on: in their hours, and a while after the service.
    None: never."""
    moment = at
    if due.purpose is Purpose.RATING and not due.tries:
        moment = max(at, due.created_at + timedelta(minutes=own.after_minutes))
    hours = hours_of(due.call_from, due.call_to, due.call_days, own)
    return allowed_from(moment, hours, zone)


def another_try(
    miss: Miss,
    due: Due,
    dialled: Iterable[datetime],
    at: datetime,
    own: FollowUpSettings,
    zone: ZoneInfo,
) -> Again | None:
    """When somebody is called again after a call that came to nothing, with tries at the times
    `dialled`; None: no more."""
    if _end_of(miss, due) is not FollowUpEnd.NO_ANSWER:
        return None
    most = own.greeting_tries if due.purpose is Purpose.GREETING else own.tries
    if due.tries >= most:
        return None
    again = _again(miss, due, dialled, at, own, zone)
    return Again(again) if again is not None and _too_late(due, again) is None else None


def in_writing(
    miss: Miss, due: Due, phone: str, text: str, at: datetime, own: FollowUpSettings
) -> Message | GiveUp:
    """What is done when there is no other try: only a rating can wait for the answer to a message.

    `phone` is where `text` can be sent, empty if nowhere.
    """
    if miss in _LAST and phone == due.phone:
        phone = ""
    if due.purpose is Purpose.RATING and phone:
        return Message(phone, text, at + timedelta(hours=own.reply_hours))
    return GiveUp(_end_of(miss, due))


def _end_of(miss: Miss, due: Due) -> FollowUpEnd:
    """The end of one that is not tried again."""
    if miss is Miss.REFUSED and due.purpose is Purpose.RATING:
        return FollowUpEnd.REFUSED
    return _LAST.get(miss, FollowUpEnd.NO_ANSWER)


def _again(
    miss: Miss,
    due: Due,
    dialled: Iterable[datetime],
    at: datetime,
    own: FollowUpSettings,
    zone: ZoneInfo,
) -> datetime | None:
    hours = hours_of(due.call_from, due.call_to, due.call_days, own)
    if due.purpose is not Purpose.RATING:
        return allowed_from(at + timedelta(minutes=own.soon_minutes), hours, zone)
    minutes = own.busy_minutes if miss is Miss.BUSY else own.apart_minutes
    return another_hour(at + timedelta(minutes=minutes), dialled, hours, zone)


def _too_late(row: Due, at: datetime) -> FollowUpEnd | None:
    """The end of one that cannot be called before `at`, if that is too late."""
    if row.expires_at is None or at < row.expires_at:
        return None
    return FollowUpEnd.NO_ANSWER if row.tries else FollowUpEnd.EXPIRED
