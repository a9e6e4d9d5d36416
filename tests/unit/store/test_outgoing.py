from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from sample_order import NOW
from sample_order import order as sample_order

from store import elders, follow_ups, orders, outgoing
from store.database import Store
from store.elders import Registration
from store.models import Channel, FollowUpEnd, FollowUpState, Purpose, WorkOrder
from store.order_life import complete
from store.order_steps import NOBODY

HOUR = timedelta(hours=1)


def completed(store: Store, call_id: UUID, number: int) -> WorkOrder:
    """A service that has been done, so that the elder is to be asked."""
    order = orders.book(store, sample_order(call_id, number))
    complete(store, order.id or 0, NOBODY, NOW + number * HOUR)
    return order


def test_nobody_is_to_be_asked_at_first(store: Store) -> None:
    found = outgoing.open_follow_ups(store, 9)
    assert (dict(found.counts), found.first) == ({}, ())
    assert outgoing.closed_follow_ups(store, 9) == ()


def test_who_is_due_first_is_listed_first_and_all_are_counted(store: Store, call_id: UUID) -> None:
    elder = elders.register(store, Registration("13812345678", "王秀英", "平江路12号")).elder
    ids = [completed(store, call_id, number).id for number in (3, 1, 2)]
    with store.write() as session:
        follow_ups.plan(
            session, "greeting:1:1", Purpose.GREETING, "13812345678", at=NOW, due_at=NOW,
            elder_id=elder.id,
        )  # fmt: skip
    found = outgoing.open_follow_ups(store, 3)
    assert found.counts == {FollowUpState.WAITING: 4}
    assert [(one.purpose, one.order_id, one.code, one.elder) for one in found.first] == [
        (Purpose.GREETING, None, "", "王秀英"),
        (Purpose.RATING, ids[1], "bathing", ""),
        (Purpose.RATING, ids[2], "bathing", ""),
    ]
    assert outgoing.open_follow_ups(store, 3) == found  # nothing has changed, nothing is sent


def test_what_is_over_is_told_with_its_score(store: Store, call_id: UUID) -> None:
    rated, open_still = completed(store, call_id, 1), completed(store, call_id, 2)
    with store.write() as session:
        follow_ups.rate(
            session, order_id=rated.id or 0, score=4, channel=Channel.KEYPAD, at=NOW + HOUR
        )
    (over,) = outgoing.closed_follow_ups(store, 9)
    assert (over.order_id, over.end, over.score) == (rated.id, FollowUpEnd.RATED, 4)
    assert [one.order_id for one in outgoing.open_follow_ups(store, 9).first] == [open_still.id]
