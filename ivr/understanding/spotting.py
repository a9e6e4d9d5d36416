"""Finds phrases by sound inside a longer utterance.

Every phrase is aligned with the best-fitting stretch of what was heard (Smith and Waterman's local
alignment, with the whole phrase required), all phrases at once in numpy, a syllable at a time.
Phrases that cannot matter by a bound that is quick to compute are left out first.
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
UNLIKE_NATS = 14.0
"""The same where not a syllable was heard but its sounds: what it lacks to the one that fits."""
MOST_AGAINST = -0.7
"""However unlike two syllables are, this is the most that one of them can count against."""
SKIPPED = 0.55
"""Share of a syllable's weight that is lost when the phrase's syllable was not heard."""
INSERTED = 0.12
"""What a syllable heard in the midst of the phrase costs."""


SHORTLIST = 1200
"""Entries that are aligned in full for one utterance, where no share is required."""
LONG = 7
"""Syllables from which entries are aligned apart, so that short ones are not padded as far."""
UNHEARD = 0.5
"""What the part of a phrase that was not heard takes from the evidence of the part that was."""
SHARED = 0.3
"""How far phrases of one label may fall behind its best and still add to its evidence."""


CHANCE_MEAN = np.asarray([-0.416, -0.014, 0.332, -0.482])
CHANCE_DEVIATION = np.asarray([0.1, -0.038, 0.086, 0.127])
"""How total weight, syllables, the logarithm of the syllables heard and 1 make up by_chance()."""
CHANCE_SPREAD = 0.15
"""Added to the deviation: a phrase that is never heard by chance proves nothing by a little."""


def evidence(scores: Scores, total: Scores) -> Scores:
    """What a score says for its phrase: its full weight when all was heard, less below a third."""
    return (1 + UNHEARD) * scores - UNHEARD * total


def by_chance(total: Scores, lengths: NDArray[np.intp], heard: int) -> tuple[Scores, Scores]:
    """Mean and standard deviation of the scores that phrases have in talk about other things.

    By the phrases' total weight and number of syllables, and the number of syllables heard; fitted
    on spoken phrases of other services (docs/measurements.md).
    """
    terms = np.stack([total, lengths, np.full(len(total), math.log(heard)), np.ones(len(total))])
    mean = CHANCE_MEAN @ terms
    deviation = CHANCE_SPREAD + np.maximum(0.1, CHANCE_DEVIATION @ terms)
    return mean.astype(np.float32), deviation.astype(np.float32)


def _highest(values: Scores, most: int = SHORTLIST) -> NDArray[np.int64]:
    """The `most` entries of the highest values, in their order."""
    if len(values) <= most:
        return np.arange(len(values))
    ranked: NDArray[np.int64] = np.argpartition(-values, most)
    return np.sort(ranked[:most])


@dataclass(frozen=True, slots=True)
class Entry:
    """A phrase in one pronunciation."""

    label: str
    """What the phrase stands for; entries of one label share their evidence."""
    dialect: str
    text: str
    readings: tuple[Reading, ...]


@dataclass(frozen=True, slots=True)
class Place:
    """Where an entry was heard: syllables [start, end)."""

    entry: int
    share: float
    start: int
    end: int


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


class Likeness:
    """How much each way of reading speaks for each syllable heard, shared by all spotters.

    1 for the same sound, 0 at a distance of UNRELATED, never below MOST_AGAINST.
    """

    def __init__(self, readings: Iterable[Reading]) -> None:
        self.units = {reading: number for number, reading in enumerate(dict.fromkeys(readings))}
        ways = [(way, cost, n) for reading, n in self.units.items() for way, cost in reading]
        self._syllables = list(dict.fromkeys(way for way, _, _ in ways))
        place = {syllable: n for n, syllable in enumerate(self._syllables)}
        self._way = np.asarray([place[way] for way, _, _ in ways])
        self._cost = np.asarray([cost for _, cost, _ in ways], dtype=np.float32)
        self._unit = np.asarray([n for _, _, n in ways])
        self._first_way = np.flatnonzero(np.diff(self._unit, prepend=-1))
        self._columns: dict[Syllable, Scores] = {}

    def of(self, heard: Iterable[Syllable]) -> list[Scores]:
        """For each syllable heard, the likeness of all units, shape (units,)."""
        listed = list(heard)
        self.prepare(listed)
        return [self._columns[syllable] for syllable in listed]

    @property
    def syllables(self) -> tuple[Syllable, ...]:
        """All syllables that any reading has."""
        return tuple(self._syllables)

    def of_pieces(self, misfit: Scores) -> Scores:
        """The likeness of all units to each piece of an utterance, shape (pieces, units).

        From how badly each of `syllables` fits it, in nats, shape (pieces, syllables).
        """
        ways = 1 - misfit[:, self._way] / UNLIKE_NATS - self._cost / UNRELATED
        likeness = np.maximum.reduceat(ways, self._first_way, axis=1)
        return np.maximum(likeness, MOST_AGAINST).astype(np.float32)

    def prepare(self, heard: Iterable[Syllable]) -> None:
        """Computes syllables that may be heard ahead, so that no caller waits for it."""
        new = list(dict.fromkeys(s for s in heard if s not in self._columns))
        if not new:
            return
        distances = syllable_distances(self._syllables, new)[self._way] + self._cost[:, None]
        closest = np.full((len(self.units), len(new)), np.inf, dtype=np.float32)
        np.minimum.at(closest, self._unit, distances)
        likeness = np.maximum(1 - closest / UNRELATED, MOST_AGAINST).astype(np.float32)
        for column, syllable in enumerate(new):
            self._columns[syllable] = np.ascontiguousarray(likeness[:, column])


class Spotter:
    """A set of phrases ready to be looked for."""

    def __init__(
        self, entries: Sequence[Entry], weights: Sequence[Sequence[float]], likeness: Likeness
    ) -> None:
        lengths = np.asarray([len(entry.readings) for entry in entries], dtype=np.intp)
        order = np.argsort(-lengths, kind="stable")
        self.entries = tuple(entries[place] for place in order)
        """The longest first."""
        self.labels = sorted({entry.label for entry in entries})
        index = {label: number for number, label in enumerate(self.labels)}
        self.label_of = np.asarray([index[entry.label] for entry in self.entries], dtype=np.int32)
        self._members = [np.flatnonzero(self.label_of == n) for n in range(len(self.labels))]
        self.lengths = lengths[order]
        """Syllables of each entry."""
        longest = int(self.lengths.max(initial=1))
        self._units = np.zeros((len(entries), longest), dtype=np.intp)
        self._weights = np.zeros((len(entries), longest), dtype=np.float32)
        for row, (place, entry) in enumerate(zip(order, self.entries, strict=True)):
            columns = len(entry.readings)
            self._units[row, :columns] = [likeness.units[reading] for reading in entry.readings]
            self._weights[row, :columns] = weights[place]
        self.total: Scores = self._weights.sum(axis=1)
        """The score of each entry if it is heard perfectly."""
        having = [int((self.lengths > place).sum()) for place in range(longest)]
        self._columns = [
            (self._units[:rows, place].copy(), self._weights[:rows, place].copy())
            for place, rows in enumerate(having)
        ]
        """Units and weights of the entries that have a first, a second, ... syllable."""
        self._likeness = likeness
        self._by_text: dict[str, list[int]] = {}
        for row, entry in enumerate(self.entries):
            self._by_text.setdefault(entry.text, []).append(row)

    def weights_of(self, index: int) -> tuple[float, ...]:
        """How much each syllable of an entry tells."""
        return tuple(float(w) for w in self._weights[index, : self.lengths[index]])

    def written(self, text: str) -> list[int]:
        """Entries whose characters stand in `text` just so; sound alone cannot tell homophones."""
        longest = int(self.lengths.max(initial=1))
        return [
            entry
            for start in range(len(text))
            for end in range(start + 1, min(len(text), start + longest) + 1)
            for entry in self._by_text.get(text[start:end], ())
        ]

    def places(self, heard: Sequence[Syllable], share: float, most: int = 60) -> list[Place]:
        """Phrases of which at least `share` was heard, in stretches that do not overlap."""
        scores = self.spot(heard, share)
        shares = scores / self.total
        named = np.flatnonzero(shares >= share)
        ranked = named[np.argsort(-(scores * shares)[named], kind="stable")]
        taken: list[Place] = []
        for index in ranked[:most]:
            start, end = self.span(int(index), heard)
            if not any(start < place.end and place.start < end for place in taken):
                taken.append(Place(int(index), float(shares[index]), start, end))
        return taken

    def spot(
        self, heard: Sequence[Syllable], share: float | None = None, most: int = SHORTLIST
    ) -> Scores:
        """The score of every entry against one utterance, shape (entries,).

        A perfect hearing scores the entry's total weight. Aligned are the entries of which at least
        `share` may have been heard; where none is given, the `most` that may be heard best. The
        others' score is that of a phrase of which nothing was heard.
        """
        if not heard:
            return -self.total * SKIPPED
        likeness = np.stack(self._likeness.of(heard))
        if share is None and len(self.entries) <= most:
            promising = np.arange(len(self.entries))
        else:
            bound = self._bound(likeness.max(axis=0))
            if share is None:
                promising = _highest(evidence(bound, self.total), most)
            else:
                promising = np.flatnonzero(bound >= share * self.total)
        return self._scores(likeness, promising)

    def beyond_chance(self, likeness: Scores) -> Scores:
        """By how much each entry fits better than it fits talk about other things.

        In standard deviations of that fit, shape (entries,); `likeness` is that of all units to
        each syllable heard, shape (syllables, units), one syllable at least.
        """
        mean, deviation = by_chance(self.total, self.lengths, len(likeness))
        bound = self._bound(likeness.max(axis=0))
        promising = _highest((bound - mean) / deviation)
        scores: Scores = (self._scores(likeness, promising) - mean) / deviation
        return scores

    def shares(self, likeness: Scores) -> Scores:
        """The share of each entry's weight that was heard, shape (entries,); negative if nothing.

        `likeness` is that of all units to each syllable heard, shape (syllables, units).
        """
        everything = np.arange(len(self.entries))
        return np.asarray(self._scores(likeness, everything) / self.total, np.float32)

    def _scores(self, likeness: Scores, promising: NDArray[np.int64]) -> Scores:
        """The scores of some entries, longest first; the others as if nothing was heard of them."""
        scores: Scores = -self.total * SKIPPED
        long = int(np.searchsorted(-self.lengths[promising], -LONG, side="right"))
        for chosen in (promising[:long], promising[long:]):
            if len(chosen):
                scores[chosen] += self._aligned(likeness, chosen)
        return scores

    def _bound(self, nearest: Scores) -> Scores:
        """What each entry's score cannot exceed: every syllable matched by the likest heard."""
        most = np.maximum(nearest, -SKIPPED)
        bound = np.zeros(len(self.entries), dtype=np.float32)
        for units, weights in self._columns:
            gain = most.take(units)
            gain *= weights
            bound[: len(units)] += gain
        return bound

    def _aligned(self, likeness: Scores, chosen: NDArray[np.int64]) -> Scores:
        """The scores of some entries, longest first, above those if nothing of them was heard.

        Counting from there, a syllable that is skipped changes nothing: the row below takes over
        what the row above has reached.
        """
        rows = int(self.lengths[chosen[0]])
        units = self._units[chosen, :rows].T
        gains = likeness.take(units, axis=1)
        gains += SKIPPED
        gains *= np.ascontiguousarray(self._weights[chosen, :rows].T)
        reached = np.zeros((rows + 1, len(chosen)), dtype=np.float32)
        before, after, whole = reached[:-1], reached[1:], reached[rows]
        best: Scores = np.zeros(len(chosen), dtype=np.float32)
        for gain in gains:
            gain += before
            after -= INSERTED
            np.maximum(after, gain, out=after)
            for row in range(rows):
                np.maximum(reached[row], reached[row + 1], out=reached[row + 1])
            np.maximum(best, whole, out=best)
        return best

    def span(self, index: int, heard: Sequence[Syllable]) -> tuple[int, int]:
        """The stretch [start, end) of `heard` that fits entry `index` best."""
        rows = int(self.lengths[index])
        weights = self._weights[index, :rows]
        units = self._units[index, :rows]
        lost = (SKIPPED * weights).tolist()
        score = [0.0, *(-SKIPPED * np.cumsum(weights)).tolist()]
        start = [0] * (rows + 1)
        best, span = -math.inf, (0, 0)
        for position, alike in enumerate(self._likeness.of(heard)):
            above, above_start = 0.0, position + 1
            diagonal, diagonal_start = score[0], position  # row 0 starts at this syllable
            for row, gain in enumerate((alike[units] * weights).tolist(), start=1):
                # where the stretch starts travels with the score
                value, begin = diagonal + gain, diagonal_start
                diagonal, diagonal_start = score[row], start[row]
                if diagonal - INSERTED > value:
                    value, begin = diagonal - INSERTED, diagonal_start
                if above - lost[row - 1] > value:
                    value, begin = above - lost[row - 1], above_start
                score[row], start[row] = value, begin
                above, above_start = value, begin
            if above > best:
                best, span = above, (above_start, position + 1)
        return span

    def pool(self, values: Scores) -> Scores:
        """Evidence of entries gathered for each label, shape (labels,): a soft maximum."""
        highest = np.full(len(self.labels), -np.inf, dtype=np.float32)
        np.maximum.at(highest, self.label_of, values)
        parts = np.exp((values - highest[self.label_of]) / SHARED)
        sums = np.zeros(len(self.labels), dtype=np.float32)
        np.add.at(sums, self.label_of, parts)
        pooled = highest + SHARED * np.log(sums)
        return pooled.astype(np.float32)

    def best_of(self, label: int, values: Scores) -> int:
        """The entry of a label with the highest value."""
        members = self._members[label]
        return int(members[np.argmax(values[members])])
