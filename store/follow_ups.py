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

from sqlalchemy import Connection, Update, Uuid, bindparam, exists, insert, or_, update
from sqlalchemy import Select as Columns
from sqlalchemy import select as columns
from sqlalchemy.orm import aliased
from sqlalchemy.sql.dml import ReturningUpdate
from sqlmodel import Session, col, func, select
from sqlmodel.sql.expression import SelectOfScalar

from store import complaints, messages, switches
from store.callbacks import LONGEST_CALL, on_the_telephone
from store.database import (
    Store,
    StoreError,
    connection_of,
    defaults,
    looking,
    one_of,
    reading,
)
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
from store.order_steps import By, close_completed, step

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


class Due(NamedTuple):
    """What a dialler must know of a follow-up to decide, and when its elder may be called."""

    id: int
    purpose: Purpose
    phone: str
    created_at: datetime
    expires_at: datetime | None
    tries: int
    call_from: time | None = None
    """Of the elder, as the next three; see Elder."""
    call_to: time | None = None
    call_days: str = ""
    calls_refused: bool = False


class Open(NamedTuple):
    """What must be known of a follow-up to go on with it or close it."""

    id: int
    key: str
    purpose: Purpose
    phone: str
    elder_id: int | None
    order_id: int | None
    state: FollowUpState


class Attempted(NamedTuple):
    """What an attempt that is on the line is made for."""

    due: Due
    open: Open


class InVain(NamedTuple):
    """An attempt that came to nothing."""

    open: Open
    at: datetime
    why: str
    next: Next


class Written(NamedTuple):
    """Where and about what somebody can be asked for a rating in writing."""

    phone: str
    """Empty if nowhere, or they want no messages, or it is not a rating that is asked."""
    code: str
    """Service of the order, empty without one."""
    served_at: datetime
    """When it was done; without an order, when the call was planned."""
    elder_name: str
    """Empty if not known."""


class Claim(NamedTuple):
    """A call that a process has taken upon itself."""

    id: int
    phone: str
    state: FollowUpState
    tries: int
    attempt_id: UUID
    claimed_by: str


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


def plan_rating(session: Session, order: WorkOrder, at: datetime) -> int:
    """A completed order's question, once: how was it? Returns the follow-up."""
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
) -> int:
    """A call that is owed, or the one that was planned under this key already.

    Nobody is called before `due_at`; outside the calling hours neither, but that is decided when it
    is dialled. Where the number is withheld it is given up at once, so that it is counted.
    """
    connection = session.connection()
    known: int | None = connection.execute(_OF_KEY, {"key": key}).scalar_one_or_none()
    if known is not None:
        return known
    new = {
        "key": key,
        "purpose": purpose,
        "order_id": order_id,
        "elder_id": elder_id,
        "phone": phone,
        "created_at": at,
        "due_at": due_at,
        "expires_at": expires_at,
    }
    id = connection.execute(_NEW, {**_BLANK, **new}).scalar_one()
    assert id is not None
    _event(connection, id, FollowUpEventKind.PLANNED, at)
    if not phone:
        one = Open(id, key, purpose, phone, elder_id, order_id, FollowUpState.WAITING)
        _close(connection, one, FollowUpEnd.BAD_NUMBER, at, "no number")
    return id


_OF_KEY = columns(col(FollowUp.id)).where(col(FollowUp.key) == bindparam("key"))
_NEW = insert(FollowUp).returning(col(FollowUp.id))
_BLANK = defaults(FollowUp)


# --- dialling ---


def claim(where: Session | Connection, ids: Collection[int], by: str, at: datetime) -> list[Claim]:
    """Takes those that are still to be dialled, each under a new `attempt_id`, in their order.

    None while everything that goes out is paused.
    """
    connection = connection_of(where)
    if not ids:
        return []
    claims = [
        Claim(id, phone, FollowUpState.DIALLING, tries + 1, uuid4(), by)
        for id, phone, tries in connection.execute(_still_due(), {"ids": list(ids), "at": at})
    ]
    if claims:
        taken = [
            {"which": one.id, "tries": one.tries, "attempt": one.attempt_id, "by": by, "at": at}
            for one in claims
        ]
        connection.execute(_claim(), taken)
        entries = [
            _entry(one.id, FollowUpEventKind.DIALLED, at, f"try {one.tries}") for one in claims
        ]
        connection.execute(_EVENT, entries)
    return claims


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
def _still_due() -> Columns[*tuple[Any, ...]]:
    return (
        columns(col(FollowUp.id), col(FollowUp.phone), col(FollowUp.tries))
        .where(
            col(FollowUp.id).in_(bindparam("ids", expanding=True)),
            col(FollowUp.state) == FollowUpState.WAITING,
            col(FollowUp.due_at) <= bindparam("at"),
            ~switches.IS_PAUSED,
        )
        .order_by(col(FollowUp.due_at), col(FollowUp.id))
        .with_for_update()
    )


def renew(where: Session | Connection, by: str, at: datetime) -> list[Claim]:
    """Says that this process still looks after what it has claimed, and gives it."""
    found = connection_of(where).execute(_renew(), {"by": by, "at": at})
    return [Claim._make(row) for row in found]


def take_over(
    where: Session | Connection, by: str, at: datetime, silent_since: datetime
) -> list[Claim]:
    """Claims what a process had claimed that has said nothing since `silent_since`.

    What became of each attempt is to be asked of Asterisk.
    """
    asked = {"by": by, "at": at, "silent_since": silent_since}
    return [Claim._make(row) for row in connection_of(where).execute(_take_over(), asked)]


@cache
def _renew() -> ReturningUpdate[*tuple[Any, ...]]:
    return (
        update(FollowUp)
        .where(
            one_of(col(FollowUp.state), ON_THE_LINE),
            col(FollowUp.claimed_by) == bindparam("by"),
        )
        .values(claimed_at=bindparam("at"))
        .returning(*_CLAIM)
    )


@cache
def _take_over() -> ReturningUpdate[*tuple[Any, ...]]:
    said_at = col(FollowUp.claimed_at)
    return (
        update(FollowUp)
        .where(
            one_of(col(FollowUp.state), ON_THE_LINE),
            col(FollowUp.claimed_by) != bindparam("by"),
            or_(said_at.is_(None), said_at < bindparam("silent_since")),
        )
        .values(claimed_by=bindparam("by"), claimed_at=bindparam("at"))
        .returning(*_CLAIM)
    )


def reached(where: Session | Connection, attempt: UUID, at: datetime) -> int | None:
    """They have answered; returns the follow-up, None if this attempt is not being dialled."""
    connection = connection_of(where)
    id = connection.execute(_reached(), {"attempt": attempt}).scalar_one_or_none()
    if id is not None:
        _event(connection, id, FollowUpEventKind.REACHED, at)
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


def missed(where: Session | Connection, outcomes: Iterable[InVain]) -> None:
    """These attempts, on the line in this transaction (`of_attempts`), came to nothing."""
    connection = connection_of(where)
    again, entries = [], []
    for one, at, why, next in outcomes:
        if isinstance(next, Again):  # by far the most
            again.append(_back_to(one, FollowUpState.WAITING, next.at, why))
            entries.append(_entry(one.id, FollowUpEventKind.NOT_REACHED, at, why))
        else:
            _go_on(connection, one, at, why, next)
    if again:
        connection.execute(_back(), again)
        connection.execute(_EVENT, entries)


def passed_over(where: Session | Connection, id: int, at: datetime, why: str, next: Next) -> bool:
    """Nothing was asked, for a reason that no attempt tells: they want no calls, or said so.

    False if it was closed already.
    """
    connection = connection_of(where)
    one = _open(connection, _OF_ID, OPEN_FOLLOW_UPS, id=id)
    if one is not None:
        _go_on(connection, one, at, why, next)
    return one is not None


def release(
    where: Session | Connection, attempt: UUID, at: datetime, why: str, due_at: datetime
) -> None:
    """The attempt never rang anybody: it does not count as a try."""
    connection = connection_of(where)
    asked = {"attempt": attempt, "later": due_at, "why": why}
    id = connection.execute(_released(), asked).scalar_one_or_none()
    if id is not None:
        _event(connection, id, FollowUpEventKind.RELEASED, at, why)


@cache
def _released() -> ReturningUpdate[int | None]:
    return (
        update(FollowUp)
        .where(
            col(FollowUp.attempt_id) == bindparam("attempt"),
            col(FollowUp.state) == FollowUpState.DIALLING,
        )
        .values(
            state=FollowUpState.WAITING,
            due_at=bindparam("later"),
            detail=bindparam("why"),
            tries=col(FollowUp.tries) - 1,
            claimed_by="",
            claimed_at=None,
        )
        .returning(col(FollowUp.id))
    )


def put_off(where: Session | Connection, later: Iterable[tuple[int, datetime]]) -> None:
    """Not to be dialled before then: id and time of each."""
    if rows := [{"which": id, "later": at} for id, at in later]:
        connection_of(where).execute(_put_off(), rows)


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
    asked = _open(session.connection(), _ASKED, tuple(FollowUpState), order=order_id)
    rating = session.exec(_rating(), params={"order": order_id}).one_or_none()
    first = rating is None
    if rating is None:
        rating = Rating(order_id=order_id, score=score, channel=channel, at=at)
    rating.follow_up_id = asked.id if asked else None
    rating.score, rating.channel, rating.said, rating.at = score, channel, said, at
    rating.call_id, rating.sms_id = call_id, sms_id
    session.add(rating)
    if asked is not None and asked.state in OPEN_FOLLOW_UPS:
        told = f"{score} {channel}"
        _close(session.connection(), asked, FollowUpEnd.RATED, at, told, operator_id, call_id)
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
def _rating() -> SelectOfScalar[Rating]:
    return select(Rating).where(col(Rating.order_id) == bindparam("order"))


def settle(
    where: Session | Connection,
    id: int,
    end: FollowUpEnd,
    at: datetime,
    detail: str = "",
    *,
    call_id: UUID | None = None,
    operator_id: int | None = None,
) -> bool:
    """Closes a follow-up; a rating is closed by `rate`. False if it was closed already."""
    connection = connection_of(where)
    one = _open(connection, _OF_ID, OPEN_FOLLOW_UPS, id=id)
    if one is not None:
        _close(connection, one, end, at, detail, operator_id, call_id)
    return one is not None


def order_gone(session: Session, order_id: int, at: datetime) -> None:
    """The order was cancelled: nothing of it is asked any more."""
    connection = session.connection()
    for row in connection.execute(_OF_ORDER, {"order": order_id}).all():
        _close(connection, Open._make(row), FollowUpEnd.ORDER_GONE, at, "order cancelled")


# --- looking ---


def due(store: Store | Session | Connection, at: datetime, limit: int) -> list[Due]:
    """Those waiting to be dialled now, first the longest due, without people who are on the
    telephone with us at this moment, or are being called for something else. Raises StoreError."""
    asked = {"at": at, "lasting_since": at - LONGEST_CALL, "most": limit}
    with looking(store) as connection:
        return [Due._make(row) for row in connection.execute(_due(), asked)]


def how_many_due(store: Store, at: datetime) -> int:
    """Raises StoreError."""
    rows = select(func.count()).where(
        FollowUp.state == FollowUpState.WAITING, FollowUp.due_at <= at
    )
    with store.read() as session:
        return session.exec(rows).one()


@cache
def _due() -> Columns[*tuple[Any, ...]]:
    """Put together once: it is asked all the time."""
    other = aliased(FollowUp)
    called = exists().where(
        col(other.phone) == col(FollowUp.phone), one_of(col(other.state), ON_THE_LINE)
    )
    return (
        _to_decide()
        .where(
            col(FollowUp.state) == FollowUpState.WAITING,
            col(FollowUp.due_at) <= bindparam("at"),
            ~on_the_telephone(col(FollowUp.phone)),
            ~called,
        )
        .order_by(col(FollowUp.due_at), col(FollowUp.id))
        .limit(bindparam("most"))
    )


def _to_decide() -> Columns[*tuple[Any, ...]]:
    """The fields of Due in their order."""
    return (
        columns(
            col(FollowUp.id),
            col(FollowUp.purpose),
            col(FollowUp.phone),
            col(FollowUp.created_at),
            col(FollowUp.expires_at),
            col(FollowUp.tries),
            col(Elder.call_from),
            col(Elder.call_to),
            func.coalesce(col(Elder.call_days), ""),
            func.coalesce(col(Elder.calls_refused), False),
        )
        .select_from(FollowUp)
        .outerjoin(Elder, col(Elder.id) == col(FollowUp.elder_id))
    )


def overdue(where: Session | Connection, at: datetime, limit: int) -> list[tuple[int, int]]:
    """Those that it is too late to call: id and tries."""
    found = connection_of(where).execute(_overdue(), {"at": at, "most": limit})
    return [(id, tries) for id, tries in found]


@cache
def _overdue() -> Columns[*tuple[Any, ...]]:
    return (
        columns(col(FollowUp.id), col(FollowUp.tries))
        .where(
            col(FollowUp.state) == FollowUpState.WAITING,
            col(FollowUp.expires_at) <= bindparam("at"),
        )
        .order_by(col(FollowUp.id))
        .limit(bindparam("most"))
        .with_for_update()
    )


def unanswered(where: Session | Connection, at: datetime, limit: int) -> list[int]:
    """Those asked by SMS whose answer is not waited for any longer, or who did not get it."""
    asked = {"at": at, "most": limit}
    return list(connection_of(where).execute(_unanswered(), asked).scalars())


@cache
def _unanswered() -> Columns[*tuple[Any, ...]]:
    undelivered = exists().where(
        col(SmsOut.follow_up_id) == col(FollowUp.id), col(SmsOut.state) == SmsState.FAILED
    )
    return (
        columns(col(FollowUp.id))
        .where(
            col(FollowUp.state) == FollowUpState.MESSAGED,
            or_(col(FollowUp.due_at) <= bindparam("at"), undelivered),
        )
        .order_by(col(FollowUp.due_at), col(FollowUp.id))
        .limit(bindparam("most"))
        .with_for_update()
    )


def claimed(store: Store | Session | Connection, by: str | None = None) -> list[Claim]:
    """Those being dialled or on the line, of one process or of all. Raises StoreError."""
    with looking(store) as connection:
        found = [Claim._make(row) for row in connection.execute(_claims())]
    return found if by is None else [one for one in found if one.claimed_by == by]


def of_attempts(where: Session | Connection, attempts: Iterable[UUID]) -> dict[UUID, Attempted]:
    """Of these, the ones that are on the line."""
    rows = connection_of(where).execute(_tried(), {"attempts": list(attempts)})
    return {
        attempt: Attempted(
            Due(id, purpose, phone, *due), Open(id, key, purpose, phone, elder, order, state)
        )
        for attempt, key, elder, order, state, id, purpose, phone, *due in rows
    }


def of_id(where: Session | Connection, id: int) -> Due | None:
    """The same of a follow-up, whether it is on the line or not."""
    row = connection_of(where).execute(_by_id(), {"id": id}).one_or_none()
    return Due._make(row) if row else None


def dialled(where: Session | Connection, ids: Iterable[int]) -> dict[int, list[datetime]]:
    """When each try of these was made, the last one included; none of one that had none."""
    found: dict[int, list[datetime]] = {id: [] for id in ids}
    for id, at in connection_of(where).execute(_dialled(), {"ids": list(found)}):
        found[id].append(at)
    return found


@cache
def _tried() -> Columns[*tuple[Any, ...]]:
    rows = _to_decide().where(
        col(FollowUp.attempt_id).in_(bindparam("attempts", expanding=True)),
        one_of(col(FollowUp.state), ON_THE_LINE),
    )
    too = (FollowUp.attempt_id, FollowUp.key, FollowUp.elder_id, FollowUp.order_id, FollowUp.state)
    both = rows.with_only_columns(*(col(one) for one in too), *rows.selected_columns)
    return both.with_for_update(of=FollowUp)


@cache
def _by_id() -> Columns[*tuple[Any, ...]]:
    return _to_decide().where(col(FollowUp.id) == bindparam("id")).with_for_update(of=FollowUp)


def written(where: Session | Connection, id: int) -> Written:
    """How to ask in writing what was to be asked by telephone."""
    connection = connection_of(where)
    row = connection.execute(_whose(), {"id": id}).one()
    number = None
    if row.purpose is Purpose.RATING:
        number = messages.number_for(connection, row.phone, row.elder_id)
    return Written(number or "", row.code, row.served_at, row.name)


@cache
def _whose() -> Columns[*tuple[Any, ...]]:
    return (
        columns(
            col(FollowUp.purpose),
            col(FollowUp.phone),
            col(FollowUp.elder_id),
            func.coalesce(col(WorkOrder.code), "").label("code"),
            func.coalesce(
                col(WorkOrder.started_at),
                col(WorkOrder.completed_at),
                col(WorkOrder.scheduled_for),
                col(WorkOrder.created_at),
                col(FollowUp.created_at),
            ).label("served_at"),  # as served_at() has it
            func.coalesce(col(Elder.name), "").label("name"),
        )
        .select_from(FollowUp)
        .outerjoin(Elder, col(Elder.id) == col(FollowUp.elder_id))
        .outerjoin(WorkOrder, col(WorkOrder.id) == col(FollowUp.order_id))
        .where(col(FollowUp.id) == bindparam("id"))
    )


@cache
def _dialled() -> Columns[*tuple[Any, ...]]:
    return (
        columns(col(FollowUpEvent.follow_up_id), col(FollowUpEvent.at))
        .where(
            col(FollowUpEvent.follow_up_id).in_(bindparam("ids", expanding=True)),
            col(FollowUpEvent.kind) == FollowUpEventKind.DIALLED,
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
        row = session.exec(_attempted(), params={"attempt": call_id}).one_or_none()
        if row is None and phone:
            row = session.exec(
                select(FollowUp)
                .where(FollowUp.phone == phone, one_of(col(FollowUp.state), OPEN_FOLLOW_UPS))
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


_CLAIM = (
    col(FollowUp.id),
    col(FollowUp.phone),
    col(FollowUp.state),
    col(FollowUp.tries),
    col(FollowUp.attempt_id),
    col(FollowUp.claimed_by),
)
"""The fields of Claim in their order."""


@cache
def _claims() -> Columns[*tuple[Any, ...]]:
    return columns(*_CLAIM).where(one_of(col(FollowUp.state), ON_THE_LINE))


@cache
def _attempted() -> SelectOfScalar[FollowUp]:
    return select(FollowUp).where(col(FollowUp.attempt_id) == bindparam("attempt"))


_ALL = columns(
    col(FollowUp.id),
    col(FollowUp.key),
    col(FollowUp.purpose),
    col(FollowUp.phone),
    col(FollowUp.elder_id),
    col(FollowUp.order_id),
    col(FollowUp.state),
)
"""The fields of Open in their order."""
_LOCKED = _ALL.with_for_update()
_OF_ID = _LOCKED.where(col(FollowUp.id) == bindparam("id"))
_ASKED = _LOCKED.where(
    col(FollowUp.order_id) == bindparam("order"), col(FollowUp.purpose) == Purpose.RATING
)
_OF_ORDER = _LOCKED.where(
    col(FollowUp.order_id) == bindparam("order"), one_of(col(FollowUp.state), OPEN_FOLLOW_UPS)
)


def _open(
    connection: Connection,
    statement: Columns[*tuple[Any, ...]],
    states: Collection[FollowUpState],
    **asked: Any,
) -> Open | None:
    row = connection.execute(statement, asked).one_or_none()
    one = Open._make(row) if row else None
    return one if one is not None and one.state in states else None


def _go_on(connection: Connection, one: Open, at: datetime, why: str, next: Next) -> None:
    _event(connection, one.id, FollowUpEventKind.NOT_REACHED, at, why)
    match next:
        case Again(again):
            connection.execute(_back(), _back_to(one, FollowUpState.WAITING, again, why))
        case Message():
            _write_to(connection, one, next, at, why)
        case GiveUp(end):
            _close(connection, one, end, at, why)


def _write_to(connection: Connection, one: Open, message: Message, at: datetime, why: str) -> None:
    queued = messages.queue_sms(
        connection,
        key=one.key,
        phone=message.phone,
        text=message.text,
        purpose=SmsPurpose.RATING,
        at=at,
        follow_up_id=one.id,
        order_id=one.order_id,
    )
    if queued is None:
        _close(connection, one, FollowUpEnd.NO_ANSWER, at, "wants no messages")
        return
    connection.execute(_back(), _back_to(one, FollowUpState.MESSAGED, message.until, why))
    _event(connection, one.id, FollowUpEventKind.MESSAGED, at)


def _back_to(one: Open, state: FollowUpState, due_at: datetime, why: str) -> dict[str, Any]:
    """What _back() asks for."""
    return {"which": one.id, "next": state, "later": due_at, "why": why}


@cache
def _back() -> Update:
    return (
        update(FollowUp)
        .where(col(FollowUp.id) == bindparam("which"))
        .values(
            state=bindparam("next"),
            due_at=bindparam("later"),
            detail=bindparam("why"),
            claimed_by="",
            claimed_at=None,
        )
    )


def _close(
    connection: Connection,
    one: Open,
    end: FollowUpEnd,
    at: datetime,
    detail: str,
    operator_id: int | None = None,
    call_id: UUID | None = None,
) -> None:
    done = end in _DONE
    how = {
        "which": one.id,
        "next": FollowUpState.DONE if done else FollowUpState.GIVEN_UP,
        "why": detail,
        "at": at,
        "how": end,
        "call": call_id,
    }
    connection.execute(_closed(), how)
    kind = FollowUpEventKind.DONE if done else FollowUpEventKind.GIVEN_UP
    _event(connection, one.id, kind, at, detail or end, operator_id)
    asked = one.order_id if one.purpose is Purpose.RATING else None
    if asked is not None and not done and end is not FollowUpEnd.ORDER_GONE:
        close_completed(connection, asked, By(operator_id), at, f"not rated: {end}")
    if one.purpose is Purpose.GREETING and end is FollowUpEnd.NO_ANSWER:
        alert = {"follow_up_id": one.id, "elder_id": one.elder_id, "raised_at": at}
        connection.execute(_ALERT, {**_BLANK_ALERT, **alert})


@cache
def _closed() -> Update:
    return (
        update(FollowUp)
        .where(col(FollowUp.id) == bindparam("which"))
        .values(
            state=bindparam("next"),
            detail=bindparam("why"),
            claimed_by="",
            claimed_at=None,
            closed_at=bindparam("at"),
            end=bindparam("how"),
            reached_call_id=func.coalesce(
                bindparam("call", type_=Uuid()), col(FollowUp.reached_call_id)
            ),
        )
    )


_ALERT = insert(CareAlert)
_BLANK_ALERT = defaults(CareAlert)


def _event(
    connection: Connection,
    id: int,
    kind: FollowUpEventKind,
    at: datetime,
    detail: str = "",
    operator_id: int | None = None,
) -> None:
    connection.execute(_EVENT, _entry(id, kind, at, detail, operator_id))


_EVENT = insert(FollowUpEvent)


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
