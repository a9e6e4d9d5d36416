"""An order goes its way step by step, and what follows from a step is kept with it or not."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TypeVar
from uuid import UUID

import pytest
from sample_order import NOW, order
from sqlmodel import SQLModel, col, select

from store import follow_ups, operators, order_life, orders
from store.database import Store
from store.models import (
    FollowUp,
    FollowUpEnd,
    FollowUpEvent,
    FollowUpEventKind,
    FollowUpState,
    OrderEvent,
    OrderStatus,
    Provider,
    Purpose,
    Role,
    SmsOut,
    Worker,
    WorkOrder,
)
from store.order_steps import NOBODY, RULES, By, Impossible, step
from store.orders import OpenedOrder, Stale

T = TypeVar("T", bound=SQLModel)
LATER = NOW + timedelta(hours=1)


@pytest.fixture
def booked(store: Store, call_id: UUID) -> int:
    id = orders.book(store, order(call_id)).id
    assert id is not None
    return id


def provider(store: Store, name: str = "安康家政", phone: str = "13900001111") -> int:
    with store.write() as session:
        made = Provider(name=name, phone=phone, latitude=31.3, longitude=120.6)
        session.add(made)
        session.flush()
        assert made.id is not None
        session.add(Worker(provider_id=made.id, name="周师傅"))
        return made.id


def opened(store: Store, id: int) -> OpenedOrder:
    found = orders.open_order(store, id)
    assert found is not None
    return found


def everything(store: Store, kind: type[T]) -> list[T]:
    with store.read() as session:
        return list(session.exec(select(kind).order_by(col(kind.id))))  # type: ignore[attr-defined]


def test_order_goes_from_the_call_to_its_end_with_who_and_when(store: Store, booked: int) -> None:
    by_operator = By(
        operator_id=operators.add(store, "wang", "王芳", Role.OPERATOR, "hash", "secret").id
    )
    to = provider(store)
    theirs = By(provider_id=to)
    order_life.dispatch(store, booked, to, by_operator, NOW, message="新工单")
    order_life.accept(store, booked, theirs, LATER, worker_id=1)
    order_life.begin(store, booked, theirs, LATER)
    order_life.complete(store, booked, theirs, LATER)
    with store.write() as session:
        row = session.get_one(WorkOrder, booked)
        step(session, row, OrderEvent.FOLLOWED_UP, NOBODY, LATER, "rated 1")
    order_life.close(store, booked, by_operator, LATER, detail="已重做")
    now = opened(store, booked)
    assert now.order.status is OrderStatus.CLOSED
    assert (now.order.started_at, now.order.completed_at) == (LATER, LATER)
    assert now.worker is not None and now.worker.name == "周师傅"
    assert [(one.event.kind, one.by, one.provider, one.event.at) for one in now.steps] == [
        (OrderEvent.CREATED, "", "", NOW),
        (OrderEvent.DISPATCHED, "王芳", "安康家政", NOW),
        (OrderEvent.ACCEPTED, "", "安康家政", LATER),
        (OrderEvent.IN_SERVICE, "", "安康家政", LATER),
        (OrderEvent.COMPLETED, "", "安康家政", LATER),
        (OrderEvent.FOLLOWED_UP, "", "", LATER),
        (OrderEvent.CLOSED, "王芳", "", LATER),
    ]


STEPS = {
    OrderEvent.DISPATCHED: lambda store, id: order_life.dispatch(
        store, id, 1, NOBODY, LATER, message="新工单"
    ),
    OrderEvent.ACCEPTED: lambda store, id: order_life.accept(store, id, NOBODY, LATER),
    OrderEvent.DECLINED: lambda store, id: order_life.decline(
        store, id, NOBODY, LATER, detail="没人"
    ),
    OrderEvent.IN_SERVICE: lambda store, id: order_life.begin(store, id, NOBODY, LATER),
    OrderEvent.COMPLETED: lambda store, id: order_life.complete(store, id, NOBODY, LATER),
    OrderEvent.CLOSED: lambda store, id: order_life.close(store, id, NOBODY, LATER),
    OrderEvent.CANCELLED: lambda store, id: order_life.cancel(
        store, id, NOBODY, LATER, detail="不要了"
    ),
}


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("status", OrderStatus)
def test_step_that_does_not_fit_is_refused_and_leaves_no_trace(
    store: Store, booked: int, status: OrderStatus
) -> None:
    to = provider(store)
    for kind, take in STEPS.items():
        with store.write() as session:
            row = session.get_one(WorkOrder, booked)
            row.status, row.provider_id = status, to
        before = len(opened(store, booked).steps)
        if status in RULES[kind].follows:
            assert take(store, booked).status is RULES[kind].becomes
            continue
        with pytest.raises(Impossible, match=f"order {booked} is {status}: {kind} is possible"):
            take(store, booked)
        now = opened(store, booked)
        assert (now.order.status, now.order.provider_id) == (status, to)
        assert len(now.steps) == before


def test_cancelled_order_stays_cancelled_and_a_closed_one_only_gets_a_late_complaint() -> None:
    def after(status: OrderStatus) -> list[OrderEvent]:
        return [kind for kind, rule in RULES.items() if status in rule.follows]

    assert after(OrderStatus.CANCELLED) == []
    assert after(OrderStatus.CLOSED) == [OrderEvent.FOLLOWED_UP]


def test_completed_order_has_its_rating_planned_with_it_and_once(store: Store, booked: int) -> None:
    order_life.complete(store, booked, NOBODY, LATER)
    with pytest.raises(Impossible):
        order_life.complete(store, booked, NOBODY, LATER)
    with store.write() as session:
        follow_ups.plan_rating(session, session.get_one(WorkOrder, booked), LATER)
    (planned,) = everything(store, FollowUp)
    assert (planned.key, planned.state, planned.due_at, planned.phone) == (
        f"rating:{booked}",
        FollowUpState.WAITING,
        LATER,
        "13812345678",
    )
    assert [event.kind for event in everything(store, FollowUpEvent)] == [FollowUpEventKind.PLANNED]


def test_order_is_not_completed_when_its_rating_cannot_be_planned(
    store: Store, booked: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise RuntimeError("no power")

    with monkeypatch.context() as patched, pytest.raises(RuntimeError):
        patched.setattr(order_life, "plan_rating", fails)
        order_life.complete(store, booked, NOBODY, LATER)
    assert opened(store, booked).order.status is OrderStatus.CREATED
    order_life.complete(store, booked, NOBODY, LATER)
    assert len(everything(store, FollowUp)) == 1


def test_order_completed_by_many_at_once_is_completed_once(store: Store, booked: int) -> None:
    def complete(_: int) -> bool:
        try:
            order_life.complete(store, booked, NOBODY, LATER)
        except Impossible:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(complete, range(8))) == 1
    assert len(everything(store, FollowUp)) == 1
    assert [one.event.kind for one in opened(store, booked).steps].count(OrderEvent.COMPLETED) == 1


def test_nobody_is_asked_about_an_order_that_was_cancelled(store: Store, booked: int) -> None:
    with store.write() as session:
        planned = FollowUp(
            key=f"plan:{booked}", purpose=Purpose.PLAN, order_id=booked, phone="1", created_at=NOW,
            due_at=NOW,
        )  # fmt: skip
        session.add(planned)
    order_life.cancel(store, booked, NOBODY, LATER, detail="住院了")
    (gone,) = everything(store, FollowUp)
    assert (gone.state, gone.end, gone.closed_at) == (
        FollowUpState.GIVEN_UP,
        FollowUpEnd.ORDER_GONE,
        LATER,
    )
    assert opened(store, booked).steps[-1].event.detail == "住院了"


def test_provider_is_written_to_and_so_is_the_one_who_had_the_order_before(
    store: Store, booked: int
) -> None:
    first, second = provider(store), provider(store, "和顺服务", "13900002222")
    order_life.dispatch(store, booked, first, NOBODY, NOW, message="新工单")
    order_life.accept(store, booked, By(provider_id=first), NOW, worker_id=1)
    order_life.dispatch(
        store, booked, second, NOBODY, LATER, message="新工单", former_message="已改派"
    )
    now = opened(store, booked)
    assert (now.order.provider_id, now.order.worker_id) == (second, None)
    order_life.cancel(store, booked, NOBODY, LATER, detail="不要了", message="已取消")
    assert [(one.phone, one.text, one.order_id) for one in everything(store, SmsOut)] == [
        ("13900001111", "新工单", booked),
        ("13900001111", "已改派", booked),
        ("13900002222", "新工单", booked),
        ("13900002222", "已取消", booked),
    ]


def test_declined_order_waits_for_another_provider(store: Store, booked: int) -> None:
    to = provider(store)
    order_life.dispatch(store, booked, to, NOBODY, NOW, message="新工单")
    order_life.decline(store, booked, By(provider_id=to), LATER, detail="人手不够")
    now = opened(store, booked)
    assert (now.order.status, now.order.provider_id) == (OrderStatus.CREATED, None)
    last = now.steps[-1]
    assert (last.event.detail, last.provider) == ("人手不够", "安康家政")


def test_order_is_moved_until_it_is_completed(store: Store, booked: int) -> None:
    to = provider(store)
    order_life.dispatch(store, booked, to, NOBODY, NOW, message="新工单")
    with store.write() as session:
        row = session.get_one(WorkOrder, booked)
        order_life.rescheduled(session, row, LATER, NOBODY, NOW, "改时间")
        order_life.rescheduled(session, row, LATER, NOBODY, NOW, "改时间")
    now = opened(store, booked)
    assert now.order.scheduled_for == LATER
    assert [one.event.kind for one in now.steps[2:]] == [OrderEvent.CORRECTED]
    assert [one.text for one in everything(store, SmsOut)] == ["新工单", "改时间"]
    order_life.complete(store, booked, NOBODY, LATER)
    with store.write() as session, pytest.raises(Impossible, match="cannot be moved"):
        order_life.rescheduled(session, session.get_one(WorkOrder, booked), NOW, NOBODY, NOW)


def test_step_on_an_order_that_changed_meanwhile_is_refused(store: Store, booked: int) -> None:
    seen = opened(store, booked).seen
    order_life.complete(store, booked, NOBODY, LATER, seen=seen)
    with pytest.raises(Stale):
        order_life.close(store, booked, NOBODY, LATER, seen=seen)


def test_unknown_order_provider_or_worker_is_named(store: Store, booked: int) -> None:
    with pytest.raises(Impossible, match="no order 99"):
        order_life.complete(store, 99, NOBODY, NOW)
    with pytest.raises(Impossible, match="no provider 99"):
        order_life.dispatch(store, booked, 99, NOBODY, NOW, message="新工单")
    to, _ = provider(store), provider(store, "和顺服务")
    order_life.dispatch(store, booked, to, NOBODY, NOW, message="新工单")
    with pytest.raises(Impossible, match="no worker 2 of the provider"):
        order_life.accept(store, booked, By(provider_id=to), NOW, worker_id=2)
