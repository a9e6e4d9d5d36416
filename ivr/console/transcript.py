"""A call as it was spoken, with what the agent may have misheard."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from difflib import SequenceMatcher
from typing import Any

from pypinyin import lazy_pinyin

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
    """What was heard, cut where other readings of about the same likelihood differ from it.

    What sounds the same is no other reading: 理发 is no doubt about 礼发.
    """
    if not heard:
        return ()
    readings = [Alignment(heard, text) for text in _readings(heard, hypotheses)]
    found: list[Part] = []
    position = 0
    for begin, end in _joined(span for reading in readings for span in reading.differences()):
        sounds = lazy_pinyin(heard[begin:end])
        others = dict.fromkeys(reading.between(begin, end) for reading in readings)
        rivals = tuple(other for other in others if lazy_pinyin(other) != sounds)
        if not rivals:
            continue
        if begin > position:
            found.append(Part(heard[position:begin]))
        found.append(Part(heard[begin:end], rivals))
        position = end
    if position < len(heard):
        found.append(Part(heard[position:]))
    return tuple(found)


def _joined(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Spans that overlap made into one, in their order."""
    joined: list[tuple[int, int]] = []
    for begin, end in sorted(spans):
        if joined and begin < joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((begin, end))
    return joined


class Alignment:
    """Another reading laid beside what was heard."""

    def __init__(self, heard: str, reading: str) -> None:
        self._heard = heard
        self._reading = reading
        self._steps = SequenceMatcher(None, heard, reading, autojunk=False).get_opcodes()

    def differences(self) -> Iterator[tuple[int, int]]:
        """Stretches of what was heard that this reading has otherwise, punctuation aside."""
        for what, begin, end, other, other_end in self._steps:
            if what == "equal" or not _plain(
                self._heard[begin:end] + self._reading[other:other_end]
            ):
                continue
            if begin == end:  # something more was said: shown at the character before, or after
                begin = max(0, begin - 1)
                end = begin + 1
            yield begin, end

    def between(self, begin: int, end: int) -> str:
        """What this reading has for a stretch that begins and ends inside no difference."""
        same = [step for step in self._steps if step[0] == "equal"]
        starts = [j + begin - i for _, i, i_end, j, _ in same if i <= begin <= i_end]
        ends = [j + end - i for _, i, i_end, j, _ in same if i <= end <= i_end]
        start = max(starts, default=0) if begin else 0
        stop = max(ends, default=len(self._reading)) if end < len(self._heard) else None
        return self._reading[start:stop]


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


def _plain(text: str) -> str:
    return "".join(character for character in text if character not in PUNCTUATION)
