"""Finds phrases by sound inside a longer utterance.

Every phrase is aligned with the best-fitting stretch of what was heard (Smith and Waterman's local
alignment, with the whole phrase required), all phrases at once in numpy, a syllable at a time.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ivr.understanding.pronunciation import Reading
from ivr.understanding.similarity import syllable_distances
from ivr.understanding.syllables import Syllable

Scores = NDArray[np.float32]

UNRELATED = 0.42
"""Distance at which a syllable says nothing for or against; below it counts for the phrase."""
MOST_AGAINST = -0.7
"""However unlike two syllables are, this is the most that one of them can count against."""
SKIPPED = 0.55
"""Share of a syllable's weight that is lost when the phrase's syllable was not heard."""
INSERTED = 0.12
"""What a syllable heard in the midst of the phrase costs."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A phrase in one pronunciation."""

    label: str
    """What the phrase stands for; entries of one label share their evidence."""
    dialect: str
    text: str
    readings: tuple[Reading, ...]


def character_weights(groups: Mapping[str, Iterable[str]]) -> dict[str, float]:
    """How much each character and pair of characters tells about which label is meant.

    Inverse document frequency over the labels: 1 for what only one label has, near 0 for what all
    have (Sparck Jones, 1972).
    """
    seen: Counter[str] = Counter()
    for texts in groups.values():
        found: set[str] = set()
        for text in texts:
            found.update(text)
            found.update(text[n : n + 2] for n in range(len(text) - 1))
        seen.update(found)
    top = math.log(len(groups) + 1)
    return {gram: math.log((len(groups) + 1) / count) / top for gram, count in seen.items()}


def weigh(text: str, weights: Mapping[str, float], floor: float) -> list[float]:
    """A weight for each character of a phrase, from its own and its neighbours' information."""
    result = []
    for n, character in enumerate(text):
        pairs = [text[n - 1 : n + 1]] if n else []
        pairs += [text[n : n + 2]] if n + 1 < len(text) else []
        around = [weights.get(pair, 1.0) for pair in pairs] or [weights.get(character, 1.0)]
        own = weights.get(character, 1.0)
        result.append(max(floor, 0.5 * own + 0.5 * sum(around) / len(around)))
    return result


class Spotter:
    """A set of phrases ready to be looked for; immutable but for a cache of distances."""

    def __init__(self, entries: Sequence[Entry], weights: Sequence[Sequence[float]]) -> None:
        self.entries = tuple(entries)
        self.labels = sorted({entry.label for entry in entries})
        index = {label: number for number, label in enumerate(self.labels)}
        self.label_of = np.asarray([index[entry.label] for entry in entries], dtype=np.int32)
        longest = max((len(entry.readings) for entry in entries), default=1)
        units: dict[Reading, int] = {((("a",), 0.0),): 0}
        self._units = np.zeros((longest, len(entries)), dtype=np.int32)
        self._weights = np.zeros((longest, len(entries)), dtype=np.float32)
        for column, (entry, given) in enumerate(zip(entries, weights, strict=True)):
            for row, (reading, weight) in enumerate(zip(entry.readings, given, strict=True)):
                self._units[row, column] = units.setdefault(reading, len(units))
                self._weights[row, column] = weight
        self.total = self._weights.sum(axis=0)
        """The score of each entry if it is heard perfectly."""
        self._ways = [(way, cost, n) for reading, n in units.items() for way, cost in reading]
        self._unit_count = len(units)
        self._columns: dict[Syllable, Scores] = {}
        self.prepare({way for way, _, _ in self._ways})

    def prepare(self, syllables: Iterable[Syllable]) -> None:
        """Computes the likeness of syllables that may be heard, so that the call does not wait."""
        new = [syllable for syllable in syllables if syllable not in self._columns]
        if not new:
            return
        distances = syllable_distances([way for way, _, _ in self._ways], new)
        distances += np.asarray([[cost] for _, cost, _ in self._ways], dtype=np.float32)
        closest = np.full((self._unit_count, len(new)), np.inf, dtype=np.float32)
        np.minimum.at(closest, [n for _, _, n in self._ways], distances)
        likeness = np.maximum(1 - closest / UNRELATED, MOST_AGAINST).astype(np.float32)
        for column, syllable in enumerate(new):
            self._columns[syllable] = np.ascontiguousarray(likeness[:, column])

    def spot(self, heard: Sequence[Syllable]) -> Scores:
        """The score of every entry against one utterance, shape (entries,).

        A perfect hearing scores the entry's total weight; nothing alike scores 0 or less.
        """
        self.prepare(set(heard))
        rows, columns = self._units.shape
        lost = self._weights * SKIPPED
        before = np.zeros((rows + 1, columns), dtype=np.float32)
        before[1:] = -np.cumsum(lost, axis=0)
        best = before[rows].copy()
        now = np.zeros_like(before)
        for syllable in heard:
            gain = self._columns[syllable][self._units] * self._weights
            gain += before[:-1]
            np.subtract(before[1:], INSERTED, out=now[1:])
            np.maximum(now[1:], gain, out=now[1:])
            for row in range(rows):
                np.maximum(now[row + 1], now[row] - lost[row], out=now[row + 1])
            np.maximum(best, now[rows], out=best)
            before, now = now, before
        return best

    def span(self, index: int, heard: Sequence[Syllable]) -> tuple[int, int]:
        """The stretch [start, end) of `heard` that fits entry `index` best."""
        weights = [float(w) for w in self._weights[:, index] if w > 0]
        units = self._units[:, index]
        rows = len(weights)
        score = [0.0] + [-SKIPPED * sum(weights[: n + 1]) for n in range(rows)]
        start = [0] * (rows + 1)
        best, span = -math.inf, (0, 0)
        for position, syllable in enumerate(heard):
            likeness = self._columns[syllable]
            new_score, new_start = [0.0], [position + 1]
            for row, weight in enumerate(weights):
                # where the stretch starts travels with the score; row 0 starts at this syllable
                matched = (score[row] + weight * float(likeness[units[row]]),
                           position if row == 0 else start[row])  # fmt: skip
                inserted = (score[row + 1] - INSERTED, start[row + 1])
                skipped = (new_score[row] - SKIPPED * weight, new_start[row])
                value, begin = max(matched, inserted, skipped)
                new_score.append(value)
                new_start.append(begin)
            score, start = new_score, new_start
            if score[rows] > best:
                best, span = score[rows], (start[rows], position + 1)
        return span
