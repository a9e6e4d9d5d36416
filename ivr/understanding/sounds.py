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


@dataclass(frozen=True, slots=True, eq=False)
class _Tree:
    """Known syllables and silence as one tree of phones: what begins alike is followed once.

    Nodes where something ends come first; behind the last node are two roots.
    """

    phone: NDArray[np.intp]
    """Of each node."""
    before: NDArray[np.intp]
    """The node or root that each node follows."""
    unit: NDArray[np.intp]
    """The first syllable that ends at each node where one ends; silence is behind the last."""
    end: NDArray[np.intp]
    """The node where each syllable ends."""


_COSTS = np.asarray([SYLLABLE_COST, SILENCE_COST], np.float32)
"""Of setting out from each root."""


class SyllableReader:
    """The known syllables, ready to be looked for."""

    def __init__(self, syllables: Sequence[Syllable]) -> None:
        self._syllables = tuple(syllables)
        self._trees: dict[tuple[str, ...], _Tree] = {}

    def _tree(self, phones: tuple[str, ...]) -> _Tree:
        """The tree for a recogniser's phones; one that it does not know is one behind its last."""
        tree = self._trees.get(phones)
        if tree is None:
            index = {phone: n for n, phone in enumerate(phones)}
            rows = [tuple(index.get(p, len(phones)) for p in s) for s in self._syllables]
            units = [(0, *row) for row in rows] + [(1, index[SILENCE])]  # the root first
            ends = list(dict.fromkeys(units))
            inner = (unit[:n] for unit in units for n in range(2, len(unit)))
            nodes = list(dict.fromkeys([*ends, *inner]))
            place = {node: n for n, node in enumerate([*nodes, (0,), (1,)])}
            first = {unit: n for n, unit in reversed(list(enumerate(units)))}
            tree = self._trees[phones] = _Tree(
                phone=np.asarray([node[-1] for node in nodes]),
                before=np.asarray([place[node[:-1]] for node in nodes]),
                unit=np.asarray([first[end] for end in ends]),
                end=np.asarray([place[unit] for unit in units[:-1]], np.intp),
            )
        return tree

    def read(self, sounds: Sounds, most: int) -> Pieces:
        """Divides an utterance and keeps the last `most` pieces."""
        tree = self._tree(sounds.phones)
        unknown = np.full((len(sounds.log_probs), 1), np.log(FLOOR), np.float32)
        log_probs = np.concatenate([sounds.log_probs, unknown], axis=1).take(tree.phone, axis=1)
        found = [
            (start, end, unit)
            for start, end, unit in self._divide(log_probs, tree)
            if unit < len(self._syllables)
        ][-most:]
        misfit = [self._misfit(log_probs[start:end], tree) for start, end, _ in found]
        shape = (len(found), len(self._syllables))
        return Pieces(
            tuple(self._syllables[unit] for _, _, unit in found),
            np.asarray(misfit, np.float32).reshape(shape),
        )

    def _divide(self, log_probs: Scores, tree: _Tree) -> list[tuple[int, int, int]]:
        """Frames [start, end) and the unit of each piece; the last unit is silence."""
        nodes, ends = len(tree.before), len(tree.unit)
        scores = np.full((len(log_probs) + 1, nodes + len(_COSTS)), _NEVER, np.float32)
        scores[0, nodes:] = -_COSTS
        for before, after, row in zip(scores, scores[1:], log_probs, strict=False):
            reached = after[:nodes]
            np.maximum(before[:nodes], before.take(tree.before), out=reached)
            reached += row
            after[nodes:] = reached[:ends].max() - _COSTS
        pieces = []
        frame = len(log_probs)
        while frame > 0:
            end, node = frame, int(scores[frame, :ends].argmax())
            unit = int(tree.unit[node])
            while node < nodes:  # back to the root
                frame -= 1
                origin = int(tree.before[node])
                if scores[frame, origin] > scores[frame, node]:
                    node = origin
            pieces.append((frame, end, unit))
        return pieces[::-1]

    def _misfit(self, log_probs: Scores, tree: _Tree) -> Scores:
        """Nats that each syllable lacks to the best, over the frames of one piece."""
        nodes = len(tree.before)
        score = np.full(nodes + len(_COSTS), _NEVER, np.float32)
        reached = score[:nodes]
        begins = tree.before >= nodes
        reached[begins] = log_probs[0, begins]
        for row in log_probs[1:]:
            np.maximum(reached, score.take(tree.before), out=reached)
            reached += row
        ends = reached[tree.end]
        return np.asarray(ends.max() - ends, np.float32)
