"""The recogniser's thread, with an engine that the test holds and lets go."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Sequence

import numpy as np
import pytest

from audio.recogniser import Hypothesis, RecogniserError, Samples, Utterance
from ivr.calls import recognition
from ivr.calls.recognition import Recognised, Recognition

PATIENCE_S = 60.0
"""With a machine that is busy with other things."""


class Engine:
    """Writes down the length of what it gets; works only when let."""

    name = "test"
    version = "1"

    def __init__(self) -> None:
        self.seen: list[int] = []
        self.began = threading.Event()
        self.go = threading.Event()

    def recognise(
        self, samples: Samples, *, question: str = "", n_best: int = 5
    ) -> list[Hypothesis]:
        self.seen.append(len(samples))
        self.began.set()
        self.go.wait(PATIENCE_S)
        if len(samples) == 13:
            raise RecogniserError("no weights")
        return [Hypothesis(f"{question}{len(samples)}", -0.1)]


class Shared(Engine):
    """One that hears utterances together whose questions are the same."""

    def __init__(self, workers: int, gains: bool = True) -> None:
        super().__init__()
        self.workers = workers
        self.gains = gains
        self.heard: list[list[int]] = []
        """Lengths of what it got, in the groups it got them in."""

    def alike(self, question: str) -> str | None:
        return question if self.gains else None

    def recognise_all(
        self, utterances: Sequence[Utterance], *, n_best: int = 5
    ) -> list[list[Hypothesis]]:
        self.heard.append([len(one.samples) for one in utterances])
        return [self.recognise(one.samples, question=one.question) for one in utterances]


@pytest.fixture
async def engine() -> AsyncIterator[Engine]:
    engine = Engine()
    yield engine
    engine.go.set()


@pytest.fixture
async def recogniser(engine: Engine) -> AsyncIterator[Recognition]:
    recogniser = Recognition(engine, timeout_s=PATIENCE_S)
    recogniser.start()
    yield recogniser
    engine.go.set()
    await recogniser.close()


def sound(n: int) -> Samples:
    return np.zeros(n, np.float32)


async def busy(engine: Engine, recogniser: Recognition) -> None:
    """Returns once the engine is held at an utterance."""
    recogniser.submit(sound(1), "", final=True)
    await asyncio.to_thread(engine.began.wait, PATIENCE_S)


async def test_text_with_the_question_it_answers(engine: Engine, recogniser: Recognition) -> None:
    engine.go.set()
    result = await recogniser.result(recogniser.submit(sound(5), "什么", final=True))
    assert result.hypotheses == (Hypothesis("什么5", -0.1),)
    assert not result.failure


async def test_finished_turns_go_before_guesses(engine: Engine, recogniser: Recognition) -> None:
    await busy(engine, recogniser)
    guess = recogniser.submit(sound(2), "", final=False)
    other = recogniser.submit(sound(3), "", final=False)
    final = recogniser.submit(sound(4), "", final=True)
    recogniser.promote(other)
    engine.go.set()
    await asyncio.gather(*(recogniser.result(job) for job in (guess, other, final)))
    assert engine.seen == [1, 3, 4, 2]


async def test_a_guess_dropped_in_time_is_never_begun(
    engine: Engine, recogniser: Recognition
) -> None:
    await busy(engine, recogniser)
    recogniser.submit(sound(2), "", final=False).drop()
    last = recogniser.submit(sound(3), "", final=False)
    engine.go.set()
    await recogniser.result(last)
    assert engine.seen == [1, 3]


async def test_a_failing_engine_gives_nothing_and_serves_the_next_caller(
    engine: Engine, recogniser: Recognition
) -> None:
    engine.go.set()
    failed = await recogniser.result(recogniser.submit(sound(13), "", final=True))
    assert not failed.hypotheses
    assert "no weights" in failed.failure
    assert (await recogniser.result(recogniser.submit(sound(2), "", final=True))).hypotheses


async def test_a_hung_engine_gives_nothing_and_is_noticed(engine: Engine) -> None:
    recogniser = Recognition(engine, timeout_s=0.05)
    recogniser.start()
    result = await recogniser.result(recogniser.submit(sound(2), "", final=True))
    assert result.failure == "timeout"
    assert recogniser.stuck
    engine.go.set()
    await recogniser.close()
    assert not recogniser.stuck


async def test_an_overload_is_refused_and_guesses_first(
    engine: Engine, recogniser: Recognition, monkeypatch
) -> None:
    monkeypatch.setattr(recognition, "QUEUE_LIMIT", 4)
    await busy(engine, recogniser)
    guesses = [recogniser.submit(sound(2), "", final=False) for _ in range(3)]
    assert await guesses[2].done == Recognised(failure="overloaded")
    finals = [recogniser.submit(sound(2), "", final=True) for _ in range(3)]
    assert await finals[2].done == Recognised(failure="overloaded")
    engine.go.set()
    assert (await recogniser.result(finals[1])).hypotheses


async def many(engine: Shared) -> Recognition:
    """Returns once each of its threads is held at an utterance; what they hold is forgotten."""
    recogniser = Recognition(engine, timeout_s=PATIENCE_S)
    recogniser.start()
    for _ in range(engine.workers):
        engine.began.clear()
        recogniser.submit(sound(1), "held", final=True)
        await asyncio.to_thread(engine.began.wait, PATIENCE_S)
    engine.heard.clear()
    return recogniser


async def test_callers_who_wait_with_the_same_question_are_heard_together() -> None:
    engine = Shared(workers=1)
    recogniser = await many(engine)
    jobs = [recogniser.submit(sound(n), "几点", final=True) for n in (2, 3)]
    jobs.append(recogniser.submit(sound(4), "什么", final=True))
    jobs.append(recogniser.submit(sound(5), "几点", final=False))
    jobs += [recogniser.submit(sound(n), "几点", final=True) for n in (6, 7, 8)]
    engine.go.set()
    results = await asyncio.gather(*(recogniser.result(job) for job in jobs))
    assert [result.hypotheses[0].text for result in results] == [
        *("几点2", "几点3", "什么4", "几点5", "几点6", "几点7", "几点8")
    ]
    assert engine.heard == [[2, 3, 6, 7], [4], [8], [5]], "no more than four, and guesses last"
    await recogniser.close()


async def test_engine_that_gains_nothing_by_it_hears_one_after_the_other() -> None:
    """The first of them would wait for the last."""
    engine = Shared(workers=1, gains=False)
    recogniser = await many(engine)
    jobs = [recogniser.submit(sound(n), "几点", final=True) for n in (2, 3, 4)]
    engine.go.set()
    await asyncio.gather(*(recogniser.result(job) for job in jobs))
    assert engine.heard == [[2], [3], [4]]
    await recogniser.close()


async def test_a_thread_leaves_the_others_their_share() -> None:
    engine = Shared(workers=2)
    recogniser = await many(engine)
    jobs = [recogniser.submit(sound(n), "几点", final=True) for n in (2, 3, 4, 5)]
    engine.go.set()
    await asyncio.gather(*(recogniser.result(job) for job in jobs))
    assert sorted(len(group) for group in engine.heard) in ([2, 2], [1, 1, 2])
    await recogniser.close()


async def test_one_caller_whom_the_engine_fails_at_takes_nobody_along() -> None:
    engine = Shared(workers=1)
    recogniser = await many(engine)
    jobs = [recogniser.submit(sound(n), "几点", final=True) for n in (2, 13, 3)]
    engine.go.set()
    results = await asyncio.gather(*(recogniser.result(job) for job in jobs))
    assert [bool(result.failure) for result in results] == [False, True, False]
    assert results[2].hypotheses[0].text == "几点3"
    await recogniser.close()


async def test_a_thread_that_hangs_leaves_the_others_to_the_callers() -> None:
    engine = Shared(workers=2)
    hung = threading.Event()
    alone = engine.recognise

    def recognise(samples: Samples, **more: object) -> list[Hypothesis]:
        if len(samples) == 99:
            hung.wait(PATIENCE_S)
        return alone(samples)

    engine.recognise = recognise  # type: ignore[method-assign, assignment]
    engine.go.set()
    recogniser = Recognition(engine, timeout_s=0.2)
    recogniser.start()
    lost = recogniser.submit(sound(99), "", final=True)
    assert (await recogniser.result(lost)).failure == "timeout"
    async with asyncio.timeout(PATIENCE_S):
        assert (await recogniser.submit(sound(2), "", final=True).done).hypotheses
        while recogniser.stuck:  # noqa: ASYNC110  # the other one may not have put its work down
            await asyncio.sleep(0.01)
    hung.set()
    await recogniser.close()
