"""Calls that we owe after a booking: planned, claimed by a process that dials, and closed.

As with call-backs every step names the attempt it belongs to, so that whatever is reported twice,
late, or by a process that has lost its claim changes nothing. What comes after an attempt is
decided elsewhere (ivr.outreach) and only kept here. What writes takes a session: it is part of the
transaction in which an order is completed, a message is read, or a whole tick is claimed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, time
from functools import cache
from typing import Any, NamedTuple
from uuid import UUID, uuid4

from sqlalchemy import Update, bindparam, exists, insert, or_, update
from sqlalchemy.orm import aliased
from sqlalchemy.sql.dml import ReturningUpdate
from sqlmodel import Session, col, func, select
from sqlmodel.sql.expression import Select, SelectOfScalar

from store import complaints, messages, switches
from store.callbacks import LONGEST_CALL, on_the_telephone
from store.database import Store, StoreError, reading
from store.models import (
    OPEN_FOLLOW_UPS,
    CareAlert,
    Channel,
    Complaint,
    Elder,
    FollowUp,
    FollowUpEnd,
    FollowUpEvent,
    FollowUpEventKind,
    FollowUpState,
    OrderEvent,
    OrderStatus,
    Purpose,
    Rating,
    SmsOut,
    SmsPurpose,
    SmsState,
    WorkOrder,
)
from store.order_steps import By, step

ON_THE_LINE = (FollowUpState.DIALLING, FollowUpState.REACHED)
LOW_SCORE = 2
"""Ratings up to this one are complaints."""
_DONE = frozenset(
    (
        FollowUpEnd.RATED,
        FollowUpEnd.CONFIRMED,
        FollowUpEnd.MOVED,
        FollowUpEnd.CANCELLED,
        FollowUpEnd.GREETED,
    )
)
"""Ends of which something came; the others are given up."""


@dataclass(frozen=True, slots=True)
class Again:
    """Next, they are called once more."""

    at: datetime


@dataclass(frozen=True, slots=True)
class Message:
    """Next, they are asked by SMS."""

    phone: str
    text: str
    until: datetime
    """So long an answer is waited for."""


@dataclass(frozen=True, slots=True)
class GiveUp:
    end: FollowUpEnd


Next = Again | Message | GiveUp
"""What is done after an attempt that came to nothing."""


@dataclass(frozen=True, slots=True)
class Due:
    """A follow-up, and when its elder may be called; what a dialler must know to decide."""

    follow_up: FollowUp
    call_from: time | None = None
    """Of the elder, as the next three; see Elder."""
    call_to: time | None = None
    call_days: str = ""
    calls_refused: bool = False


@dataclass(frozen=True, slots=True)
class Attempted(Due):
    """The same of an attempt, to decide what comes after it."""

    dialled: tuple[datetime, ...] = ()
    """When each try was made, the last one included."""
    sms_phone: str = ""
    """Where they can be asked for a rating in writing; empty if nowhere, or they want no messages,
    or it is not a rating that is asked."""
    code: str = ""
    """Service of the order, empty without one."""
    served_at: datetime | None = None
    """When it was done, None without one."""
    elder_name: str = ""
    """Empty if not known."""


class Errand(NamedTuple):
    """What is to be asked in a call."""

    follow_up: FollowUp
    order: WorkOrder | None


class Rated(NamedTuple):
    rating: Rating
    complaint: Complaint | None
    """After a low score."""
    first: bool
    """The order had not been rated before."""


class ListedFollowUp(NamedTuple):
    follow_up: FollowUp
    elder_name: str
    """Empty if not known."""


class ListedRating(NamedTuple):
    rating: Rating
    order: WorkOrder
    elder_name: str
    """Empty if not known."""


# --- planning ---


def plan_rating(session: Session, order: WorkOrder, at: datetime) -> FollowUp:
    """A completed order's question, once: how was it?"""
    return plan(
        session,
        f"rating:{order.id}",
        Purpose.RATING,
        order.phone,
        at=at,
        due_at=at,
        elder_id=order.elder_id,
        order_id=order.id,
    )


def plan(
    session: Session,
    key: str,
    purpose: Purpose,
    phone: str,
    *,
    at: datetime,
    due_at: datetime,
    elder_id: int | None = None,
    order_id: int | None = None,
    expires_at: datetime | None = None,
) -> FollowUp:
    """A call that is owed, or the one that was planned under this key already.

    Nobody is called before `due_at`; outside the calling hours neither, but that is decided when it
    is dialled. Where the number is withheld it is given up at once, so that it is counted.
    """
    known = session.exec(_of_key(), params={"key": key}).one_or_none()
    if known is not None:
        return known
    row = FollowUp(
        key=key,
        purpose=purpose,
        order_id=order_id,
        elder_id=elder_id,
        phone=phone,
        created_at=at,
        due_at=due_at,
        expires_at=expires_at,
    )
    session.add(row)
    session.flush()
    _event(session, row, FollowUpEventKind.PLANNED, at)
    if not phone:
        _close(session, row, FollowUpEnd.BAD_NUMBER, at, "no number")
    return row


# --- dialling ---


def claim(session: Session, ids: Collection[int], by: str, at: datetime) -> list[FollowUp]:
    """Takes those that are still to be dialled, each under a new `attempt_id`, in their order.

    None while everything that goes out is paused.
    """
    if not ids or switches.paused(session):
        return []
    rows = session.exec(_still_due(), params={"ids": list(ids), "at": at}).all()
    if not rows:
        return []
    claims, events = [], []
    for row in rows:
        session.expunge(row)  # written below, all of them by one statement
        row.state, row.tries, row.attempt_id = FollowUpState.DIALLING, row.tries + 1, uuid4()
        row.claimed_by, row.claimed_at = by, at
        claims.append({"which": row.id, "tries": row.tries, "attempt": row.attempt_id})
        events.append(_entry(row.id or 0, FollowUpEventKind.DIALLED, at, f"try {row.tries}"))
    connection = session.connection()
    connection.execute(_claim(), [{**claim, "by": by, "at": at} for claim in claims])
    connection.execute(_EVENT, events)
    return list(rows)


@cache
def _claim() -> Update:
    return (
        update(FollowUp)
        .where(col(FollowUp.id) == bindparam("which"))
        .values(
            state=FollowUpState.DIALLING,
            tries=bindparam("tries"),
            attempt_id=bindparam("attempt"),
            claimed_by=bindparam("by"),
            claimed_at=bindparam("at"),
        )
    )


@cache
def _still_due() -> SelectOfScalar[FollowUp]:
    return (
        select(FollowUp)
        .where(
            col(FollowUp.id).in_(bindparam("ids", expanding=True)),
            FollowUp.state == FollowUpState.WAITING,
            col(FollowUp.due_at) <= bindparam("at"),
        )
        .order_by(col(FollowUp.due_at), col(FollowUp.id))
        .with_for_update()
    )


def renew(session: Session, by: str, at: datetime) -> None:
    """Says that this process still looks after what it has claimed."""
    for row in session.exec(_claims()):
        if row.claimed_by == by:
            row.claimed_at = at


def take_over(session: Session, by: str, at: datetime, silent_since: datetime) -> list[FollowUp]:
    """Claims what a process had claimed that has said nothing since `silent_since`.

    What became of each attempt is to be asked of Asterisk.
    """
    silent = or_(col(FollowUp.claimed_at).is_(None), col(FollowUp.claimed_at) < silent_since)
    rows = list(session.exec(_claims().where(FollowUp.claimed_by != by, silent)))
    for row in rows:
        row.claimed_by, row.claimed_at = by, at
    return rows


def reached(session: Session, attempt: UUID, at: datetime) -> int | None:
    """They have answered; returns the follow-up, None if this attempt is not being dialled."""
    connection = session.connection()
    id = connection.execute(_reached(), {"attempt": attempt}).scalar_one_or_none()
    if id is not None:
        connection.execute(_EVENT, _entry(id, FollowUpEventKind.REACHED, at))
    return id


@cache
def _reached() -> ReturningUpdate[int | None]:
    return (
        update(FollowUp)
        .where(
            col(FollowUp.attempt_id) == bindparam("attempt"),
            col(FollowUp.state) == FollowUpState.DIALLING,
        )
        .values(state=FollowUpState.REACHED, reached_call_id=col(FollowUp.attempt_id))
        .returning(col(FollowUp.id))
    )


def missed(session: Session, attempt: UUID, at: datetime, why: str, next: Next) -> FollowUp | None:
    """The attempt came to nothing, and what is done next. None if it is not on the line."""
    row = _of_attempt(session, attempt, ON_THE_LINE)
    if row is not None:
        _go_on(session, row, at, why, next)
    return row


def passed_over(session: Session, id: int, at: datetime, why: str, next: Next) -> FollowUp | None:
    """Nothing was asked, for a reason that no attempt tells: they want no calls, or said so.

    None if it was closed already.
    """
    row = session.get(FollowUp, id, with_for_update=True)
    if row is None or row.state not in OPEN_FOLLOW_UPS:
        return None
    _go_on(session, row, at, why, next)
    return row


def release(session: Session, attempt: UUID, at: datetime, why: str, due_at: datetime) -> None:
    """The attempt never rang anybody: it does not count as a try."""
    row = _of_attempt(session, attempt, (FollowUpState.DIALLING,))
    if row is not None:
        row.tries -= 1
        _put_back(row, FollowUpState.WAITING, due_at, why)
        _event(session, row, FollowUpEventKind.RELEASED, at, why)


def put_off(session: Session, later: Iterable[tuple[int, datetime]]) -> None:
    """Not to be dialled before then: id and time of each."""
    if rows := [{"which": id, "later": at} for id, at in later]:
        session.connection().execute(_put_off(), rows)


@cache
def _put_off() -> Update:
    waiting = (col(FollowUp.id) == bindparam("which")) & (FollowUp.state == FollowUpState.WAITING)
    return update(FollowUp).where(waiting).values(due_at=bindparam("later"))


# --- what came of it ---


def rate(
    session: Session,
    *,
    order_id: int,
    score: int,
    channel: Channel,
    at: datetime,
    said: str = "",
    call_id: UUID | None = None,
    sms_id: int | None = None,
    operator_id: int | None = None,
) -> Rated:
    """How an elder found a service, told in whatever way; the last they said of it counts.

    `score` is 1 to 5. Closes the follow-up and the order; after a low score the order stays open as
    followed up, with a complaint. Saying the same twice changes nothing. Raises StoreError for an
    order that is not there.
    """
    if not 1 <= score <= 5:
        raise ValueError(f"a score is 1 to 5, not {score}")
    order = session.get(WorkOrder, order_id, with_for_update=True)
    if order is None:
        raise StoreError(f"there is no order {order_id}")
    row = session.exec(_asked(), params={"order": order_id}).one_or_none()
    rating = session.exec(_rating(), params={"order": order_id}).one_or_none()
    first = rating is None
    if rating is None:
        rating = Rating(order_id=order_id, score=score, channel=channel, at=at)
    rating.follow_up_id = row.id if row else None
    rating.score, rating.channel, rating.said, rating.at = score, channel, said, at
    rating.call_id, rating.sms_id = call_id, sms_id
    session.add(rating)
    if row is not None and row.state in OPEN_FOLLOW_UPS:
        if call_id is not None:
            row.reached_call_id = call_id
        _close(session, row, FollowUpEnd.RATED, at, f"{score} {channel}", operator_id)
    complaint = None
    if score <= LOW_SCORE:
        complaint = complaints.raise_complaint(session, order_id, score, at, said, call_id=call_id)
        open_again = complaint.closed_at is None
        if order.status in (OrderStatus.COMPLETED, OrderStatus.CLOSED) and open_again:
            step(session, order, OrderEvent.FOLLOWED_UP, By(operator_id), at, f"rated {score}")
    elif order.status is OrderStatus.COMPLETED:
        step(session, order, OrderEvent.CLOSED, By(operator_id), at, f"rated {score}")
    session.flush()
    return Rated(rating, complaint, first)


@cache
def _asked() -> SelectOfScalar[FollowUp]:
    return select(FollowUp).where(
        col(FollowUp.order_id) == bindparam("order"), FollowUp.purpose == Purpose.RATING
    )


@cache
def _rating() -> SelectOfScalar[Rating]:
    return select(Rating).where(col(Rating.order_id) == bindparam("order"))


def settle(
    session: Session,
    id: int,
    end: FollowUpEnd,
    at: datetime,
    detail: str = "",
    *,
    call_id: UUID | None = None,
    operator_id: int | None = None,
) -> FollowUp | None:
    """Closes a follow-up; a rating is closed by `rate`. None if it was closed already."""
    row = session.get(FollowUp, id, with_for_update=True)
    if row is None or row.state not in OPEN_FOLLOW_UPS:
        return None
    if call_id is not None:
        row.reached_call_id = call_id
    _close(session, row, end, at, detail, operator_id)
    return row


def order_gone(session: Session, order_id: int, at: datetime) -> None:
    """The order was cancelled: nothing of it is asked any more."""
    rows = select(FollowUp).where(
        FollowUp.order_id == order_id, col(FollowUp.state).in_(OPEN_FOLLOW_UPS)
    )
    for row in session.exec(rows):
        _close(session, row, FollowUpEnd.ORDER_GONE, at, "order cancelled")


# --- looking ---


def due(store: Store | Session, at: datetime, limit: int) -> list[Due]:
    """Those waiting to be dialled now, first the longest due, without people who are on the
    telephone with us at this moment, or are being called for something else. Raises StoreError."""
    asked = {"at": at, "lasting_since": at - LONGEST_CALL, "most": limit}
    with reading(store) as session:
        return [
            Due(row, elder.call_from, elder.call_to, elder.call_days, elder.calls_refused)
            if elder
            else Due(row)
            for row, elder in session.exec(_due(), params=asked)
        ]


def how_many_due(store: Store, at: datetime) -> int:
    """Raises StoreError."""
    rows = select(func.count()).where(
        FollowUp.state == FollowUpState.WAITING, FollowUp.due_at <= at
    )
    with store.read() as session:
        return session.exec(rows).one()


@cache
def _due() -> Select[FollowUp, Elder]:
    """Put together once: it is asked all the time."""
    other = aliased(FollowUp)
    called = exists().where(
        col(other.phone) == col(FollowUp.phone), col(other.state).in_(ON_THE_LINE)
    )
    return (
        select(FollowUp, Elder)
        .outerjoin(Elder, col(Elder.id) == col(FollowUp.elder_id))
        .where(
            FollowUp.state == FollowUpState.WAITING,
            col(FollowUp.due_at) <= bindparam("at"),
            ~on_the_telephone(col(FollowUp.phone)),
            ~called,
        )
        .order_by(col(FollowUp.due_at), col(FollowUp.id))
        .limit(bindparam("most"))
    )


def unanswered(session: Session, at: datetime, limit: int) -> list[FollowUp]:
    """Those asked by SMS whose answer is not waited for any longer, or who did not get it."""
    undelivered = exists().where(
        col(SmsOut.follow_up_id) == col(FollowUp.id), col(SmsOut.state) == SmsState.FAILED
    )
    return list(
        session.exec(
            select(FollowUp)
            .where(
                FollowUp.state == FollowUpState.MESSAGED,
                or_(col(FollowUp.due_at) <= at, undelivered),
            )
            .order_by(col(FollowUp.due_at), col(FollowUp.id))
            .limit(limit)
            .with_for_update()
        )
    )


def claimed(store: Store | Session, by: str | None = None) -> list[FollowUp]:
    """Those being dialled or on the line, of one process or of all. Raises StoreError."""
    with reading(store) as session:
        return [row for row in session.exec(_claims()) if by is None or row.claimed_by == by]


def on_the_line(store: Store, attempt: UUID) -> bool:
    """Whether nothing is known yet of what became of an attempt. Raises StoreError."""
    with store.read() as session:
        return session.exec(_state(), params={"attempt": attempt}).one_or_none() in ON_THE_LINE


@cache
def _state() -> SelectOfScalar[FollowUpState]:
    return select(col(FollowUp.state)).where(col(FollowUp.attempt_id) == bindparam("attempt"))


def of_attempt(session: Session, attempt: UUID) -> Attempted | None:
    """What an attempt on the line is made for."""
    row = _of_attempt(session, attempt, ON_THE_LINE)
    return with_tries(session, row) if row else None


def with_tries(session: Session, row: FollowUp) -> Attempted:
    """All that must be known to decide what comes after a try."""
    elder, order = session.exec(_whose(), params={"id": row.id}).one()
    number = None
    if row.purpose is Purpose.RATING:
        number = messages.number_for(session, row.phone, row.elder_id)
    return Attempted(
        row,
        elder.call_from if elder else None,
        elder.call_to if elder else None,
        elder.call_days if elder else "",
        elder.calls_refused if elder else False,
        tuple(session.exec(_dialled(), params={"id": row.id})),
        number or "",
        order.code if order else "",
        served_at(order) if order else None,
        elder.name if elder else "",
    )


@cache
def _whose() -> Select[Elder | None, WorkOrder | None]:
    return (
        select(Elder, WorkOrder)
        .select_from(FollowUp)
        .outerjoin(Elder, col(Elder.id) == col(FollowUp.elder_id))
        .outerjoin(WorkOrder, col(WorkOrder.id) == col(FollowUp.order_id))
        .where(col(FollowUp.id) == bindparam("id"))
    )


@cache
def _dialled() -> SelectOfScalar[datetime]:
    return (
        select(FollowUpEvent.at)
        .where(
            col(FollowUpEvent.follow_up_id) == bindparam("id"),
            FollowUpEvent.kind == FollowUpEventKind.DIALLED,
        )
        .order_by(col(FollowUpEvent.id))
    )


def served_at(order: WorkOrder) -> datetime:
    """When a service was done, as far as is known."""
    return order.started_at or order.completed_at or order.scheduled_for or order.created_at


def errand_of(store: Store | Session, call_id: UUID, phone: str) -> Errand | None:
    """What to ask in a call: what it was made for, or else what is open with who calls in.

    Of several open ones that which has waited longest. Raises StoreError.
    """
    with reading(store) as session:
        row = session.exec(_attempted(locked=False), params={"attempt": call_id}).one_or_none()
        if row is None and phone:
            row = session.exec(
                select(FollowUp)
                .where(FollowUp.phone == phone, col(FollowUp.state).in_(OPEN_FOLLOW_UPS))
                .order_by(col(FollowUp.due_at), col(FollowUp.id))
            ).first()
        if row is None or row.state not in OPEN_FOLLOW_UPS:
            return None
        return Errand(row, session.get(WorkOrder, row.order_id) if row.order_id else None)


def newest_follow_ups(
    store: Store, limit: int | None = None, states: Collection[FollowUpState] = ()
) -> list[ListedFollowUp]:
    """Follow-ups, newest first; of some states only, if given. Raises StoreError."""
    rows = (
        select(FollowUp, Elder.name)
        .outerjoin(Elder, col(Elder.id) == col(FollowUp.elder_id))
        .order_by(col(FollowUp.id).desc())
        .limit(limit)
    )
    if states:
        rows = rows.where(col(FollowUp.state).in_(states))
    with store.read() as session:
        return [ListedFollowUp(row, name or "") for row, name in session.exec(rows)]


def events_of(store: Store, ids: Iterable[int]) -> dict[int, list[FollowUpEvent]]:
    """What happened to each of these follow-ups, in its order. Raises StoreError."""
    rows = (
        select(FollowUpEvent)
        .where(col(FollowUpEvent.follow_up_id).in_(tuple(ids)))
        .order_by(col(FollowUpEvent.id))
    )
    found: dict[int, list[FollowUpEvent]] = {}
    with store.read() as session:
        for event in session.exec(rows):
            found.setdefault(event.follow_up_id, []).append(event)
    return found


def rating_of(store: Store, order_id: int) -> Rating | None:
    """Raises StoreError."""
    with store.read() as session:
        return session.exec(_rating(), params={"order": order_id}).one_or_none()


def newest_ratings(store: Store, limit: int | None = None) -> list[ListedRating]:
    """Ratings, newest first. Raises StoreError."""
    rows = (
        select(Rating, WorkOrder, Elder.name)
        .join(WorkOrder, col(WorkOrder.id) == col(Rating.order_id))
        .outerjoin(Elder, col(Elder.id) == col(WorkOrder.elder_id))
        .order_by(col(Rating.at).desc(), col(Rating.id).desc())
        .limit(limit)
    )
    with store.read() as session:
        return [
            ListedRating(rating, order, name or "") for rating, order, name in session.exec(rows)
        ]


# --- inside ---


@cache
def _claims() -> SelectOfScalar[FollowUp]:
    return select(FollowUp).where(col(FollowUp.state).in_(ON_THE_LINE))


def _of_attempt(
    session: Session, attempt: UUID, states: Collection[FollowUpState]
) -> FollowUp | None:
    row = session.exec(_attempted(locked=True), params={"attempt": attempt}).one_or_none()
    return row if row is not None and row.state in states else None


@cache
def _attempted(*, locked: bool) -> SelectOfScalar[FollowUp]:
    found = select(FollowUp).where(col(FollowUp.attempt_id) == bindparam("attempt"))
    return found.with_for_update() if locked else found


@cache
def _of_key() -> SelectOfScalar[FollowUp]:
    return select(FollowUp).where(col(FollowUp.key) == bindparam("key"))


def _go_on(session: Session, row: FollowUp, at: datetime, why: str, next: Next) -> None:
    _event(session, row, FollowUpEventKind.NOT_REACHED, at, why)
    match next:
        case Again(again):
            session.expunge(row)  # by far the most frequent, and so written by one statement
            _put_back(row, FollowUpState.WAITING, again, why)
            later = {"which": row.id, "later": again, "why": why}
            session.connection().execute(_called_again(), later)
        case Message():
            _write_to(session, row, next, at, why)
        case GiveUp(end):
            _close(session, row, end, at, why)


@cache
def _called_again() -> Update:
    return (
        update(FollowUp)
        .where(col(FollowUp.id) == bindparam("which"))
        .values(
            state=FollowUpState.WAITING,
            due_at=bindparam("later"),
            detail=bindparam("why"),
            claimed_by="",
            claimed_at=None,
        )
    )


def _write_to(session: Session, row: FollowUp, message: Message, at: datetime, why: str) -> None:
    queued = messages.queue_sms(
        session,
        key=row.key,
        phone=message.phone,
        text=message.text,
        purpose=SmsPurpose.RATING,
        at=at,
        follow_up_id=row.id,
        order_id=row.order_id,
    )
    if queued is None:
        _close(session, row, FollowUpEnd.NO_ANSWER, at, "wants no messages")
        return
    _put_back(row, FollowUpState.MESSAGED, message.until, why)
    _event(session, row, FollowUpEventKind.MESSAGED, at)


def _put_back(row: FollowUp, state: FollowUpState, due_at: datetime, detail: str) -> None:
    row.state, row.due_at, row.detail = state, due_at, detail
    row.claimed_by, row.claimed_at = "", None


def _close(
    session: Session,
    row: FollowUp,
    end: FollowUpEnd,
    at: datetime,
    detail: str,
    operator_id: int | None = None,
) -> None:
    done = end in _DONE
    _put_back(row, FollowUpState.DONE if done else FollowUpState.GIVEN_UP, row.due_at, detail)
    row.closed_at, row.end = at, end
    kind = FollowUpEventKind.DONE if done else FollowUpEventKind.GIVEN_UP
    _event(session, row, kind, at, detail or end, operator_id)
    if row.purpose is Purpose.RATING and not done and end is not FollowUpEnd.ORDER_GONE:
        order = session.get(WorkOrder, row.order_id) if row.order_id else None
        if order is not None and order.status is OrderStatus.COMPLETED:
            step(session, order, OrderEvent.CLOSED, By(operator_id), at, f"not rated: {end}")
    if row.purpose is Purpose.GREETING and end is FollowUpEnd.NO_ANSWER:
        assert row.id is not None and row.elder_id is not None
        session.add(CareAlert(follow_up_id=row.id, elder_id=row.elder_id, raised_at=at))


def _event(
    session: Session,
    row: FollowUp,
    kind: FollowUpEventKind,
    at: datetime,
    detail: str = "",
    operator_id: int | None = None,
) -> None:
    assert row.id is not None
    session.connection().execute(_EVENT, _entry(row.id, kind, at, detail, operator_id))


_EVENT = insert(FollowUpEvent)
"""Outside the session's unit of work, which costs several times as much."""


def _entry(
    id: int,
    kind: FollowUpEventKind,
    at: datetime,
    detail: str = "",
    operator_id: int | None = None,
) -> dict[str, Any]:
    return {
        "follow_up_id": id,
        "at": at,
        "kind": kind,
        "detail": detail,
        "operator_id": operator_id,
    }
