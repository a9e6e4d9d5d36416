"""What an utterance can mean."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from ivr.understanding.when import When


class State(StrEnum):
    """The kind of question the caller is answering."""

    OPEN = "open"
    CONFIRM = "confirm"
    TIME = "time"
    MORE = "more"
    """Whether anything else is needed; a further need is as good an answer as yes or no."""
    RATING = "rating"
    SMS = "sms"
    WAITING = "waiting"
    """Nothing was asked: they wait for an operator, and may want to be called back instead."""


class Kind(StrEnum):
    SERVICE = "service"
    ACT = "act"
    TIME = "time"
    RATING = "rating"
    OOS = "oos"


class Act(StrEnum):
    """What a caller can do with words besides naming a need."""

    YES = "yes"
    NO = "no"
    OPERATOR = "operator"
    REPEAT = "repeat"
    SLOWER = "slower"
    CANCEL = "cancel"
    STOP = "stop"
    CALLBACK = "callback"
    """To be called back instead of waiting."""


EMERGENCY = "emergency"
"""The service code that never waits."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """One service that may have been meant."""

    code: str
    confidence: float
    phrase: str = ""
    """The way of saying it that matched best."""
    dialect: str = "mandarin"


@dataclass(frozen=True, slots=True)
class Meaning:
    """What one utterance was taken to mean."""

    kind: Kind
    code: str = ""
    """Service code or act; empty for time, rating and out of scope."""
    confidence: float = 0.0
    """Calibrated, 0 to 1."""
    dialect: str = "mandarin"
    candidates: tuple[Candidate, ...] = ()
    """Services in falling confidence, also when the kind is another one."""
    when: When | None = None
    """Any time expression that was heard, beside whatever else was meant."""
    rating: int | None = None
    """1 to 5."""
    also: tuple[str, ...] = field(default=())
    """Further services named in the same breath."""
    text: str = ""
    """The hypothesis that the meaning rests on."""
