"""Everything that is kept of one person: to be handed to them, or to be erased.

What is theirs: what is entered for them by name, and what came from a number that only they have
and is entered for nobody else. Of a number that others have too, what is entered for nobody stays
with those others: nobody knows whose it was.

Erasing leaves what figures and accounts are made of (that there was a call, an order, what it cost,
how it was rated) with nothing in it that leads to the person. Every table is either in `_found` or
in NOT_OF_PEOPLE; a test sees to that.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple, TypeVar
from uuid import UUID

from sqlalchemy import ColumnElement, false, or_
from sqlmodel import Session, SQLModel, col, select

from store.audit import Action
from store.database import Conflict, Store, StoreError
from store.models import (
    OPEN_CALLBACKS,
    OPEN_FOLLOW_UPS,
    Alarm,
    ApiKey,
    Audit,
    Call,
    Callback,
    CallbackEvent,
    CallbackState,
    CareAlert,
    Complaint,
    Correction,
    Elder,
    FollowUp,
    FollowUpEnd,
    FollowUpEvent,
    FollowUpState,
    GreetingPlan,
    LoginFailure,
    LoginSession,
    Operator,
    OperatorCall,
    OperatorDuty,
    OrderStatus,
    Phone,
    Provider,
    ProviderService,
    QueueVisit,
    Rating,
    Service,
    SmsIn,
    SmsOut,
    SmsState,
    SmsStop,
    StandingOrder,
    Switch,
    Turn,
    Worker,
    WorkOrder,
    WorkOrderEvent,
)
from store.privacy import mask_phone

NOT_OF_PEOPLE: frozenset[type[SQLModel]] = frozenset(
    {
        ApiKey,
        LoginFailure,
        LoginSession,
        Operator,
        OperatorDuty,
        Provider,
        ProviderService,
        Service,
        Switch,
        Worker,
    }
)
"""Tables that say nothing of those who are served; of those who serve, they have to."""

T = TypeVar("T", bound=SQLModel)
Rows = dict[type[SQLModel], list[Any]]


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who is registered, or known by their number only."""

    elder_id: int | None
    numbers: tuple[str, ...]
    """Theirs alone, as store.phones gives them."""
    shared: tuple[str, ...] = ()
    """That others have too."""


class Kept(NamedTuple):
    """What there is of a person."""

    rows: dict[str, list[dict[str, Any]]]
    """By table; what is in them is JSON."""
    calls: frozenset[UUID]
    """That there may be sound of."""
    notes: tuple[str, ...]
    """Paths of voice notes."""


def find(store: Store, elder_id: int | None = None, number: str = "") -> Person:
    """By id, or by a number as store.phones gives it. Raises StoreError when there is nobody of
    that id, or there are several of that number."""
    with store.read() as session:
        if elder_id is None:
            of_number = select(Phone.elder_id).where(Phone.number == number)
            ids = sorted(session.exec(of_number))
            if not ids:
                return Person(None, (number,) if number else ())
            if len(ids) > 1:
                named = ", ".join(map(str, ids))
                raise StoreError(f"{number} is the number of the elders {named}: say which")
            elder_id = ids[0]
        if session.get(Elder, elder_id) is None:
            raise StoreError(f"there is no elder {elder_id}")
        own = select(Phone.number).where(Phone.elder_id == elder_id)
        numbers = set(session.exec(own))
        others = select(Phone.number).where(
            col(Phone.number).in_(numbers), Phone.elder_id != elder_id
        )
        shared = set(session.exec(others))
        return Person(elder_id, tuple(sorted(numbers - shared)), tuple(sorted(shared)))


def kept(store: Store, person: Person) -> Kept:
    """All of it. Raises StoreError."""
    with store.read() as session:
        found = _found(session, person)
        rows = {
            str(table.__tablename__): [row.model_dump(mode="json") for row in of_them]
            for table, of_them in found.items()
            if of_them
        }
        return Kept(rows, _calls(found), _notes(found))


def unfinished(store: Store, person: Person) -> list[str]:
    """What of theirs goes on at this moment and has to end before they can be erased; in words."""
    with store.read() as session:
        return _unfinished(_found(session, person))


def erase(store: Store, person: Person, at: datetime) -> dict[str, int]:
    """Erases them, and says how many rows of each table were theirs. Sound has to go first: after
    this nobody knows any more whose it was.

    Raises Conflict when something of theirs goes on (see `unfinished`), or StoreError.
    """
    with store.write() as session:
        found = _found(session, person)
        if going_on := _unfinished(found):
            raise Conflict(f"not now: {'; '.join(going_on)}")
        for table, blank in BLANK.items():
            for row in found[table]:
                for name, value in blank.items():
                    setattr(row, name, value)
        for callback in found[Callback]:
            if callback.state in OPEN_CALLBACKS:
                callback.state, callback.closed_at = CallbackState.GIVEN_UP, at
        for follow_up in found[FollowUp]:
            if follow_up.state in OPEN_FOLLOW_UPS:
                follow_up.state, follow_up.closed_at = FollowUpState.GIVEN_UP, at
                follow_up.end = FollowUpEnd.REFUSED
        for message in found[SmsOut]:
            if message.state is SmsState.QUEUED:
                message.state = SmsState.FAILED
        for reply in found[SmsIn]:
            reply.handled_at = reply.handled_at or at
        for entry in found[Audit]:
            entry.detail = ""
            if entry.subject_id in person.numbers:
                entry.subject_id = mask_phone(entry.subject_id)
        session.flush()  # nothing refers any more to what goes now
        for table in DELETED:
            for row in found[table]:
                session.delete(row)
            session.flush()
        session.add(
            Audit(
                at=at,
                action=Action.ERASE,
                subject_kind="elder" if person.elder_id else "phone",
                subject_id=str(person.elder_id or mask_phone(person.numbers[0])),
            )
        )
        return {str(table.__tablename__): len(rows) for table, rows in found.items() if rows}


def erased(store: Store) -> frozenset[int]:
    """Elders who have been erased from this store. Raises StoreError."""
    rows = select(Audit.subject_id).where(
        Audit.action == Action.ERASE, Audit.subject_kind == "elder"
    )
    with store.read() as session:
        return frozenset(int(id) for id in session.exec(rows))


def registered(store: Store, ids: Iterable[int]) -> list[int]:
    """Which of these elders there are. Raises StoreError."""
    with store.read() as session:
        found = session.exec(select(Elder.id).where(col(Elder.id).in_(list(ids))))
        return sorted(id for id in found if id is not None)


BLANK: dict[type[SQLModel], dict[str, Any]] = {
    Call: {"phone": "", "elder_id": None, "summary": {}},
    WorkOrder: {
        "phone": "",
        "elder_id": None,
        "address": None,
        "said_time": "",
        "note": None,
        "standing_id": None,
    },
    WorkOrderEvent: {"detail": ""},
    FollowUp: {"phone": "", "elder_id": None, "detail": ""},
    FollowUpEvent: {"detail": ""},
    Rating: {"said": ""},
    Complaint: {"said": "", "note": None, "remedy": ""},
    Callback: {"phone": "", "elder_id": None, "detail": ""},
    CallbackEvent: {"detail": ""},
    QueueVisit: {"phone": ""},
    Alarm: {"phone": ""},
    SmsOut: {"phone": "", "text": "", "detail": ""},
    SmsIn: {"phone": "", "text": "", "detail": ""},
}
"""Tables whose rows stay, and what is taken out of them."""
DELETED: tuple[type[SQLModel], ...] = (
    Turn,
    Correction,
    OperatorCall,
    CareAlert,
    GreetingPlan,
    StandingOrder,
    SmsStop,
    Phone,
    Elder,
)
"""Tables whose rows go, those first that refer to others."""


def _found(session: Session, person: Person) -> Rows:
    """Every row that is theirs, by table."""

    def rows(table: type[T], *which: ColumnElement[bool]) -> list[T]:
        return list(session.exec(select(table).where(or_(false(), *which))))

    def by_id(table: Any) -> ColumnElement[bool]:
        return false() if id is None else col(table.elder_id) == id

    def by_name(table: Any) -> ColumnElement[bool]:
        """Entered for them, or for nobody and from a number of theirs."""
        return by_id(table) | (col(table.elder_id).is_(None) & col(table.phone).in_(numbers))

    id, numbers = person.elder_id, person.numbers
    elders = rows(Elder, false() if id is None else col(Elder.id) == id)
    standing = rows(StandingOrder, by_id(StandingOrder))
    calls = rows(Call, by_name(Call))
    of_calls = {call.id for call in calls}
    orders = rows(
        WorkOrder,
        by_name(WorkOrder),
        col(WorkOrder.call_id).in_(of_calls) & col(WorkOrder.elder_id).is_(None),
        col(WorkOrder.standing_id).in_({one.id for one in standing}),
    )
    of_orders = {order.id for order in orders}
    follow_ups = rows(FollowUp, by_name(FollowUp), col(FollowUp.order_id).in_(of_orders))
    of_follow_ups = {one.id for one in follow_ups}
    callbacks = rows(Callback, by_name(Callback))
    messages = rows(
        SmsOut,
        col(SmsOut.phone).in_(numbers),
        col(SmsOut.order_id).in_(of_orders),
        col(SmsOut.follow_up_id).in_(of_follow_ups),
    )
    ratings = rows(Rating, col(Rating.order_id).in_(of_orders))
    replies = rows(
        SmsIn,
        col(SmsIn.phone).in_(numbers),
        col(SmsIn.follow_up_id).in_(of_follow_ups),
        col(SmsIn.id).in_({rating.sms_id for rating in ratings}),
    )
    subjects = {
        "elder": {str(id)} if id is not None else set(),
        "phone": set(numbers),
        "call": {str(call) for call in of_calls},
        "work_order": {str(order) for order in of_orders},
    }
    searched = [*numbers, *(elder.name for elder in elders)]
    audit = rows(
        Audit,
        *(
            (col(Audit.subject_kind) == kind) & col(Audit.subject_id).in_(ids)
            for kind, ids in subjects.items()
        ),
        (col(Audit.action) == Action.SEARCH) & col(Audit.detail).in_(searched),
    )
    of_callbacks = {one.id for one in callbacks}
    return {
        Elder: elders,
        Phone: rows(Phone, by_id(Phone)),
        GreetingPlan: rows(GreetingPlan, by_id(GreetingPlan)),
        StandingOrder: standing,
        Call: calls,
        Turn: rows(Turn, col(Turn.call_id).in_(of_calls)),
        Correction: rows(Correction, col(Correction.call_id).in_(of_calls)),
        WorkOrder: orders,
        WorkOrderEvent: rows(WorkOrderEvent, col(WorkOrderEvent.order_id).in_(of_orders)),
        FollowUp: follow_ups,
        FollowUpEvent: rows(FollowUpEvent, col(FollowUpEvent.follow_up_id).in_(of_follow_ups)),
        Rating: ratings,
        Complaint: rows(Complaint, col(Complaint.order_id).in_(of_orders)),
        CareAlert: rows(
            CareAlert, by_id(CareAlert), col(CareAlert.follow_up_id).in_(of_follow_ups)
        ),
        Callback: callbacks,
        CallbackEvent: rows(CallbackEvent, col(CallbackEvent.callback_id).in_(of_callbacks)),
        QueueVisit: rows(
            QueueVisit, col(QueueVisit.call_id).in_(of_calls), col(QueueVisit.phone).in_(numbers)
        ),
        OperatorCall: rows(OperatorCall, col(OperatorCall.call_id).in_(of_calls)),
        Alarm: rows(Alarm, col(Alarm.call_id).in_(of_calls), col(Alarm.phone).in_(numbers)),
        SmsOut: messages,
        SmsIn: replies,
        SmsStop: rows(SmsStop, col(SmsStop.phone).in_(numbers)),
        Audit: audit,
    }


def _unfinished(found: Rows) -> list[str]:
    over = (OrderStatus.COMPLETED, OrderStatus.CLOSED, OrderStatus.CANCELLED)
    on_the_line = (CallbackState.DIALLING, CallbackState.REACHED)
    being_called = (FollowUpState.DIALLING, FollowUpState.REACHED)
    return [
        *(f"the call {one.id} is not over" for one in found[Call] if one.ended_at is None),
        *(
            f"the order {one.id} is {one.status}: cancel or complete it"
            for one in found[WorkOrder]
            if one.status not in over
        ),
        *(f"the emergency {one.id} is open" for one in found[Alarm] if one.closed_at is None),
        *(f"the care alert {one.id} is open" for one in found[CareAlert] if one.closed_at is None),
        *(f"the complaint {one.id} is open" for one in found[Complaint] if one.closed_at is None),
        *(
            f"call-back {one.id} is under way"
            for one in found[Callback]
            if one.state in on_the_line
        ),
        *(
            f"follow-up {one.id} is under way"
            for one in found[FollowUp]
            if one.state in being_called
        ),
    ]


def _calls(found: Rows) -> frozenset[UUID]:
    ids = {
        *(row.id for row in found[Call]),
        *(row.call_id for table in (QueueVisit, Alarm, Complaint, Rating) for row in found[table]),
        *(row.call_id for row in found[Callback]),
        *(row.attempt_id for table in (Callback, FollowUp) for row in found[table]),
        *(row.reached_call_id for table in (Callback, FollowUp) for row in found[table]),
    }
    return frozenset(id for id in ids if id is not None)


def _notes(found: Rows) -> tuple[str, ...]:
    notes = (row.note for table in (WorkOrder, Complaint) for row in found[table])
    return tuple(note for note in notes if note)
