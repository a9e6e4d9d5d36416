"""What a call teaches: what was misunderstood and what it meant, and the dialect heard."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from ivr.calls.recognition import Recognised
from ivr.dialogue.state import Conversation, Stage
from ivr.dialogue.step import Draft
from ivr.understanding.meaning import Act, Kind, Meaning

NEED_ASKED = {
    Stage.SERVICE: {Kind.SERVICE, Kind.OOS},
    Stage.MORE: {Kind.SERVICE, Kind.OOS},
    Stage.WHICH: {Kind.SERVICE},
    Stage.CHANGE: {Kind.SERVICE},
}
"""Questions whose answer names a need, and what such an answer may have been taken for. What is
not understood after 要哪个 or 哪里不对 may as well be about the question."""
SHORTEST = 2
"""Characters of a text that can name a need."""


@dataclass(frozen=True, slots=True)
class Utterance:
    """Something the caller said, and what the conversation made of it."""

    turn: int
    """Index in the record of the call."""
    recognised: Recognised
    meaning: Meaning
    asked: Stage
    number: int
    """Of the order that was being made."""
    taken_for: str
    """The service that the conversation went on with; empty if it asked again."""


@dataclass(frozen=True, slots=True)
class Lesson:
    """An utterance that was not taken for what it meant."""

    utterance: Utterance
    code: str
    """What the caller said yes to in the end."""


class Lessons:
    """Listens along with one call."""

    def __init__(self) -> None:
        self._said: list[Utterance] = []

    def heard(
        self,
        turn: int,
        recognised: Recognised,
        meaning: Meaning,
        before: Conversation,
        after: Conversation,
    ) -> None:
        """`before` and `after`: the conversation around what was said."""
        if meaning.kind is Kind.ACT and meaning.code == Act.CANCEL:  # it was right, and is off
            self._said = [said for said in self._said if said.number != before.number]
            return
        went_on = after.stage in (Stage.TIME, Stage.CONFIRM)
        self._said.append(
            Utterance(
                turn, recognised, meaning, before.stage, before.number,
                after.code if went_on else "",
            )
        )  # fmt: skip

    def misunderstood(self, booked: Sequence[Draft]) -> list[Lesson]:
        """What was said of a need before it was understood, with the order that came of it."""
        found = []
        for said in self._said:
            if (
                said.number > len(booked)
                or said.meaning.kind not in NEED_ASKED.get(said.asked, ())
                or said.meaning.also
                or len(said.recognised.hypotheses[0].text) < SHORTEST
            ):
                continue
            code = booked[said.number - 1].code
            if said.taken_for != code:
                found.append(Lesson(said, code))
        return found

    def dialect(self, booked: Sequence[Draft]) -> str:
        """In which most of what was ordered was said; empty if nothing was ordered."""
        ordered = {draft.code for draft in booked}
        counts = Counter(
            said.meaning.dialect
            for said in reversed(self._said)
            if said.meaning.kind is Kind.SERVICE and said.meaning.code in ordered
        )
        return max(counts, key=counts.__getitem__, default="")
