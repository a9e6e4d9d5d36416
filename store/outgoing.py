"""What the house owes people after a booking, as plain values that can be compared."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select
from sqlalchemy import select as columns
from sqlmodel import col, func, select

from store import follow_ups
from store.database import Store
from store.models import (
    OPEN_FOLLOW_UPS,
    Channel,
    Elder,
    FollowUp,
    FollowUpEnd,
    FollowUpState,
    Purpose,
    Rating,
    WorkOrder,
)


@dataclass(frozen=True, slots=True)
class ListedFollowUp:
    id: int
    purpose: Purpose
    order_id: int | None
    code: str
    """Of the order's service; empty without one."""
    phone: str
    elder_id: int | None
    elder: str
    """Name; empty if not known."""
    state: FollowUpState
    due_at: datetime
    tries: int
    closed_at: datetime | None
    end: FollowUpEnd | None
    score: int | None
    """The order's rating, if it has one."""
    detail: str
    """How the last attempt ended."""


@dataclass(frozen=True, slots=True)
class OpenFollowUps:
    counts: Mapping[str, int]
    """Of all that are open, by state."""
    first: tuple[ListedFollowUp, ...]
    """Those that are due first."""


def open_follow_ups(store: Store, limit: int) -> OpenFollowUps:
    """Raises StoreError."""
    is_open = col(FollowUp.state).in_(OPEN_FOLLOW_UPS)
    counted = select(FollowUp.state, func.count()).where(is_open).group_by(col(FollowUp.state))
    first = _rows().where(is_open).order_by(col(FollowUp.due_at), col(FollowUp.id)).limit(limit)
    with store.read() as session:
        counts = dict(session.exec(counted).all())
        found = tuple(ListedFollowUp(*row) for row in session.connection().execute(first))
    return OpenFollowUps(counts, found)


def closed_follow_ups(store: Store, limit: int) -> tuple[ListedFollowUp, ...]:
    """Those that ended last, newest first. Raises StoreError."""
    closed_at = col(FollowUp.closed_at)
    rows = _rows().where(closed_at.is_not(None))
    rows = rows.order_by(closed_at.desc(), col(FollowUp.id).desc()).limit(limit)
    with store.read() as session:
        return tuple(ListedFollowUp(*row) for row in session.connection().execute(rows))


def close_by_hand(
    store: Store, id: int, operator_id: int, at: datetime, score: int | None, said: str
) -> bool:
    """An operator has asked otherwise: the rating they were told, or None: it is to be left.

    False if it is on the line at this moment, over, or asks for no rating. Raises StoreError.
    """
    with store.write() as session:
        row = session.get(FollowUp, id)
        if row is None or row.state not in (FollowUpState.WAITING, FollowUpState.MESSAGED):
            return False
        if score is None:
            return follow_ups.settle(
                session, id, FollowUpEnd.REFUSED, at, said, operator_id=operator_id
            )
        if row.purpose is not Purpose.RATING or row.order_id is None:
            return False
        follow_ups.rate(
            session,
            order_id=row.order_id,
            score=score,
            channel=Channel.OPERATOR,
            at=at,
            said=said,
            operator_id=operator_id,
        )
        return True


def _rows() -> Select[*tuple[Any, ...]]:
    """The fields of ListedFollowUp in their order."""
    return (
        columns(
            col(FollowUp.id),
            col(FollowUp.purpose),
            col(FollowUp.order_id),
            func.coalesce(col(WorkOrder.code), ""),
            col(FollowUp.phone),
            col(FollowUp.elder_id),
            func.coalesce(col(Elder.name), ""),
            col(FollowUp.state),
            col(FollowUp.due_at),
            col(FollowUp.tries),
            col(FollowUp.closed_at),
            col(FollowUp.end),
            col(Rating.score),
            col(FollowUp.detail),
        )
        .outerjoin(WorkOrder, col(WorkOrder.id) == col(FollowUp.order_id))
        .outerjoin(Rating, col(Rating.order_id) == col(FollowUp.order_id))
        .outerjoin(Elder, col(Elder.id) == col(FollowUp.elder_id))
    )
