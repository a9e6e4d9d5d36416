from __future__ import annotations

from datetime import date, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from sample_order import NOW, order

from store import follow_ups, inbox, messages
from store.database import Store
from store.elders import Registration, register
from store.models import Channel, OrderStatus, SmsKind, SmsOut, SmsPurpose, SmsState
from store.orders import enter

PHONE = "13812345678"
ZONE = ZoneInfo("Asia/Shanghai")


def ask(store: Store, call_id: UUID, number: int, state: SmsState = SmsState.SENT) -> int:
    """The id of an order whose rating was asked for by message, the later the higher `number`."""
    elder = register(store, Registration(PHONE, f"老人{number}", "观前街1号")).elder
    with store.write() as session:
        made = order(call_id, number)
        made.elder_id, made.status = elder.id, OrderStatus.COMPLETED
        enter(session, made)
        asked = follow_ups.plan_rating(session, made, NOW)
        message = messages.queue_sms(
            session,
            key=f"rating:{made.id}",
            phone=PHONE,
            text="满意吗？",
            purpose=SmsPurpose.RATING,
            at=NOW + timedelta(minutes=number),
            follow_up_id=asked,
            order_id=made.id,
        )
        assert made.id is not None
        session.get_one(SmsOut, message).state = state
        return made.id


def known(store: Store, days: float = 0) -> inbox.Known:
    with store.read() as session:
        return inbox.known_of(session, PHONE, NOW + timedelta(days=days, hours=1), ZONE)


def test_nobody_is_known_of_a_number_that_was_never_written_to(store: Store) -> None:
    assert known(store) == inbox.Known((), False, True, 0)


def test_requests_are_known_latest_first_with_what_was_answered(
    store: Store, call_id: UUID
) -> None:
    first, second = ask(store, call_id, 1), ask(store, call_id, 2)
    ask(store, call_id, 3, SmsState.QUEUED)  # not sent yet: nobody can answer it
    with store.write() as session:
        follow_ups.rate(session, order_id=first, score=4, channel=Channel.VOICE, at=NOW)
    found = known(store)
    assert [(one.order_id, one.elder_name, one.open, one.score) for one in found.asked] == [
        (second, "老人2", True, None),
        (first, "老人1", False, 4),
    ]
    assert {(one.service, one.day) for one in found.asked} == {("助浴", date(2026, 11, 22))}
    assert known(store, days=31).asked == ()


def test_message_is_read_once_and_answered_once(store: Store, call_id: UUID) -> None:
    order_id = ask(store, call_id, 1)
    messages.receive(store, "kannel", "m1", PHONE, "2", NOW)
    [id] = messages.unread(store, 9)
    for again in (False, True):
        with store.write() as session:
            row = inbox.taken(session, id)
            assert (row is None) == again
            if row is not None:
                [about] = inbox.known_of(session, PHONE, NOW, ZONE).asked
                inbox.rated(session, row, about, 2, "", NOW)
                inbox.read(session, row, NOW, SmsKind.RATING, "rated badly", about, 2)
                inbox.answer(session, row, "对不起", NOW)
    [rated] = follow_ups.newest_ratings(store)
    assert (rated.rating.order_id, rated.rating.sms_id) == (order_id, id)
    assert known(store).answers == 1
    assert messages.unread(store, 9) == []
