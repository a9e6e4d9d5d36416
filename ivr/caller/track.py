"""One side of a call as it was on the line, gaps included."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ivr.caller.ear import RATE

JITTER = RATE * 60 // 1000
"""Frames that come up to 60 ms off their time are joined; later ones leave a gap."""


class Track:
    """Frames by the moment they were sent or arrived; both sides of a call share the clock."""

    def __init__(self) -> None:
        self._sound = bytearray()

    def add(self, data: bytes, at_s: float) -> None:
        """data: 16-bit little-endian, 8000 Hz; at_s: seconds since the call's clock began."""
        gap = round(at_s * RATE) - len(self._sound) // 2
        if gap >= JITTER:
            self._sound += bytes(2 * gap)
        self._sound += data

    def samples(self) -> NDArray[np.int16]:
        """Shape (n,), 8000 Hz, from the beginning of the clock to the last frame."""
        return np.frombuffer(bytes(self._sound), "<i2")
