"""What comes in on the line, frame by frame, as turns of the caller."""

from __future__ import annotations

from collections import deque
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from audio.recogniser import Samples
from ivr.calls.barge_in import FRAME, BargeIn, level_db
from ivr.calls.endpointing import WINDOW_MS, Endpointing, Phase, Signal
from ivr.config import TurnSettings

WINDOW = 256
"""Samples of 32 ms, what the VAD takes at once."""
NEAR_HOLD = 4
"""Frames (80 ms) after the caller's own sound that are still taken for the caller's: where both
talk, the echo covers syllables of the caller."""
TAIL_MS = 200
"""Silence kept after the last speech of a turn."""
CATCH_UP = 16
"""Windows (0.5 s) that the VAD has not been asked about and hears before it is asked again."""

Sound = NDArray[np.int16]


class Vad(Protocol):
    """Voice activity, one window after another; remembers what it has heard."""

    def __call__(self, window: Samples) -> float:
        """Probability that the window is speech. window: shape (256,), 8000 Hz, in [-1, 1]."""
        ...


class Listening:
    """The incoming side of one call."""

    def __init__(self, vad: Vad, settings: TurnSettings) -> None:
        self._vad = vad
        self._preroll = -(-settings.preroll_ms // WINDOW_MS)
        self._answer_timeout_ms = settings.answer_timeout_ms
        self._barge_in = BargeIn()
        self._frames = np.zeros(0, np.int16)
        """What is left over until a frame is full."""
        self._partial = np.zeros(0, np.int16)
        """What is left over until a window is full."""
        self._unheard: deque[Sound] = deque(maxlen=CATCH_UP)
        """Windows that the VAD has yet to hear: it is not asked while only we are on the line,
        which is half of a call, nor after a turn until the next one is waited for, and it takes
        more time than all else that is done with a frame."""
        self._near = 0
        """Frames for which the sound still counts as the caller's."""
        self._windows: deque[Sound] = deque()
        self._quiet_ms = 0
        self.turn = Endpointing(settings)

    @property
    def timed_out(self) -> bool:
        """Whether the caller has been silent for as long as an answer may take."""
        return self._quiet_ms >= self._answer_timeout_ms

    def restart(self, note_ms: int | None = None) -> None:
        """Waits for the next turn, with the full time for an answer. note_ms: Endpointing's."""
        self.turn.reset()
        self.turn.note_ms = note_ms
        self._quiet_ms = 0

    def played(self, frame: Sound) -> None:
        """A frame we sent, shape (160,)."""
        self._barge_in.played(frame)

    def heard(self, samples: Sound, *, speaking: bool) -> list[Signal]:
        """Takes sound that came in, shape (n,), 8000 Hz; speaking: our prompt is playing."""
        sound = np.concatenate([self._frames, samples])
        whole = len(sound) // FRAME * FRAME
        self._frames = sound[whole:]
        signals = []
        for start in range(0, whole, FRAME):
            frame = sound[start : start + FRAME]
            near = self._barge_in.heard(frame)
            self._near = NEAR_HOLD if near else max(0, self._near - 1)
            self._partial = np.concatenate([self._partial, frame])
            if len(self._partial) >= WINDOW:
                signal = self._window(self._partial[:WINDOW], speaking)
                self._partial = self._partial[WINDOW:]
                signals += [signal] if signal else []
        return signals

    def _window(self, window: Sound, speaking: bool) -> Signal | None:
        self._windows.append(window)
        self._unheard.append(window)
        probability = 0.0  # our own echo is speech too, but nobody's turn
        heard = self._near or not self._barge_in.ours_on_the_line
        if heard and self.turn.phase is not Phase.ENDED:
            for sound in self._unheard:
                probability = self._vad(sound.astype(np.float32) / 32768.0)
            self._unheard.clear()
        signal = self.turn.window(probability, level_db(window), over_prompt=speaking)
        if self.turn.phase is Phase.QUIET:
            self._quiet_ms = 0 if speaking else self._quiet_ms + WINDOW_MS
            while len(self._windows) > self._preroll:
                self._windows.popleft()
        else:
            self._quiet_ms = 0
        return signal

    def utterance(self) -> Sound:
        """The turn so far from its pre-roll to shortly after its last speech, shape (n,)."""
        surplus = max(0, self.turn.silent_windows - TAIL_MS // WINDOW_MS)
        kept = list(self._windows)[: len(self._windows) - surplus]
        return np.concatenate(kept) if kept else np.zeros(0, np.int16)
