"""When the system speaks and when it has fallen silent, from the sound that arrives."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

RATE = 8000
LOUD = 10 ** (-45 / 20) * 32768
"""RMS of a 20 ms frame, or peak of a sample, above which it is sound and not line noise."""
RUN_GAP_S = 0.2
"""Loud frames closer than this belong to one run."""
RUN_FRAMES = 4
"""80 ms of sound are speech; less is a click."""
SENTENCE_GAP_S = 0.9
"""Runs closer than this are one utterance: the pauses inside a prompt are shorter."""


@dataclass(slots=True)
class Utterance:
    """One thing the system said; seconds on the call's clock."""

    start_s: float
    """Its first sound."""
    end_s: float
    """Its last sound so far."""


class Ear:
    """Fed with every frame that arrives; knows no clock of its own."""

    def __init__(self) -> None:
        self.utterances: list[Utterance] = []
        self.last_loud_s = float("-inf")
        self._run = 0
        self._run_start_s = 0.0
        self._apart = True
        """Whether the next run starts an utterance however close it is to the one before."""

    def hear(self, frame: NDArray[np.int16], at_s: float) -> None:
        """frame: shape (n,), 8000 Hz, arrived (and so begins to be heard) at `at_s`."""
        sound = frame.astype(np.float32)
        if not sound.size or np.dot(sound, sound) < LOUD * LOUD * sound.size:
            return
        if at_s - self.last_loud_s > RUN_GAP_S:
            self._run = 0
            self._run_start_s = at_s + float(np.argmax(np.abs(sound) >= LOUD)) / RATE
        self._run += 1
        self.last_loud_s = at_s + frame.size / RATE
        if self._run < RUN_FRAMES:
            return
        if self._run == RUN_FRAMES and (
            self._apart or self._run_start_s - self.utterances[-1].end_s > SENTENCE_GAP_S
        ):
            self.utterances.append(Utterance(self._run_start_s, self.last_loud_s))
            self._apart = False
        self.utterances[-1].end_s = self.last_loud_s

    def expect_answer(self) -> None:
        """The caller has said something: what begins from now on is an utterance of its own."""
        self._apart = True

    def silent_for_s(self, now_s: float) -> float:
        return now_s - self.last_loud_s

    def since(self, at_s: float) -> Utterance | None:
        """The first utterance that began at or after `at_s`."""
        return next((u for u in self.utterances if u.start_s >= at_s), None)
