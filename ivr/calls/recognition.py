"""The recognisers' threads, shared by all calls.

An engine blocks, so it has threads of its own, as many as it can work in at once. Finished turns go
before guesses at turns that may not be over. Utterances that wait and gain from being heard
together are; none waits for another to come. An engine that fails or hangs gives an empty result:
the caller is asked again and then handed to a human, and is never left in silence. Callers whose
dialect has an engine of its own get the site's default where that one fails or is late.
"""

from __future__ import annotations

import asyncio
import math
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import structlog

from audio.recogniser import (
    Hypothesis,
    Recogniser,
    Samples,
    SharedRecogniser,
    Utterance,
    hear_all,
)
from ivr.calls import metrics

TIMEOUT_S = 6.0
"""A caller does not wait longer for an answer; the engine takes 0.3 s when the machine is idle."""
QUEUE_LIMIT = 64
"""Utterances that may wait; more than this cannot be answered in time anyway."""
TOGETHER = 4
"""Utterances heard together at most: more of them gain little, and all wait for the last."""

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
    """Until the engine was done, with all that it heard together."""


@dataclass(order=True, slots=True)
class Job:
    """One utterance on its way through the engine."""

    rank: tuple[int, int]
    """Finals first, then in the order they came."""
    utterance: Utterance = field(compare=False)
    done: asyncio.Future[Recognised] = field(compare=False)
    loop: asyncio.AbstractEventLoop = field(compare=False)
    created: float = field(compare=False)
    dropped: bool = field(default=False, compare=False)

    @property
    def final(self) -> bool:
        """Whether the turn is over, and the caller waiting."""
        return self.rank[0] == 0

    def drop(self) -> None:
        """Nobody wants the result any more; skipped if the engine has not begun."""
        self.dropped = True
        self.done.cancel()


@dataclass(slots=True)
class Work:
    """What one thread is at."""

    jobs: Sequence[Job]
    began: float


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
        self._shared = engine if isinstance(engine, SharedRecogniser) else None
        self._timeout_s = timeout_s
        self._changed = threading.Condition()
        self._jobs: list[Job] = []
        self._count = 0
        self._closing = False
        workers = self._shared.workers if self._shared else 1
        self._work: list[Work | None] = [None] * workers
        self._threads = [
            threading.Thread(target=self._serve, args=(n,), name=f"recogniser {n}", daemon=True)
            for n in range(workers)
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    async def close(self) -> None:
        """Ends the threads after what they are at; a hung engine is left behind."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        until = time.monotonic() + 2.0
        for thread in self._threads:
            await asyncio.to_thread(thread.join, max(0.0, until - time.monotonic()))

    @property
    def engine(self) -> str:
        """Recogniser.name."""
        return self._engine.name

    @property
    def stuck(self) -> bool:
        """Whether all threads have been at the same for longer than a caller waits."""
        now = time.monotonic()
        return all(work and now - work.began > self._timeout_s for work in self._work)

    @property
    def waiting_s(self) -> float:
        """How long the caller who has waited longest for an answer has done so; 0 if none has."""
        with self._changed:
            current = [job for work in self._work if work for job in work.jobs]
            since = [j.created for j in (*self._jobs, *current) if j.final and not j.dropped]
        return max(0.0, time.monotonic() - min(since)) if since else 0.0

    def submit(self, samples: Samples, question: str, *, final: bool) -> Job:
        """Puts an utterance in the queue. samples: shape (n,), 8000 Hz, in [-1, 1].

        A full queue fails the job at once, guesses before finals.
        """
        loop = asyncio.get_running_loop()
        utterance = Utterance(samples, question)
        job = Job((0, 0), utterance, loop.create_future(), loop, time.monotonic())
        with self._changed:
            self._count += 1
            job.rank = (0 if final else 1, self._count)
            self._jobs = [waiting for waiting in self._jobs if not waiting.dropped]
            if len(self._jobs) < (QUEUE_LIMIT if final else QUEUE_LIMIT // 2):
                self._jobs.append(job)
                self._changed.notify()
                return job
        log.warning("recogniser overloaded", waiting=len(self._jobs), final=final)
        job.done.set_result(Recognised(failure="overloaded"))
        return job

    def promote(self, job: Job) -> None:
        """The guess was right: the turn is over, so the caller is waiting for this one now."""
        with self._changed:
            job.rank = (0, job.rank[1])

    async def result(self, job: Job) -> Recognised:
        """Waits for a job for as long as a caller would; never raises for what the engine does."""
        try:
            async with asyncio.timeout(self._timeout_s):
                return await asyncio.shield(job.done)
        except TimeoutError:
            log.error("recogniser does not answer", after_s=self._timeout_s, stuck=self.stuck)
            job.drop()
            return Recognised(failure="timeout", waited_s=time.monotonic() - job.created)

    def _serve(self, thread: int) -> None:
        while True:
            with self._changed:
                self._work[thread] = None
                while not (jobs := self._next()) and not self._closing:
                    self._changed.wait()
                if self._closing:
                    return
                self._work[thread] = Work(jobs, time.monotonic())
            for job, result in zip(jobs, self._recognise(jobs), strict=True):
                if job.final and not job.dropped:
                    self._on_delay(time.monotonic() - job.created)
                try:
                    job.loop.call_soon_threadsafe(_deliver, job, result)
                except RuntimeError:  # the loop is gone, and with it the caller
                    log.info("recogniser finished after the agent's end")

    def _next(self) -> list[Job]:
        """Takes the first job, and this thread's share of those that are like it."""
        self._jobs = sorted(job for job in self._jobs if not job.dropped)
        if not self._jobs:
            return []
        first = self._jobs[0]
        alike = [first]
        if self._shared and (same := self._shared.alike(first.utterance.question)) is not None:
            alike = [
                job
                for job in self._jobs
                if job.final == first.final and self._shared.alike(job.utterance.question) == same
            ]
        taken = alike[: min(TOGETHER, math.ceil(len(alike) / len(self._threads)))]
        self._jobs = [job for job in self._jobs if job not in taken]
        return taken

    def _recognise(self, jobs: Sequence[Job]) -> list[Recognised]:
        began = time.monotonic()
        found: list[list[Hypothesis]] = [[]] * len(jobs)
        failure = ""
        engine = self._engine
        try:
            found = hear_all(engine, [job.utterance for job in jobs])
        except Exception as error:  # whatever an engine does, the next caller needs the thread
            if len(jobs) > 1:  # it may be one that it fails at
                return [result for job in jobs for result in self._recognise([job])]
            log.exception("recogniser failed", engine=engine.name)
            failure = f"{type(error).__name__}: {error}"
        engine_s = time.monotonic() - began
        metrics.TOGETHER.observe(len(jobs))
        for _ in jobs:
            metrics.RECOGNITION.observe(engine_s / len(jobs))
        return [
            Recognised(
                tuple(hypotheses),
                failure,
                engine.name,
                engine.version,
                began - job.created,
                engine_s,
            )
            for job, hypotheses in zip(jobs, found, strict=True)
        ]


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
        heard = self._job.utterance
        self._engine = self._default
        self._job = self._default.submit(heard.samples, heard.question, final=self._final)
        return await self._default.result(self._job)
