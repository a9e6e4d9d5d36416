"""What a recogniser is: telephone samples in, ranked texts out."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from audio.phones import Sounds

TELEPHONE_HZ = 8000

Samples = NDArray[np.float32]
"""Mono sound, shape (n,), 8000 Hz, in [-1, 1]."""


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """One text an engine believes it heard."""

    text: str
    """Simplified characters without punctuation or spaces."""
    score: float
    """Mean log-probability of a token, <= 0; 0 where an engine gives none."""
    sounds: Sounds | None = field(default=None, compare=False, repr=False)
    """What was heard before it became words, with the best hypothesis of engines that tell."""


class RecogniserError(Exception):
    """The engine could not be loaded or failed on this sound; says what to do about it."""


class Recogniser(Protocol):
    """An offline engine. Not thread-safe unless it says so: one caller at a time."""

    name: str
    version: str

    def recognise(
        self, samples: Samples, *, question: str = "", n_best: int = 5
    ) -> list[Hypothesis]:
        """Texts for one utterance, best first; empty when nothing was said.

        `question` is what the caller has just been asked; engines that can, use it as context.
        """
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Utterance:
    """What an engine is asked to hear."""

    samples: Samples
    question: str = ""
    """What the caller had just been asked."""


@runtime_checkable
class SharedRecogniser(Recogniser, Protocol):
    """An engine that many callers share: several threads may ask it, for several utterances."""

    workers: int
    """How many threads it answers at once; further ones wait."""

    def alike(self, question: str) -> Hashable | None:
        """Utterances whose questions give the same are heard in less time together than alone;
        one that gives None gains nothing by others."""
        ...

    def recognise_all(
        self, utterances: Sequence[Utterance], *, n_best: int = 5
    ) -> list[list[Hypothesis]]:
        """For each utterance what `recognise` gives, to the last bit."""
        ...


def hear_all(
    engine: Recogniser, utterances: Sequence[Utterance], *, n_best: int = 5
) -> list[list[Hypothesis]]:
    """Together where the engine can, and else one after the other."""
    if isinstance(engine, SharedRecogniser):
        return engine.recognise_all(utterances, n_best=n_best)
    return [engine.recognise(u.samples, question=u.question, n_best=n_best) for u in utterances]


class Stream(Protocol):
    """One utterance on its way into a streaming engine."""

    def accept(self, samples: Samples) -> str:
        """Takes the next samples and gives the partial text so far."""
        ...

    def finish(self) -> list[Hypothesis]:
        """Ends the utterance; the stream cannot be used afterwards."""
        ...


class StreamingRecogniser(Recogniser, Protocol):
    """An engine that listens while the caller speaks."""

    def stream(self, phrases: Sequence[str] = ()) -> Stream:
        """Starts an utterance; with `phrases`, only these can be heard (runtime grammar)."""
        ...
