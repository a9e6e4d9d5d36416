"""What a synthesiser is: text in, telephone samples out."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Speech = NDArray[np.int16]
"""Mono speech, shape (n,), 8000 Hz, 16-bit."""


class SynthesiserError(Exception):
    """The engine could not be loaded or could not speak this text; says what to do about it."""


class Synthesiser(Protocol):
    """An offline voice. Not thread-safe: one caller at a time."""

    name: str
    voice: str
    version: str

    def synthesise(self, text: str, *, speed: float) -> Speech:
        """Speaks `text`; speed 1.0 is the voice's own, 0.85 what elders follow well."""
        ...
