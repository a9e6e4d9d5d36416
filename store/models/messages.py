"""Text messages: an outbox, an inbox, and who wants none."""

from __future__ import annotations

import uuid
from datetime import datetime
from enum import StrEnum

from sqlalchemy import Index, Text, UniqueConstraint
from sqlmodel import Field, SQLModel

from store.models.base import UtcDateTime, coded


class SmsPurpose(StrEnum):
    RATING = "rating"
    """How was the service?"""
    DISPATCH = "dispatch"
    """To a provider: an order."""
    REPLY = "reply"
    """Answers a message of theirs."""
    NOTICE = "notice"


class SmsState(StrEnum):
    QUEUED = "queued"
    SENDING = "sending"
    """Claimed by a process, and the gateway may have it."""
    SENT = "sent"
    """The gateway has taken it."""
    DELIVERED = "delivered"
    FAILED = "failed"
    UNCERTAIN = "uncertain"
    """The gateway may have it or not, and would send it twice if asked again: a delivery report
    settles it, or a person."""


class SmsOut(SQLModel, table=True):
    """A message of ours."""

    __tablename__ = "sms_out"
    __table_args__ = (Index("ix_sms_out_state_due_at", "state", "due_at"),)

    id: int | None = Field(default=None, primary_key=True)
    key: str = Field(unique=True)
    """Such as rating:17 or reply:4; makes sending idempotent."""
    phone: str = Field(index=True)
    text: str = Field(sa_type=Text)
    purpose: SmsPurpose = Field(sa_type=coded(SmsPurpose))
    follow_up_id: int | None = Field(default=None, foreign_key="follow_up.id", index=True)
    order_id: int | None = Field(default=None, foreign_key="work_order.id")
    state: SmsState = Field(default=SmsState.QUEUED, sa_type=coded(SmsState))
    created_at: datetime = Field(sa_type=UtcDateTime, index=True)
    due_at: datetime = Field(sa_type=UtcDateTime)
    """Not to be sent before."""
    tries: int = 0
    claimed_by: str = ""
    claimed_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    reference: uuid.UUID = Field(default_factory=uuid.uuid4, unique=True)
    """Names it to the gateway, and in the delivery report's address."""
    gateway_id: str = Field(default="", index=True)
    """What the gateway calls it."""
    parts: int = 0
    """How many messages the handset gets, put together again there; 0: not counted yet."""
    sent_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    reported_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    """When it was delivered, or known not to be."""
    detail: str = Field(default="", sa_type=Text)
    """Why it failed, or waits."""


class SmsKind(StrEnum):
    """What a message to us was taken for."""

    RATING = "rating"
    STOP = "stop"
    START = "start"
    OTHER = "other"


class SmsIn(SQLModel, table=True):
    """A message to us."""

    __tablename__ = "sms_in"
    __table_args__ = (UniqueConstraint("gateway", "gateway_id"),)

    id: int | None = Field(default=None, primary_key=True)
    gateway: str
    gateway_id: str
    """With the gateway's name it makes taking it in idempotent."""
    phone: str = Field(index=True)
    text: str = Field(sa_type=Text)
    received_at: datetime = Field(sa_type=UtcDateTime, index=True)
    handled_at: datetime | None = Field(default=None, sa_type=UtcDateTime, index=True)
    """None: nobody has read it yet."""
    kind: SmsKind | None = Field(default=None, sa_type=coded(SmsKind))
    score: int | None = None
    follow_up_id: int | None = Field(default=None, foreign_key="follow_up.id")
    """What it answers."""
    detail: str = Field(default="", sa_type=Text)
    """What was done with it."""


class SmsStop(SQLModel, table=True):
    """A number that wants no messages (退订)."""

    __tablename__ = "sms_stop"

    phone: str = Field(primary_key=True)
    at: datetime = Field(sa_type=UtcDateTime)
