from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID, uuid4

from sample_order import NOW, order
from sqlmodel import select

from store import calls, corrections, orders, retention
from store.database import Store
from store.models import Correction, Known, Next, Outcome, SmsIn, SmsOut, SmsPurpose, SmsState, Turn

OLD = NOW - timedelta(days=400)
LIMIT = NOW - timedelta(days=365)


def said(store: Store, at: datetime, *, over: bool = True) -> UUID:
    """A call in which something was said and booked, and a lesson was learned."""
    call = calls.begin_call(store, uuid4(), "13812345678", at).id
    turn = Turn(call_id=call, index=0, kind="heard", heard="我要洗澡", said="好", started_at=at)
    calls.record_turn(store, turn, {"address": "平江路12号"})
    orders.book(store, order(call))
    lesson = Correction(
        call_id=call, turn=0, heard="我要打扬", code="bathing", known=Known.CONFIRMED,
        dialect="suzhou", engine="whisper", engine_version="1", at=at,
    )  # fmt: skip
    corrections.keep(store, [lesson])
    if over:
        calls.end_call(store, call, Outcome.ORDERED, Next.HANGUP, at)
    return call


def test_words_go_when_their_time_is_over_and_calls_and_orders_stay(store: Store) -> None:
    old, new, going_on = said(store, OLD), said(store, NOW), said(store, OLD, over=False)
    assert retention.forget_words(store, LIMIT) == 1
    assert retention.forget_words(store, LIMIT) == 0
    call = calls.find_call(store, old)
    assert call is not None
    assert (call.outcome, call.summary) == (Outcome.ORDERED, {})
    assert calls.turns_of(store, old) == []
    assert len(orders.orders_of(store, old)) == 1
    assert {row.call_id for row in corrections.corrections(store)} == {new, going_on}
    assert len(calls.turns_of(store, new)) == 1


def test_many_old_calls_are_forgotten_in_small_steps(store: Store, monkeypatch) -> None:
    monkeypatch.setattr(retention, "AT_ONCE", 2)
    for _ in range(5):
        said(store, OLD)
    assert retention.forget_words(store, LIMIT) == 5


def test_messages_lose_their_text_unless_they_are_still_to_be_sent_or_read(store: Store) -> None:
    def letter(key: str, at: datetime, state: SmsState = SmsState.SENT) -> SmsOut:
        return SmsOut(
            key=key, phone="1", text="您好", purpose=SmsPurpose.NOTICE, created_at=at, due_at=at,
            state=state,
        )  # fmt: skip

    def reply(id: str, at: datetime, handled: datetime | None) -> SmsIn:
        return SmsIn(
            gateway="g", gateway_id=id, phone="1", text="5", received_at=at, handled_at=handled
        )

    with store.write() as session:
        session.add_all([letter("old", OLD), letter("waits", OLD, SmsState.QUEUED)])
        session.add_all([letter("new", NOW)])
        session.add_all([reply("old", OLD, OLD), reply("unread", OLD, None)])
    assert retention.forget_words(store, LIMIT) == 2
    with store.read() as session:
        assert {row.key: row.text for row in session.exec(select(SmsOut))} == {
            "old": "",
            "waits": "您好",
            "new": "您好",
        }
        assert {row.gateway_id: row.text for row in session.exec(select(SmsIn))} == {
            "old": "",
            "unread": "5",
        }
