"""Work orders."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlmodel import Session, col, select

from store.database import Conflict, Store, StoreError
from store.models import Elder, OrderEvent, WorkOrder, WorkOrderEvent


class ListedOrder(NamedTuple):
    order: WorkOrder
    elder_name: str
    """Empty if not known."""


def book(store: Store, order: WorkOrder) -> WorkOrder:
    """Puts a new order on disk and returns it with its id.

    If the call has an order of that number already, that one is returned and nothing is changed,
    whoever books it at the same moment: booking may be retried. Raises StoreError.
    """
    order.id = None  # it has one after an earlier try that failed
    try:
        with store.write() as session:
            if booked := _booked(session, order.call_id, order.number):
                return booked
            session.add(order)
            session.flush()
            session.add(_event(order, OrderEvent.CREATED, order.created_at))
    except Conflict:  # on PostgreSQL another process may have been faster since we looked
        with store.read() as session:
            if booked := _booked(session, order.call_id, order.number):
                return booked
        raise
    return order


def attach_note(store: Store, order_id: int, note: str, at: datetime) -> None:
    """The path of what the caller said for an operator. Raises StoreError."""
    with store.write() as session:
        order = session.get(WorkOrder, order_id)
        if order is None:
            raise StoreError(f"there is no order {order_id}")
        order.note = note
        session.add(_event(order, OrderEvent.NOTE, at, note))


def orders_of(store: Store, call_id: UUID) -> list[WorkOrder]:
    """The orders of a call in the order in which they were made. Raises StoreError."""
    with store.read() as session:
        rows = select(WorkOrder).where(WorkOrder.call_id == call_id)
        return list(session.exec(rows.order_by(col(WorkOrder.number))))


def newest_orders(store: Store, limit: int | None = None) -> list[ListedOrder]:
    """Orders, newest first. Raises StoreError."""
    rows = (
        select(WorkOrder, Elder.name)
        .outerjoin(Elder, col(Elder.id) == col(WorkOrder.elder_id))
        .order_by(col(WorkOrder.id).desc())
        .limit(limit)
    )
    with store.read() as session:
        return [ListedOrder(order, name or "") for order, name in session.exec(rows)]


def _booked(session: Session, call_id: UUID, number: int) -> WorkOrder | None:
    same = select(WorkOrder).where(WorkOrder.call_id == call_id, WorkOrder.number == number)
    return session.exec(same).one_or_none()


def _event(order: WorkOrder, kind: OrderEvent, at: datetime, detail: str = "") -> WorkOrderEvent:
    if order.id is None:
        raise ValueError("an order gets its events once it has been booked")
    return WorkOrderEvent(order_id=order.id, kind=kind, at=at, detail=detail)
