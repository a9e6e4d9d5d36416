"""The recognisers' threads, shared by all calls.

An engine blocks, so it has a thread of its own. Finished turns go before guesses at turns that
may not be over. An engine that fails or hangs gives an empty result: the caller is asked again
and then handed to a human, and is never left in silence. Callers whose dialect has an engine of
its own get the site's default where that one fails or is late.
"""

from __future__ import annotations

import asyncio
import heapq
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog

from audio.recogniser import Hypothesis, Recogniser, Samples
from ivr.calls import metrics

TIMEOUT_S = 6.0
"""A caller does not wait longer for an answer; the engine takes 0.3 s when the machine is idle."""
QUEUE_LIMIT = 64
"""Utterances that may wait; more than this cannot be answered in time anyway."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Recognised:
    """What the engine made of one utterance."""

    hypotheses: tuple[Hypothesis, ...] = ()
    failure: str = ""
    """Why there is no result; empty where the engine did its work."""
    engine: str = ""
    """Recogniser.name of the engine that heard it; empty where none did."""
    engine_version: str = ""
    waited_s: float = 0.0
    """In the queue."""
    engine_s: float = 0.0


@dataclass(order=True, slots=True)
class Job:
    """One utterance on its way through the engine."""

    rank: tuple[int, int]
    """Finals first, then in the order they came."""
    samples: Samples = field(compare=False)
    question: str = field(compare=False)
    done: asyncio.Future[Recognised] = field(compare=False)
    loop: asyncio.AbstractEventLoop = field(compare=False)
    created: float = field(compare=False)
    dropped: bool = field(default=False, compare=False)

    def drop(self) -> None:
        """Nobody wants the result any more; skipped if the engine has not begun."""
        self.dropped = True
        self.done.cancel()


class Recognition:
    """Start it once; it lives as long as the agent."""

    def __init__(
        self,
        engine: Recogniser,
        timeout_s: float = TIMEOUT_S,
        on_delay: Callable[[float], None] = lambda delay_s: None,
    ) -> None:
        """on_delay: told in the engine's thread how long an utterance took that was waited for."""
        self._on_delay = on_delay
        self._engine = engine
        self._timeout_s = timeout_s
        self._changed = threading.Condition()
        self._jobs: list[Job] = []
        self._count = 0
        self._closing = False
        self._busy_since: float | None = None
        self._current: Job | None = None
        self._thread = threading.Thread(target=self._work, name="recogniser", daemon=True)

    def start(self) -> None:
        self._thread.start()

    async def close(self) -> None:
        """Ends the thread after the utterance it is at; a hung engine is left behind."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        await asyncio.to_thread(self._thread.join, 2.0)

    @property
    def engine(self) -> str:
        """Recogniser.name."""
        return self._engine.name

    @property
    def stuck(self) -> bool:
        """Whether the engine has been at one utterance for longer than a caller waits."""
        since = self._busy_since
        return since is not None and time.monotonic() - since > self._timeout_s

    @property
    def waiting_s(self) -> float:
        """How long the caller who has waited longest for an answer has done so; 0 if none has."""
        with self._changed:
            since = [job.created for job in self._jobs if job.rank[0] == 0 and not job.dropped]
        current = self._current
        if current is not None and current.rank[0] == 0 and not current.dropped:
            since.append(current.created)
        return max(0.0, time.monotonic() - min(since)) if since else 0.0

    def submit(self, samples: Samples, question: str, *, final: bool) -> Job:
        """Puts an utterance in the queue. samples: shape (n,), 8000 Hz, in [-1, 1].

        A full queue fails the job at once, guesses before finals.
        """
        loop = asyncio.get_running_loop()
        job = Job((0, 0), samples, question, loop.create_future(), loop, time.monotonic())
        with self._changed:
            self._count += 1
            job.rank = (0 if final else 1, self._count)
            self._jobs = [waiting for waiting in self._jobs if not waiting.dropped]
            heapq.heapify(self._jobs)
            if len(self._jobs) < (QUEUE_LIMIT if final else QUEUE_LIMIT // 2):
                heapq.heappush(self._jobs, job)
                self._changed.notify()
                return job
        log.warning("recogniser overloaded", waiting=len(self._jobs), final=final)
        job.done.set_result(Recognised(failure="overloaded"))
        return job

    def promote(self, job: Job) -> None:
        """The guess was right: the turn is over, so the caller is waiting for this one now."""
        with self._changed:
            job.rank = (0, job.rank[1])
            heapq.heapify(self._jobs)

    async def result(self, job: Job) -> Recognised:
        """Waits for a job for as long as a caller would; never raises for what the engine does."""
        try:
            return await asyncio.wait_for(asyncio.shield(job.done), self._timeout_s)
        except TimeoutError:
            log.error("recogniser does not answer", after_s=self._timeout_s, stuck=self.stuck)
            job.drop()
            return Recognised(failure="timeout", waited_s=time.monotonic() - job.created)

    def _work(self) -> None:
        while True:
            with self._changed:
                while not self._jobs and not self._closing:
                    self._changed.wait()
                if self._closing:
                    return
                job = heapq.heappop(self._jobs)
                if job.dropped:
                    continue
                self._busy_since = time.monotonic()
                self._current = job
            result = self._recognise(job)
            self._busy_since = self._current = None
            if job.rank[0] == 0 and not job.dropped:
                self._on_delay(time.monotonic() - job.created)
            try:
                job.loop.call_soon_threadsafe(_deliver, job, result)
            except RuntimeError:  # the loop is gone, and with it the caller
                log.info("recogniser finished after the agent's end")

    def _recognise(self, job: Job) -> Recognised:
        began = time.monotonic()
        hypotheses: tuple[Hypothesis, ...] = ()
        failure = ""
        try:
            hypotheses = tuple(self._engine.recognise(job.samples, question=job.question))
        except Exception as error:  # whatever an engine does, the next caller needs the thread
            log.exception("recogniser failed", engine=self._engine.name)
            failure = f"{type(error).__name__}: {error}"
        engine_s = time.monotonic() - began
        metrics.RECOGNITION.observe(engine_s)
        engine = self._engine
        waited_s = began - job.created
        return Recognised(hypotheses, failure, engine.name, engine.version, waited_s, engine_s)


def _deliver(job: Job, result: Recognised) -> None:
    if not job.done.done():
        job.done.set_result(result)


class Attempt:
    """One utterance, heard by the engine for the caller's dialect, or else by the default."""

    def __init__(
        self,
        own: Recognition | None,
        default: Recognition,
        samples: Samples,
        question: str,
        *,
        final: bool,
    ) -> None:
        """Begins to listen; `own` is None for callers without an engine of their dialect."""
        self._default = default
        self._final = final
        # an engine that hangs is not waited for again and again
        self._own = None if own is None or own.stuck else own
        self._engine = self._own or default
        self._job = self._engine.submit(samples, question, final=final)

    def promote(self) -> None:
        """The guess was right: the turn is over, so the caller is waiting for this one now."""
        self._final = True
        self._engine.promote(self._job)

    def drop(self) -> None:
        """Nobody wants the result any more."""
        self._job.drop()

    async def result(self) -> Recognised:
        """Waits for as long as a caller would; never raises for what an engine does."""
        recognised = await self._engine.result(self._job)
        if self._engine is self._default or not recognised.failure:
            return recognised
        log.warning("the default engine hears it", own=self._engine.engine, why=recognised.failure)
        metrics.FALLBACKS.labels(self._engine.engine).inc()
        samples, question = self._job.samples, self._job.question
        self._engine = self._default
        self._job = self._default.submit(samples, question, final=self._final)
        return await self._default.result(self._job)
