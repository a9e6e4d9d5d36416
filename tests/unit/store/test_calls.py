from __future__ import annotations

from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from sample_order import NOW, order

from store import calls, orders
from store.database import Store, StoreError
from store.models import Next, Outcome, Turn


def turn(call_id: UUID, index: int, said: str = "") -> Turn:
    return Turn(
        call_id=call_id,
        index=index,
        kind="heard",
        heard="我要洗澡",
        hypotheses=[{"text": "我要洗澡", "score": -0.2}],
        meaning={"kind": "service", "code": "bathing", "confidence": 0.9},
        said=said,
        stages_ms={"recognise": 251.5},
        started_at=NOW,
    )


def test_call_is_kept_from_ring_to_end(store: Store) -> None:
    call_id = uuid4()
    calls.begin_call(store, call_id, "13812345678", NOW)
    calls.begin_call(store, call_id, "13812345678", NOW + timedelta(seconds=9))  # asked twice
    calls.answer_call(store, call_id, NOW + timedelta(seconds=1))
    calls.record_turn(store, turn(call_id, 1))
    calls.record_turn(store, turn(call_id, 0, "您好"), {"service": "bathing"})
    orders.book(store, order(call_id))
    later = NOW + timedelta(minutes=1)
    calls.end_call(store, call_id, Outcome.ORDERED, Next.HANGUP, later)
    calls.end_call(store, call_id, Outcome.FAILED, Next.OPERATOR, later, reason="too late")
    (listed,) = calls.newest_calls(store)
    assert (listed.orders, listed.elder_name) == (1, "")
    call = listed.call
    assert (call.started_at, call.answered_at) == (NOW, NOW + timedelta(seconds=1))
    assert (call.outcome, call.next, call.ended_at) == (Outcome.ORDERED, Next.HANGUP, later)
    assert call.summary == {"service": "bathing"}
    assert [t.index for t in calls.turns_of(store, call_id)] == [0, 1]


def test_turn_recorded_again_is_replaced(store: Store, call_id: UUID) -> None:
    calls.record_turn(store, turn(call_id, 0))
    calls.record_turn(store, turn(call_id, 0, "您要上门帮忙洗澡"))
    (kept,) = calls.turns_of(store, call_id)
    assert kept.said == "您要上门帮忙洗澡"
    assert kept.meaning["code"] == "bathing"
    assert kept.stages_ms == {"recognise": 251.5}


def test_calls_of_a_dead_agent_are_closed_when_it_starts_again(store: Store) -> None:
    with_order, without, done = uuid4(), uuid4(), uuid4()
    for age, call_id in enumerate((with_order, without, done)):
        calls.begin_call(store, call_id, "", NOW - timedelta(minutes=age))
    orders.book(store, order(with_order))
    calls.end_call(store, done, Outcome.ABANDONED, Next.HANGUP, NOW)
    assert calls.close_unfinished(store, NOW) == 2
    assert [row.call.outcome for row in calls.newest_calls(store)] == [
        Outcome.ORDERED,
        Outcome.FAILED,
        Outcome.ABANDONED,
    ]


def test_turn_of_a_call_that_never_began_is_refused(store: Store) -> None:
    with pytest.raises(StoreError, match="begin_call"):
        calls.record_turn(store, turn(uuid4(), 0))
