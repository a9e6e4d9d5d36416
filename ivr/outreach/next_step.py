"""What is done about a follow-up: now, and after a call that came to nothing. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from ivr.config import FollowUpSettings
from ivr.outreach.hours import allowed_from, hours_of
from ivr.outreach.schedule import another_hour
from store.follow_ups import Again, Attempted, Due, GiveUp, Message, Next
from store.models import FollowUp, FollowUpEnd, Purpose


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


@dataclass(slots=True)
class Tick:
    """What to do at one moment."""

    dial: list[FollowUp] = field(default_factory=list)
    put_off: list[tuple[FollowUp, datetime]] = field(default_factory=list)
    give_up: list[tuple[FollowUp, FollowUpEnd]] = field(default_factory=list)
    write: list[FollowUp] = field(default_factory=list)
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
        row, first = one.follow_up, earliest(one, at, own, zone)
        if one.calls_refused and row.purpose is Purpose.RATING:
            tick.write.append(row)
        elif first is None or (one.calls_refused and row.purpose is Purpose.GREETING):
            tick.give_up.append((row, FollowUpEnd.REFUSED))
        elif end := _too_late(row, first):
            tick.give_up.append((row, end))
        elif first > at:
            tick.put_off.append((row, first))
        elif len(tick.dial) < room and row.phone not in called:
            called.add(row.phone)
            tick.dial.append(row)
    return tick


def earliest(due: Due, at: datetime, own: FollowUpSettings, zone: ZoneInfo) -> datetime | None:
    """When somebody may be called, from `at` on: in their hours, and a while after the service.
    None: never."""
    row = due.follow_up
    moment = at
    if row.purpose is Purpose.RATING and not row.tries:
        moment = max(at, row.created_at + timedelta(minutes=own.after_minutes))
    hours = hours_of(due.call_from, due.call_to, due.call_days, own)
    return allowed_from(moment, hours, zone)


def after_miss(
    miss: Miss, tried: Attempted, at: datetime, text: str, own: FollowUpSettings, zone: ZoneInfo
) -> Next:
    """What is done after a call that came to nothing; `text` is what to ask in a message."""
    row = tried.follow_up
    elsewhere = tried.sms_phone if tried.sms_phone != row.phone else ""
    match miss:
        case Miss.WRONG_PERSON:
            return _written(row, elsewhere, FollowUpEnd.WRONG_PERSON, at, text, own)
        case Miss.BAD_NUMBER | Miss.FORBIDDEN:
            return _written(row, elsewhere, FollowUpEnd.BAD_NUMBER, at, text, own)
        case Miss.REFUSED if row.purpose is Purpose.RATING:
            return _written(row, tried.sms_phone, FollowUpEnd.REFUSED, at, text, own)
    most = own.greeting_tries if row.purpose is Purpose.GREETING else own.tries
    if row.tries < most:
        again = _again(miss, tried, at, own, zone)
        if again is not None and _too_late(row, again) is None:
            return Again(again)
    return _written(row, tried.sms_phone, FollowUpEnd.NO_ANSWER, at, text, own)


def _again(
    miss: Miss, tried: Attempted, at: datetime, own: FollowUpSettings, zone: ZoneInfo
) -> datetime | None:
    hours = hours_of(tried.call_from, tried.call_to, tried.call_days, own)
    if tried.follow_up.purpose is not Purpose.RATING:
        return allowed_from(at + timedelta(minutes=own.soon_minutes), hours, zone)
    minutes = own.busy_minutes if miss is Miss.BUSY else own.apart_minutes
    return another_hour(at + timedelta(minutes=minutes), tried.dialled, hours, zone)


def _written(
    row: FollowUp, phone: str, end: FollowUpEnd, at: datetime, text: str, own: FollowUpSettings
) -> Next:
    """Only a rating can wait for the answer to a message."""
    if row.purpose is Purpose.RATING and phone:
        return Message(phone, text, at + timedelta(hours=own.reply_hours))
    return GiveUp(end)


def _too_late(row: FollowUp, at: datetime) -> FollowUpEnd | None:
    """The end of one that cannot be called before `at`, if that is too late."""
    if row.expires_at is None or at < row.expires_at:
        return None
    return FollowUpEnd.NO_ANSWER if row.tries else FollowUpEnd.EXPIRED
