"""Waits in the operators' queue, as Asterisk tells of them.

A visit is known by its channel and its turn among the visits of that channel. Telling the same
twice changes nothing, so what was seen live may be read again from Asterisk's own log. Whoever hung
up while waiting is owed a call from the very transaction that says so.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlmodel import Session, col, select

from store.callbacks import asked
from store.database import Store, reading
from store.models import Callback, Cause, QueueEnd, QueueVisit, Wants


@dataclass(slots=True)
class Logged:
    """A visit as Asterisk's queue log tells it; fields as those of QueueVisit."""

    uniqueid: str
    joined_at: datetime
    phone: str = ""
    call_id: UUID | None = None
    priority: int = 0
    left_at: datetime | None = None
    how: QueueEnd | None = None
    answered_by: str = ""
    talk_ended_at: datetime | None = None


# --- as it happens ---


def join(
    store: Store,
    uniqueid: str,
    phone: str,
    at: datetime,
    *,
    call_id: UUID | None = None,
    priority: int = 0,
) -> None:
    """A caller begins to wait; `phone` is empty if withheld. Raises StoreError."""
    with store.write() as session:
        if _waiting(session, uniqueid) is None:
            session.add(
                QueueVisit(
                    uniqueid=uniqueid,
                    phone=phone,
                    call_id=call_id,
                    priority=priority,
                    joined_at=at,
                )
            )


def answer(store: Store, uniqueid: str, extension: str, at: datetime) -> None:
    """An operator has taken the call. Raises StoreError."""
    with store.write() as session:
        visit = _waiting(session, uniqueid)
        if visit is not None:
            _leave(session, visit, QueueEnd.ANSWERED, at, extension)


def end_talk(store: Store, uniqueid: str, at: datetime) -> None:
    """The operator or the caller has hung up. Raises StoreError."""
    with store.write() as session:
        talking = _last(session, uniqueid)
        if talking is not None and talking.how is QueueEnd.ANSWERED:
            talking.talk_ended_at = talking.talk_ended_at or at


def leave(
    store: Store, uniqueid: str, how: QueueEnd, at: datetime, grace: timedelta = timedelta()
) -> Callback | None:
    """The wait has ended, and not with an operator.

    Gives the call-back that is owed for it: to whoever has hung up, or was cut off. `grace` is the
    time they are given to call again by themselves. Raises StoreError.
    """
    with store.write() as session:
        visit = _waiting(session, uniqueid)
        return _leave(session, visit, how, at, grace=grace) if visit is not None else None


# --- afterwards ---


def catch_up(
    store: Store,
    logged: Sequence[Logged],
    channels: Collection[str],
    at: datetime,
    grace: timedelta = timedelta(),
) -> list[Callback]:
    """Brings the visits in line with Asterisk's log and with the `channels` there are since.

    `logged` is in the order of joining. Whose channel is gone, and of whom the log says nothing
    more, was cut off: Asterisk died. Gives the call-backs owed, also to those who were talking to
    an operator then. Raises StoreError.
    """
    owed: list[Callback | None] = []
    with store.write() as session:
        turns: dict[str, int] = {}
        for one in logged:
            turn = turns.get(one.uniqueid, 0)
            turns[one.uniqueid] = turn + 1
            known = session.exec(
                select(QueueVisit)
                .where(QueueVisit.uniqueid == one.uniqueid)
                .order_by(col(QueueVisit.joined_at))
                .offset(turn)
                .limit(1)
            ).first()
            visit = known or QueueVisit(
                uniqueid=one.uniqueid, phone=one.phone, joined_at=one.joined_at
            )
            visit.call_id = visit.call_id or one.call_id
            visit.priority = visit.priority or one.priority
            session.add(visit)
            session.flush()
            if visit.how is None and one.how is not None and one.left_at is not None:
                owed.append(_leave(session, visit, one.how, one.left_at, one.answered_by, grace))
            if visit.how is QueueEnd.ANSWERED:
                visit.talk_ended_at = visit.talk_ended_at or one.talk_ended_at
        for visit in session.exec(select(QueueVisit).where(col(QueueVisit.left_at).is_(None))):
            if visit.uniqueid not in channels:
                owed.append(_leave(session, visit, QueueEnd.FAILED, at, grace=grace))
        talking = select(QueueVisit).where(
            QueueVisit.how == QueueEnd.ANSWERED, col(QueueVisit.talk_ended_at).is_(None)
        )
        for visit in session.exec(talking):
            if visit.uniqueid not in channels:
                visit.talk_ended_at = at
                owed.append(_cut_off(session, visit, at))
    return [callback for callback in owed if callback is not None]


# --- looking ---


def waiting(store: Store) -> list[QueueVisit]:
    """Who waits now, in the order of the queue. Raises StoreError."""
    rows = (
        select(QueueVisit)
        .where(col(QueueVisit.left_at).is_(None))
        .order_by(col(QueueVisit.priority).desc(), col(QueueVisit.joined_at), col(QueueVisit.id))
    )
    with store.read() as session:
        return list(session.exec(rows))


def talking(store: Store | Session) -> list[QueueVisit]:
    """Whom an operator has answered, and who talks still. Raises StoreError."""
    rows = select(QueueVisit).where(
        QueueVisit.how == QueueEnd.ANSWERED, col(QueueVisit.talk_ended_at).is_(None)
    )
    with reading(store) as session:
        return list(session.exec(rows))


# --- inside ---


def _waiting(session: Session, uniqueid: str) -> QueueVisit | None:
    rows = select(QueueVisit).where(
        QueueVisit.uniqueid == uniqueid, col(QueueVisit.left_at).is_(None)
    )
    return session.exec(rows).first()


def _last(session: Session, uniqueid: str) -> QueueVisit | None:
    rows = select(QueueVisit).where(QueueVisit.uniqueid == uniqueid)
    return session.exec(rows.order_by(col(QueueVisit.joined_at).desc())).first()


def _leave(
    session: Session,
    visit: QueueVisit,
    how: QueueEnd,
    at: datetime,
    extension: str = "",
    grace: timedelta = timedelta(),
) -> Callback | None:
    visit.how, visit.left_at = how, at
    if how is QueueEnd.ANSWERED:
        visit.answered_at, visit.answered_by = at, extension
    if how not in (QueueEnd.ABANDONED, QueueEnd.FAILED) or not visit.phone:
        return None
    return asked(
        session,
        visit.phone,
        cause=Cause.ABANDONED,
        wants=Wants.OPERATOR,
        at=at,
        priority=visit.priority,
        queued_at=visit.joined_at,
        due_at=at + grace,
        call_id=visit.call_id,
    )


def _cut_off(session: Session, visit: QueueVisit, at: datetime) -> Callback | None:
    """They talked to an operator, and had not ended it."""
    if not visit.phone:
        return None
    return asked(
        session,
        visit.phone,
        cause=Cause.CUT_OFF,
        wants=Wants.OPERATOR,
        at=at,
        priority=visit.priority,
        queued_at=at,
        due_at=at,
        call_id=visit.call_id,
    )
