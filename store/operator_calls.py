"""For which call an operator's telephone rings, or talks, at this moment."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from sqlmodel import col, delete, select

from store.database import Store
from store.models import OperatorCall


def rings(store: Store, uniqueid: str, call_id: UUID, extension: str, at: datetime) -> None:
    """Said twice of a channel, it rang the first time. Raises StoreError."""
    _keep(store, uniqueid, call_id, extension, at, answered=False)


def answers(store: Store, uniqueid: str, call_id: UUID, extension: str, at: datetime) -> None:
    """Also of a telephone that was not heard ringing. Raises StoreError."""
    _keep(store, uniqueid, call_id, extension, at, answered=True)


def ends(store: Store, uniqueid: str) -> None:
    """Raises StoreError."""
    with store.write() as session:
        session.exec(delete(OperatorCall).where(col(OperatorCall.uniqueid) == uniqueid))


def end_others(store: Store, uniqueids: Collection[str]) -> None:
    """Only these still last. Raises StoreError."""
    with store.write() as session:
        session.exec(delete(OperatorCall).where(col(OperatorCall.uniqueid).not_in(uniqueids)))


def present(store: Store) -> list[OperatorCall]:
    """Those of all operators, the longest first. Raises StoreError."""
    rows = select(OperatorCall).order_by(col(OperatorCall.rang_at), col(OperatorCall.uniqueid))
    with store.read() as session:
        return list(session.exec(rows))


def _keep(
    store: Store, uniqueid: str, call_id: UUID, extension: str, at: datetime, *, answered: bool
) -> None:
    with store.write() as session:
        row = session.get(OperatorCall, uniqueid)
        if row is None:
            row = OperatorCall(uniqueid=uniqueid, call_id=call_id, extension=extension, rang_at=at)
            session.add(row)
        if answered and row.answered_at is None:
            row.answered_at = at
