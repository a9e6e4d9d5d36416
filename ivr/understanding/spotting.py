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
from functools import lru_cache
from itertools import pairwise

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
FOREMOST = 150
"""Entries that are aligned first where only the furthest of all matters."""
RECENT = 8
"""Hypotheses whose likeness is kept: one utterance is looked at many times."""
UNHEARD = 0.5
"""What the part of a phrase that was not heard takes from the evidence of the part that was."""
SHARED = 0.3
"""How far phrases of one label may fall behind its best and still add to its evidence."""


CHANCE_MEAN = np.asarray([-0.416, -0.014, 0.332, -0.482])
CHANCE_DEVIATION = np.asarray([0.1, -0.038, 0.086, 0.127])
"""How total weight, syllables, the logarithm of the syllables heard and 1 make up by_chance()."""
ROUNDING = 0.001
"""Deviations by which a bound may fall short of what it bounds."""
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


def _longer(lengths: NDArray[np.intp]) -> NDArray[np.intp]:
    """How many of some lengths, the longest first, are above 0, 1, ..."""
    return np.searchsorted(-lengths, -np.arange(lengths.max(initial=0)))


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
        self._lately = lru_cache(maxsize=RECENT)(self._of)

    def of(self, heard: tuple[Syllable, ...]) -> Scores:
        """The likeness of all units to each syllable heard, shape (syllables, units)."""
        return self._lately(heard)

    def _of(self, heard: tuple[Syllable, ...]) -> Scores:
        self.prepare(heard)
        return np.stack([self._columns[syllable] for syllable in heard])

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
        self.label_of = np.asarray([index[entry.label] for entry in self.entries], dtype=np.intp)
        self._by_label = np.argsort(self.label_of, kind="stable")
        self._first_of = np.searchsorted(self.label_of[self._by_label], np.arange(len(self.labels)))
        self.lengths = lengths[order]
        """Syllables of each entry."""
        longest = int(self.lengths.max(initial=1))
        self._units = np.zeros((longest, len(entries)), dtype=np.intp)
        self._weights = np.zeros((longest, len(entries)), dtype=np.float32)
        for column, (place, entry) in enumerate(zip(order, self.entries, strict=True)):
            rows = len(entry.readings)
            self._units[:rows, column] = [likeness.units[reading] for reading in entry.readings]
            self._weights[:rows, column] = weights[place]
        self.total: Scores = np.ascontiguousarray(self._weights.T).sum(axis=1)
        """The score of each entry if it is heard perfectly."""
        self._likeness = likeness
        self._by_text: dict[str, list[int]] = {}
        for row, entry in enumerate(self.entries):
            self._by_text.setdefault(entry.text, []).append(row)
        kinds, kind = np.unique(self._weights, return_inverse=True)
        pairs, number = np.unique(self._units * len(kinds) + kind, return_inverse=True)
        pair_unit, pair_kind = np.divmod(pairs, max(1, len(kinds)))
        self._pair_unit, self._pair_weight = pair_unit, kinds[pair_kind]
        """Unit and weight of each pair of them: there are few beside all syllables of entries."""
        self._pairs = [number[row, :n].copy() for row, n in enumerate(_longer(self.lengths))]
        """The pairs at the first, second, ... syllable of the entries that have one."""

    def weights_of(self, index: int) -> tuple[float, ...]:
        """How much each syllable of an entry tells."""
        return tuple(float(w) for w in self._weights[: self.lengths[index], index])

    def written(self, text: str) -> list[int]:
        """Entries whose characters stand in `text` just so; sound alone cannot tell homophones."""
        longest = int(self.lengths.max(initial=1))
        return [
            entry
            for start in range(len(text))
            for end in range(start + 1, min(len(text), start + longest) + 1)
            for entry in self._by_text.get(text[start:end], ())
        ]

    def places(self, heard: tuple[Syllable, ...], share: float, most: int = 60) -> list[Place]:
        """Phrases of which at least `share` was heard, in stretches that do not overlap."""
        scores = self.spotted(heard, share)
        shares = scores / self.total
        named = np.flatnonzero(shares >= share)
        ranked = named[np.argsort(-(scores * shares)[named], kind="stable")]
        taken: list[Place] = []
        free = set(range(len(heard)))
        for index in ranked[:most]:
            if not free:
                break
            start, end = self.span(int(index), heard)
            if free.issuperset(range(start, end)):
                taken.append(Place(int(index), float(shares[index]), start, end))
                free.difference_update(range(start, end))
        return taken

    def spot(self, heard: Sequence[tuple[Syllable, ...]], most: int = SHORTLIST) -> Scores:
        """The score of every entry against each of some utterances, shape (utterances, entries).

        A perfect hearing scores the entry's total weight. Aligned are the `most` entries that may
        be heard best; the others' score is that of a phrase of which nothing was heard.
        """
        likeness = [self._likeness.of(one) for one in heard]
        if len(self.entries) <= most:
            return self._scores(likeness, [np.arange(len(self.entries))] * len(heard))
        worth = evidence(self._bounds(likeness), self.total)
        return self._scores(likeness, [_highest(one, most) for one in worth])

    def spotted(self, heard: tuple[Syllable, ...], share: float) -> Scores:
        """The score of every entry of which `share` may have been heard, shape (entries,).

        The others' score is that of a phrase of which nothing was heard.
        """
        likeness = self._likeness.of(heard)
        (bound,) = self._bounds([likeness])
        promising = np.flatnonzero(bound >= share * self.total)
        scores: Scores = self._scores([likeness], [promising])[0]
        return scores

    def beyond_chance(self, likeness: Scores) -> Scores:
        """By how much each entry fits better than it fits talk about other things.

        In standard deviations of that fit, shape (entries,); `likeness` is that of all units to
        each syllable heard, shape (syllables, units), one syllable at least.
        """
        mean, deviation = by_chance(self.total, self.lengths, len(likeness))
        (bound,) = self._bounds([likeness])
        promising = _highest((bound - mean) / deviation)
        (scores,) = self._scores([likeness], [promising])
        beyond: Scores = (scores - mean) / deviation
        return beyond

    def furthest_beyond_chance(self, likeness: Scores) -> float:
        """The highest of `beyond_chance`, without aligning what cannot be it."""
        mean, deviation = by_chance(self.total, self.lengths, len(likeness))
        (bound,) = self._bounds([likeness])
        most = (bound - mean) / deviation
        promising = _highest(most)
        foremost = promising[_highest(most[promising], FOREMOST)]
        (scores,) = self._scores([likeness], [foremost])
        furthest = ((scores - mean) / deviation).max()
        rivals = promising[most[promising] > furthest - ROUNDING]
        (scores,) = self._scores([likeness], [np.setdiff1d(rivals, foremost)])
        return float(max(furthest, ((scores - mean) / deviation).max()))

    def shares_and_beyond_chance(self, likeness: Scores) -> tuple[Scores, Scores]:
        """The share of each entry's weight that was heard, shape (entries,), negative if nothing;
        and `beyond_chance`, without aligning anything twice."""
        mean, deviation = by_chance(self.total, self.lengths, len(likeness))
        (bound,) = self._bounds([likeness])
        promising = _highest((bound - mean) / deviation)
        (scores,) = self._scores([likeness], [np.arange(len(self.entries))])
        looked_at: Scores = -self.total * SKIPPED
        looked_at[promising] = scores[promising]
        beyond: Scores = (looked_at - mean) / deviation
        return np.asarray(scores / self.total, np.float32), beyond

    def _bounds(self, likeness: Sequence[Scores]) -> Scores:
        """What no entry's score can exceed: every syllable matched by the likest that was heard.

        Shape (utterances, entries); `likeness` of all units to each one's syllables.
        """
        width = 1 << (len(likeness) - 1).bit_length()  # numpy gathers 4, 8 or 16 bytes at once
        nearest = np.zeros((len(self._pair_unit), width), dtype=np.float32)
        for column, one in enumerate(likeness):
            most = np.maximum(one.max(axis=0), -SKIPPED)
            nearest[:, column] = most.take(self._pair_unit) * self._pair_weight
        bounds = np.zeros((len(self.entries), width), dtype=np.float32)
        for pairs in self._pairs:
            bounds[: len(pairs)] += nearest.take(pairs, axis=0)
        return np.ascontiguousarray(bounds.T[: len(likeness)])

    def _scores(self, likeness: Sequence[Scores], promising: Sequence[NDArray[np.intp]]) -> Scores:
        """The scores of some entries for each utterance; the others as if they were not heard.

        All utterances are laid side by side; beyond the end of one, nothing is gained.
        """
        units = likeness[0].shape[1]
        gained = np.zeros((max(map(len, likeness)), len(likeness) * units), dtype=np.float32)
        for number, one in enumerate(likeness):
            gained[: len(one), number * units : (number + 1) * units] = one + SKIPPED
        utterance = np.repeat(np.arange(len(likeness)), [len(chosen) for chosen in promising])
        entry = np.concatenate(promising)
        order = np.argsort(-self.lengths[entry], kind="stable")
        utterance, entry = utterance[order], entry[order]
        scores: Scores = np.tile(-self.total * SKIPPED, (len(likeness), 1))
        if len(entry):
            scores[utterance, entry] += self._aligned(gained, entry, utterance * units)
        return scores

    def _aligned(
        self, gained: Scores, chosen: NDArray[np.intp], offsets: NDArray[np.intp]
    ) -> Scores:
        """The scores of some entries, longest first, above those if nothing of them was heard.

        `gained` is what each unit, from an entry's offset on, adds to that where it is heard.
        Counting from there, a syllable that is skipped changes nothing: the row below takes over
        what the row above has reached.
        """
        lengths = self.lengths[chosen]
        having = _longer(lengths)
        units = [self._units[row].take(chosen[:n]) + offsets[:n] for row, n in enumerate(having)]
        weights = [self._weights[row].take(chosen[:n]) for row, n in enumerate(having)]
        # Of each syllable heard: what is reached with the entries' first, second, ... syllable.
        table = gained.take(np.concatenate(units), axis=1)
        table *= np.concatenate(weights)
        ends = np.cumsum(having)
        blocks = [
            slice(end - n, end) for n, end in zip(having.tolist(), ends.tolist(), strict=True)
        ]
        before: list[Scores] = []
        for place, reached in enumerate(table):
            rows = [reached[block] for block in blocks]
            if place:
                for above, row in zip(before, rows[1:], strict=False):
                    row += above[: len(row)]
                np.maximum(reached, table[place - 1] - INSERTED, out=reached)
            np.maximum(rows[0], 0, out=rows[0])
            for above, row in pairwise(rows):
                np.maximum(row, above[: len(row)], out=row)
            before = rows
        last = (ends - having)[lengths - 1] + np.arange(len(chosen))
        best: Scores = table.take(last, axis=1).max(axis=0)
        return best

    def span(self, index: int, heard: tuple[Syllable, ...]) -> tuple[int, int]:
        """The stretch [start, end) of `heard` that fits entry `index` best."""
        rows = int(self.lengths[index])
        weights = self._weights[:rows, index]
        gains = self._likeness.of(heard).take(self._units[:rows, index], axis=1) * weights
        lost = (SKIPPED * weights).tolist()
        score = [0.0, *(-SKIPPED * np.cumsum(weights)).tolist()]
        start = [0] * (rows + 1)
        best, span = -math.inf, (0, 0)
        for position, gained in enumerate(gains.tolist()):
            above, above_start = 0.0, position + 1
            diagonal, diagonal_start = score[0], position  # row 0 starts at this syllable
            for row, gain in enumerate(gained, start=1):
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

    def pool(self, values: Scores) -> tuple[Scores, NDArray[np.intp]]:
        """Evidence of entries gathered for each label: a soft maximum; and each label's best entry.

        Both of shape (labels,).
        """
        highest = np.maximum.reduceat(values.take(self._by_label), self._first_of)
        behind = values - highest.take(self.label_of)
        sums = np.zeros(len(self.labels), dtype=np.float32)
        np.add.at(sums, self.label_of, np.exp(behind / SHARED))
        pooled = highest + SHARED * np.log(sums)
        foremost = np.flatnonzero(behind == 0)[::-1]  # the first of equals is written last
        best = np.zeros(len(self.labels), dtype=np.intp)
        best[self.label_of[foremost]] = foremost
        return pooled.astype(np.float32), best
