"""Services that went wrong for an elder: raised at once, looked after by a person, closed with a
remedy.

One complaint an order: what is said of the same order later is added to it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Select
from sqlalchemy import select as columns
from sqlalchemy.orm import aliased
from sqlmodel import Session, col, func, select

from store.database import Store
from store.models import (
    Complaint,
    Elder,
    Operator,
    OrderEvent,
    OrderStatus,
    Provider,
    Worker,
    WorkOrder,
)
from store.order_steps import By, step


@dataclass(frozen=True, slots=True)
class ListedComplaint:
    """A complaint with whom and what it is about, as plain values that can be compared."""

    id: int
    order_id: int
    code: str
    """Of the service."""
    score: int
    said: str
    recorded: bool
    """There is a recording of it."""
    call_id: UUID | None
    at: datetime
    phone: str
    elder_id: int | None
    elder: str
    """Name; empty if not known."""
    provider: str
    """Name; empty where nobody had been sent."""
    worker: str
    operator_id: int | None
    taken_by: str
    """Display name; empty if nobody looks after it."""
    closed_at: datetime | None
    closed_by: str
    remedy: str


def raise_complaint(
    session: Session,
    order_id: int,
    score: int,
    at: datetime,
    said: str = "",
    note: str | None = None,
    call_id: UUID | None = None,
) -> Complaint:
    """An elder was not content; `note`: path of the recording, `said`: what they said.

    In the caller's transaction, so that rating and complaint are kept together. Telling the same
    again changes nothing; what is new is added. A closed one stays closed.
    """
    rows = select(Complaint).where(Complaint.order_id == order_id).with_for_update()
    found = session.exec(rows).one_or_none()
    if found is None:
        found = Complaint(order_id=order_id, score=score, at=at)
        session.add(found)
    if found.closed_at is None:
        found.score = score
        if said and said not in found.said.splitlines():
            found.said = f"{found.said}\n{said}".strip()
        found.note = note or found.note
        found.call_id = call_id or found.call_id
    session.flush()
    return found


def take(store: Store, id: int, operator_id: int) -> bool:
    """Somebody looks after it, in place of whoever did; False if it is not open.

    Raises StoreError.
    """
    with store.write() as session:
        found = session.get(Complaint, id, with_for_update=True)
        if found is None or found.closed_at is not None:
            return False
        found.operator_id = operator_id
        return True


def close(store: Store, id: int, operator_id: int, remedy: str, at: datetime) -> bool:
    """It has been put right, and with it the order is closed; False if it is not open.

    Raises StoreError.
    """
    with store.write() as session:
        about = session.exec(select(Complaint.order_id).where(Complaint.id == id)).one_or_none()
        # the order first, as whoever rates it does: neither then waits for the other
        order = session.get(WorkOrder, about, with_for_update=True) if about else None
        found = session.get(Complaint, id, with_for_update=True)
        if order is None or found is None or found.closed_at is not None:
            return False
        found.closed_at, found.closed_by, found.remedy = at, operator_id, remedy
        found.operator_id = found.operator_id or operator_id
        if order.status is OrderStatus.FOLLOWED_UP:
            step(session, order, OrderEvent.CLOSED, By(operator_id), at, remedy)
        return True


def open_complaints(store: Store) -> tuple[ListedComplaint, ...]:
    """Those that nobody has closed, oldest first. Raises StoreError."""
    rows = _rows().where(col(Complaint.closed_at).is_(None))
    return _listed(store, rows.order_by(col(Complaint.at), col(Complaint.id)))


def closed_complaints(store: Store, limit: int) -> tuple[ListedComplaint, ...]:
    """Those closed last, newest first. Raises StoreError."""
    closed_at = col(Complaint.closed_at)
    rows = _rows().where(closed_at.is_not(None))
    return _listed(store, rows.order_by(closed_at.desc(), col(Complaint.id).desc()).limit(limit))


def find_complaint(store: Store, id: int) -> Complaint | None:
    """Raises StoreError."""
    with store.read() as session:
        return session.get(Complaint, id)


def _rows() -> Select[*tuple[Any, ...]]:
    """The fields of ListedComplaint in their order."""
    closer = aliased(Operator)
    return (
        columns(
            col(Complaint.id),
            col(Complaint.order_id),
            col(WorkOrder.code),
            col(Complaint.score),
            col(Complaint.said),
            col(Complaint.note).is_not(None),
            col(Complaint.call_id),
            col(Complaint.at),
            col(WorkOrder.phone),
            col(WorkOrder.elder_id),
            func.coalesce(col(Elder.name), ""),
            func.coalesce(col(Provider.name), ""),
            func.coalesce(col(Worker.name), ""),
            col(Complaint.operator_id),
            func.coalesce(col(Operator.display_name), ""),
            col(Complaint.closed_at),
            func.coalesce(col(closer.display_name), ""),
            col(Complaint.remedy),
        )
        .join(WorkOrder, col(WorkOrder.id) == col(Complaint.order_id))
        .outerjoin(Elder, col(Elder.id) == col(WorkOrder.elder_id))
        .outerjoin(Provider, col(Provider.id) == col(WorkOrder.provider_id))
        .outerjoin(Worker, col(Worker.id) == col(WorkOrder.worker_id))
        .outerjoin(Operator, col(Operator.id) == col(Complaint.operator_id))
        .outerjoin(closer, col(closer.id) == col(Complaint.closed_by))
    )


def _listed(store: Store, rows: Select[*tuple[Any, ...]]) -> tuple[ListedComplaint, ...]:
    with store.read() as session:
        return tuple(ListedComplaint(*row) for row in session.connection().execute(rows))
