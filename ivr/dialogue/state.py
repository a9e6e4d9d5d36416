"""Where a conversation stands: immutable values, nothing that happens."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple, Protocol

from ivr.dialogue import spoken
from ivr.dialogue.prompts import Prompts
from ivr.dialogue.step import Action, Draft, Piece, Settle
from ivr.dialogue.times import Settled, said, settle
from ivr.understanding.meaning import Candidate, State
from ivr.understanding.when import When
from store.models import Purpose


class Stage(StrEnum):
    """What the caller was asked last."""

    SERVICE = "service"
    WHICH = "which"
    TIME = "time"
    CONFIRM = "confirm"
    CHANGE = "change"
    BOOKING = "booking"
    """Nothing: the order is being written."""
    ADDRESS = "address"
    MORE = "more"
    UNDO = "undo"
    """Whether the order just booked is to be cancelled."""
    EMERGENCY = "emergency"

    # our own errands
    RATING = "rating"
    WRONG = "wrong"
    """What was wrong with a service."""
    PLAN = "plan"
    MOVE = "move"
    """When a planned service is to come instead."""
    WELL = "well"
    KEEPING = "keeping"
    """Nothing: the answer is being written."""
    DONE = "done"


QUESTIONS = {
    Stage.TIME: State.TIME,
    Stage.CONFIRM: State.CONFIRM,
    Stage.MORE: State.MORE,
    Stage.UNDO: State.CONFIRM,
    Stage.EMERGENCY: State.CONFIRM,
    Stage.RATING: State.RATING,
    Stage.PLAN: State.CONFIRM,
    Stage.MOVE: State.TIME,
    Stage.WELL: State.CONFIRM,
}
"""The kind of question behind a stage, where it is not an open one."""

GUESS = 0.2
"""Confidence in a service that was not understood from which a human is told of it."""


class Item(Protocol):
    """What the conversation knows of a service item."""

    @property
    def spoken(self) -> str:
        """The name as it is said after 您要: 上门帮忙洗澡."""
        ...

    @property
    def short(self) -> str:
        """The name in a question between two: 洗澡."""
        ...

    @property
    def ask(self) -> Collection[str]:
        """What must be asked before it can be ordered: "time" or nothing."""
        ...


@dataclass(frozen=True, slots=True)
class Caller:
    """What the telephone number tells of who is calling."""

    surname: str = ""
    address: str | None = None
    dialect: str = ""
    """The dialect last heard from this caller; empty if unknown."""


@dataclass(frozen=True, slots=True)
class Errand:
    """What we want to ask them."""

    purpose: Purpose
    code: str = ""
    """The service it is about, if any."""
    scheduled_for: datetime | None = None
    """When a planned one is to come, site time."""
    ours: bool = True
    """We have called; otherwise they have, and are asked at the end."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A service named in passing, to be ordered once the one before it is done."""

    code: str
    when: When | None


@dataclass(frozen=True, slots=True)
class Conversation:
    catalog: Mapping[str, Item] = field(repr=False)
    prompts: Prompts = field(repr=False)
    caller: Caller
    now: datetime
    """Site time of the last event that brought it, aware."""
    stage: Stage = Stage.SERVICE

    # the order being made
    code: str = ""
    when: When | None = None
    """What has been said of the time so far."""
    part_asked: bool = False
    """Morning or afternoon was asked; it is not asked twice."""
    address_wrong: bool = False
    """The caller said that the address on file is not right."""
    pair: tuple[str, str] | None = None
    """The two services asked between."""
    rejected: frozenset[str] = frozenset()
    """Services the caller said no to."""
    unsure: tuple[Candidate, ...] = ()
    """Services that may have been meant by what was not understood just before."""
    draft: Draft | None = None
    """What was read back, exactly; nothing else is ever booked."""

    # the call
    number: int = 1
    """Of the next order in this call."""
    queue: tuple[Wanted, ...] = ()
    booked: tuple[Draft, ...] = ()
    address_asked: bool = False
    errand: Errand | None = None
    errand_asked: bool = False
    answer: Settle | None = None
    """To our errand."""

    # how it goes
    failures: int = 0
    """Times in a row that the caller was not understood."""
    misses: int = 0
    """The same over the whole call."""
    repeats: int = 0
    """Times in a row that the caller asked to hear it again."""
    turns: int = 0
    slow: bool = False
    said: tuple[Piece, ...] = ()
    """The last prompt, for 再说一遍."""
    resume: tuple[Stage, tuple[Piece, ...]] | None = None
    """Stage and prompt to go back to when it was no emergency."""
    emergency_denied: bool = False

    @property
    def question(self) -> State:
        """The kind of question the next answer belongs to."""
        return QUESTIONS.get(self.stage, State.OPEN)

    @property
    def prompt_text(self) -> str:
        """The plain question just asked, as context for the recogniser."""
        return self.prompts.contexts[self.question]

    @property
    def over(self) -> bool:
        return self.stage is Stage.DONE

    @property
    def known(self) -> dict[str, str | dict[str, str]]:
        """What is known so far, for the screen of the human who takes the call."""
        found: dict[str, str | dict[str, str]] = {
            "surname": self.caller.surname,
            "address": self.caller.address or "",
            "dialect": self.caller.dialect,
            "service": self.code,
            "time": self._time_so_far(),
            "unsure_between": " ".join(self.pair or self._guesses()),
            "wanted_next": " ".join(wanted.code for wanted in self.queue),
            "booked": " ".join(draft.code for draft in self.booked),
            "order": self._half_filled(),
        }
        return {name: value for name, value in found.items() if value}

    def _guesses(self) -> list[str]:
        """What may have been meant by what was not understood, at most two, the likelier first."""
        likely = [c for c in self.unsure if c.code in self.catalog and c.confidence >= GUESS]
        return [c.code for c in sorted(likely, key=lambda c: -c.confidence)[:2]]

    def _half_filled(self) -> dict[str, str]:
        """The order that is being made, for the human to finish; empty if none is."""
        if not self.code and not said(self.when):
            return {}
        settled = settle(self.when, self.now, ask_part=False)
        address = "" if self.address_wrong else self.caller.address or ""
        found = {
            "code": self.code,
            "scheduled_for": settled.at.isoformat(timespec="minutes")
            if isinstance(settled, Settled)
            else "",
            "time": self._time_so_far(),
            "address": address,
            "address_wrong": "yes" if self.address_wrong else "",
            "read_back": "yes" if self.draft else "",
        }
        return {name: value for name, value in found.items() if value}

    def _time_so_far(self) -> str:
        if self.draft and self.draft.scheduled_for:
            return self.draft.scheduled_for.isoformat(timespec="minutes")
        if self.when is None:
            return ""
        if self.when.asap:
            return spoken.AS_SOON_AS_POSSIBLE
        day, part, clock = self.when.day, self.when.part, self.when.clock
        return " ".join(
            part
            for part in (
                day.isoformat() if day else "",
                str(part or ""),
                clock.isoformat("minutes") if clock else "",
            )
            if part
        )


class Step(NamedTuple):
    """A conversation after an event, and what is to be done now, in this order."""

    state: Conversation
    actions: tuple[Action, ...] = ()
