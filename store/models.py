"""Tables. Times are aware and kept in UTC, money is integer fen, codes are kept as their value."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    JSON,
    DateTime,
    Dialect,
    Enum,
    Index,
    Text,
    TypeDecorator,
    UniqueConstraint,
    text,
)
from sqlmodel import Field, SQLModel

SQLModel.metadata.naming_convention = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}


class UtcDateTime(TypeDecorator[datetime]):
    """An aware time, kept in UTC by databases with and without time zones."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value} has no time zone")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def _coded(codes: type[StrEnum]) -> Enum:
    """A column of codes: their values as text, so that a new code needs no migration."""
    return Enum(
        codes,
        values_callable=lambda enum: [code.value for code in enum],
        native_enum=False,
        create_constraint=False,
        length=16,
    )


class SupportClass(StrEnum):
    """What the state pays for an elder: all (援助), part (补助), nothing (自助)."""

    AIDED = "aided"
    SUBSIDISED = "subsidised"
    SELF_PAYING = "self_paying"


class OrderStatus(StrEnum):
    CREATED = "created"
    FINISHED = "finished"
    CANCELLED = "cancelled"


class OrderEvent(StrEnum):
    CREATED = "created"
    NOTE = "note"
    """A voice note was attached."""
    TAKEN = "taken"
    CORRECTED = "corrected"
    """The detail says what it was and what it is now."""
    FINISHED = "finished"
    CANCELLED = "cancelled"


class Outcome(StrEnum):
    """How a call ended for the caller."""

    ORDERED = "ordered"
    OPERATOR = "operator"
    EMERGENCY = "emergency"
    CALLBACK = "callback"
    ABANDONED = "abandoned"
    FAILED = "failed"


class Next(StrEnum):
    """What the dialplan does with the caller when the agent is done."""

    HANGUP = "hangup"
    OPERATOR = "operator"
    EMERGENCY = "emergency"


class Known(StrEnum):
    """How it is known what a caller meant."""

    CONFIRMED = "confirmed"
    """The caller said yes to it later in the same call."""
    OPERATOR = "operator"
    """An operator has listened, or asked."""


class Review(StrEnum):
    """What a person has decided of a correction."""

    PENDING = "pending"
    APPROVED = "approved"
    REJECTED = "rejected"


class Role(StrEnum):
    """What an operator may do: their own work; also see everybody's; also change the site."""

    OPERATOR = "operator"
    SUPERVISOR = "supervisor"
    ADMIN = "admin"


class Duty(StrEnum):
    """Whether the operators' queue rings somebody."""

    OFF = "off"
    ON = "on"
    PAUSED = "paused"


class QueueEnd(StrEnum):
    """How a wait in the operators' queue ended."""

    ANSWERED = "answered"
    ABANDONED = "abandoned"
    """The caller hung up."""
    CALLBACK = "callback"
    """The caller asked to be called back instead."""
    EMERGENCY = "emergency"
    """The caller needs help at once: see Alarm."""
    FAILED = "failed"
    """The caller was cut off."""


class Cause(StrEnum):
    """Why somebody is called back."""

    ASKED = "asked"
    ABANDONED = "abandoned"
    """They hung up while they waited for an operator."""
    ADMISSION = "admission"
    """There was no line to take their call."""


class Wants(StrEnum):
    """Whom a person who is called back talks to first."""

    AGENT = "agent"
    OPERATOR = "operator"


class CallbackState(StrEnum):
    WAITING = "waiting"
    DIALLING = "dialling"
    """Claimed by a process, and the telephone may be ringing."""
    REACHED = "reached"
    """They have answered, and talk or wait for the operator."""
    NO_ANSWER = "no_answer"
    """Not reached yet; tried again when it is due."""
    DONE = "done"
    GIVEN_UP = "given_up"


OPEN_CALLBACKS = (
    CallbackState.WAITING,
    CallbackState.DIALLING,
    CallbackState.REACHED,
    CallbackState.NO_ANSWER,
)
"""States in which somebody still has to be called back, or is being called back."""
_OPEN = f"state IN ({', '.join(repr(state.value) for state in OPEN_CALLBACKS)})"


class CallbackEventKind(StrEnum):
    ASKED = "asked"
    DIALLED = "dialled"
    REACHED = "reached"
    NOT_REACHED = "not_reached"
    """The detail says why: busy, no answer, ..."""
    RELEASED = "released"
    """The process that had claimed it is gone, and nobody was called."""
    DONE = "done"
    GIVEN_UP = "given_up"
    CHANGED = "changed"
    """Asked for again, or taken up by an operator: the detail says what changed."""


class Elder(SQLModel, table=True):
    __table_args__ = (UniqueConstraint("name", "address"),)

    id: int | None = Field(default=None, primary_key=True)
    name: str
    address: str
    support_class: SupportClass = Field(
        default=SupportClass.SELF_PAYING, sa_type=_coded(SupportClass)
    )
    dialect: str = ""
    """As registered, a folder name below grammars/; empty if not given: see Call.dialect."""
    high_risk: bool = False


class Phone(SQLModel, table=True):
    """A number an elder calls from. A couple shares its landline, so a number may have two."""

    number: str = Field(primary_key=True)
    """As store.phones.normalise gives it."""
    elder_id: int = Field(primary_key=True, foreign_key="elder.id", index=True)


class Service(SQLModel, table=True):
    """A service item, copied from the catalogue whenever the agent starts."""

    code: str = Field(primary_key=True)
    name: str
    unit: str
    price_fen: int


class Call(SQLModel, table=True):
    id: uuid.UUID = Field(primary_key=True)
    """Made in the dialplan."""
    phone: str = Field(index=True)
    """Empty if withheld."""
    elder_id: int | None = Field(default=None, foreign_key="elder.id", index=True)
    """None if the number is not registered, or shared by several elders."""
    started_at: datetime = Field(sa_type=UtcDateTime, index=True)
    answered_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    ended_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    outcome: Outcome | None = Field(default=None, sa_type=_coded(Outcome))
    """None while the call lasts."""
    next: Next | None = Field(default=None, sa_type=_coded(Next))
    reason: str = ""
    """Why it went to a human, or failed."""
    summary: dict[str, Any] = Field(default_factory=dict, sa_type=JSON)
    """What is known so far, for the screen of the human who takes the call. Texts, each only if
    known: surname, address, dialect, service, time, unsure_between, wanted_next, booked; and
    "order", what there is of the order being made: code, scheduled_for (ISO 8601), time, said_time,
    address, address_wrong, read_back ("yes": the caller has heard it all)."""
    dialect: str = ""
    """Heard in what was ordered, a folder name below grammars/; empty if nothing was."""


class Turn(SQLModel, table=True):
    """One thing the caller did, and the answer."""

    __table_args__ = (UniqueConstraint("call_id", "index"),)

    id: int | None = Field(default=None, primary_key=True)
    call_id: uuid.UUID = Field(foreign_key="call.id")
    index: int
    """Counts the turns of a call from 0."""
    kind: str
    """What the caller did: heard, digit, silence, note."""
    heard: str = Field(default="", sa_type=Text)
    hypotheses: list[dict[str, Any]] = Field(default_factory=list, sa_type=JSON)
    """[{"text": ..., "score": ...}], best first."""
    engine: str = ""
    """Recogniser.name of the one that heard it."""
    engine_version: str = ""
    meaning: dict[str, Any] = Field(default_factory=dict, sa_type=JSON)
    """{"kind", "code", "confidence", "candidates": [{"code", "confidence"}], ...}"""
    said: str = Field(default="", sa_type=Text)
    stages_ms: dict[str, float] = Field(default_factory=dict, sa_type=JSON)
    """Stage -> milliseconds it took."""
    started_at: datetime = Field(sa_type=UtcDateTime)


class WorkOrder(SQLModel, table=True):
    __tablename__ = "work_order"
    __table_args__ = (UniqueConstraint("call_id", "number"),)

    id: int | None = Field(default=None, primary_key=True)
    call_id: uuid.UUID = Field(foreign_key="call.id")
    number: int
    """Counts the orders of a call from 1; with the call's id it makes booking idempotent."""
    code: str = Field(foreign_key="service.code", index=True)
    elder_id: int | None = Field(default=None, foreign_key="elder.id", index=True)
    phone: str
    address: str | None = None
    """None: an operator takes it from the voice note or asks."""
    scheduled_for: datetime | None = Field(default=None, sa_type=UtcDateTime, index=True)
    said_time: str = ""
    """The time in the caller's words."""
    status: OrderStatus = Field(default=OrderStatus.CREATED, sa_type=_coded(OrderStatus))
    price_fen: int
    """Full price of one unit at the time of the order."""
    pay_fen: int
    """What the elder pays of it."""
    created_at: datetime = Field(sa_type=UtcDateTime)
    note: str | None = None
    """Path of the voice note."""
    operator_id: int | None = Field(default=None, foreign_key="operator.id")
    """Who has taken it."""


class WorkOrderEvent(SQLModel, table=True):
    """What happened to an order, never changed afterwards."""

    __tablename__ = "work_order_event"

    id: int | None = Field(default=None, primary_key=True)
    order_id: int = Field(foreign_key="work_order.id", index=True)
    kind: OrderEvent = Field(sa_type=_coded(OrderEvent))
    at: datetime = Field(sa_type=UtcDateTime)
    detail: str = Field(default="", sa_type=Text)
    operator_id: int | None = Field(default=None, foreign_key="operator.id")
    """Whose doing it was; None: the caller's, or the system's."""


class Correction(SQLModel, table=True):
    """An utterance that was taken for something else than what was meant.

    It is a person's speech: it goes when its call goes.
    """

    __table_args__ = (UniqueConstraint("call_id", "turn", "code"),)

    id: int | None = Field(default=None, primary_key=True)
    call_id: uuid.UUID = Field(foreign_key="call.id", ondelete="CASCADE")
    turn: int
    """Turn.index of the utterance."""
    heard: str = Field(sa_type=Text)
    """What was understood from: the best hypothesis."""
    hypotheses: list[dict[str, Any]] = Field(default_factory=list, sa_type=JSON)
    """[{"text": ..., "score": ...}], best first."""
    taken_for: str = ""
    """Service code that the agent went on with; empty if it asked again."""
    code: str = Field(foreign_key="service.code")
    """What was meant."""
    known: Known = Field(sa_type=_coded(Known))
    dialect: str
    """Of the caller, a folder name below grammars/."""
    engine: str
    """Recogniser.name."""
    engine_version: str
    at: datetime = Field(sa_type=UtcDateTime)
    review: Review = Field(default=Review.PENDING, sa_type=_coded(Review), index=True)
    reviewed_by: str = ""
    reviewed_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class Operator(SQLModel, table=True):
    """Somebody who takes calls or looks after those who do."""

    id: int | None = Field(default=None, primary_key=True)
    name: str = Field(unique=True)
    """What they log in with."""
    display_name: str
    password_hash: str
    """Argon2's own notation, with its parameters and salt."""
    role: Role = Field(default=Role.OPERATOR, sa_type=_coded(Role))
    extension: str = Field(unique=True)
    """SIP user of their telephone, such as op101."""
    sip_secret: str
    active: bool = True
    """False: may not log in any more, and keeps their history."""
    language: str = "zh"
    """Of the console's pages: zh or en."""
    duty: Duty = Field(default=Duty.OFF, sa_type=_coded(Duty))
    duty_reason: str = ""
    """Why paused."""
    duty_since: datetime | None = Field(default=None, sa_type=UtcDateTime)


class OperatorDuty(SQLModel, table=True):
    """Somebody went on duty, paused or went off; never changed afterwards."""

    __tablename__ = "operator_duty"

    id: int | None = Field(default=None, primary_key=True)
    operator_id: int = Field(foreign_key="operator.id", index=True)
    at: datetime = Field(sa_type=UtcDateTime, index=True)
    duty: Duty = Field(sa_type=_coded(Duty))
    reason: str = ""


class LoginSession(SQLModel, table=True):
    __tablename__ = "login_session"

    id: str = Field(primary_key=True)
    """SHA-256 of the token in the browser's cookie, in hex: who reads the store cannot use it."""
    operator_id: int = Field(foreign_key="operator.id", index=True)
    csrf: str
    created_at: datetime = Field(sa_type=UtcDateTime)
    seen_at: datetime = Field(sa_type=UtcDateTime)
    expires_at: datetime = Field(sa_type=UtcDateTime, index=True)


class LoginFailure(SQLModel, table=True):
    """A wrong name or password, kept to slow guessing down."""

    __tablename__ = "login_failure"

    id: int | None = Field(default=None, primary_key=True)
    name: str = Field(index=True)
    """As it was typed."""
    address: str = Field(index=True)
    """Where from."""
    at: datetime = Field(sa_type=UtcDateTime, index=True)


class Audit(SQLModel, table=True):
    """Who looked at or changed a person's data; never changed afterwards."""

    id: int | None = Field(default=None, primary_key=True)
    at: datetime = Field(sa_type=UtcDateTime, index=True)
    operator_id: int | None = Field(default=None, foreign_key="operator.id", index=True)
    """None: the system itself, or the command line."""
    action: str
    subject_kind: str
    """Table of what was looked at or changed."""
    subject_id: str
    detail: str = Field(default="", sa_type=Text)


class QueueVisit(SQLModel, table=True):
    """One wait in the operators' queue, and the talk that came of it."""

    __tablename__ = "queue_visit"
    __table_args__ = (UniqueConstraint("uniqueid", "joined_at"),)

    id: int | None = Field(default=None, primary_key=True)
    call_id: uuid.UUID | None = Field(default=None, index=True)
    """As the dialplan named the call. It need not be in `call`: the agent may never have seen it,
    or write it later."""
    uniqueid: str
    """Of the caller's channel in Asterisk."""
    phone: str = Field(index=True)
    """Empty if withheld."""
    priority: int = 0
    """Asterisk's QUEUE_PRIO: who has more stands in front."""
    joined_at: datetime = Field(sa_type=UtcDateTime, index=True)
    left_at: datetime | None = Field(default=None, sa_type=UtcDateTime, index=True)
    """When the wait ended; None while it lasts."""
    how: QueueEnd | None = Field(default=None, sa_type=_coded(QueueEnd))
    """None while they wait."""
    answered_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    answered_by: str = ""
    """Extension of the operator."""
    talk_ended_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class OperatorCall(SQLModel, table=True):
    """An operator's telephone rings for a call, or talks in it, at this moment."""

    __tablename__ = "operator_call"

    uniqueid: str = Field(primary_key=True)
    """Of the telephone's channel in Asterisk."""
    call_id: uuid.UUID
    """As the dialplan named the call; it need not be in `call`, see QueueVisit."""
    extension: str = Field(index=True)
    """Of the operator."""
    rang_at: datetime = Field(sa_type=UtcDateTime)
    answered_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class Callback(SQLModel, table=True):
    """Somebody is owed a call. At most one open at a time for a number."""

    __table_args__ = (
        Index(
            "uq_callback_open_phone",
            "phone",
            unique=True,
            sqlite_where=text(_OPEN),
            postgresql_where=text(_OPEN),
        ),
        Index("ix_callback_state_due_at", "state", "due_at"),
    )

    id: int | None = Field(default=None, primary_key=True)
    phone: str = Field(index=True)
    elder_id: int | None = Field(default=None, foreign_key="elder.id")
    call_id: uuid.UUID | None = None
    """The call that it came of; it need not be in `call`, see QueueVisit."""
    cause: Cause = Field(sa_type=_coded(Cause))
    wants: Wants = Field(sa_type=_coded(Wants))
    priority: int = 0
    """As QueueVisit.priority."""
    queued_at: datetime = Field(sa_type=UtcDateTime)
    """Their place in line: when they first began to wait."""
    asked_at: datetime = Field(sa_type=UtcDateTime)
    """When they last asked, or hung up."""
    state: CallbackState = Field(default=CallbackState.WAITING, sa_type=_coded(CallbackState))
    due_at: datetime = Field(sa_type=UtcDateTime)
    """Not to be dialled before."""
    tries: int = 0
    """How often they have been dialled."""
    claimed_by: str = ""
    """The process that is dialling."""
    claimed_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    """When that process last said so."""
    attempt_id: uuid.UUID | None = None
    """The call that the last attempt made, also the name of its channel: whether it was placed can
    be asked of Asterisk after a crash."""
    reached_call_id: uuid.UUID | None = None
    """The call in which they were reached."""
    closed_at: datetime | None = Field(default=None, sa_type=UtcDateTime, index=True)
    detail: str = Field(default="", sa_type=Text)
    """How the last attempt ended, or why it was closed."""


class CallbackEvent(SQLModel, table=True):
    """What happened to a call-back, never changed afterwards."""

    __tablename__ = "callback_event"

    id: int | None = Field(default=None, primary_key=True)
    callback_id: int = Field(foreign_key="callback.id", index=True)
    at: datetime = Field(sa_type=UtcDateTime)
    kind: CallbackEventKind = Field(sa_type=_coded(CallbackEventKind))
    detail: str = Field(default="", sa_type=Text)


class Alarm(SQLModel, table=True):
    """Somebody called for help. Open until an operator closes it."""

    id: int | None = Field(default=None, primary_key=True)
    call_id: uuid.UUID = Field(unique=True)
    """As the dialplan named the call; it need not be in `call`, see QueueVisit."""
    phone: str
    raised_at: datetime = Field(sa_type=UtcDateTime, index=True)
    answered_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    answered_by: str = ""
    """Extension of the operator, or the on-call number."""
    closed_at: datetime | None = Field(default=None, sa_type=UtcDateTime, index=True)
    closed_by: int | None = Field(default=None, foreign_key="operator.id")
