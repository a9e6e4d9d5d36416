"""Calls that we owe after a booking, and what is said in them."""

from __future__ import annotations

import uuid
from datetime import datetime
from enum import StrEnum

from sqlalchemy import Index, Text
from sqlmodel import Field, SQLModel

from store.models.base import UtcDateTime, coded


class Purpose(StrEnum):
    """Why we call."""

    RATING = "rating"
    """How was the service?"""
    PLAN = "plan"
    """Is the planned service still wanted, and at that time?"""
    GREETING = "greeting"
    """How are you?"""


class FollowUpState(StrEnum):
    WAITING = "waiting"
    DIALLING = "dialling"
    """Claimed by a process, and the telephone may be ringing."""
    REACHED = "reached"
    """They have answered and talk with the agent."""
    MESSAGED = "messaged"
    """Asked by SMS, since they could not be reached by telephone."""
    DONE = "done"
    GIVEN_UP = "given_up"


OPEN_FOLLOW_UPS = (
    FollowUpState.WAITING,
    FollowUpState.DIALLING,
    FollowUpState.REACHED,
    FollowUpState.MESSAGED,
)


class FollowUpEnd(StrEnum):
    """What came of it; the first five are done, the others given up."""

    RATED = "rated"
    CONFIRMED = "confirmed"
    MOVED = "moved"
    """The planned service is at another time now."""
    CANCELLED = "cancelled"
    """The planned service is not wanted."""
    GREETED = "greeted"
    REFUSED = "refused"
    """They do not want to be asked."""
    NO_ANSWER = "no_answer"
    """Neither calls nor, where one was sent, the message were answered."""
    WRONG_PERSON = "wrong_person"
    BAD_NUMBER = "bad_number"
    """Withheld, or none that may be called."""
    EXPIRED = "expired"
    """There was no time left in which to call, such as before a planned service."""
    ORDER_GONE = "order_gone"
    """The order was cancelled meanwhile."""


class FollowUpEventKind(StrEnum):
    PLANNED = "planned"
    DIALLED = "dialled"
    REACHED = "reached"
    NOT_REACHED = "not_reached"
    """The detail says why: busy, no answer, machine, refused, ..."""
    RELEASED = "released"
    """The process that had claimed it is gone, and nobody was called."""
    MESSAGED = "messaged"
    DONE = "done"
    GIVEN_UP = "given_up"
    CHANGED = "changed"
    """By an operator: the detail says what."""


class FollowUp(SQLModel, table=True):
    """Something to ask an elder, by a call of ours, by SMS, or when they call in."""

    __tablename__ = "follow_up"
    __table_args__ = (
        Index("ix_follow_up_state_due_at", "state", "due_at"),
        Index("ix_follow_up_phone_state", "phone", "state"),
    )

    id: int | None = Field(default=None, primary_key=True)
    key: str = Field(unique=True)
    """rating:ORDER, plan:ORDER or greeting:PLAN:DAY; makes planning idempotent."""
    purpose: Purpose = Field(sa_type=coded(Purpose))
    order_id: int | None = Field(default=None, foreign_key="work_order.id", index=True)
    elder_id: int | None = Field(default=None, foreign_key="elder.id", index=True)
    phone: str
    created_at: datetime = Field(sa_type=UtcDateTime, index=True)
    due_at: datetime = Field(sa_type=UtcDateTime)
    """Not to be dialled before; while messaged, when the answer is not waited for any longer."""
    expires_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    """Useless afterwards."""
    state: FollowUpState = Field(default=FollowUpState.WAITING, sa_type=coded(FollowUpState))
    tries: int = 0
    """How often they have been dialled."""
    claimed_by: str = ""
    """The process that is dialling."""
    claimed_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    """When that process last said so."""
    attempt_id: uuid.UUID | None = Field(default=None, index=True)
    """The call that the last attempt made, also the name of its channel."""
    reached_call_id: uuid.UUID | None = None
    closed_at: datetime | None = Field(default=None, sa_type=UtcDateTime, index=True)
    end: FollowUpEnd | None = Field(default=None, sa_type=coded(FollowUpEnd))
    detail: str = Field(default="", sa_type=Text)
    """How the last attempt ended."""


class FollowUpEvent(SQLModel, table=True):
    """What happened to a follow-up, never changed afterwards."""

    __tablename__ = "follow_up_event"

    id: int | None = Field(default=None, primary_key=True)
    follow_up_id: int = Field(foreign_key="follow_up.id", index=True)
    at: datetime = Field(sa_type=UtcDateTime)
    kind: FollowUpEventKind = Field(sa_type=coded(FollowUpEventKind))
    detail: str = Field(default="", sa_type=Text)
    operator_id: int | None = Field(default=None, foreign_key="operator.id")


class Channel(StrEnum):
    """How somebody has told us."""

    VOICE = "voice"
    KEYPAD = "keypad"
    SMS = "sms"
    OPERATOR = "operator"


class Rating(SQLModel, table=True):
    """How an elder found a service: the last they said of it."""

    id: int | None = Field(default=None, primary_key=True)
    order_id: int = Field(foreign_key="work_order.id", unique=True)
    follow_up_id: int | None = Field(default=None, foreign_key="follow_up.id")
    score: int
    """1 (very bad) to 5 (very good)."""
    channel: Channel = Field(sa_type=coded(Channel))
    said: str = Field(default="", sa_type=Text)
    """In their words, what of it was more than the score."""
    call_id: uuid.UUID | None = None
    sms_id: int | None = Field(default=None, foreign_key="sms_in.id")
    at: datetime = Field(sa_type=UtcDateTime, index=True)


class Complaint(SQLModel, table=True):
    """Something went wrong for an elder. Open until a supervisor closes it."""

    id: int | None = Field(default=None, primary_key=True)
    order_id: int = Field(foreign_key="work_order.id", unique=True)
    score: int
    said: str = Field(default="", sa_type=Text)
    """What was wrong: in their words, or as it was recognised."""
    note: str | None = None
    """Path of the recording."""
    call_id: uuid.UUID | None = None
    at: datetime = Field(sa_type=UtcDateTime, index=True)
    operator_id: int | None = Field(default=None, foreign_key="operator.id")
    """Who looks after it."""
    closed_at: datetime | None = Field(default=None, sa_type=UtcDateTime, index=True)
    closed_by: int | None = Field(default=None, foreign_key="operator.id")
    remedy: str = Field(default="", sa_type=Text)
    """What was done about it."""


class CareAlert(SQLModel, table=True):
    """An elder who lives alone did not answer. Open until an operator closes it."""

    __tablename__ = "care_alert"

    id: int | None = Field(default=None, primary_key=True)
    follow_up_id: int = Field(foreign_key="follow_up.id", unique=True)
    elder_id: int = Field(foreign_key="elder.id")
    raised_at: datetime = Field(sa_type=UtcDateTime, index=True)
    closed_at: datetime | None = Field(default=None, sa_type=UtcDateTime, index=True)
    closed_by: int | None = Field(default=None, foreign_key="operator.id")
    detail: str = Field(default="", sa_type=Text)
    """What was found."""
