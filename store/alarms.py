"""Calls for help: raised, answered by somebody, and closed by an operator.

One alarm a call. Telling the same again changes nothing, so what Asterisk has kept may be told
twice.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlmodel import Session, col, select

from store.database import Store
from store.models import Alarm


def raise_alarm(store: Store, call_id: UUID, phone: str, at: datetime) -> Alarm:
    """Somebody needs help; `phone` is empty if withheld. The first time counts.

    Raises StoreError.
    """
    with store.write() as session:
        alarm = _of(session, call_id)
        if alarm is None:
            alarm = Alarm(call_id=call_id, phone=phone, raised_at=at)
            session.add(alarm)
            session.flush()
        else:
            alarm.phone = alarm.phone or phone
            alarm.raised_at = min(alarm.raised_at, at)
        return alarm


def answer_alarm(store: Store, call_id: UUID, by: str, at: datetime) -> None:
    """Who has taken the call first: an operator's extension or an on-call number.

    Raises StoreError.
    """
    with store.write() as session:
        alarm = _of(session, call_id)
        if alarm is None:  # its raising is told later, with the number
            alarm = Alarm(call_id=call_id, phone="", raised_at=at)
            session.add(alarm)
        if alarm.answered_at is None:
            alarm.answered_at, alarm.answered_by = at, by


def close(store: Store, id: int, operator_id: int, at: datetime) -> Alarm | None:
    """An operator says that it has been seen to; None if there is no such alarm.

    Raises StoreError.
    """
    with store.write() as session:
        alarm = session.get(Alarm, id)
        if alarm is not None and alarm.closed_at is None:
            alarm.closed_at, alarm.closed_by = at, operator_id
        return alarm


def open_alarms(store: Store) -> list[Alarm]:
    """Those that nobody has closed, oldest first. Raises StoreError."""
    with store.read() as session:
        rows = select(Alarm).where(col(Alarm.closed_at).is_(None)).order_by(col(Alarm.raised_at))
        return list(session.exec(rows))


def raised_between(store: Store, begin: datetime, end: datetime) -> list[Alarm]:
    """Those of [begin, end), closed or not, newest first. Raises StoreError."""
    rows = (
        select(Alarm)
        .where(Alarm.raised_at >= begin, Alarm.raised_at < end)
        .order_by(col(Alarm.raised_at).desc())
    )
    with store.read() as session:
        return list(session.exec(rows))


def _of(session: Session, call_id: UUID) -> Alarm | None:
    return session.exec(select(Alarm).where(Alarm.call_id == call_id)).one_or_none()
