"""People who are owed a call: asked for, claimed by a process that dials, and closed.

A process claims a call-back before it dials and says so again while it lasts (`renew`). Claims of a
process that says nothing any more are taken over by another. Every step names the attempt it
belongs to, so that whatever is reported twice, late, or by a process that has lost its claim
changes nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from functools import cache
from typing import Any, NamedTuple
from uuid import UUID, uuid4

from sqlalchemy import ColumnElement, Connection, bindparam, exists, or_
from sqlalchemy.orm import Mapped
from sqlmodel import Session, col, select
from sqlmodel.sql.expression import SelectOfScalar

from store import switches
from store.database import Conflict, Store, looking, one_of, session_on
from store.models import (
    OPEN_CALLBACKS,
    Call,
    Callback,
    CallbackEvent,
    CallbackEventKind,
    CallbackState,
    Cause,
    Elder,
    Next,
    Outcome,
    Phone,
    QueueEnd,
    QueueVisit,
    Wants,
)

TO_BE_DIALLED = (CallbackState.WAITING, CallbackState.NO_ANSWER)
ON_THE_LINE = (CallbackState.DIALLING, CallbackState.REACHED)


class ListedCallback(NamedTuple):
    callback: Callback
    elder_name: str
    """Empty if not known."""


# --- asking ---


def ask(
    store: Store,
    phone: str,
    *,
    cause: Cause,
    wants: Wants,
    at: datetime,
    priority: int = 0,
    queued_at: datetime | None = None,
    due_at: datetime | None = None,
    call_id: UUID | None = None,
) -> Callback | None:
    """Somebody is to be called back, or already was to be: there is one open at a time a number.

    Asking again keeps the better of the two places in line and of the two priorities, and dials at
    once who was put off. `phone` as store.phones gives it; None is returned where it is withheld.
    `queued_at` is when they began to wait and `due_at` when to dial at the earliest, without them
    `at`. The call they came of gets the outcome callback. Raises StoreError.
    """
    if not phone:
        return None
    for again in (True, False):
        try:
            with store.write() as session:
                return asked(
                    session,
                    phone,
                    cause=cause,
                    wants=wants,
                    at=at,
                    priority=priority,
                    queued_at=queued_at or at,
                    due_at=due_at or at,
                    call_id=call_id,
                )
        except Conflict:  # on PostgreSQL another process may have been faster since we looked
            if not again:
                raise
    raise AssertionError("unreachable")


def asked(
    session: Session,
    phone: str,
    *,
    cause: Cause,
    wants: Wants,
    at: datetime,
    priority: int,
    queued_at: datetime,
    due_at: datetime,
    call_id: UUID | None,
) -> Callback:
    """`ask` inside a transaction of the caller's; `phone` is not empty."""
    if call_id is not None and (known := _came_of(session, call_id, phone)):
        return known
    row = session.exec(
        select(Callback).where(Callback.phone == phone, col(Callback.state).in_(OPEN_CALLBACKS))
    ).one_or_none()
    if row is None:
        row = Callback(
            phone=phone,
            elder_id=_elder(session, phone),
            call_id=call_id,
            cause=cause,
            wants=wants,
            priority=priority,
            queued_at=queued_at,
            asked_at=at,
            due_at=due_at,
        )
        session.add(row)
        session.flush()
        _event(session, row, CallbackEventKind.ASKED, at, cause)
    else:
        row.queued_at, row.asked_at = min(row.queued_at, queued_at), at
        row.priority = max(row.priority, priority)
        if wants is Wants.OPERATOR:
            row.wants = wants
        if cause is Cause.ASKED:
            row.cause = cause
        if row.state in TO_BE_DIALLED:
            _put_back(row, CallbackState.WAITING, min(row.due_at, due_at), row.detail)
        _event(session, row, CallbackEventKind.CHANGED, at, f"asked again: {cause}")
    if call_id is not None:
        _note_outcome(session, call_id, row, cause, queued_at, at)
    return row


# --- dialling ---


def claim(store: Store, id: int, by: str, at: datetime) -> Callback | None:
    """Takes a call-back that is due, to be dialled now under the new `attempt_id`.

    None if it is not due or not to be dialled any more, or another was faster, or everything that
    goes out is paused. Raises StoreError.
    """
    with store.write() as session:
        if switches.paused(session):
            return None
        row = session.get(Callback, id, with_for_update=True)
        if row is None or row.state not in TO_BE_DIALLED or row.due_at > at:
            return None
        row.state = CallbackState.DIALLING
        row.attempt_id = uuid4()
        row.tries += 1
        row.claimed_by, row.claimed_at = by, at
        _event(session, row, CallbackEventKind.DIALLED, at, f"try {row.tries}")
        return row


def renew(store: Store, by: str, at: datetime) -> None:
    """Says that this process still looks after what it has claimed. Raises StoreError."""
    with store.write() as session:
        for row in session.exec(_claims()):
            if row.claimed_by == by:
                row.claimed_at = at


def take_over(store: Store, by: str, at: datetime, silent_since: datetime) -> list[Callback]:
    """Claims what a process had claimed that has said nothing since `silent_since`.

    What became of each attempt is to be asked of Asterisk. Raises StoreError.
    """
    with store.write() as session:
        rows = list(
            session.exec(
                _claims().where(
                    Callback.claimed_by != by,
                    or_(
                        col(Callback.claimed_at).is_(None), col(Callback.claimed_at) < silent_since
                    ),
                )
            )
        )
        for row in rows:
            row.claimed_by, row.claimed_at = by, at
        return rows


def reached(store: Store, attempt: UUID, at: datetime) -> Callback | None:
    """They have answered. None if this attempt is not being dialled. Raises StoreError."""
    with store.write() as session:
        row = _of_attempt(session, attempt, (CallbackState.DIALLING,))
        if row is not None:
            row.state, row.reached_call_id = CallbackState.REACHED, attempt
            _event(session, row, CallbackEventKind.REACHED, at)
        return row


def done(store: Store, attempt: UUID, at: datetime, detail: str = "") -> Callback | None:
    """They have talked to whom they were to talk to. None as in `reached`. Raises StoreError."""
    with store.write() as session:
        row = _of_attempt(session, attempt, ON_THE_LINE)
        if row is not None:
            if row.state is CallbackState.DIALLING:
                row.reached_call_id = attempt
                _event(session, row, CallbackEventKind.REACHED, at)
            _close(session, row, CallbackState.DONE, at, detail)
        return row


def missed(
    store: Store, attempt: UUID, at: datetime, why: str, retry_at: datetime | None
) -> Callback | None:
    """The attempt came to nothing: it is tried again at `retry_at`, or given up without one.

    None as in `reached`. Raises StoreError.
    """
    with store.write() as session:
        row = _of_attempt(session, attempt, ON_THE_LINE)
        if row is None:
            return None
        _event(session, row, CallbackEventKind.NOT_REACHED, at, why)
        if retry_at is None:
            _close(session, row, CallbackState.GIVEN_UP, at, why)
        else:
            _put_back(row, CallbackState.NO_ANSWER, retry_at, why)
        return row


def release(store: Store, attempt: UUID, at: datetime, why: str, due_at: datetime) -> None:
    """The attempt never rang anybody: it does not count as a try. Raises StoreError."""
    with store.write() as session:
        row = _of_attempt(session, attempt, (CallbackState.DIALLING,))
        if row is not None:
            row.tries -= 1
            state = CallbackState.NO_ANSWER if row.tries else CallbackState.WAITING
            _put_back(row, state, due_at, why)
            _event(session, row, CallbackEventKind.RELEASED, at, why)


def put_off(store: Store, id: int, due_at: datetime) -> None:
    """Not to be dialled before `due_at`. Raises StoreError."""
    with store.write() as session:
        row = session.get(Callback, id, with_for_update=True)
        if row is not None and row.state in TO_BE_DIALLED:
            row.due_at = due_at


def close_served(store: Store, at: datetime) -> list[Callback]:
    """Closes call-backs of people who were served since they asked. Raises StoreError.

    Served is who has talked to an operator; or who has ended a call with the agent as one ends a
    call, unless it is an operator they have asked for.
    """
    with store.read() as session:
        if session.exec(_served()).first() is None:
            return []
    with store.write() as session:
        rows = list(session.exec(_served()))
        for row in rows:
            _close(session, row, CallbackState.DONE, at, "called again and was served")
        return rows


def call_by_hand(
    store: Store, id: int, extension: str, at: datetime, detail: str
) -> Callback | None:
    """An operator wants to call them now, whatever the hour and whoever else waits.

    None as in `close_by_hand`. Raises StoreError.
    """
    with store.write() as session:
        row = session.get(Callback, id, with_for_update=True)
        if row is None or row.state not in TO_BE_DIALLED or not extension:
            return None
        row.by_hand, row.due_at = extension, at
        _event(session, row, CallbackEventKind.CHANGED, at, detail)
        return row


def close_by_hand(
    store: Store, id: int, state: CallbackState, at: datetime, detail: str
) -> Callback | None:
    """A person has decided that this one is done, or is given up.

    None if it is not open any more, or is on the line at this moment. Raises StoreError.
    """
    if state not in (CallbackState.DONE, CallbackState.GIVEN_UP):
        raise ValueError(f"a call-back is not closed as {state}")
    with store.write() as session:
        row = session.get(Callback, id, with_for_update=True)
        if row is None or row.state not in TO_BE_DIALLED:
            return None
        _close(session, row, state, at, detail)
        return row


# --- looking ---


LONGEST_CALL = timedelta(hours=1)
"""A call that is open for longer has no end in the store because the agent died."""


def due(store: Store | Session | Connection, at: datetime) -> list[Callback]:
    """Those to be dialled now, in their order, without people who are on the telephone with us at
    this moment. Raises StoreError."""
    return _found(store, _due(), at=at, lasting_since=at - LONGEST_CALL)


@cache
def _due() -> SelectOfScalar[Callback]:
    """Put together once: it is asked every second."""
    return (
        select(Callback)
        .where(
            one_of(col(Callback.state), TO_BE_DIALLED),
            col(Callback.due_at) <= bindparam("at"),
            ~on_the_telephone(col(Callback.phone)),
        )
        .order_by(col(Callback.priority).desc(), col(Callback.queued_at), col(Callback.id))
    )


def on_the_telephone(number: Mapped[str]) -> ColumnElement[bool]:
    """Whether the one with this number talks with us, or waits for an operator; a call that began
    before the parameter `lasting_since` is over."""
    waiting = exists().where(
        col(QueueVisit.phone) == number,
        or_(
            col(QueueVisit.left_at).is_(None),
            (col(QueueVisit.how) == QueueEnd.ANSWERED) & col(QueueVisit.talk_ended_at).is_(None),
        ),
    )
    talking = exists().where(
        col(Call.phone) == number,
        col(Call.ended_at).is_(None),
        col(Call.started_at) > bindparam("lasting_since"),
    )
    return waiting | talking


def claimed(store: Store | Session | Connection, by: str | None = None) -> list[Callback]:
    """Those being dialled or on the line, of one process or of all. Raises StoreError."""
    return [row for row in _found(store, _claims()) if by is None or row.claimed_by == by]


def _found(
    where: Store | Session | Connection, rows: SelectOfScalar[Callback], **asked: Any
) -> list[Callback]:
    """What is asked every second and is hardly ever there: only then a session is made."""
    with looking(where) as connection:
        if connection.execute(rows, asked).first() is None:
            return []
        with session_on(connection) as session:
            return list(session.exec(rows, params=asked))


def newest_callbacks(
    store: Store, limit: int | None = None, states: Collection[CallbackState] = ()
) -> list[ListedCallback]:
    """Call-backs, newest first; of some states only, if given. Raises StoreError."""
    rows = (
        select(Callback, Elder.name)
        .outerjoin(Elder, col(Elder.id) == col(Callback.elder_id))
        .order_by(col(Callback.id).desc())
        .limit(limit)
    )
    if states:
        rows = rows.where(col(Callback.state).in_(states))
    with store.read() as session:
        return [ListedCallback(row, name or "") for row, name in session.exec(rows)]


def events_of(store: Store, ids: Iterable[int]) -> dict[int, list[CallbackEvent]]:
    """What happened to each of these call-backs, in its order. Raises StoreError."""
    rows = (
        select(CallbackEvent)
        .where(col(CallbackEvent.callback_id).in_(tuple(ids)))
        .order_by(col(CallbackEvent.id))
    )
    found: dict[int, list[CallbackEvent]] = {}
    with store.read() as session:
        for event in session.exec(rows):
            found.setdefault(event.callback_id, []).append(event)
    return found


def of_attempt(store: Store, attempt: UUID) -> Callback | None:
    """The call-back that an attempt was or is of. Raises StoreError."""
    with store.read() as session:
        return session.exec(select(Callback).where(Callback.attempt_id == attempt)).one_or_none()


# --- inside ---


@cache
def _claims() -> SelectOfScalar[Callback]:
    return select(Callback).where(one_of(col(Callback.state), ON_THE_LINE))


@cache
def _served() -> SelectOfScalar[Callback]:
    talked = exists().where(
        col(QueueVisit.phone) == col(Callback.phone),
        col(QueueVisit.answered_at) > col(Callback.queued_at),
        col(QueueVisit.how) == QueueEnd.ANSWERED,
    )
    finished = exists().where(
        col(Call.phone) == col(Callback.phone),
        col(Call.started_at) > col(Callback.queued_at),
        col(Call.next) == Next.HANGUP,
        or_(col(Call.outcome) == Outcome.ORDERED, col(Call.reason) == "goodbye"),
    )
    wish: ColumnElement[bool] = (col(Callback.cause) == Cause.ASKED) & (
        col(Callback.wants) == Wants.OPERATOR
    )
    return select(Callback).where(
        col(Callback.state).in_(TO_BE_DIALLED), or_(talked, finished & ~wish)
    )


def _came_of(session: Session, call_id: UUID, phone: str) -> Callback | None:
    """The call-back that this call has already led to, or was made for, open or not."""
    call = session.get(Call, call_id)
    same = or_(
        col(Callback.call_id) == call_id,
        col(Callback.attempt_id) == call_id,
        col(Callback.reached_call_id) == call_id,
    )
    if call is not None and call.outcome is Outcome.CALLBACK:
        same = or_(same, col(Callback.phone) == phone)
    return session.exec(select(Callback).where(same).order_by(col(Callback.id).desc())).first()


def _note_outcome(
    session: Session, call_id: UUID, row: Callback, cause: Cause, began_at: datetime, at: datetime
) -> None:
    """The call ended in being called back, for the caller. It is entered if the agent never saw
    it."""
    call = session.get(Call, call_id)
    if call is None:
        call = Call(id=call_id, phone=row.phone, elder_id=row.elder_id, started_at=began_at)
        call.reason = cause
        session.add(call)
    elif call.outcome in (Outcome.ORDERED, Outcome.EMERGENCY):
        return
    call.outcome = Outcome.CALLBACK
    call.ended_at = call.ended_at or at


def _elder(session: Session, phone: str) -> int | None:
    """Whose number it is; None if nobody's, or shared by several."""
    owners = session.exec(select(Phone.elder_id).where(Phone.number == phone)).all()
    return owners[0] if len(owners) == 1 else None


def _of_attempt(
    session: Session, attempt: UUID, states: Collection[CallbackState]
) -> Callback | None:
    row = session.exec(
        select(Callback).where(Callback.attempt_id == attempt).with_for_update()
    ).one_or_none()
    return row if row is not None and row.state in states else None


def _put_back(row: Callback, state: CallbackState, due_at: datetime, detail: str) -> None:
    row.state, row.due_at, row.detail = state, due_at, detail
    row.claimed_by, row.claimed_at, row.by_hand = "", None, ""


def _close(
    session: Session, row: Callback, state: CallbackState, at: datetime, detail: str
) -> None:
    kinds = {
        CallbackState.DONE: CallbackEventKind.DONE,
        CallbackState.GIVEN_UP: CallbackEventKind.GIVEN_UP,
    }
    _put_back(row, state, row.due_at, detail)
    row.closed_at = at
    _event(session, row, kinds[state], at, detail)


def _event(
    session: Session, row: Callback, kind: CallbackEventKind, at: datetime, detail: str = ""
) -> None:
    if row.id is None:
        raise ValueError("a call-back gets its events once it has been asked for")
    session.add(CallbackEvent(callback_id=row.id, at=at, kind=kind, detail=detail))
