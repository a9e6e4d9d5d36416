"""What the agent says: rows of pieces from prompts.yaml, with spoken values put in."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from ivr.config import ROOT
from ivr.dialogue.step import Piece

PROMPTS = ROOT / "grammars" / "mandarin" / "prompts.yaml"

PAUSE_MS = {"，": 120, "、": 80, "。": 300, "？": 0}
"""Silence after a piece by the punctuation that ends it."""

CHARACTERS_A_SECOND = 4
"""Slow speech for elders (speed 0.85)."""
LONGEST_SECONDS = 12
"""No prompt lasts longer: nobody keeps more than this in mind until the question comes."""

_VARIABLE = re.compile(r"\{(\w+)(\??)\}([，、。]?)")


VARIABLES = {
    "greeting": {"caller"},
    "which": {"first", "second"},
    "the_service": {"service"},
    "ask_part": {"day"},
    "read_back": {"service", "time", "address"},
    "booked_for": {"service", "time"},
    "we_call": {"caller"},
    "ask_rating": {"service"},
    "ask_plan": {"service", "time"},
    "plan_moved": {"time"},
}
"""What each prompt must say beside its fixed words; prompts not named here say nothing else."""

FIXED = (
    "ask_service",
    "ask_service_again",
    "lead_order",
    "lead_first",
    "lead_next",
    "lead_changed",
    "ask_time",
    "ask_time_again",
    "time_past",
    "time_far",
    "ask_wrong",
    "ask_wrong_again",
    "address_later",
    "booked",
    "ask_address",
    "address_noted",
    "address_missing",
    "ask_more",
    "cancelled",
    "ask_undo",
    "not_heard",
    "yes_needed",
    "listening",
    "goodbye",
    "goodbye_kept",
    "goodbye_kept",
    "goodbye_nothing",
    "to_operator",
    "to_operator_unclear",
    "to_operator_failed",
    "ask_emergency",
    "no_emergency",
    "to_emergency",
    "also",
    "ask_rating_again",
    "ask_what_wrong",
    "complaint_noted",
    "plan_confirmed",
    "plan_cancelled",
    "ask_move",
    "ask_well",
    "greeted",
    "errand_done",
    "errand_later",
    "errand_refused",
    "wrong_person",
)
"""The prompts without variables."""


class PromptError(Exception):
    """prompts.yaml cannot be used; names the prompt and what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Slot:
    """The place of a spoken value in a prompt."""

    name: str
    optional: bool
    pause_ms: int


@dataclass(frozen=True, slots=True)
class Prompts:
    rows: Mapping[str, tuple[Piece | Slot, ...]]
    contexts: Mapping[str, str]
    """State -> the plain question the recogniser takes as context."""
    topics: Mapping[str, tuple[str, ...]]
    """What may be named -> words that name it; see prompts.yaml."""

    def say(self, name: str, **values: tuple[Piece, ...]) -> tuple[Piece, ...]:
        """The pieces of a prompt; an empty value is left out, its pause stays."""
        pieces: list[Piece] = []
        for part in self.rows[name]:
            if isinstance(part, Piece):
                pieces.append(part)
            elif value := values[part.name]:
                optional = part.optional
                spoken = [replace(piece, optional=optional) for piece in value]
                spoken[-1] = replace(spoken[-1], pause_ms=part.pause_ms)
                pieces += spoken
            elif pieces:
                last = pieces[-1]
                pieces[-1] = replace(last, pause_ms=max(last.pause_ms, part.pause_ms))
        return tuple(pieces)


def piece(text: str) -> Piece:
    """A fixed phrase with the pause that its punctuation asks for."""
    return Piece(text, pause_ms=PAUSE_MS.get(text[-1], 0))


def plain(pieces: tuple[Piece, ...]) -> str:
    """A prompt as one line of text, for the record of a turn."""
    marks = {pause_ms: mark for mark, pause_ms in PAUSE_MS.items() if pause_ms}
    ended = (
        p.text if p.text[-1] in PAUSE_MS else p.text + marks.get(p.pause_ms, "") for p in pieces
    )
    return "".join(ended)


def seconds(pieces: tuple[Piece, ...]) -> float:
    """About how long a prompt takes at the usual speed."""
    spoken = sum(mark not in PAUSE_MS for piece in pieces for mark in piece.text)
    inside = sum(PAUSE_MS.get(mark, 0) for piece in pieces for mark in piece.text[:-1])
    after = sum(piece.pause_ms for piece in pieces[:-1])
    return spoken / CHARACTERS_A_SECOND + (inside + after) / 1000


def parse_prompts(document: Any) -> Prompts:
    """Prompts from the content of prompts.yaml. Raises PromptError."""
    rows = {name: tuple(map(_part, row)) for name, row in _section(document, "prompts").items()}
    for name in [*VARIABLES, *FIXED]:
        if name not in rows:
            raise PromptError(f"prompt {name!r} is missing")
        variables = {part.name for part in rows[name] if isinstance(part, Slot)}
        if variables != VARIABLES.get(name, set()):
            needed = ", ".join(sorted(VARIABLES.get(name, ()))) or "none"
            raise PromptError(f"prompt {name!r} needs these variables: {needed}")
    contexts = {name: str(text) for name, text in _section(document, "contexts").items()}
    for question in ("open", "more", "time", "confirm", "rating"):
        if question not in contexts:
            raise PromptError(f"context {question!r} is missing")
    topics = {name: tuple(words) for name, words in _section(document, "topics").items()}
    for topic in ("time", "service", "address", "cancel", "stranger", "later", "refuse"):
        if topic not in topics:
            raise PromptError(f"topic {topic!r} is missing")
    return Prompts(rows, contexts, topics)


def load_prompts(path: Path = PROMPTS) -> Prompts:
    """Reads prompts.yaml; done once at the start, never during a call. Raises PromptError."""
    try:
        return parse_prompts(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (OSError, yaml.YAMLError, PromptError) as error:
        raise PromptError(f"{path}: {error}") from error


def _section(document: Any, name: str) -> Mapping[str, Any]:
    section = document.get(name) if isinstance(document, Mapping) else None
    if not isinstance(section, Mapping):
        raise PromptError(f"section {name!r} is missing or not a mapping")
    return section


def _part(text: str) -> Piece | Slot:
    if match := _VARIABLE.fullmatch(text):
        name, optional, end = match.groups()
        return Slot(name, bool(optional), PAUSE_MS.get(end, 0))
    if not text or "{" in text:
        raise PromptError(f"{text!r}: a piece is either a text or one {{variable}} alone")
    return piece(text)
