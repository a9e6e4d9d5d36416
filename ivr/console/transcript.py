"""A call as it was spoken, with what the agent may have misheard."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from difflib import SequenceMatcher
from typing import Any

from store.models import Turn

DOUBTED = 0.75
"""Below this confidence the agent asks instead of going on: it was not sure."""
CLOSE = 1.0
"""Readings whose score is within this of the best one's (natural logarithms, so at least a third as
likely) may be what was said."""
MOST_READINGS = 4
PUNCTUATION = frozenset("，。！？、；：,.!?;: ")


@dataclass(frozen=True, slots=True)
class Part:
    """A stretch of what was heard."""

    text: str
    rivals: tuple[str, ...] = ()
    """What else it may have been, the likeliest first; an empty text for nothing at all. Without
    any, it is not in doubt."""


@dataclass(frozen=True, slots=True)
class Line:
    """One turn: what the caller did, and what was answered."""

    index: int
    """Turn.index."""
    at: datetime
    kind: str
    """start, heard, digit, silence, note."""
    heard: tuple[Part, ...]
    code: str
    """What it was taken for: a service or an act; empty for neither."""
    confidence: float
    doubtful: bool
    """The agent was not sure of what was meant, or could make nothing of it."""
    answer: str
    playable: bool
    """Its sound is kept."""

    @property
    def text(self) -> str:
        return "".join(part.text for part in self.heard)


def lines(turns: Sequence[Turn], playable: Collection[int] = ()) -> tuple[Line, ...]:
    """playable: Turn.index of those whose sound is kept."""
    return tuple(_line(turn, turn.index in playable) for turn in turns)


def _line(turn: Turn, playable: bool) -> Line:
    meaning: Mapping[str, Any] = turn.meaning
    confidence = float(meaning.get("confidence") or 0.0)
    understood = meaning.get("kind") not in (None, "oos")
    return Line(
        index=turn.index,
        at=turn.started_at,
        kind=turn.kind,
        heard=parts(turn.heard, turn.hypotheses),
        code=str(meaning.get("code") or ""),
        confidence=confidence,
        doubtful=turn.kind == "heard" and not (understood and confidence >= DOUBTED),
        answer=turn.said,
        playable=playable,
    )


def parts(heard: str, hypotheses: Sequence[Mapping[str, Any]]) -> tuple[Part, ...]:
    """What was heard, cut where other readings of about the same likelihood differ from it."""
    if not heard:
        return ()
    doubts: dict[int, dict[str, None]] = {}
    """First character in doubt -> what else it may begin; their ends are in `ends`."""
    ends: dict[int, int] = {}
    for reading in _readings(heard, hypotheses):
        for begin, end, rival in _differences(heard, reading):
            doubts.setdefault(begin, {})[rival] = None
            ends[begin] = max(end, ends.get(begin, end))
    found: list[Part] = []
    position = 0
    for begin in sorted(doubts):
        if begin < position:  # inside a stretch that is marked already
            continue
        if begin > position:
            found.append(Part(heard[position:begin]))
        found.append(Part(heard[begin : ends[begin]], tuple(doubts[begin])))
        position = ends[begin]
    if position < len(heard):
        found.append(Part(heard[position:]))
    return tuple(found)


def _readings(heard: str, hypotheses: Sequence[Mapping[str, Any]]) -> list[str]:
    """Other texts that are about as likely, the likeliest first."""
    scores = [float(one.get("score") or 0.0) for one in hypotheses]
    best = max(scores, default=0.0)
    close = (
        str(one.get("text", ""))
        for one, score in zip(hypotheses, scores, strict=True)
        if score >= best - CLOSE
    )
    plain = _plain(heard)
    return [text for text in close if text and _plain(text) != plain][:MOST_READINGS]


def _differences(heard: str, reading: str) -> list[tuple[int, int, str]]:
    """(begin, end, what it is in the reading) of every stretch of `heard` that differs."""
    found = []
    matcher = SequenceMatcher(None, heard, reading, autojunk=False)
    for what, begin, end, other, other_end in matcher.get_opcodes():
        rival = reading[other:other_end]
        if what == "equal" or not _plain(heard[begin:end] + rival):
            continue
        if begin == end:  # something more was said: it is shown at the character before or after
            begin = max(0, begin - 1)
            end = begin + 1
            rival = heard[begin] + rival if other else rival + heard[begin]
        found.append((begin, end, rival))
    return found


def _plain(text: str) -> str:
    return "".join(character for character in text if character not in PUNCTUATION)
