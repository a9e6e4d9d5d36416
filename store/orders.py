"""Work orders."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import ColumnElement, true
from sqlmodel import Session, col, select

from store.database import Conflict, Store, StoreError
from store.models import (
    UNFINISHED,
    ApiKey,
    Elder,
    Operator,
    OrderEvent,
    OrderStatus,
    Provider,
    Worker,
    WorkOrder,
    WorkOrderEvent,
)
from store.order_steps import NOBODY, By, entered, tell


class Stale(StoreError):
    """Something has happened to the order since it was looked at, and it is left as it is."""


class ListedOrder(NamedTuple):
    order: WorkOrder
    elder_name: str
    """Empty if not known."""


class Step(NamedTuple):
    """Something that happened to an order."""

    event: WorkOrderEvent
    by: str
    """Display name of the operator, or the name of the system; empty for the caller and ours."""
    provider: str = ""
    """Name of who did it, or was told to."""


class OpenedOrder(NamedTuple):
    order: WorkOrder
    elder_name: str
    taken_by: str
    """Display name of the operator; empty if nobody has."""
    steps: list[Step]
    """Oldest first; there is always one."""
    provider: Provider | None
    worker: Worker | None

    @property
    def seen(self) -> int:
        """The last step's id: what a change has to know."""
        return self.steps[-1].event.id or 0


@dataclass(frozen=True, slots=True)
class Content:
    """What an order says, as far as an operator can correct it."""

    code: str
    scheduled_for: datetime | None
    address: str | None
    price_fen: int
    pay_fen: int


def book(store: Store, order: WorkOrder) -> WorkOrder:
    """Puts a new order that a call has made on disk and returns it with its id.

    If the call has an order of that number already, that one is returned and nothing is changed,
    whoever books it at the same moment: booking may be retried. Raises StoreError.
    """
    call_id = order.call_id
    if call_id is None:
        raise ValueError("the order is not of a call")
    order.id = None  # it has one after an earlier try that failed
    try:
        with store.write() as session:
            if booked := _booked(session, call_id, order.number):
                return booked
            enter(session, order)
    except Conflict:  # on PostgreSQL another process may have been faster since we looked
        with store.read() as session:
            if booked := _booked(session, call_id, order.number):
                return booked
        raise
    return order


def book_request(store: Store, order: WorkOrder, by: By) -> WorkOrder:
    """`book` for another system's order, which has a `request_id` in the place of a call.

    Raises StoreError.
    """
    order.id = None
    same = select(WorkOrder).where(WorkOrder.request_id == order.request_id)
    if order.request_id is None:
        raise ValueError("the order is not of a request")
    try:
        with store.write() as session:
            if booked := session.exec(same).one_or_none():
                return booked
            enter(session, order, by)
    except Conflict:  # on PostgreSQL another process may have been faster since we looked
        with store.read() as session:
            if booked := session.exec(same).one_or_none():
                return booked
        raise
    return order


def enter(session: Session, order: WorkOrder, by: By | None = None) -> None:
    """A new order in a transaction of the caller's, with its id, its first step and district."""
    by = by or By(order.operator_id)
    elder = session.get(Elder, order.elder_id) if order.elder_id else None
    order.district = order.district or (elder.district if elder else "")
    session.add(order)
    session.flush()
    entered(session, order, OrderEvent.CREATED, by, order.created_at)


def attach_note(store: Store, order_id: int, note: str, at: datetime) -> None:
    """The path of what the caller said for an operator. Raises StoreError."""
    with store.write() as session:
        order = session.get(WorkOrder, order_id)
        if order is None:
            raise StoreError(f"there is no order {order_id}")
        order.note = note
        entered(session, order, OrderEvent.NOTE, NOBODY, at, note)


def open_order(store: Store, order_id: int) -> OpenedOrder | None:
    """An order with all that happened to it. Raises StoreError."""
    rows = (
        select(WorkOrderEvent, Operator.display_name, ApiKey.name, Provider.name)
        .outerjoin(Operator, col(Operator.id) == col(WorkOrderEvent.operator_id))
        .outerjoin(ApiKey, col(ApiKey.id) == col(WorkOrderEvent.api_key_id))
        .outerjoin(Provider, col(Provider.id) == col(WorkOrderEvent.provider_id))
        .where(WorkOrderEvent.order_id == order_id)
        .order_by(col(WorkOrderEvent.id))
    )
    with store.read() as session:
        order = session.get(WorkOrder, order_id)
        if order is None:
            return None
        elder = session.get(Elder, order.elder_id) if order.elder_id else None
        taker = session.get(Operator, order.operator_id) if order.operator_id else None
        steps = [
            Step(event, operator or key or "", provider or "")
            for event, operator, key, provider in session.exec(rows)
        ]
        provider = session.get(Provider, order.provider_id) if order.provider_id else None
        worker = session.get(Worker, order.worker_id) if order.worker_id else None
    return OpenedOrder(
        order,
        elder.name if elder else "",
        taker.display_name if taker else "",
        steps,
        provider,
        worker,
    )


def take(store: Store, order_id: int, by: int, at: datetime, seen: int) -> None:
    """An operator looks after it from now on. Raises StoreError, Stale."""
    with store.write() as session:
        order = _unchanged(session, order_id, seen)
        order.operator_id = by
        entered(session, order, OrderEvent.TAKEN, By(by), at)


def correct(
    store: Store,
    order_id: int,
    content: Content,
    by: int,
    at: datetime,
    seen: int,
    message: str = "",
) -> frozenset[str]:
    """Makes it say what was meant, and returns the names of what was different.

    A provider who is to do it gets `message`. The step's detail is {"name": [before, after]} as
    JSON. Raises StoreError, Stale.
    """
    with store.write() as session:
        order = _unchanged(session, order_id, seen)
        changed = {
            name: (plain(getattr(order, name)), plain(getattr(content, name)))
            for name in ("code", "scheduled_for", "address")
            if getattr(order, name) != getattr(content, name)
        }
        if changed:
            order.code, order.scheduled_for = content.code, content.scheduled_for
            order.address = content.address
            order.price_fen, order.pay_fen = content.price_fen, content.pay_fen
            detail = json.dumps(changed, ensure_ascii=False)
            event = entered(session, order, OrderEvent.CORRECTED, By(by), at, detail)
            tell(session, order, event, at, message)
        return frozenset(changed)


def next_number(store: Store, call_id: UUID) -> int:
    """Of the next order that a call makes. Raises StoreError."""
    return max((order.number for order in orders_of(store, call_id)), default=0) + 1


def orders_of(store: Store, call_id: UUID) -> list[WorkOrder]:
    """The orders of a call in the order in which they were made. Raises StoreError."""
    with store.read() as session:
        rows = select(WorkOrder).where(WorkOrder.call_id == call_id)
        return list(session.exec(rows.order_by(col(WorkOrder.number))))


def orders_for(
    store: Store, elder_id: int | None, phones: Collection[str], limit: int
) -> list[ListedOrder]:
    """Of somebody, or made from these numbers by nobody else, newest first. Raises StoreError."""
    theirs = col(WorkOrder.phone).in_(phones) & col(WorkOrder.elder_id).is_(None)
    if elder_id is not None:
        theirs |= col(WorkOrder.elder_id) == elder_id
    return _listed(store, theirs, limit)


def unfinished_orders(store: Store, limit: int) -> list[ListedOrder]:
    """Neither completed nor cancelled, newest first. Raises StoreError."""
    return _listed(store, col(WorkOrder.status).in_(UNFINISHED), limit)


def newest_orders(store: Store, limit: int | None = None) -> list[ListedOrder]:
    """Orders, newest first. Raises StoreError."""
    return _listed(store, true(), limit)


def find_orders(
    store: Store,
    status: OrderStatus | None,
    provider_id: int | None,
    before: int | None,
    limit: int,
) -> list[ListedOrder]:
    """Those of a status, of a provider, with a smaller id than `before`; newest first.

    Raises StoreError.
    """
    which: ColumnElement[bool] = true()
    if status is not None:
        which &= col(WorkOrder.status) == status
    if provider_id is not None:
        which &= col(WorkOrder.provider_id) == provider_id
    if before is not None:
        which &= col(WorkOrder.id) < before
    return _listed(store, which, limit)


def _listed(store: Store, which: ColumnElement[bool], limit: int | None) -> list[ListedOrder]:
    rows = (
        select(WorkOrder, Elder.name)
        .outerjoin(Elder, col(Elder.id) == col(WorkOrder.elder_id))
        .where(which)
        .order_by(col(WorkOrder.id).desc())
        .limit(limit)
    )
    with store.read() as session:
        return [ListedOrder(order, name or "") for order, name in session.exec(rows)]


def _booked(session: Session, call_id: UUID, number: int) -> WorkOrder | None:
    same = select(WorkOrder).where(WorkOrder.call_id == call_id, WorkOrder.number == number)
    return session.exec(same).one_or_none()


def _unchanged(session: Session, order_id: int, seen: int) -> WorkOrder:
    """An order that is not finished, and of which `seen` is still the last step."""
    order = session.get(WorkOrder, order_id, with_for_update=True)
    if order is None or last_step(session, order_id) != seen or order.status not in UNFINISHED:
        raise Stale(f"the order {order_id} has changed meanwhile")
    return order


def last_step(session: Session, order_id: int) -> int | None:
    """The id of what happened to an order last."""
    events = select(WorkOrderEvent.id).where(WorkOrderEvent.order_id == order_id)
    return session.exec(events.order_by(col(WorkOrderEvent.id).desc())).first()


def plain(value: str | datetime | None) -> str | None:
    return value.isoformat() if isinstance(value, datetime) else value
