"""Whose voice is on the line while we speak: the caller's, or our own coming back.

Line echo repeats what we sent, softer and up to 400 ms later. Both directions are kept as short
spectra, one a 20 ms frame. Where the incoming ones follow the outgoing ones at some delay, it is
echo, and the line's delay and its gain in each band are learned from it. From then on a frame is
the caller's where most of its power is more than the echo can explain.

The beginning of what a caller says may follow ours too, by chance, and who is once taken for echo
would be deaf to interruptions. So it counts only where all of our sound has come back, and it is
forgotten where ours does not come back any more.

Spectra are made when they are compared: most of the time nobody talks over us, and with thirty
callers there is half a millisecond for a frame of each.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FRAME = 160
FULL_SCALE = 32768.0
BANDS_HZ = (200, 450, 700, 1000, 1400, 1900, 2500, 3400)
BANDS = len(BANDS_HZ) - 1
MAX_DELAY = 23
"""Frames: 400 ms of echo and 60 ms of lead."""
COMPARED = 30
"""Frames (0.6 s) over which the two directions are compared."""
HISTORY = COMPARED + MAX_DELAY
ECHO = 0.85
"""Correlation from which a stretch is nothing but echo, so that the line can be learned from it."""
MAYBE_ECHO = 0.6
"""The same as long as the line has not been measured: in doubt the prompt goes on."""
MARGIN = 4.0
"""Echo may come back at up to this many times its expected power (6 dB)."""
UNEXPLAINED = 0.5
"""Share of a frame's power that the echo cannot explain, from which it is the caller's."""
ABOVE_NOISE_DB = 8.0
"""Speech stands out of the line's steady noise by this much."""
QUIET_DB = -60.0
"""Below this there is nothing to compare."""
NOISE_FRAMES = 75
"""Frames (1.5 s) of which the softest is the noise: speech is never that long without a gap."""
FIRST_NOISE_DB = -50.0
"""What the noise is taken for until so much has been heard."""
LEAST_LOSS_DB = 6.0
"""Echo comes back softer by this at least, as a hybrid's balance return loss is (ITU-T G.122)."""
CAME_BACK = 0.8
"""Share of our loud frames that come back where there is echo."""
LOUD_SHARE = 0.5
"""Of the mean power of what we sent: a frame of so much is loud."""
ENOUGH_FRAMES = 15
"""Loud ones (0.3 s) that must have come back where there was no echo before."""
LOUD_DB = -35.0
"""A frame of ours that is missed when it does not come back."""
MISSED_FRAMES = 50
"""Frames (1 s) that should have come back and did not: this line has no echo."""
LEARNED_EVERY = 10
"""Frames (0.2 s) between looks at an echo that is as expected."""
SMEAR = 2
"""Frames by which an echo is smeared."""

_EDGES = [round(hz * FRAME / 8000) for hz in BANDS_HZ]
_WINDOW = np.hanning(FRAME).astype(np.float32)

Floats = NDArray[np.float32]


def level_db(samples: NDArray[np.int16]) -> float:
    """Level of the samples relative to full scale; -100 for silence."""
    if not len(samples):
        return -100.0
    sound = samples.astype(np.float32)
    power = float(np.dot(sound, sound)) / len(sound) / FULL_SCALE**2
    return 10 * math.log10(max(power, 1e-10))


def _powers(frames: NDArray[np.int16]) -> Floats:
    """Power in each band. frames: shape (n, FRAME); gives (n, BANDS)."""
    power = np.abs(np.fft.rfft(frames.astype(np.float32) / FULL_SCALE * _WINDOW)) ** 2
    bands = np.add.reduceat(power[:, : _EDGES[-1]], _EDGES[:-1], axis=1)
    return np.asarray(bands, dtype=np.float32)


class _Spectra:
    """The last frames of one direction, shape (frames, BANDS), the newest last."""

    def __init__(self, frames: int) -> None:
        self._powers = np.zeros((frames, BANDS), np.float32)
        self._new: deque[NDArray[np.int16]] = deque(maxlen=frames)
        """Frames that have not been looked at yet."""

    def add(self, samples: NDArray[np.int16]) -> None:
        """A frame, shape (FRAME,)."""
        self._new.append(samples)

    def __call__(self) -> Floats:
        if new := len(self._new):
            self._powers[:-new] = self._powers[new:]
            self._powers[-new:] = _powers(np.stack(self._new))
            self._new.clear()
        return self._powers


@dataclass(frozen=True, slots=True)
class Echo:
    """What this line does to our sound."""

    delay: int
    """Frames."""
    gains: Floats
    """Of power, in each band."""


class BargeIn:
    """Compares the two directions of one call. Feed both, 20 ms at a time, in their order."""

    def __init__(self) -> None:
        self._out = _Spectra(HISTORY)
        self._in = _Spectra(COMPARED)
        self._since_ours = HISTORY
        """Frames we have sent since the last one with sound in it."""
        self._sent_db = deque([QUIET_DB] * HISTORY, HISTORY)
        """Of what may come back now."""
        self._missed = 0
        """Frames that should have come back and did not, since something did."""
        self._levels = deque([FIRST_NOISE_DB] * NOISE_FRAMES, NOISE_FRAMES)
        """dB of what came in."""
        self._frames = 0
        self.echo: Echo | None = None
        """As measured so far; None where no echo has been noticed."""

    @property
    def ours_on_the_line(self) -> bool:
        """Whether sound of ours may still be coming back."""
        return self._since_ours < HISTORY

    def played(self, samples: NDArray[np.int16]) -> None:
        """A frame we sent, shape (160,)."""
        self._out.add(samples)
        db = level_db(samples)
        self._sent_db.append(db)
        self._since_ours = 0 if db >= QUIET_DB else self._since_ours + 1

    def heard(self, samples: NDArray[np.int16]) -> bool:
        """Takes a frame that came in, shape (160,): is it loud enough, and not our echo?

        Says nothing of whether it is speech; that is for the VAD.
        """
        db = level_db(samples)
        self._in.add(samples)
        self._levels.append(db)
        if db < self._loud_enough_db:
            self._miss()
            return False
        if not self.ours_on_the_line:
            return True
        if db > max(self._sent_db) - LEAST_LOSS_DB:
            return True
        self._frames += 1
        explained = self.echo is not None and self._explains(self.echo)
        if explained:
            self._missed = 0
            if self._frames % LEARNED_EVERY:
                return False  # comparing is the dear part
        correlation, delay = self._compare()
        maybe = correlation >= MAYBE_ECHO
        if maybe and self.echo is None and not self._came_back(delay):
            return self._without_echo
        if correlation >= ECHO:
            self._learn(delay)
            return False
        return not explained and (self.echo is not None or not maybe)

    @property
    def _loud_enough_db(self) -> float:
        return max(QUIET_DB, min(self._levels) + ABOVE_NOISE_DB)

    @property
    def _without_echo(self) -> bool:
        return self._missed >= MISSED_FRAMES

    def _miss(self) -> None:
        """Nothing came in: if that goes on where our echo should have, there is none."""
        if self._without_echo:
            return
        loud = sum(db >= LOUD_DB for db in self._sent_db)
        self._missed += loud > len(self._sent_db) / 2
        if self._without_echo:
            self.echo = None

    def _came_back(self, delay: int) -> bool:
        """Whether, at this delay, what was loud in what we sent was loud in what came in."""
        end = HISTORY - delay
        sent = self._out()[end - COMPARED : end].sum(axis=1)
        loud = sent > LOUD_SHARE * sent.mean()
        if self._without_echo and loud.sum() < ENOUGH_FRAMES:
            return False
        came = np.fromiter(self._levels, np.float32)[-COMPARED:] >= self._loud_enough_db
        return bool(came[loud].mean() >= CAME_BACK)

    def _compare(self) -> tuple[float, int]:
        """The best correlation of the two directions and the delay it is found at."""
        # The power is compressed so that a few loud frames do not decide alone.
        incoming = self._in() ** 0.3
        incoming = incoming - incoming.mean(axis=0)
        windows = np.lib.stride_tricks.sliding_window_view(self._out() ** 0.3, COMPARED, axis=0)
        # windows: (MAX_DELAY + 1, BANDS, COMPARED), the last one without delay
        outgoing = windows - windows.mean(axis=2, keepdims=True)
        products = np.einsum("dbt,tb->d", outgoing, incoming)
        sizes = np.sqrt((outgoing**2).sum(axis=(1, 2)) * (incoming**2).sum()) + 1e-9
        correlations = products / sizes
        best = int(correlations.argmax())
        return float(correlations[best]), len(correlations) - 1 - best

    def _learn(self, delay: int) -> None:
        end = HISTORY - delay
        out = self._out()[end - COMPARED : end]
        loud = out.sum(axis=1) > out.sum() / COMPARED / 4
        gains = np.median(self._in()[loud] / (out[loud] + 1e-9), axis=0)
        if self.echo is not None and abs(self.echo.delay - delay) <= SMEAR:
            gains = 0.7 * self.echo.gains + 0.3 * gains
        self.echo = Echo(delay, np.asarray(gains, dtype=np.float32))
        self._missed = 0

    def _explains(self, echo: Echo) -> bool:
        """Whether the echo accounts for most of the last frame that came in."""
        powers = self._in()[-1]
        newest = HISTORY - 1 - echo.delay
        around = self._out()[max(0, newest - SMEAR) : newest + SMEAR + 1]
        expected = MARGIN * around.max(axis=0) * echo.gains
        unexplained = np.maximum(powers - expected, 0).sum()
        return bool(unexplained <= UNEXPLAINED * powers.sum())
