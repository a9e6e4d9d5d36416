"""Calls and their turns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import exists, func
from sqlmodel import Session, col, select
from sqlmodel.sql.expression import SelectOfScalar

from store.database import Store, StoreError
from store.models import Call, Elder, Next, Outcome, Turn, WorkOrder

CALLS_REMEMBERED = 5
"""The last calls that tell a caller's dialect: one odd call does not change it, a move does."""


class ListedCall(NamedTuple):
    call: Call
    elder_name: str
    """Empty if not known."""
    orders: int


class LastSaid(NamedTuple):
    turns: int
    """How many there are."""
    said: str
    """In the last of them; empty if nothing yet."""


def begin_call(
    store: Store, call_id: UUID, phone: str, started_at: datetime, elder_id: int | None = None
) -> Call:
    """Enters a call, or returns it if it has been entered already. Raises StoreError."""
    with store.write() as session:
        call = session.get(Call, call_id)
        if call is None:
            call = Call(id=call_id, phone=phone, elder_id=elder_id, started_at=started_at)
            session.add(call)
        return call


def answer_call(store: Store, call_id: UUID, at: datetime) -> None:
    """The caller hears us. Raises StoreError."""
    with store.write() as session:
        _known(session, call_id).answered_at = at


def record_turn(store: Store, turn: Turn, summary: Mapping[str, Any] | None = None) -> None:
    """Keeps a turn, and what is known of the call after it. Raises StoreError.

    The same call and index a second time replaces the turn: what was said may be known late.
    """
    with store.write() as session:
        call = _known(session, turn.call_id)
        turn.id = session.exec(
            select(Turn.id).where(Turn.call_id == turn.call_id, Turn.index == turn.index)
        ).one_or_none()
        session.merge(turn)
        if summary is not None:
            call.summary = dict(summary)


def end_call(
    store: Store,
    call_id: UUID,
    outcome: Outcome,
    next_step: Next,
    at: datetime,
    *,
    reason: str = "",
    summary: Mapping[str, Any] | None = None,
    dialect: str = "",
) -> None:
    """Closes a call; one that is closed stays as it is. Raises StoreError.

    `dialect` is what was heard in what was ordered.
    """
    with store.write() as session:
        call = _known(session, call_id)
        if call.ended_at is not None:
            return
        call.outcome, call.next, call.ended_at, call.reason = outcome, next_step, at, reason
        call.dialect = dialect
        if summary is not None:
            call.summary = dict(summary)


def close_unfinished(store: Store, at: datetime) -> int:
    """Closes the calls a dead agent left open, and returns how many; for the agent's start.

    Their callers are with an operator: that is where the dialplan takes them. Raises StoreError.
    """
    with store.write() as session:
        ordered = exists().where(col(WorkOrder.call_id) == col(Call.id))
        rows = session.exec(select(Call, ordered).where(col(Call.ended_at).is_(None))).all()
        for call, has_order in rows:
            call.outcome = Outcome.ORDERED if has_order else Outcome.FAILED
            call.next, call.ended_at, call.reason = Next.OPERATOR, at, "agent died"
        return len(rows)


def heard_dialect(store: Store, phone: str) -> str:
    """The dialect last heard most from a number; empty if none has been. Raises StoreError."""
    if not phone:
        return ""
    recent = (
        select(Call.dialect)
        .where(Call.phone == phone, Call.dialect != "")
        .order_by(col(Call.started_at).desc())
        .limit(CALLS_REMEMBERED)
    )
    with store.read() as session:
        counts = Counter(session.exec(recent))
    return max(counts, key=counts.__getitem__, default="")  # the latest of those heard as often


def find_call(store: Store, call_id: UUID) -> Call | None:
    """Raises StoreError."""
    with store.read() as session:
        return session.get(Call, call_id)


def turns_of(store: Store, call_id: UUID) -> list[Turn]:
    """The turns of a call in their order. Raises StoreError."""
    with store.read() as session:
        rows = select(Turn).where(Turn.call_id == call_id).order_by(col(Turn.index))
        return list(session.exec(rows))


def last_said(store: Store, call_ids: Collection[UUID]) -> dict[UUID, LastSaid]:
    """What was said to each of these callers last, where anything was; one question for all of
    them. Raises StoreError."""
    rows = (
        select(Turn.call_id, Turn.index, Turn.said)
        .where(col(Turn.call_id).in_(call_ids))
        .order_by(col(Turn.index))
    )
    with store.read() as session:
        return {call_id: LastSaid(index + 1, said) for call_id, index, said in session.exec(rows)}


def calls_from(
    store: Store, elder_id: int | None, phones: Collection[str], limit: int
) -> list[ListedCall]:
    """Of somebody, or from these numbers by nobody else, newest first. Raises StoreError."""
    theirs = col(Call.phone).in_(phones) & col(Call.elder_id).is_(None)
    if elder_id is not None:
        theirs |= col(Call.elder_id) == elder_id
    return _listed(store, select(Call.id).where(theirs), limit)


def newest_calls(store: Store, limit: int | None = None) -> list[ListedCall]:
    """Calls, newest first. Raises StoreError."""
    return _listed(store, select(Call.id), limit)


def _listed(store: Store, ids: SelectOfScalar[UUID], limit: int | None) -> list[ListedCall]:
    orders = (
        select(WorkOrder.call_id, func.count().label("orders"))
        .group_by(col(WorkOrder.call_id))
        .subquery()
    )
    rows = (
        select(Call, Elder.name, orders.c.orders)
        .outerjoin(Elder, col(Elder.id) == col(Call.elder_id))
        .outerjoin(orders, orders.c.call_id == col(Call.id))
        .where(col(Call.id).in_(ids))
        .order_by(col(Call.started_at).desc())
        .limit(limit)
    )
    with store.read() as session:
        return [ListedCall(call, name or "", n or 0) for call, name, n in session.exec(rows)]


def _known(session: Session, call_id: UUID) -> Call:
    call = session.get(Call, call_id)
    if call is None:
        raise StoreError(f"the call {call_id} is not in the store: begin_call comes first")
    return call
