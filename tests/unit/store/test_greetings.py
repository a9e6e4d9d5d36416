"""Greetings of a day, and elders who did not answer theirs."""

from __future__ import annotations

from datetime import date, time, timedelta
from uuid import UUID

import pytest
from sample_order import NOW
from sqlmodel import select

from store import care_alerts, elders, follow_ups, greetings, operators
from store.database import Store
from store.elders import Registration
from store.follow_ups import Again, GiveUp, InVain
from store.greetings import Window
from store.models import (
    FollowUp,
    FollowUpEnd,
    FollowUpState,
    GreetingPlan,
    Purpose,
    Role,
)

SUNDAY = date(2026, 11, 22)
WINDOW = Window(NOW, NOW + timedelta(hours=3))


@pytest.fixture
def elder_id(store: Store) -> int:
    new = Registration("13812345678", "王秀英", "干将路12号", high_risk=True)
    return elders.register(store, new).elder.id or 0


def daily(elder_id: int, weekdays: str = "1234567") -> GreetingPlan:
    return GreetingPlan(elder_id=elder_id, phone="13812345678", weekdays=weekdays, at=time(9))


def only(store: Store) -> FollowUp:
    with store.read() as session:
        return session.exec(select(FollowUp)).one()


def dial(store: Store) -> UUID:
    row = only(store)
    with store.write() as session:
        (claimed,) = follow_ups.claim(session, [row.id or 0], "test", NOW)
    assert claimed.attempt_id is not None
    return claimed.attempt_id


def test_greeting_is_planned_once_a_day(store: Store, elder_id: int) -> None:
    plan = greetings.put(store, daily(elder_id))
    assert greetings.plan_day(store, SUNDAY, NOW, lambda one: WINDOW) == 1
    assert greetings.plan_day(store, SUNDAY, NOW, lambda one: WINDOW) == 0
    row = only(store)
    assert (row.key, row.purpose) == (f"greeting:{plan.id}:2026-11-22", Purpose.GREETING)
    assert (row.elder_id, row.phone, row.due_at) == (elder_id, "13812345678", NOW)
    assert row.expires_at == NOW + timedelta(hours=3)
    assert greetings.plan_day(store, SUNDAY + timedelta(days=1), NOW, lambda one: WINDOW) == 1


def test_nobody_is_greeted_on_other_days(store: Store, elder_id: int) -> None:
    greetings.put(store, daily(elder_id, "123456"))
    assert greetings.plan_day(store, SUNDAY, NOW, lambda one: WINDOW) == 0


def test_new_arrangement_replaces_the_one_before(store: Store, elder_id: int) -> None:
    first = greetings.put(store, daily(elder_id, "1"))
    assert greetings.put(store, daily(elder_id, "2")).id == first.id
    assert [row.plan.weekdays for row in greetings.listed(store)] == ["2"]


def test_stopping_also_takes_back_the_greeting_of_today(store: Store, elder_id: int) -> None:
    plan = greetings.put(store, daily(elder_id))
    assert plan.id is not None
    greetings.plan_day(store, SUNDAY, NOW, lambda one: WINDOW)
    assert greetings.stop(store, plan.id, NOW) is not None
    assert only(store).end is FollowUpEnd.CANCELLED
    assert greetings.stop(store, plan.id, NOW) is None
    assert greetings.listed(store) == []


def test_who_did_not_answer_twice_is_looked_after_until_somebody_says_how_they_are(
    store: Store, elder_id: int
) -> None:
    greetings.put(store, daily(elder_id))
    greetings.plan_day(store, SUNDAY, NOW, lambda one: WINDOW)
    attempt = dial(store)
    with store.write() as session:
        (_, open) = follow_ups.of_attempts(session, [attempt])[attempt]
        follow_ups.missed(session, [InVain(open, NOW, "no answer", Again(NOW))])
    assert care_alerts.open_worries(store) == ()
    attempt = dial(store)
    with store.write() as session:
        end = GiveUp(FollowUpEnd.NO_ANSWER)
        (_, open) = follow_ups.of_attempts(session, [attempt])[attempt]
        follow_ups.missed(session, [InVain(open, NOW, "no answer", end)])
    assert only(store).state is FollowUpState.GIVEN_UP
    (worry,) = care_alerts.open_worries(store)
    assert (worry.name, worry.address, worry.tries) == ("王秀英", "干将路12号", 2)
    assert (worry.high_risk, worry.phone, worry.raised_at) == (True, "13812345678", NOW)

    by = operators.add(store, "wang", "王小红", Role.OPERATOR, "hash", "secret").id or 0
    later = NOW + timedelta(hours=1)
    assert care_alerts.close(store, worry.id, by, later, "was at her daughter's") is not None
    assert care_alerts.close(store, worry.id, by, later, "again") is None
    assert care_alerts.open_worries(store) == ()
    (past,) = care_alerts.past_worries(store, 10)
    assert (past.closed_by, past.detail) == ("王小红", "was at her daughter's")
