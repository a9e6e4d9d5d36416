"""What the supervisor is told of a day: by hand what the store should find."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import pytest

from store import callbacks, calls, follow_ups
from store.database import Store
from store.figures import Facts, Figures, Ring, Wait, figures, report
from store.models import Cause, Next, Outcome, Purpose, QueueEnd, QueueVisit, Wants

SITE = ZoneInfo("Asia/Shanghai")
DAY = date(2026, 11, 22)
PHONE = "051265123456"


def at(clock: str, day: date = DAY) -> datetime:
    return datetime.combine(day, datetime.strptime(clock, "%H:%M:%S").time(), SITE)


def after(moment: datetime, seconds: float) -> datetime:
    return moment + timedelta(seconds=seconds)


def rings(
    store: Store, clock: str, outcome: Outcome, next_step: Next, *, answered: bool = True
) -> UUID:
    """A call that the agent knows of, of one minute."""
    began = at(clock)
    call = calls.begin_call(store, uuid4(), PHONE, began).id
    if answered:
        calls.answer_call(store, call, after(began, 1))
    calls.end_call(store, call, outcome, next_step, after(began, 60))
    return call


def waits(
    store: Store,
    clock: str,
    call: UUID | None,
    seconds: float,
    how: QueueEnd,
    uniqueid: str = "",
) -> None:
    joined = at(clock)
    left = after(joined, seconds)
    with store.write() as session:
        session.add(
            QueueVisit(
                call_id=call,
                uniqueid=uniqueid or uuid4().hex,
                phone=PHONE,
                joined_at=joined,
                left_at=left,
                how=how,
                answered_at=left if how is QueueEnd.ANSWERED else None,
            )
        )


def day(store: Store) -> Figures:
    return report(store, DAY, DAY, SITE).whole


def test_a_day_without_calls_has_no_shares(store: Store) -> None:
    whole = day(store)
    assert (whole.calls, whole.answered_share, whole.reached_share) == (0, None, None)
    assert whole.wait_s(50) is None


def test_the_agents_own_share_leaves_out_whoever_needed_a_human(store: Store) -> None:
    rings(store, "09:00:00", Outcome.ORDERED, Next.HANGUP)
    rings(store, "09:10:00", Outcome.ORDERED, Next.HANGUP)
    to_human = rings(store, "09:20:00", Outcome.OPERATOR, Next.OPERATOR)
    waits(store, "09:21:00", to_human, 10, QueueEnd.ANSWERED)
    died = rings(store, "09:30:00", Outcome.ORDERED, Next.HANGUP)
    waits(store, "09:31:00", died, 30, QueueEnd.ANSWERED)
    whole = day(store)
    assert (whole.calls, whole.answered, whole.in_time, whole.agent_alone) == (4, 4, 4, 2)
    assert whole.agent_share == 0.5
    assert (whole.queued, whole.queue_answered, whole.queue_in_time) == (2, 2, 1)
    assert whole.waits_s == (10.0, 30.0)


def test_callers_whom_the_agent_never_saw_are_counted_by_their_wait(store: Store) -> None:
    waits(store, "10:00:00", uuid4(), 12, QueueEnd.ANSWERED)
    waits(store, "10:01:00", None, 20, QueueEnd.ANSWERED)
    waits(store, "10:02:00", uuid4(), 45, QueueEnd.ABANDONED)
    whole = day(store)
    assert (whole.calls, whole.answered, whole.in_time) == (3, 2, 1)
    assert whole.gave_up_share == pytest.approx(1 / 3)


def test_one_caller_put_into_the_queue_twice_waited_once(store: Store) -> None:
    call = rings(store, "11:00:00", Outcome.OPERATOR, Next.OPERATOR)
    waits(store, "11:01:00", call, 20, QueueEnd.FAILED, "1.1")
    waits(store, "11:01:30", call, 10, QueueEnd.ANSWERED, "1.1")
    whole = day(store)
    assert (whole.calls, whole.queued, whole.gave_up) == (1, 1, 0)
    assert whole.waits_s == (40.0,)


def test_calls_that_the_house_makes_are_not_calls_to_it(store: Store) -> None:
    asked = at("12:00:00")
    callbacks.ask(store, PHONE, cause=Cause.ASKED, wants=Wants.AGENT, at=asked)
    claimed = callbacks.claim(store, 1, "here", after(asked, 60))
    assert claimed is not None and claimed.attempt_id is not None
    assert callbacks.done(store, claimed.attempt_id, after(asked, 90))
    calls.begin_call(store, claimed.attempt_id, PHONE, after(asked, 70))
    calls.answer_call(store, claimed.attempt_id, after(asked, 71))
    waits(store, "12:02:00", claimed.attempt_id, 3, QueueEnd.ANSWERED)
    whole = day(store)
    assert (whole.calls, whole.callbacks, whole.reached) == (0, 1, 1)


def test_elder_whom_we_ask_for_a_rating_does_not_call_us_even_if_they_want_a_human(
    store: Store,
) -> None:
    began = at("12:00:00")
    with store.write() as session:
        follow_ups.plan(session, "greeting:1:1", Purpose.GREETING, PHONE, at=began, due_at=began)
        (claimed,) = follow_ups.claim(session, [1], "here", began)
    assert claimed.attempt_id is not None
    calls.begin_call(store, claimed.attempt_id, PHONE, after(began, 10))
    calls.end_call(store, claimed.attempt_id, Outcome.OPERATOR, Next.OPERATOR, after(began, 40))
    waits(store, "12:00:40", claimed.attempt_id, 5, QueueEnd.ANSWERED)
    whole = day(store)
    assert (whole.calls, whole.queued, whole.queue_answered) == (0, 1, 1)


def test_who_was_served_before_the_call_back_needed_none(store: Store) -> None:
    began = at("13:00:00")
    callbacks.ask(store, PHONE, cause=Cause.ABANDONED, wants=Wants.OPERATOR, at=began)
    call = calls.begin_call(store, uuid4(), PHONE, after(began, 60)).id
    calls.end_call(store, call, Outcome.ORDERED, Next.HANGUP, after(began, 120))
    assert len(callbacks.close_served(store, after(began, 130))) == 1
    callbacks.ask(store, "13812345678", cause=Cause.ASKED, wants=Wants.AGENT, at=began)
    claimed = callbacks.claim(store, 2, "here", after(began, 60))
    assert claimed is not None and claimed.attempt_id is not None
    assert callbacks.missed(store, claimed.attempt_id, after(began, 90), "no answer", None)
    whole = day(store)
    assert (whole.callbacks, whole.reached, whole.not_reached) == (1, 0, 1)
    assert whole.reached_share == 0.0


def test_hours_and_days_are_those_of_the_site(store: Store) -> None:
    rings(store, "00:05:00", Outcome.ORDERED, Next.HANGUP)  # still the day before in UTC
    rings(store, "23:59:59", Outcome.ABANDONED, Next.HANGUP)
    began = at("08:00:00", DAY + timedelta(days=1))
    calls.begin_call(store, uuid4(), PHONE, began)
    found = report(store, DAY - timedelta(days=1), DAY, SITE)
    assert list(found.days) == [DAY - timedelta(days=1), DAY]
    assert [figures.calls for figures in found.days.values()] == [0, 2]
    assert [hour for hour, part in enumerate(found.hours) if part.calls] == [0, 23]
    assert len(found.hours) == 24
    assert found.whole.calls == sum(part.calls for part in found.hours) == 2


def test_a_period_that_ends_before_it_begins_is_refused(store: Store) -> None:
    with pytest.raises(ValueError, match="before"):
        report(store, DAY, DAY - timedelta(days=1), SITE)


def test_fifteen_seconds_are_in_time_and_the_nearest_rank_is_a_wait_that_was() -> None:
    moment = at("09:00:00")
    found = figures(
        Facts(
            rings=(Ring(moment, 15.0, True), Ring(moment, 15.5, False), Ring(moment, None, False)),
            waits=tuple(Wait(moment, float(n), False) for n in (40, 10, 30, 20)),
        )
    )
    assert (found.answered, found.in_time) == (2, 1)
    assert [found.wait_s(p) for p in (0, 25, 50, 90, 100)] == [10, 10, 20, 40, 40]
