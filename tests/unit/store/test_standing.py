"""Orders of a day made of standing orders, on SQLite and PostgreSQL."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import Any

import pytest
from sample_order import NOW
from sqlmodel import col, select

from store import elders, follow_ups, orders, standing
from store.database import Store
from store.elders import Registration
from store.models import (
    FollowUp,
    FollowUpEnd,
    FollowUpState,
    OrderEvent,
    OrderStatus,
    Purpose,
    StandingOrder,
    WorkOrder,
)
from store.standing import Draft, Source

TUESDAY = date(2026, 11, 24)
AT = datetime(2026, 11, 24, 1, tzinfo=NOW.tzinfo)


def draft(source: Source) -> Draft:
    return Draft(AT, 1750, AT - timedelta(hours=3), AT - timedelta(hours=1))


@pytest.fixture
def elder_id(store: Store) -> int:
    new = Registration("13812345678", "王秀英", "干将路12号")
    return elders.register(store, new).elder.id or 0


def every(elder_id: int, weekdays: str, **more: Any) -> StandingOrder:
    values: dict[str, Any] = {"starts_on": date(2026, 11, 1), "at": time(9), **more}
    return StandingOrder(
        elder_id=elder_id, phone="13812345678", code="bathing", weekdays=weekdays, **values
    )


def planned(store: Store) -> list[WorkOrder]:
    with store.read() as session:
        return list(session.exec(select(WorkOrder).order_by(col(WorkOrder.id))))


def calls(store: Store) -> list[FollowUp]:
    with store.read() as session:
        return list(session.exec(select(FollowUp).order_by(col(FollowUp.id))))


def test_order_and_its_call_are_made_once_for_a_day(store: Store, elder_id: int) -> None:
    own = standing.add(store, every(elder_id, "25"))
    assert standing.plan_day(store, TUESDAY, NOW, draft) == 1
    assert standing.plan_day(store, TUESDAY, NOW, draft) == 0
    (order,) = planned(store)
    assert (order.standing_id, order.planned_on, order.call_id) == (own.id, TUESDAY, None)
    assert (order.scheduled_for, order.pay_fen, order.price_fen) == (AT, 1750, 3500)
    assert (order.elder_id, order.address) == (elder_id, "干将路12号")
    opened = orders.open_order(store, order.id or 0)
    assert opened is not None
    assert [step.event.kind for step in opened.steps] == [OrderEvent.CREATED]
    (call,) = calls(store)
    assert (call.key, call.purpose, call.order_id) == (f"plan:{order.id}", Purpose.PLAN, order.id)
    assert (call.due_at, call.expires_at) == (AT - timedelta(hours=3), AT - timedelta(hours=1))
    assert [event.kind for event in follow_ups.events_of(store, [call.id or 0])[call.id or 0]] == [
        "planned"
    ]


@pytest.mark.parametrize(
    "other",
    [
        {"weekdays": "134567"},
        {"weekdays": "2", "starts_on": date(2026, 11, 25)},
        {"weekdays": "2", "ends_on": date(2026, 11, 23)},
        {"weekdays": "2", "active": False},
    ],
)
def test_nothing_is_made_on_another_day_or_outside_its_dates(
    store: Store, elder_id: int, other: dict[str, Any]
) -> None:
    standing.add(store, every(elder_id, **other))
    assert standing.plan_day(store, TUESDAY, NOW, draft) == 0


def test_more_than_are_planned_at_once_are_all_planned(
    store: Store, elder_id: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(standing, "AT_ONCE", 2)
    for hour in range(5):
        standing.add(store, every(elder_id, "2", at=time(9 + hour)))
    drawn: list[int | None] = []

    def some(source: Source) -> Draft | None:
        drawn.append(source.id)
        return None if source.at == time(11) else draft(source)

    assert standing.plan_day(store, TUESDAY, NOW, some) == 4
    assert len(drawn) == 5
    assert standing.plan_day(store, TUESDAY, NOW, draft) == 1


def test_elder_who_wants_no_calls_gets_the_order_without_one(store: Store, elder_id: int) -> None:
    standing.add(store, every(elder_id, "2"))
    standing.plan_day(store, TUESDAY, NOW, lambda source: Draft(AT, 0, None))
    assert len(planned(store)) == 1
    assert calls(store) == []


def test_the_same_standing_order_twice_is_one(store: Store, elder_id: int) -> None:
    first = standing.add(store, every(elder_id, "2"))
    assert standing.add(store, every(elder_id, "2")).id == first.id
    assert standing.add(store, every(elder_id, "2", at=time(10))).id != first.id


def test_stopping_takes_back_what_no_provider_has_yet(store: Store, elder_id: int) -> None:
    own = standing.add(store, every(elder_id, "2"))
    assert own.id is not None
    standing.plan_day(store, TUESDAY, NOW, draft)
    stopped = standing.stop(store, own.id, NOW)
    (order,) = planned(store)
    assert stopped is not None and stopped.cancelled == [order.id] and stopped.left == []
    assert order.status is OrderStatus.CANCELLED
    (call,) = calls(store)
    assert (call.state, call.end) == (FollowUpState.GIVEN_UP, FollowUpEnd.ORDER_GONE)
    assert standing.stop(store, own.id, NOW) is None
    assert standing.listed(store) == []
    assert [row.standing.id for row in standing.listed(store, stopped=True)] == [own.id]
    assert standing.plan_day(store, TUESDAY + timedelta(days=7), NOW, draft) == 0


def test_stopping_leaves_what_a_provider_has_and_what_is_over(store: Store, elder_id: int) -> None:
    own = standing.add(store, every(elder_id, "2"))
    assert own.id is not None
    standing.plan_day(store, TUESDAY, NOW, draft)
    with store.write() as session:
        order = session.exec(select(WorkOrder)).one()
        order.status = OrderStatus.ACCEPTED
    stopped = standing.stop(store, own.id, NOW)
    assert stopped is not None and (stopped.cancelled, stopped.left) == ([], [order.id])
    assert planned(store)[0].status is OrderStatus.ACCEPTED
