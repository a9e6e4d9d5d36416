"""Standing orders, and the orders of a day that are made of them.

A day is planned as often as one likes: an order is made once for a standing order and a day, and
its call to confirm with it, in the same transaction.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import NamedTuple

from sqlalchemy import insert
from sqlalchemy import select as columns
from sqlmodel import Session, col, select

from store.database import Store, defaults
from store.models import (
    Elder,
    OrderEvent,
    OrderStatus,
    Purpose,
    Service,
    StandingOrder,
    SupportClass,
    WorkOrder,
    WorkOrderEvent,
)
from store.order_life import cancelled
from store.order_steps import By
from store.planned_calls import Planned, plan_calls

AT_ONCE = 500
"""Standing orders planned in one transaction: others who write wait for no more of them."""


class Source(NamedTuple):
    """What an order is made of."""

    id: int
    """Of the standing order, as the next four."""
    code: str
    phone: str
    address: str | None
    at: time
    price_fen: int
    """Of the service."""
    elder_id: int
    """Whose order it is, as all that follows; see Elder."""
    home: str
    district: str
    support_class: SupportClass
    call_from: time | None = None
    call_to: time | None = None
    call_days: str = ""
    calls_refused: bool = False


@dataclass(frozen=True, slots=True)
class Draft:
    """The order of one day."""

    scheduled_for: datetime
    pay_fen: int
    call_at: datetime | None
    """When to call and ask whether it is still wanted; None: nobody is called."""
    call_until: datetime | None = None
    """Too late to ask afterwards."""


class ListedStanding(NamedTuple):
    standing: StandingOrder
    elder_name: str
    service_name: str


class Stopped(NamedTuple):
    standing: StandingOrder
    cancelled: list[int]
    """Orders planned already that are cancelled with it."""
    left: list[int]
    """Orders that a provider has already: they are cancelled one by one, or not."""


def add(store: Store, new: StandingOrder) -> StandingOrder:
    """The standing order with its id; the one there is already, where it is the same.

    Raises StoreError.
    """
    with store.write() as session:
        same = select(StandingOrder).where(
            StandingOrder.elder_id == new.elder_id,
            StandingOrder.code == new.code,
            StandingOrder.weekdays == new.weekdays,
            StandingOrder.at == new.at,
            StandingOrder.active,
        )
        if known := session.exec(same).first():
            return known
        session.add(new)
        session.flush()
        return new


def stop(store: Store, id: int, at: datetime, by: int | None = None) -> Stopped | None:
    """No more orders are made of it, and those made that nobody has taken up are cancelled.

    None if there is no such standing order, or it is stopped already. Raises StoreError.
    """
    with store.write() as session:
        standing = session.get(StandingOrder, id, with_for_update=True)
        if standing is None or not standing.active:
            return None
        standing.active = False
        gone: list[int] = []
        left: list[int] = []
        ahead = select(WorkOrder).where(
            WorkOrder.standing_id == id, col(WorkOrder.scheduled_for) > at
        )
        for order in session.exec(ahead.with_for_update()):
            assert order.id is not None
            if order.status is OrderStatus.CREATED:
                cancelled(session, order, By(by), at, f"standing order {id} was stopped")
                gone.append(order.id)
            elif order.status in (OrderStatus.DISPATCHED, OrderStatus.ACCEPTED):
                left.append(order.id)
        return Stopped(standing, gone, left)


def listed(store: Store, *, stopped: bool = False) -> list[ListedStanding]:
    """Those in force, by elder; with those that are stopped, if wanted. Raises StoreError."""
    found = (
        select(StandingOrder, Elder.name, Service.name)
        .join(Elder, col(Elder.id) == col(StandingOrder.elder_id))
        .join(Service, col(Service.code) == col(StandingOrder.code))
        .order_by(col(Elder.name), col(StandingOrder.id))
    )
    if not stopped:
        found = found.where(StandingOrder.active)
    with store.read() as session:
        return [ListedStanding(*row) for row in session.exec(found)]


def plan_day(store: Store, day: date, at: datetime, draft: Callable[[Source], Draft | None]) -> int:
    """Makes the orders of `day`, the site's, that are not there yet; returns how many.

    `draft` says what becomes of a standing order, None if nothing does. Raises StoreError.
    """
    made, last = 0, 0
    while True:
        with store.write() as session:
            sources = _unplanned(session, day, last)
            if not sources:
                return made
            drafts = [(source, drawn) for source in sources if (drawn := draft(source))]
            _save(session, day, at, drafts)
        made += len(drafts)
        last = sources[-1].id


def _unplanned(session: Session, day: date, after: int) -> list[Source]:
    """The next few, by id."""
    found = (
        columns(
            col(StandingOrder.id),
            col(StandingOrder.code),
            col(StandingOrder.phone),
            col(StandingOrder.address),
            col(StandingOrder.at),
            col(Service.price_fen),
            col(Elder.id),
            col(Elder.address),
            col(Elder.district),
            col(Elder.support_class),
            col(Elder.call_from),
            col(Elder.call_to),
            col(Elder.call_days),
            col(Elder.calls_refused),
        )
        .select_from(StandingOrder)
        .join(Elder, col(Elder.id) == col(StandingOrder.elder_id))
        .join(Service, col(Service.code) == col(StandingOrder.code))
        .outerjoin(
            WorkOrder,
            (col(WorkOrder.standing_id) == col(StandingOrder.id))
            & (col(WorkOrder.planned_on) == day),
        )
        .where(
            col(WorkOrder.id).is_(None),
            col(StandingOrder.id) > after,
            col(StandingOrder.active),
            col(StandingOrder.weekdays).contains(str(day.isoweekday())),
            col(StandingOrder.starts_on) <= day,
            col(StandingOrder.ends_on).is_(None) | (col(StandingOrder.ends_on) >= day),
        )
        .order_by(col(StandingOrder.id))
        .limit(AT_ONCE)
    )
    return [Source._make(row) for row in session.connection().execute(found)]


def _save(session: Session, day: date, at: datetime, drafts: list[tuple[Source, Draft]]) -> None:
    if not drafts:
        return
    orders = [
        {
            **_ORDER,
            "standing_id": source.id,
            "planned_on": day,
            "code": source.code,
            "elder_id": source.elder_id,
            "phone": source.phone,
            "address": source.address or source.home,
            "scheduled_for": drawn.scheduled_for,
            "price_fen": source.price_fen,
            "pay_fen": drawn.pay_fen,
            "created_at": at,
            "district": source.district,
        }
        for source, drawn in drafts
    ]
    connection = session.connection()
    saved = connection.execute(
        insert(WorkOrder).returning(col(WorkOrder.standing_id), col(WorkOrder.id)), orders
    )
    ids: dict[int, int] = {standing_id or 0: id or 0 for standing_id, id in saved}
    entries = [
        {**_CREATED, "order_id": id, "at": at, "detail": f"standing order {standing_id}"}
        for standing_id, id in ids.items()
    ]
    connection.execute(insert(WorkOrderEvent), entries)
    calls = [
        Planned(
            key=f"plan:{ids[source.id]}",
            purpose=Purpose.PLAN,
            phone=source.phone,
            elder_id=source.elder_id,
            order_id=ids[source.id],
            due_at=drawn.call_at,
            expires_at=drawn.call_until,
        )
        for source, drawn in drafts
        if drawn.call_at is not None
    ]
    plan_calls(session, calls, at)


_ORDER = defaults(WorkOrder)
_CREATED = {**defaults(WorkOrderEvent), "kind": OrderEvent.CREATED}
