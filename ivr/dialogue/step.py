"""The words between the conversation and the loop that carries it: events in, actions out."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from ivr.understanding.meaning import Meaning
from ivr.understanding.when import When
from store.models import FollowUpEnd


@dataclass(frozen=True, slots=True)
class Piece:
    """A phrase that is synthesised and cached as one; a prompt is a row of them."""

    text: str
    optional: bool = False
    """Left out if it is not in the cache yet (a surname in the greeting)."""
    pause_ms: int = 0
    """Silence after the piece."""


# What happens to the conversation


@dataclass(frozen=True, slots=True)
class Heard:
    """The caller said something."""

    meaning: Meaning
    now: datetime
    """Site time, aware."""


@dataclass(frozen=True, slots=True)
class Digit:
    """A key was pressed: 0 to 9, * or #."""

    key: str
    now: datetime


@dataclass(frozen=True, slots=True)
class Silence:
    """The caller said nothing for as long as an answer may take."""


@dataclass(frozen=True, slots=True)
class Booked:
    """The order of the last `Book` is on disk."""

    order_id: int


@dataclass(frozen=True, slots=True)
class BookingFailed:
    """The store did not take the order."""


@dataclass(frozen=True, slots=True)
class NoteRecorded:
    """The voice note asked for by `RecordNote` is kept (or the caller stayed silent)."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Kept:
    """What came of our errand (`Settle`) is on disk."""


@dataclass(frozen=True, slots=True)
class NotKept:
    """The store did not take it."""


Event = Heard | Digit | Silence | Booked | BookingFailed | NoteRecorded | Kept | NotKept


# What the conversation wants done, in this order


@dataclass(frozen=True, slots=True)
class Say:
    pieces: tuple[Piece, ...]
    slow: bool = False
    """Played slower, after 慢一点."""
    bargeable: bool = True
    """May be interrupted by the caller's voice."""


@dataclass(frozen=True, slots=True)
class Draft:
    """An order on its way to a yes."""

    code: str
    when: When | None = None
    scheduled_for: datetime | None = None
    address: str | None = None


@dataclass(frozen=True, slots=True)
class Book:
    """Commit this order, once, before anything else is said."""

    draft: Draft
    number: int
    """Counts the orders of this call from 1; with the call's id it makes the write idempotent."""


@dataclass(frozen=True, slots=True)
class RecordNote:
    """Keep what the caller says next as sound, for an operator (the address, what was wrong)."""

    max_seconds: float


@dataclass(frozen=True, slots=True)
class Settle:
    """Keep what came of our errand before anything else is said."""

    end: FollowUpEnd | None
    """None: they are to be asked another time."""
    score: int = 0
    """1 to 5 of a rating."""
    keypad: bool = False
    """It was pressed, not said."""
    said: str = ""
    """In their words."""
    scheduled_for: datetime | None = None
    """When a planned service is to come instead."""


@dataclass(frozen=True, slots=True)
class Hangup:
    """The conversation is over."""


@dataclass(frozen=True, slots=True)
class ToOperator:
    """Put the caller in front of a human, with what is known so far."""

    reason: str


@dataclass(frozen=True, slots=True)
class ToEmergency:
    """Put the caller in front of a human at once."""


Action = Say | Book | Settle | RecordNote | Hangup | ToOperator | ToEmergency
