"""Syllables in an utterance of which only the probabilities of phones are known.

The utterance is divided into the row of known syllables that fits it best (a Viterbi search over a
loop of syllables); then every known syllable is held against every piece, so that the second and
third best count too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from audio.phones import FLOOR, SILENCE, Sounds
from ivr.understanding.syllables import Syllable

Scores = NDArray[np.float32]

SYLLABLE_COST = 3.0
"""What each further syllable must gain, in nats: without it, every sound becomes one."""
SILENCE_COST = 1.0
_NEVER = np.float32(-1e9)


@dataclass(frozen=True, slots=True, eq=False)
class Pieces:
    """An utterance divided into syllables."""

    syllables: tuple[Syllable, ...]
    """The one that fits each piece best."""
    misfit: Scores
    """How much worse each known syllable fits each piece than the best, in nats, >= 0.

    Shape (pieces, known syllables).
    """


class SyllableReader:
    """The known syllables, ready to be looked for."""

    def __init__(self, syllables: Sequence[Syllable]) -> None:
        self._syllables = tuple(syllables)
        self._lengths = np.asarray([len(s) for s in syllables] + [1])
        self._tables: dict[tuple[str, ...], NDArray[np.int64]] = {}

    def _table(self, phones: tuple[str, ...]) -> NDArray[np.int64]:
        """The phones of each syllable and at last silence, shape (longest, syllables + 1).

        A phone that the recogniser does not know is one behind its last.
        """
        table = self._tables.get(phones)
        if table is None:
            index = {phone: n for n, phone in enumerate(phones)}
            table = np.zeros((int(self._lengths.max()), len(self._syllables) + 1), np.int64)
            for column, syllable in enumerate(self._syllables):
                known = [index.get(phone, len(phones)) for phone in syllable]
                table[: len(syllable), column] = known
            table[0, -1] = index[SILENCE]
            self._tables[phones] = table
        return table

    def read(self, sounds: Sounds, most: int) -> Pieces:
        """Divides an utterance and keeps the last `most` pieces."""
        table = self._table(sounds.phones)
        unknown = np.full((len(sounds.log_probs), 1), np.log(FLOOR), np.float32)
        log_probs = np.concatenate([sounds.log_probs, unknown], axis=1)
        found = [
            (start, end, unit)
            for start, end, unit in self._divide(log_probs, table)
            if unit < len(self._syllables)
        ][-most:]
        misfit = [self._misfit(log_probs[start:end], table) for start, end, _ in found]
        shape = (len(found), len(self._syllables))
        return Pieces(
            tuple(self._syllables[unit] for _, _, unit in found),
            np.asarray(misfit, np.float32).reshape(shape),
        )

    def _divide(self, log_probs: Scores, table: NDArray[np.int64]) -> list[tuple[int, int, int]]:
        """Frames [start, end) and the unit of each piece; the last unit is silence."""
        columns = np.arange(table.shape[1])
        last = self._lengths - 1
        cost = np.full(table.shape[1], SYLLABLE_COST, np.float32)
        cost[-1] = SILENCE_COST
        score = np.full(table.shape, _NEVER, np.float32)
        start = np.zeros(table.shape, np.int32)
        ended = np.float32(0)
        ways: list[tuple[int, int]] = []
        for frame, row in enumerate(log_probs):
            onward = score[:-1] > score[1:]
            start[1:] = np.where(onward, start[:-1], start[1:])
            score[1:] = np.where(onward, score[:-1], score[1:])
            begun = ended - cost
            begins = begun > score[0]
            start[0] = np.where(begins, frame, start[0])
            score[0] = np.where(begins, begun, score[0])
            score += row[table]
            ends = score[last, columns]
            unit = int(ends.argmax())
            ended = ends[unit]
            ways.append((unit, int(start[last[unit], unit])))
        pieces = []
        frame = len(log_probs)
        while frame > 0:
            unit, began = ways[frame - 1]
            pieces.append((began, frame, unit))
            frame = began
        return pieces[::-1]

    def _misfit(self, log_probs: Scores, table: NDArray[np.int64]) -> Scores:
        """Nats that each syllable lacks to the best, over the frames of one piece."""
        score = np.full(table.shape, _NEVER, np.float32)
        score[0] = 0
        for frame, row in enumerate(log_probs):
            if frame:
                score[1:] = np.maximum(score[1:], score[:-1])
            score += row[table]
            if not frame:
                score[1:] = _NEVER
        ends = score[self._lengths - 1, np.arange(table.shape[1])][:-1]
        return np.asarray(ends.max() - ends, np.float32)
