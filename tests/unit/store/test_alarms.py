"""Calls for help in the store."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import uuid4

from store import alarms
from store.database import Store

RAISED = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
LATER = RAISED + timedelta(seconds=7)


def test_alarm_is_one_however_often_it_is_told(store: Store) -> None:
    call = uuid4()
    first = alarms.raise_alarm(store, call, "051265123456", RAISED)
    again = alarms.raise_alarm(store, call, "051265123456", LATER)
    assert again.id == first.id
    assert [alarm.raised_at for alarm in alarms.open_alarms(store)] == [RAISED]


def test_first_to_answer_is_kept(store: Store) -> None:
    call = uuid4()
    alarms.raise_alarm(store, call, "051265123456", RAISED)
    alarms.answer_alarm(store, call, "op101", LATER)
    alarms.answer_alarm(store, call, "op102", LATER + timedelta(minutes=1))
    [alarm] = alarms.open_alarms(store)
    assert (alarm.answered_by, alarm.answered_at) == ("op101", LATER)


def test_answer_that_is_told_before_the_alarm_waits_for_it(store: Store) -> None:
    call = uuid4()
    alarms.answer_alarm(store, call, "op101", LATER)
    alarms.raise_alarm(store, call, "051265123456", RAISED)
    [alarm] = alarms.open_alarms(store)
    assert (alarm.phone, alarm.raised_at, alarm.answered_at) == ("051265123456", RAISED, LATER)
