"""Whom the agent has no place for: the queue, or a call-back that is already written down."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from ivr.config import OutboundSettings, QueueSettings
from ivr.telephony.admission import Admit
from ivr.telephony.overflow import HIGH_RISK, ORDINARY, Turnstile, priority
from store import callbacks, operators, queue_visits
from store.database import Store, open_store
from store.elders import Registration, register
from store.models import Callback, Cause, Duty, Role, Wants

NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
ELDER, FRAIL = "051265123456", "051265123457"
QUEUE = QueueSettings(waiting_per_operator=2)
OUTBOUND = OutboundSettings(gateway="127.0.0.1")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = open_store(f"sqlite:///{tmp_path / 'yihu.sqlite3'}")
    register(store, Registration(FRAIL, "李桂兰", "干将路12号", high_risk=True))
    return store


def on_duty(store: Store) -> None:
    one = operators.add(store, "wang", "王", Role.OPERATOR, "no log-in", "secret")
    assert one.id is not None
    operators.set_duty(store, one.id, Duty.ON, "", NOW)


def waits(store: Store, number: str) -> None:
    queue_visits.join(store, f"channel {number}", number, NOW)


def turned_away(
    store: Store, call: UUID, caller: str, at: datetime, outbound: OutboundSettings = OUTBOUND
) -> Admit:
    return Turnstile(store, QUEUE, outbound).turn_away(call, caller, at)


def owed(store: Store) -> list[Callback]:
    return [row.callback for row in callbacks.newest_callbacks(store)]


def test_caller_waits_for_an_operator_while_the_queue_is_short(store: Store) -> None:
    on_duty(store)
    waits(store, "13900000001")
    assert turned_away(store, uuid4(), ELDER, NOW) is Admit.QUEUE
    assert owed(store) == []


def test_caller_is_called_back_when_too_many_wait(store: Store) -> None:
    on_duty(store)
    for number in ("13900000001", "13900000002"):
        waits(store, number)
    call = uuid4()
    assert turned_away(store, call, "+86 512 65123456", NOW) is Admit.CALLBACK
    [row] = owed(store)
    assert (row.phone, row.call_id, row.queued_at) == (ELDER, call, NOW)
    assert (row.cause, row.wants) == (Cause.ADMISSION, Wants.AGENT)


def test_caller_is_called_back_when_nobody_is_on_duty(store: Store) -> None:
    assert turned_away(store, uuid4(), ELDER, NOW) is Admit.CALLBACK
    assert turned_away(store, uuid4(), ELDER, NOW) is Admit.CALLBACK
    assert len(owed(store)) == 1, "one open call-back a number"


def test_of_those_who_call_at_the_same_time_only_as_many_wait_as_there_is_room_for(
    store: Store,
) -> None:
    """They hear a sentence before they stand in the queue."""
    on_duty(store)
    turnstile = Turnstile(store, QUEUE, OUTBOUND)
    calls = [uuid4() for _ in range(5)]

    def turned(index: int, seconds: float) -> Admit:
        at = NOW + timedelta(seconds=seconds)
        return turnstile.turn_away(calls[index], f"1390000000{index}", at)

    assert [turned(index, 1) for index in range(3)] == [Admit.QUEUE, Admit.QUEUE, Admit.CALLBACK]
    queue_visits.join(store, "1.1", "13900000000", NOW, call_id=calls[0])
    assert turned(3, 7) is Admit.CALLBACK, "one waits, and one is on the way"
    assert turned(4, 12) is Admit.QUEUE, "who has not come by now has hung up"


@pytest.mark.parametrize("caller", ["", FRAIL, "anonymous", "+85212345678", "110"])
def test_who_cannot_or_should_not_be_called_back_waits_in_the_queue(
    store: Store, caller: str
) -> None:
    assert turned_away(store, uuid4(), caller, NOW) is Admit.QUEUE
    assert owed(store) == []


def test_elders_at_high_risk_stand_in_front(store: Store) -> None:
    assert priority(store, FRAIL) == HIGH_RISK > ORDINARY
    assert priority(store, ELDER) == priority(store, "") == ORDINARY


def test_nobody_is_promised_a_call_where_no_call_can_be_made(store: Store) -> None:
    assert turned_away(store, uuid4(), ELDER, NOW, OutboundSettings()) is Admit.QUEUE
    assert owed(store) == []
