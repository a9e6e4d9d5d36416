"""The outgoing clock, on a clock that the test moves."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable

import numpy as np

from ivr.telephony.playout import LEAD_S, SILENCE, Played, Playout


class Handle:
    def __init__(self, callback: Callable[[], None]) -> None:
        self.callback: Callable[[], None] | None = callback

    def cancel(self) -> None:
        self.callback = None


class FakeClock:
    def __init__(self) -> None:
        self.now = 100.0
        self.heap: list[tuple[float, int, Handle]] = []

    def time(self) -> float:
        return self.now

    def call_at(self, when: float, callback: Callable[[], None]) -> Handle:
        handle = Handle(callback)
        heapq.heappush(self.heap, (when, len(self.heap), handle))
        return handle

    def run_until(self, end: float) -> None:
        while self.heap and self.heap[0][0] <= end + 1e-9:
            when, _, handle = heapq.heappop(self.heap)
            self.now = max(self.now, when)
            if handle.callback:
                handle.callback()
        self.now = max(self.now, end)


class Sent:
    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.frames: list[tuple[float, bytes]] = []

    def __call__(self, frame: bytes) -> None:
        self.frames.append((self.clock.now - 100.0, frame))

    @property
    def sound(self) -> list[float]:
        return [at for at, frame in self.frames if frame != SILENCE]


def started() -> tuple[FakeClock, Sent, Playout]:
    clock = FakeClock()
    sent = Sent(clock)
    playout = Playout(sent, clock)  # type: ignore[arg-type]
    playout.start()
    return clock, sent, playout


def tone(ms: int) -> np.ndarray:
    return np.full(ms * 8, 1000, np.int16)


async def test_silence_keeps_the_call_alive_without_drift() -> None:
    clock, sent, _ = started()
    clock.run_until(160.0)
    assert len(sent.frames) == 3001
    assert {len(frame) for _, frame in sent.frames} == {320}


async def test_an_answer_goes_out_at_once_and_then_at_the_pace_of_the_line() -> None:
    clock, sent, playout = started()
    clock.run_until(100.011)
    playout.play(tone(200))
    assert round(sent.sound[0], 3) == 0.011
    clock.run_until(100.5)
    assert len(sent.sound) == 10
    for n, at in enumerate(sent.sound):
        heard_at = 0.020 + n * 0.020
        assert heard_at - LEAD_S - 1e-6 <= at <= heard_at + 1e-6


async def test_a_sound_is_done_when_it_has_been_heard() -> None:
    clock, sent, playout = started()
    done = playout.play(tone(100))
    clock.run_until(100.110)
    assert len(sent.sound) == 5
    assert not done.done()
    assert playout.playing
    clock.run_until(100.121)
    assert await done == Played(True, 100)
    assert not playout.playing


async def test_barge_in_drops_the_rest_and_says_how_much_was_heard() -> None:
    clock, sent, playout = started()
    first = playout.play(tone(1000))
    second = playout.play(tone(1000))
    clock.run_until(100.500)
    playout.clear()
    frames = len(sent.sound)
    assert not playout.playing
    clock.run_until(101.0)
    assert len(sent.sound) == frames
    played = await first
    assert not played.complete
    assert 460 <= played.heard_ms <= 500
    assert await second == Played(False, 0)


async def test_sounds_follow_each_other_without_a_gap() -> None:
    clock, sent, playout = started()
    playout.play(tone(100))
    playout.play(tone(100))
    clock.run_until(100.5)
    sounds = [frame != SILENCE for _, frame in sent.frames]
    assert sum(sounds) == 10
    assert sounds.index(True) + 10 == len(sounds) - sounds[::-1].index(True)


async def test_a_stall_is_counted_and_never_made_up_for_by_a_burst() -> None:
    clock, sent, playout = started()
    playout.play(tone(2000))
    clock.run_until(100.1)
    before = len(sent.frames)
    clock.now = 101.0
    clock.run_until(101.0)
    assert len(sent.frames) - before <= LEAD_S / 0.02 + 1
    assert playout.late_frames > 30


async def test_stopping_leaves_no_timer() -> None:
    clock, sent, playout = started()
    done = playout.play(tone(500))
    playout.stop()
    assert not (await done).complete
    frames = len(sent.frames)
    clock.run_until(105.0)
    assert len(sent.frames) == frames


async def test_real_loop() -> None:
    frames: list[bytes] = []
    playout = Playout(frames.append)
    playout.start()
    assert await asyncio.wait_for(playout.play(tone(60)), 5) == Played(True, 60)
    playout.stop()
    assert b"".join(frames).count(np.int16(1000).tobytes()) == 480
