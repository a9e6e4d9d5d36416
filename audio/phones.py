"""Hears single sounds in what a recogniser's encoder makes of speech.

A recogniser of Mandarin writes every sound down as some Mandarin word, and what is not Mandarin is
lost there. Its encoder has heard more than its decoder can write: a small network reads phones of
any dialect from the encoder's states. `yihu grammar mine` trains it, and the encoder with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from audio.adapter import Change
from audio.files import whole

Matrix = NDArray[np.float32]

SILENCE = "_"
"""The first phone of every inventory."""
PRIOR_SCALE = 0.5
"""How much of a phone's commonness is taken out of its probability: sounds, not habits, decide."""
FLOOR = 1e-6
"""No phone is less likely than this: one bad frame must not outweigh the rest of a word."""


@dataclass(frozen=True, slots=True, eq=False)
class Sounds:
    """How likely each phone is at each moment of an utterance."""

    phones: tuple[str, ...]
    """Silence first, then IPA."""
    log_probs: Matrix
    """Shape (frames of 20 ms, phones); scaled likelihoods, so rows do not sum to 1."""


def framed(states: Matrix, mean: Matrix, scale: Matrix, context: int) -> Matrix:
    """States on one scale, the first and the last repeated `context` times for their neighbours."""
    return np.pad((states - mean) / scale, ((context, context), (0, 0)), mode="edge")


@dataclass(frozen=True, slots=True, eq=False)
class PhoneHead:
    """One hidden layer from the states around a moment to the phone at that moment."""

    phones: NDArray[np.str_]
    """Shape (phones,), silence first."""
    mean: Matrix
    scale: Matrix
    """Of the states, shape (dimension,)."""
    context: NDArray[np.int64]
    """Frames on each side that are looked at too; a single number."""
    hidden_weights: Matrix
    """Shape ((2 context + 1) dimension, hidden)."""
    hidden_bias: Matrix
    weights: Matrix
    """Shape (hidden, phones)."""
    bias: Matrix
    log_prior: Matrix
    """Of the phones in what it was trained on, shape (phones,)."""
    about: NDArray[np.str_]
    """The engine's name and version, and how it was trained; a single text."""
    changes: Mapping[str, Change] = field(default_factory=dict)
    """Of the encoder's matrices, by their names: what its states are made with."""

    def inputs(self, states: Matrix) -> Matrix:
        """The states of each frame and its neighbours, side by side."""
        around = int(self.context)
        padded = framed(states, self.mean, self.scale, around)
        shifted = [padded[n : n + len(states)] for n in range(2 * around + 1)]
        return np.concatenate(shifted, axis=1).astype(np.float32)

    def hear(self, states: Matrix) -> Sounds:
        """Phones in an utterance's encoder states, shape (frames, dimension)."""
        hidden = np.maximum(self.inputs(states) @ self.hidden_weights + self.hidden_bias, 0)
        scores = hidden @ self.weights + self.bias
        scores -= scores.max(axis=1, keepdims=True)
        odds = np.exp(scores)
        shares = odds / odds.sum(axis=1, keepdims=True)
        log_probs = np.log(np.maximum(shares, FLOOR)) - PRIOR_SCALE * self.log_prior
        return Sounds(tuple(str(p) for p in self.phones), log_probs.astype(np.float32))

    def save(self, path: Path) -> None:
        """Writes it whole or not at all; half the precision is enough."""
        arrays = {name: getattr(self, name) for name in _ARRAYS}
        for matrix, change in self.changes.items():
            arrays |= {f"{matrix}{_UP}": change.up, f"{matrix}{_DOWN}": change.down}
        arrays = {
            name: array.astype(np.float16) if array.dtype == np.float32 else array
            for name, array in arrays.items()
        }
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole(path) as file:
            np.savez(file, **arrays)

    @classmethod
    def load(cls, path: Path) -> PhoneHead:
        """Raises ValueError or OSError for a file that is not one."""
        with np.load(path, allow_pickle=False) as stored:
            arrays = {
                name: value.astype(np.float32) if value.dtype == np.float16 else value
                for name, value in stored.items()
            }
        try:
            return cls(
                **{name: arrays[name] for name in _ARRAYS},
                changes={
                    name.removesuffix(_UP): Change(up, arrays[name.removesuffix(_UP) + _DOWN])
                    for name, up in arrays.items()
                    if name.endswith(_UP)
                },
            )
        except KeyError as error:
            raise ValueError(f"{path} is no phone head: {error}") from error


_ARRAYS = tuple(field.name for field in fields(PhoneHead) if field.name != "changes")
_UP, _DOWN = " up", " down"
