"""How one speaker of many says a phrase."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ivr.understanding.pronunciation import Reading
from ivr.understanding.syllables import Syllable


def one_way(
    readings: Sequence[Reading], looseness: float, chance: np.random.Generator
) -> list[Syllable]:
    """How one speaker says a phrase: ways that cost more than `looseness` are rare."""
    said = []
    for reading in readings:
        odds = np.exp([-cost / looseness for _, cost in reading])
        said.append(reading[int(chance.choice(len(reading), p=odds / odds.sum()))][0])
    return said
