"""Calls to the agent, and what was heard in them."""

from __future__ import annotations

import uuid
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, Text, UniqueConstraint
from sqlmodel import Field, SQLModel

from store.models.base import UtcDateTime, coded


class Outcome(StrEnum):
    """How a call ended for the caller."""

    ORDERED = "ordered"
    OPERATOR = "operator"
    EMERGENCY = "emergency"
    CALLBACK = "callback"
    ABANDONED = "abandoned"
    FOLLOWED_UP = "followed_up"
    """We had called."""
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
    outcome: Outcome | None = Field(default=None, sa_type=coded(Outcome))
    """None while the call lasts."""
    next: Next | None = Field(default=None, sa_type=coded(Next))
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
    known: Known = Field(sa_type=coded(Known))
    dialect: str
    """Of the caller, a folder name below grammars/."""
    engine: str
    """Recogniser.name."""
    engine_version: str
    at: datetime = Field(sa_type=UtcDateTime)
    review: Review = Field(default=Review.PENDING, sa_type=coded(Review), index=True)
    reviewed_by: str = ""
    reviewed_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
