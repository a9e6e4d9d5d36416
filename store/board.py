"""What goes on at this moment, as plain values that can be compared: calls, queue, operators."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import select as columns
from sqlmodel import Session, col, func, select

from store.database import Store
from store.models import (
    OPEN_CALLBACKS,
    Call,
    Callback,
    CallbackState,
    Cause,
    Duty,
    Elder,
    Operator,
    OperatorCall,
    Outcome,
    Phone,
    QueueVisit,
    Turn,
    Wants,
    WorkOrder,
)

LONGEST_CALL = timedelta(hours=6)
"""A call or wait that began before that has been forgotten, it does not last."""
RECENT = 8


@dataclass(frozen=True, slots=True)
class Person:
    """Who has a telephone number."""

    name: str = ""
    """Of all who share it; empty if it is not registered."""
    high_risk: bool = False


STRANGER = Person()


@dataclass(frozen=True, slots=True)
class Said:
    """A turn: what was heard, what it was taken for, what was answered."""

    index: int
    kind: str
    heard: str
    code: str
    confidence: float
    answer: str


@dataclass(frozen=True, slots=True)
class Talk:
    """A call that the agent is in."""

    call_id: UUID
    phone: str
    person: Person
    started_at: datetime
    service: str
    """Code of what is being ordered; empty if not known yet."""
    said: tuple[Said, ...]


@dataclass(frozen=True, slots=True)
class Wait:
    """Somebody who waits for an operator, or talks with one."""

    visit_id: int
    call_id: UUID | None
    phone: str
    person: Person
    priority: int
    joined_at: datetime
    answered_at: datetime | None
    answered_by: str
    """Display name of the operator; the extension where it is nobody's."""


@dataclass(frozen=True, slots=True)
class Desk:
    """An operator, and what they do."""

    operator_id: int
    name: str
    duty: Duty
    duty_reason: str
    since: datetime | None
    rings: bool
    talking_since: datetime | None


@dataclass(frozen=True, slots=True)
class Owed:
    """A call that somebody is owed."""

    id: int
    phone: str
    person: Person
    cause: Cause
    wants: Wants
    state: CallbackState
    queued_at: datetime
    due_at: datetime
    tries: int
    call_id: UUID | None
    detail: str


@dataclass(frozen=True, slots=True)
class Past:
    """A call that is over for the agent."""

    call_id: UUID
    phone: str
    person: Person
    started_at: datetime
    lasted: timedelta
    outcome: Outcome | None
    orders: tuple[str, ...]
    """Service codes."""


@dataclass(frozen=True, slots=True)
class Queue:
    waiting: tuple[Wait, ...]
    """As they will be answered."""
    talking: tuple[Wait, ...]


def talks(store: Store, now: datetime, turns: int) -> tuple[Talk, ...]:
    """Calls with the agent and their last turns, the oldest call first. Raises StoreError."""
    lasting = (
        select(Call)
        .where(col(Call.started_at) > now - LONGEST_CALL, col(Call.ended_at).is_(None))
        .order_by(col(Call.started_at))
    )
    with store.read() as session:
        calls = session.exec(lasting).all()
        people = people_of(session, (call.phone for call in calls))
        said = _said(session, [call.id for call in calls], turns)
    return tuple(
        Talk(
            call.id,
            call.phone,
            people.get(call.phone, STRANGER),
            call.started_at,
            str(call.summary.get("service", "")),
            said[call.id],
        )
        for call in calls
    )


def queue(store: Store, now: datetime) -> Queue:
    """Who waits for operators and who talks with them. Raises StoreError."""
    rows = select(QueueVisit).where(
        col(QueueVisit.joined_at) > now - LONGEST_CALL,
        col(QueueVisit.left_at).is_(None)
        | (col(QueueVisit.answered_at).is_not(None) & col(QueueVisit.talk_ended_at).is_(None)),
    )
    with store.read() as session:
        visits = session.exec(rows).all()
        people = people_of(session, (visit.phone for visit in visits))
        names = _names_by_extension(session)
    waits = [_wait(visit, people, names) for visit in visits]
    return Queue(
        tuple(
            sorted(
                (one for one in waits if one.answered_at is None),
                key=lambda one: (-one.priority, one.joined_at),
            )
        ),
        tuple(
            sorted(
                (one for one in waits if one.answered_at is not None),
                key=lambda one: one.answered_at or one.joined_at,
            )
        ),
    )


def desks(store: Store) -> tuple[Desk, ...]:
    """The operators who have not left, those on duty first. Raises StoreError."""
    with store.read() as session:
        operators = session.exec(
            select(Operator).where(Operator.active).order_by(col(Operator.id))
        ).all()
        telephones: dict[str, OperatorCall] = {}
        for call in session.exec(select(OperatorCall)):
            if call.answered_at or call.extension not in telephones:
                telephones[call.extension] = call
    order = {Duty.ON: 0, Duty.PAUSED: 1, Duty.OFF: 2}
    return tuple(
        _desk(one, telephones.get(one.extension))
        for one in sorted(operators, key=lambda one: order[one.duty])
    )


def _desk(operator: Operator, call: OperatorCall | None) -> Desk:
    return Desk(
        operator.id or 0,
        operator.display_name,
        operator.duty,
        operator.duty_reason,
        operator.duty_since,
        call is not None and call.answered_at is None,
        call.answered_at if call else None,
    )


def owed(store: Store) -> tuple[Owed, ...]:
    """Open call-backs in their line. Raises StoreError."""
    rows = (
        select(Callback)
        .where(col(Callback.state).in_(OPEN_CALLBACKS))
        .order_by(col(Callback.priority).desc(), col(Callback.queued_at))
    )
    with store.read() as session:
        found = session.exec(rows).all()
        people = people_of(session, (one.phone for one in found))
    return tuple(
        Owed(
            one.id or 0,
            one.phone,
            people.get(one.phone, STRANGER),
            one.cause,
            one.wants,
            one.state,
            one.queued_at,
            one.due_at,
            one.tries,
            one.call_id,
            one.detail,
        )
        for one in found
    )


def past(store: Store, limit: int = RECENT) -> tuple[Past, ...]:
    """The calls that ended last, newest first. Raises StoreError."""
    rows = (
        select(Call)
        .where(col(Call.ended_at).is_not(None))
        .order_by(col(Call.started_at).desc())
        .limit(limit)
    )
    with store.read() as session:
        calls = session.exec(rows).all()
        people = people_of(session, (call.phone for call in calls))
        codes = _orders(session, [call.id for call in calls])
    return tuple(
        Past(
            call.id,
            call.phone,
            people.get(call.phone, STRANGER),
            call.started_at,
            (call.ended_at or call.started_at) - call.started_at,
            call.outcome,
            tuple(codes[call.id]),
        )
        for call in calls
    )


def people_of(session: Session, numbers: Iterable[str]) -> dict[str, Person]:
    """Who has these numbers; those of nobody are missing."""
    wanted = {number for number in numbers if number}
    found: dict[str, list[Elder]] = defaultdict(list)
    rows = (
        select(Phone.number, Elder)
        .join(Elder)
        .where(col(Phone.number).in_(wanted))
        .order_by(col(Elder.id))
    )
    for number, elder in session.exec(rows) if wanted else ():
        found[number].append(elder)
    return {
        number: Person(
            " / ".join(elder.name for elder in elders), any(elder.high_risk for elder in elders)
        )
        for number, elders in found.items()
    }


def said_of(turn: Turn) -> Said:
    return _said_as(turn.index, turn.kind, turn.heard, turn.meaning, turn.said)


def _said_as(index: int, kind: str, heard: str, meaning: dict[str, Any], answer: str) -> Said:
    confidence = float(meaning.get("confidence") or 0.0)
    return Said(index, kind, heard, str(meaning.get("code") or ""), confidence, answer)


def _said(
    session: Session, calls: Collection[UUID], turns: int
) -> defaultdict[UUID, tuple[Said, ...]]:
    """The last turns of each call. This is looked at all the time, so no more is read of them."""
    found: defaultdict[UUID, tuple[Said, ...]] = defaultdict(tuple)
    last = (
        select(Turn.call_id, func.max(Turn.index).label("index"))
        .where(col(Turn.call_id).in_(calls))
        .group_by(col(Turn.call_id))
        .subquery()
    )
    rows = (
        columns(
            col(Turn.call_id),
            col(Turn.index),
            col(Turn.kind),
            col(Turn.heard),
            col(Turn.meaning),
            col(Turn.said),
        )
        .join(last, last.c.call_id == col(Turn.call_id))
        .where(col(Turn.index) > last.c.index - turns)
        .order_by(col(Turn.index))
    )
    for row in session.connection().execute(rows) if calls else ():
        call_id, index, kind, heard, meaning, answer = row.tuple()
        found[call_id] += (_said_as(index, kind, heard, meaning, answer),)
    return found


def _orders(session: Session, calls: Collection[UUID]) -> defaultdict[UUID, list[str]]:
    found: defaultdict[UUID, list[str]] = defaultdict(list)
    rows = (
        select(WorkOrder.call_id, WorkOrder.code)
        .where(col(WorkOrder.call_id).in_(calls))
        .order_by(col(WorkOrder.id))
    )
    for call_id, code in session.exec(rows) if calls else ():
        if call_id is not None:
            found[call_id].append(code)
    return found


def _names_by_extension(session: Session) -> dict[str, str]:
    return dict(session.exec(select(Operator.extension, Operator.display_name)).all())


def _wait(visit: QueueVisit, people: dict[str, Person], names: dict[str, str]) -> Wait:
    return Wait(
        visit.id or 0,
        visit.call_id,
        visit.phone,
        people.get(visit.phone, STRANGER),
        visit.priority,
        visit.joined_at,
        visit.answered_at,
        names.get(visit.answered_by, visit.answered_by),
    )
