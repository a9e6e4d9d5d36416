"""The recogniser that a site, or one dialect of its callers, has been given.

The agent has it in processes beside its own, for all calls; a command in its own process.
"""

from __future__ import annotations

import queue
from collections.abc import Callable, Hashable, Sequence

from audio.engines import make_recogniser
from audio.recogniser import (
    Hypothesis,
    Recogniser,
    RecogniserError,
    Samples,
    Utterance,
    hear_all,
)
from ivr.apart import Apart, ApartError
from ivr.config import ROOT, EngineSettings, Settings

SOUNDS = ROOT / "grammars" / "sounds"
"""What mining learned of each model, to hear single sounds with."""
HUNG_S = 20.0
"""The longest utterance takes some seconds on a busy machine."""

Asked = tuple[Sequence[Utterance], int]
"""What to hear, and how many texts of each."""
Heard = tuple[str, list[list[Hypothesis]]]
"""The engine's version, and the texts of each utterance."""


def load_recogniser(
    chosen: EngineSettings, settings: Settings, *, threads: int | None = None
) -> Recogniser:
    """threads: in place of those of the settings.

    Raises RecogniserError saying what to install when its model is missing.
    """
    return make_recogniser(
        chosen.engine,
        chosen.model,
        settings.models,
        threads=threads or chosen.threads,
        beam=chosen.beam,
        phones_folder=SOUNDS,
    )


class RecogniserApart:
    """The engine of many callers, in processes of its own: as many as it has threads where it
    can work on several utterances at once."""

    def __init__(self, chosen: EngineSettings, settings: Settings) -> None:
        """Takes seconds. Raises RecogniserError."""
        self._several = chosen.engine == "whisper"
        self.workers = chosen.threads if self._several else 1
        self.name: str = chosen.engine
        threads = chosen.threads // self.workers
        processes: list[Apart[Asked, Heard]] = [
            Apart(_listening, chosen, settings, threads) for _ in range(self.workers)
        ]
        self._free: queue.SimpleQueue[Apart[Asked, Heard]] = queue.SimpleQueue()
        try:
            for process in processes:
                self.version, _ = process.ask(((), 1), HUNG_S)
                self._free.put(process)
        except ApartError as error:
            for process in processes:
                process.close()
            raise RecogniserError(str(error)) from error

    def alike(self, question: str) -> Hashable | None:
        """The same question makes a prompt of the same length, which is what Whisper asks for;
        other engines hear one utterance after the other."""
        return question if self._several else None

    def recognise(
        self, samples: Samples, *, question: str = "", n_best: int = 5
    ) -> list[Hypothesis]:
        return self.recognise_all([Utterance(samples, question)], n_best=n_best)[0]

    def recognise_all(
        self, utterances: Sequence[Utterance], *, n_best: int = 5
    ) -> list[list[Hypothesis]]:
        process = self._free.get()
        try:
            return process.ask((utterances, n_best), HUNG_S)[1]
        except ApartError as error:
            raise RecogniserError(str(error)) from error
        finally:
            self._free.put(process)


def _listening(
    chosen: EngineSettings, settings: Settings, threads: int
) -> Callable[[Asked], Heard]:
    engine = load_recogniser(chosen, settings, threads=threads)

    def hear(asked: Asked) -> Heard:
        utterances, n_best = asked
        return engine.version, hear_all(engine, utterances, n_best=n_best)

    return hear
