"""Waiting for an operator, being called back, calling for help."""

from __future__ import annotations

import uuid
from datetime import datetime
from enum import StrEnum

from sqlalchemy import Index, Text, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from store.models.base import UtcDateTime, coded


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
    CUT_OFF = "cut_off"
    """Asterisk died while they talked."""


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
    how: QueueEnd | None = Field(default=None, sa_type=coded(QueueEnd))
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
    cause: Cause = Field(sa_type=coded(Cause))
    wants: Wants = Field(sa_type=coded(Wants))
    priority: int = 0
    """As QueueVisit.priority."""
    queued_at: datetime = Field(sa_type=UtcDateTime)
    """Their place in line: when they first began to wait."""
    asked_at: datetime = Field(sa_type=UtcDateTime)
    """When they last asked, or hung up."""
    state: CallbackState = Field(default=CallbackState.WAITING, sa_type=coded(CallbackState))
    due_at: datetime = Field(sa_type=UtcDateTime)
    """Not to be dialled before."""
    tries: int = 0
    """How often they have been dialled."""
    claimed_by: str = ""
    """The process that is dialling."""
    claimed_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    """When that process last said so."""
    by_hand: str = ""
    """Extension of the operator who wants to call them now; their telephone is rung first."""
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
    kind: CallbackEventKind = Field(sa_type=coded(CallbackEventKind))
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
