"""Rows of pieces as sound. Everything fixed is in the cache; what is not is made on the way."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

import numpy as np
import structlog

from audio.cache import PromptCache
from audio.engines import make_cache
from audio.recogniser import TELEPHONE_HZ
from audio.sound import slowed
from audio.synthesiser import Speech, SynthesiserError
from ivr.apart import Apart, ApartError
from ivr.catalog import load_catalog
from ivr.config import Settings
from ivr.dialogue.pieces import fixed_pieces
from ivr.dialogue.prompts import load_prompts
from ivr.dialogue.step import Piece

FILLER = Piece("请稍等。")
"""Said when an answer takes long; part of what is made at set-up."""
SLOWER = 1.2
"""Times as long as usual after 慢一点: a speed of 0.7 where the voice's is 0.85. It is made of what
has been made: nobody who asks for the same once more waits for the voice to say it."""
QUEUE_LIMIT = 100
"""Pieces that may wait for the voice; each takes about a second."""
TIMEOUT_S = 12.0
"""A caller does not wait longer for a prompt, with requests to wait on the way."""
HUNG_S = 60.0
"""Loading the voice included, on a busy machine."""
IDLE_S = 30.0
"""Without a piece to make, after which the voice rests."""
NICER = 4
"""Steps of priority below recognition: a second of speech is a second of work."""
MEMORY_LIMIT = 2000
"""Pieces kept in memory, about 25 kB each."""

log = structlog.get_logger()


class Cache(Protocol):
    """Spoken pieces by text and speed, as audio.cache.PromptCache keeps them."""

    def get(self, text: str, *, speed: float) -> Speech | None:
        """The piece if it has been made; does not block for longer than a file takes to read."""
        ...

    def make(self, text: str, *, speed: float) -> Speech:
        """The piece, made if need be: about a second of work. Raises SynthesiserError."""
        ...

    def rest(self) -> None:
        """Nothing has been made for a while: frees what making takes."""
        ...


class SpeechMaker:
    """One voice for all calls; it makes one piece at a time, those being waited for first."""

    def __init__(self, cache: Cache, speed: float) -> None:
        self._cache = cache
        self._speed = speed
        self._memory: dict[str, Speech] = {}
        self._queue: asyncio.PriorityQueue[tuple[int, int, str]] = asyncio.PriorityQueue(
            QUEUE_LIMIT
        )
        self._count = 0
        self._making: dict[str, asyncio.Future[Speech]] = {}
        self._worker: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._worker = asyncio.create_task(self._work(), name="speech maker")

    async def close(self) -> None:
        if self._worker is not None:
            self._worker.cancel()
            await asyncio.gather(self._worker, return_exceptions=True)
        for waiting in self._making.values():
            waiting.cancel()

    def load(self, texts: Iterable[str]) -> int:
        """Reads what has been made into memory, before the first call; says how many pieces."""
        return sum(self._cached(text) is not None for text in texts)

    def ready(self, pieces: Sequence[Piece], *, slow: bool = False) -> Speech | None:
        """The whole row, or None where a piece has yet to be made. Optional ones are left out."""
        row = [(piece, self._cached(piece.text)) for piece in pieces]
        if any(speech is None and not piece.optional for piece, speech in row):
            return None
        speech = _joined([(piece, speech) for piece, speech in row if speech is not None])
        return slowed(speech, SLOWER) if slow else speech

    async def speech(self, pieces: Sequence[Piece], *, slow: bool = False) -> Speech:
        """The whole row, made as far as it is missing. Raises SynthesiserError."""
        missing = [
            self._make(piece.text, urgent=True)
            for piece in pieces
            if not piece.optional and self._cached(piece.text) is None
        ]
        if missing:
            # Not gathered: who hangs up must not cancel what another caller waits for as well.
            done, late = await asyncio.wait(missing, timeout=TIMEOUT_S)
            for future in done:
                future.result()
            if late:
                raise SynthesiserError(f"the voice has not said it within {TIMEOUT_S:g} s")
        row = self.ready(pieces, slow=slow)
        assert row is not None
        return row

    def prepare(self, texts: Iterable[str]) -> None:
        """Makes pieces that will be needed soon, when nothing more urgent is to be made."""
        for text in texts:
            if self._cached(text) is None:
                self._make(text, urgent=False).add_done_callback(_ignore)

    def _cached(self, text: str) -> Speech | None:
        if text not in self._memory:
            speech = self._cache.get(text, speed=self._speed)
            if speech is None:
                return None
            self._remember(text, speech)
        return self._memory[text]

    def _remember(self, text: str, speech: Speech) -> None:
        if len(self._memory) >= MEMORY_LIMIT:
            del self._memory[next(iter(self._memory))]
        self._memory[text] = speech

    def _make(self, text: str, *, urgent: bool) -> asyncio.Future[Speech]:
        future = self._making.get(text)
        if future is None:
            future = asyncio.get_running_loop().create_future()
            self._making[text] = future
        self._count += 1
        try:
            # Once more if it is waiting as less urgent: the second time finds it in the cache.
            self._queue.put_nowait((0 if urgent else 1, self._count, text))
        except asyncio.QueueFull:
            if not future.done():
                future.set_exception(SynthesiserError("too many pieces are waiting to be spoken"))
            self._making.pop(text, None)
        return future

    async def _work(self) -> None:
        while True:
            _, _, text = await self._next()
            future = self._making.get(text)
            if future is None:
                continue
            try:
                speech = await asyncio.to_thread(self._cache.make, text, speed=self._speed)
            except Exception as error:  # whatever an engine does, the next piece needs the worker
                log.exception("voice failed", engine_error=str(error))
                if not future.done():
                    future.set_exception(
                        error
                        if isinstance(error, SynthesiserError)
                        else SynthesiserError(str(error))
                    )
            else:
                self._remember(text, speech)
                if not future.done():
                    future.set_result(speech)
            del self._making[text]

    async def _next(self) -> tuple[int, int, str]:
        try:
            async with asyncio.timeout(IDLE_S):
                return await self._queue.get()
        except TimeoutError:
            await asyncio.to_thread(self._cache.rest)
            return await self._queue.get()


def _ignore(future: asyncio.Future[Speech]) -> None:
    """What fails while preparing is logged there, and raised where it is needed."""
    if not future.cancelled():
        future.exception()


def _joined(row: Sequence[tuple[Piece, Speech]]) -> Speech:
    parts: list[Speech] = []
    for piece, speech in row:
        parts += [speech, np.zeros(piece.pause_ms * TELEPHONE_HZ // 1000, np.int16)]
    return np.concatenate(parts[:-1]) if parts else np.zeros(0, np.int16)


def open_cache(settings: Settings) -> PromptCache:
    """The site's voice; it is loaded when the first missing piece is made."""
    chosen = settings.synthesiser
    return make_cache(
        chosen.engine,
        chosen.voice,
        settings.models,
        settings.cache_dir,
        threads=chosen.threads,
    )


class VoiceApart:
    """The site's voice for calls: what has been made is read here, the rest is made in a process
    of its own, after what callers are waiting to have understood."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._made = open_cache(settings)
        self._making: Apart[tuple[str, float], Speech] | None = None
        """While pieces are missing: the voice takes half a gigabyte."""

    def get(self, text: str, *, speed: float) -> Speech | None:
        return self._made.get(text, speed=speed)

    def make(self, text: str, *, speed: float) -> Speech:
        """One piece at a time. Raises SynthesiserError."""
        if self._making is None:
            self._making = Apart(_speaking, self._settings)
        try:
            return self._making.ask((text, speed), HUNG_S)
        except ApartError as error:
            raise SynthesiserError(str(error)) from error

    def rest(self) -> None:
        if self._making is not None:
            self._making.close()
            self._making = None


def _speaking(settings: Settings) -> Callable[[tuple[str, float]], Speech]:
    os.nice(NICER)
    cache = open_cache(settings)

    def speak(wanted: tuple[str, float]) -> Speech:
        text, speed = wanted
        return cache.make(text, speed=speed)

    return speak


def warm(settings: Settings, progress: Callable[[int, int, str], None]) -> list[str]:
    """Makes every fixed piece that is missing, for set-up: minutes the first time.

    progress is told how many are done, how many there are, and which was the last. Gives the
    texts that could not be spoken. Raises SynthesiserError, CatalogError, PromptError.
    """
    texts = [FILLER.text, *fixed_pieces(load_catalog(), load_prompts())]
    return open_cache(settings).warm(texts, speed=settings.synthesiser.speed, progress=progress)
