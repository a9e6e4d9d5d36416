"""People, calls and orders for pages to show."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

from store import calls, elders, orders
from store.database import Store
from store.elders import Registration
from store.models import Next, Outcome, SupportClass, Turn, WorkOrder

NUMBER = "051265123450"
NAME = "王秀英"
HOME = "姑苏区干将路12号3幢201室"


def introduce(store: Store) -> int:
    """An elder; returns their id."""
    new = Registration(NUMBER, NAME, HOME, SupportClass.SUBSIDISED, "suzhou", True)
    id = elders.register(store, new).elder.id
    assert id is not None
    return id


def begin(store: Store, phone: str = NUMBER, elder_id: int | None = None) -> UUID:
    """The agent answers a call."""
    id = calls.begin_call(store, uuid4(), phone, datetime.now(UTC), elder_id).id
    say(store, id, 0, "", "", "您好，这里是一呼。请问您要什么服务？")
    return id


def say(
    store: Store, call: UUID, index: int, heard: str, code: str, answer: str, sure: float = 0.9
) -> None:
    """The caller says something and is answered, as the agent writes it down."""
    turn = Turn(
        call_id=call,
        index=index,
        kind="heard" if heard else "start",
        heard=heard,
        hypotheses=[{"text": heard, "score": -0.3}] if heard else [],
        engine="whisper" if heard else "",
        engine_version="base" if heard else "",
        meaning={"kind": "service", "code": code, "confidence": sure} if code else {},
        said=answer,
        started_at=datetime.now(UTC),
    )
    calls.record_turn(store, turn, {"service": code} if code else None)


def end(store: Store, call: UUID, outcome: Outcome = Outcome.ORDERED) -> None:
    calls.end_call(store, call, outcome, Next.HANGUP, datetime.now(UTC))


def misheard_order(store: Store, elder_id: int) -> WorkOrder:
    """Cleaning was ordered for whoever asked to have the windows cleaned."""
    call = begin(store, elder_id=elder_id)
    say(store, call, 1, "叫人来差差玻璃窗", "cleaning", "您要上门打扫卫生。什么时候来呢？", 0.62)
    say(store, call, 2, "明天上午九点", "", "订好了。")
    end(store, call)
    now = datetime.now(UTC)
    return orders.book(
        store,
        WorkOrder(
            call_id=call,
            number=1,
            code="cleaning",
            elder_id=elder_id,
            phone=NUMBER,
            address=HOME,
            scheduled_for=now + timedelta(days=1),
            said_time="明天上午九点",
            price_fen=3500,
            pay_fen=1750,
            created_at=now,
        ),
    )
