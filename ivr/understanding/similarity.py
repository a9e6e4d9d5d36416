"""How alike two syllables sound: phones compared by their features, aligned within the syllable.

Source of the feature weights: panphon (Mortensen et al., "PanPhon: A Resource for Mapping IPA
Segments to Articulatory Feature Vectors", COLING 2016).
"""

from __future__ import annotations

import csv
import unicodedata
from collections.abc import Iterator, Sequence
from functools import lru_cache
from importlib.metadata import distribution
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ivr.understanding.syllables import Syllable

Matrix = NDArray[np.float32]

_GAP = 0.35
"""Cost of a phone that one syllable has and the other lacks (an n, a glide, a glottal stop)."""
_WEAK_GAP = 0.18
"""The same for sounds that come and go between dialects without changing the word."""
_WEAK = frozenset("iuyʉʔɦŋnɻ")
_CONSONANT_VOWEL = 1.0
"""A consonant never stands for a vowel."""


def _table(name: str) -> Iterator[list[str]]:
    """The lines of one of panphon's tables, without their head."""
    path = Path(str(distribution("panphon").locate_file(f"panphon/data/{name}.csv")))
    with path.open(encoding="utf-8", newline="") as file:
        yield from list(csv.reader(file))[1:]


@lru_cache(maxsize=1)
def _features() -> tuple[dict[str, list[float]], Matrix]:
    """The features of each phone, and what each feature weighs.

    Read from panphon's tables: panphon itself takes seconds to make ready what only words need.
    """
    (weights,) = _table("feature_weights")
    sign = {"+": 1.0, "0": 0.0, "-": -1.0}
    phones = {
        unicodedata.normalize("NFD", phone): [sign[one] for one in listed[: len(weights)]]
        for phone, *listed in _table("ipa_all")
    }
    return phones, np.asarray([float(weight) for weight in weights], dtype=np.float32)


def _phone_costs(inventory: Sequence[str]) -> Matrix:
    """Substitution costs, shape (phones, phones), in [0, 1]."""
    features, weights = _features()
    unknown = [phone for phone in inventory if unicodedata.normalize("NFD", phone) not in features]
    if unknown:
        raise ValueError(f"{unknown[0]!r} is not one phone for panphon")
    rows = [features[unicodedata.normalize("NFD", phone)] for phone in inventory]
    vectors = np.asarray(rows, dtype=np.float32)
    difference = np.abs(vectors[:, None, :] - vectors[None, :, :]) / 2
    costs = (difference * weights).sum(axis=2) / weights.sum()
    syllabic = vectors[:, 0] > 0
    costs = np.minimum(costs * 2.5, 1.0)  # unlike phones of one class differ by about 0.4
    costs[syllabic[:, None] != syllabic[None, :]] = _CONSONANT_VOWEL
    return np.asarray(costs, dtype=np.float32)


def syllable_distances(left: Sequence[Syllable], right: Sequence[Syllable]) -> Matrix:
    """Distances between all pairs, shape (left, right), 0 for the same sound, about 1 for none.

    The alignment inside the syllable is computed for all pairs at once, phone by phone.
    """
    inventory = sorted({phone for syllable in (*left, *right) for phone in syllable})
    index = {phone: number for number, phone in enumerate(inventory)}
    substitution = _phone_costs(inventory)
    gap = np.asarray([_WEAK_GAP if p in _WEAK else _GAP for p in inventory], dtype=np.float32)

    def padded(syllables: Sequence[Syllable]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        longest = max((len(s) for s in syllables), default=1)
        grid = np.zeros((len(syllables), longest), dtype=np.int64)
        for row, syllable in enumerate(syllables):
            grid[row, : len(syllable)] = [index[phone] for phone in syllable]
        return grid, np.asarray([len(s) for s in syllables])

    a, a_length = padded(left)
    b, b_length = padded(right)
    shape = (len(left), len(right))
    table = np.zeros((a.shape[1] + 1, b.shape[1] + 1, *shape), dtype=np.float32)
    for i in range(1, a.shape[1] + 1):
        table[i, 0] = table[i - 1, 0] + gap[a[:, i - 1]][:, None]
    for j in range(1, b.shape[1] + 1):
        table[0, j] = table[0, j - 1] + gap[b[:, j - 1]][None, :]
    for i in range(1, a.shape[1] + 1):
        for j in range(1, b.shape[1] + 1):
            swap = substitution[a[:, i - 1][:, None], b[:, j - 1][None, :]]
            table[i, j] = np.minimum(
                table[i - 1, j - 1] + swap,
                np.minimum(
                    table[i - 1, j] + gap[a[:, i - 1]][:, None],
                    table[i, j - 1] + gap[b[:, j - 1]][None, :],
                ),
            )
    total: Matrix = table[
        a_length[:, None], b_length[None, :], np.arange(shape[0])[:, None], np.arange(shape[1])
    ]
    return np.minimum(total, 1.0)
