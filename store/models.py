"""Tables. Times are aware and kept in UTC, money is integer fen, codes are kept as their value."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, DateTime, Dialect, Enum, Text, TypeDecorator, UniqueConstraint
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


class OrderEvent(StrEnum):
    CREATED = "created"
    NOTE = "note"
    """A voice note was attached."""


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
    """What is known so far, for the screen of the human who takes the call."""
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


class WorkOrderEvent(SQLModel, table=True):
    """What happened to an order, never changed afterwards."""

    __tablename__ = "work_order_event"

    id: int | None = Field(default=None, primary_key=True)
    order_id: int = Field(foreign_key="work_order.id", index=True)
    kind: OrderEvent = Field(sa_type=_coded(OrderEvent))
    at: datetime = Field(sa_type=UtcDateTime)
    detail: str = Field(default="", sa_type=Text)


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
