"""What is done about follow-ups, as their elders experience it."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from ivr.config import FollowUpSettings, OutboundSettings
from ivr.outreach.line import for_follow_ups, free_calls
from ivr.outreach.next_step import Miss, another_try, decide, in_writing
from store.follow_ups import Again, Due, GiveUp, Message, Next
from store.models import FollowUpEnd, Purpose

ZONE = ZoneInfo("Asia/Shanghai")
OWN = FollowUpSettings()
MOBILE, LANDLINE = "13812345678", "051265123456"


def local(day: int, hour: int, minute: int = 0) -> datetime:
    return datetime(2026, 11, day, hour, minute, tzinfo=ZONE)


def follow_up(
    purpose: Purpose = Purpose.RATING,
    *,
    tries: int = 0,
    phone: str = LANDLINE,
    created: datetime | None = None,
    expires: datetime | None = None,
) -> Due:
    return Due(1, purpose, phone, created or local(20, 9), expires, tries)


def missed(
    how: Miss,
    *dialled: datetime,
    purpose: Purpose = Purpose.RATING,
    sms: str = "",
    expires: datetime | None = None,
) -> Next:
    due = follow_up(purpose, tries=len(dialled), expires=expires)
    again = another_try(how, due, dialled, dialled[-1], OWN, ZONE)
    return again or in_writing(how, due, sms, "满意吗？", dialled[-1], OWN)


def test_nobody_is_called_outside_their_own_hours() -> None:
    late = follow_up()._replace(call_from=time(14), call_to=time(16), call_days="1")  # Mondays only
    tick = decide([late], local(23, 16), 5, (), OWN, ZONE)  # a Monday
    assert tick.dial == [] and tick.put_off == [(late, local(30, 14))]
    assert decide([late], local(23, 15, 59), 5, (), OWN, ZONE).dial == [late]


def test_an_elder_is_asked_a_while_after_the_service() -> None:
    one = follow_up(created=local(22, 10))
    assert decide([one], local(22, 10), 5, (), OWN, ZONE).put_off == [(one, local(22, 11))]


def test_there_are_never_more_calls_than_lines_and_one_for_each_number() -> None:
    phones = [MOBILE, MOBILE, LANDLINE, "13900000001"]
    rows = [follow_up(phone=phone) for phone in phones]
    assert [row.phone for row in decide(rows, local(22, 10), 2, (), OWN, ZONE).dial] == [
        MOBILE,
        LANDLINE,
    ]
    assert decide(rows, local(22, 10), 9, (MOBILE,), OWN, ZONE).dial == [
        rows[2],
        rows[3],
    ]


def test_who_wants_no_calls_gets_none() -> None:
    rating, plan, greeting = (follow_up(one)._replace(calls_refused=True) for one in Purpose)
    tick = decide([rating, plan, greeting], local(22, 10), 9, (), OWN, ZONE)
    assert tick.write == [rating]
    assert tick.give_up == [(greeting, FollowUpEnd.REFUSED)]
    assert tick.dial == [plan]  # they want the service


def test_who_can_never_be_called_is_given_up() -> None:
    never = follow_up()._replace(call_from=time(20), call_to=time(21))
    tick = decide([never], local(22, 10), 9, (), OWN, ZONE)
    assert tick.give_up == [(never, FollowUpEnd.REFUSED)]


@pytest.mark.parametrize(("tries", "end"), [(0, FollowUpEnd.EXPIRED), (1, FollowUpEnd.NO_ANSWER)])
def test_a_call_that_would_come_too_late_is_not_made(tries: int, end: FollowUpEnd) -> None:
    early = follow_up(Purpose.PLAN, tries=tries, expires=local(23, 8))
    assert decide([early], local(22, 20), 9, (), OWN, ZONE).give_up == [(early, end)]


def test_three_tries_are_in_different_hours_then_they_are_written_to() -> None:
    dialled = [local(22, 10, 5)]
    for _ in range(2):
        again = missed(Miss.NO_ANSWER, *dialled, sms=MOBILE)
        assert isinstance(again, Again)
        dialled.append(again.at)
    assert len({one.astimezone(ZONE).hour for one in dialled}) == 3
    after = missed(Miss.NO_ANSWER, *dialled, sms=MOBILE)
    assert after == Message(MOBILE, "满意吗？", dialled[-1] + timedelta(hours=OWN.reply_hours))
    assert missed(Miss.NO_ANSWER, *dialled) == GiveUp(FollowUpEnd.NO_ANSWER)


def test_late_tries_go_on_the_next_day_at_another_hour() -> None:
    assert missed(Miss.NO_ANSWER, local(21, 9, 30), local(22, 18)) == Again(local(23, 10))


def test_a_busy_line_is_tried_again_sooner() -> None:
    assert missed(Miss.BUSY, local(22, 10, 50)) == Again(local(22, 11, 10))
    assert missed(Miss.BUSY, local(22, 10, 5)) == Again(local(22, 11))


def test_who_will_not_take_the_call_is_written_to_and_not_called_again() -> None:
    assert isinstance(missed(Miss.REFUSED, local(22, 10), sms=LANDLINE), Message)
    assert missed(Miss.REFUSED, local(22, 10)) == GiveUp(FollowUpEnd.REFUSED)


@pytest.mark.parametrize(
    ("how", "end"),
    [
        (Miss.WRONG_PERSON, FollowUpEnd.WRONG_PERSON),
        (Miss.BAD_NUMBER, FollowUpEnd.BAD_NUMBER),
    ],
)
def test_a_stranger_is_left_in_peace(how: Miss, end: FollowUpEnd) -> None:
    assert missed(how, local(22, 10), sms=LANDLINE) == GiveUp(end)  # the same number
    elsewhere = missed(how, local(22, 10), sms=MOBILE)
    assert isinstance(elsewhere, Message) and elsewhere.phone == MOBILE


def test_a_machine_is_called_again_another_time() -> None:
    assert missed(Miss.MACHINE, local(22, 10), sms=MOBILE) == Again(local(22, 12, 30))


def test_an_elder_alone_is_called_again_soon_and_then_looked_for() -> None:
    ends = local(22, 12)
    first = missed(Miss.NO_ANSWER, local(22, 9), purpose=Purpose.GREETING, expires=ends)
    assert first == Again(local(22, 9, 30))
    both = (local(22, 9), local(22, 9, 30))
    second = missed(Miss.NO_ANSWER, *both, purpose=Purpose.GREETING, sms=MOBILE, expires=ends)
    assert second == GiveUp(FollowUpEnd.NO_ANSWER)


def test_a_planned_service_is_not_asked_about_when_it_is_due() -> None:
    again = missed(
        Miss.NO_ANSWER, local(22, 9, 45), purpose=Purpose.PLAN, sms=MOBILE, expires=local(22, 10)
    )
    assert again == GiveUp(FollowUpEnd.NO_ANSWER)


def test_lines_are_always_left_for_callers() -> None:
    own = OutboundSettings(max_calls=10, lines=8, spare_lines=3)
    assert [free_calls(own, 0, used) for used in (0, 4, 5, 8)] == [5, 1, 0, -3]
    assert free_calls(OutboundSettings(max_calls=2), 2, 50) == 0
    site = FollowUpSettings(max_calls=3, spare_agent=2)
    assert for_follow_ups(site, 1, 5, 9) == 2
    assert for_follow_ups(site, 0, 1, 9) == 1
    assert for_follow_ups(site, 0, 5, 3) == 1
    assert for_follow_ups(site, 0, -3, 9) == 0
    assert for_follow_ups(site, 0, 5, None) == 0  # operators do not do it
