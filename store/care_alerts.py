"""Elders who live alone and did not answer. An operator who has looked after them closes it.

It is raised in the transaction that gives the greeting up, see store.follow_ups.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlmodel import col, select

from store.database import Store
from store.models import CareAlert, Elder, FollowUp, Operator


@dataclass(frozen=True, slots=True)
class Worry:
    """Somebody to look after, as plain values that can be compared."""

    id: int
    elder_id: int
    name: str
    phone: str
    address: str
    high_risk: bool
    tries: int
    """How often they were dialled."""
    raised_at: datetime
    closed_at: datetime | None
    closed_by: str
    """Display name of the operator; empty while it is open."""
    detail: str
    """What was found."""


def close(store: Store, id: int, by: int, at: datetime, detail: str) -> CareAlert | None:
    """An operator knows how they are, and says it; None if there is no such open alert.

    Raises StoreError.
    """
    with store.write() as session:
        alert = session.get(CareAlert, id, with_for_update=True)
        if alert is None or alert.closed_at is not None:
            return None
        alert.closed_at, alert.closed_by, alert.detail = at, by, detail
        return alert


def open_worries(store: Store) -> tuple[Worry, ...]:
    """Those that nobody has closed, oldest first. Raises StoreError."""
    return _worries(store, closed=False, limit=None)


def past_worries(store: Store, limit: int) -> tuple[Worry, ...]:
    """Those that were closed, the last one first. Raises StoreError."""
    return _worries(store, closed=True, limit=limit)


def _worries(store: Store, *, closed: bool, limit: int | None) -> tuple[Worry, ...]:
    rows = (
        select(CareAlert, FollowUp, Elder, Operator.display_name)
        .join(FollowUp, col(FollowUp.id) == col(CareAlert.follow_up_id))
        .join(Elder, col(Elder.id) == col(CareAlert.elder_id))
        .outerjoin(Operator, col(Operator.id) == col(CareAlert.closed_by))
        .limit(limit)
    )
    if closed:
        rows = rows.where(col(CareAlert.closed_at).is_not(None))
        rows = rows.order_by(col(CareAlert.closed_at).desc())
    else:
        rows = rows.where(col(CareAlert.closed_at).is_(None)).order_by(col(CareAlert.raised_at))
    with store.read() as session:
        return tuple(
            Worry(
                alert.id or 0,
                alert.elder_id,
                elder.name,
                greeting.phone,
                elder.address,
                elder.high_risk,
                greeting.tries,
                alert.raised_at,
                alert.closed_at,
                by or "",
                alert.detail,
            )
            for alert, greeting, elder, by in session.exec(rows)
        )
