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
from typing import NamedTuple
from uuid import UUID, uuid4

from sqlalchemy import bindparam, exists, or_
from sqlmodel import Session, col, func, select
from sqlmodel.sql.expression import Select, SelectOfScalar

from store import complaints, messages, switches
from store.callbacks import LONGEST_CALL, on_the_telephone
from store.database import Store, StoreError
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
    """Where they can be written to; empty if nowhere, or they want no messages."""
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
    row = session.exec(select(FollowUp).where(FollowUp.key == key)).one_or_none()
    if row is not None:
        return row
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
    rows = session.exec(
        select(FollowUp)
        .where(
            col(FollowUp.id).in_(ids),
            FollowUp.state == FollowUpState.WAITING,
            FollowUp.due_at <= at,
        )
        .order_by(col(FollowUp.due_at), col(FollowUp.id))
        .with_for_update()
    ).all()
    for row in rows:
        row.state = FollowUpState.DIALLING
        row.attempt_id = uuid4()
        row.tries += 1
        row.claimed_by, row.claimed_at = by, at
        _event(session, row, FollowUpEventKind.DIALLED, at, f"try {row.tries}")
    return list(rows)


def renew(session: Session, by: str, at: datetime) -> None:
    """Says that this process still looks after what it has claimed."""
    for row in session.exec(_claims().where(FollowUp.claimed_by == by)):
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


def reached(session: Session, attempt: UUID, at: datetime) -> FollowUp | None:
    """They have answered. None if this attempt is not being dialled."""
    row = _of_attempt(session, attempt, (FollowUpState.DIALLING,))
    if row is not None:
        row.state, row.reached_call_id = FollowUpState.REACHED, attempt
        _event(session, row, FollowUpEventKind.REACHED, at)
    return row


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


def put_off(session: Session, id: int, due_at: datetime) -> None:
    """Not to be dialled before `due_at`."""
    row = session.get(FollowUp, id, with_for_update=True)
    if row is not None and row.state is FollowUpState.WAITING:
        row.due_at = due_at


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
    row = session.exec(
        select(FollowUp).where(FollowUp.order_id == order_id, FollowUp.purpose == Purpose.RATING)
    ).one_or_none()
    rating = session.exec(select(Rating).where(Rating.order_id == order_id)).one_or_none()
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


def due(store: Store, at: datetime, limit: int) -> list[Due]:
    """Those waiting to be dialled now, first the longest due, without people who are on the
    telephone with us at this moment. Raises StoreError."""
    asked = {"at": at, "lasting_since": at - LONGEST_CALL, "most": limit}
    with store.read() as session:
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
    """Put together once: it is asked every second."""
    return (
        select(FollowUp, Elder)
        .outerjoin(Elder, col(Elder.id) == col(FollowUp.elder_id))
        .where(
            FollowUp.state == FollowUpState.WAITING,
            col(FollowUp.due_at) <= bindparam("at"),
            ~on_the_telephone(col(FollowUp.phone)),
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


def claimed(store: Store, by: str | None = None) -> list[FollowUp]:
    """Those being dialled or on the line, of one process or of all. Raises StoreError."""
    rows = _claims()
    if by is not None:
        rows = rows.where(FollowUp.claimed_by == by)
    with store.read() as session:
        return list(session.exec(rows))


def of_attempt(store: Store, attempt: UUID) -> Attempted | None:
    """What an attempt was or is made for. Raises StoreError."""
    with store.read() as session:
        row = session.exec(select(FollowUp).where(FollowUp.attempt_id == attempt)).one_or_none()
        return with_tries(session, row) if row else None


def with_tries(session: Session, row: FollowUp) -> Attempted:
    """All that must be known to decide what comes after a try."""
    elder = session.get(Elder, row.elder_id) if row.elder_id else None
    order = session.get(WorkOrder, row.order_id) if row.order_id else None
    dialled = select(FollowUpEvent.at).where(
        FollowUpEvent.follow_up_id == row.id, FollowUpEvent.kind == FollowUpEventKind.DIALLED
    )
    return Attempted(
        row,
        elder.call_from if elder else None,
        elder.call_to if elder else None,
        elder.call_days if elder else "",
        elder.calls_refused if elder else False,
        tuple(session.exec(dialled.order_by(col(FollowUpEvent.id)))),
        messages.number_for(session, row.phone, row.elder_id) or "",
        order.code if order else "",
        served_at(order) if order else None,
        elder.name if elder else "",
    )


def served_at(order: WorkOrder) -> datetime:
    """When a service was done, as far as is known."""
    return order.started_at or order.completed_at or order.scheduled_for or order.created_at


def errand_of(store: Store, call_id: UUID, phone: str) -> Errand | None:
    """What to ask in a call: what it was made for, or else what is open with who calls in.

    Of several open ones that which has waited longest. Raises StoreError.
    """
    with store.read() as session:
        row = session.exec(select(FollowUp).where(FollowUp.attempt_id == call_id)).one_or_none()
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
        return session.exec(select(Rating).where(Rating.order_id == order_id)).one_or_none()


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


def _claims() -> SelectOfScalar[FollowUp]:
    return select(FollowUp).where(col(FollowUp.state).in_(ON_THE_LINE))


def _of_attempt(
    session: Session, attempt: UUID, states: Collection[FollowUpState]
) -> FollowUp | None:
    row = session.exec(
        select(FollowUp).where(FollowUp.attempt_id == attempt).with_for_update()
    ).one_or_none()
    return row if row is not None and row.state in states else None


def _go_on(session: Session, row: FollowUp, at: datetime, why: str, next: Next) -> None:
    row.detail = why
    _event(session, row, FollowUpEventKind.NOT_REACHED, at, why)
    match next:
        case Again(again):
            _put_back(row, FollowUpState.WAITING, again, why)
        case Message(phone, text, until):
            _write_to(session, row, phone, text, at, until)
        case GiveUp(end):
            _close(session, row, end, at, why)


def _write_to(
    session: Session, row: FollowUp, phone: str, text: str, at: datetime, until: datetime
) -> None:
    message = messages.queue_sms(
        session,
        key=row.key,
        phone=phone,
        text=text,
        purpose=SmsPurpose.RATING,
        at=at,
        follow_up_id=row.id,
        order_id=row.order_id,
    )
    if message is None:
        _close(session, row, FollowUpEnd.NO_ANSWER, at, "wants no messages")
        return
    _put_back(row, FollowUpState.MESSAGED, until, row.detail)
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
    session.add(
        FollowUpEvent(follow_up_id=row.id, at=at, kind=kind, detail=detail, operator_id=operator_id)
    )
