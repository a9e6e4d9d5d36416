"""Our sound on its way out, one 20 ms frame every 20 ms, and silence when there is nothing to say.

Asterisk forwards AudioSocket frames as they come, so we own the clock: a burst overruns the far
end and only the tail of a phrase is heard. Sound runs ahead of the clock by a small lead, which
covers hiccups of this process; silence has no lead, so an answer goes out the moment it exists.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ivr.telephony.audiosocket import FRAME_BYTES, FRAME_MS

FRAME_S = FRAME_MS / 1000
LEAD_S = 0.060
"""Three frames: below the 80 ms of skew at which Asterisk gives up predicting RTP timestamps."""
SILENCE = bytes(FRAME_BYTES)
EPSILON_S = 1e-6
"""Sums of 0.02 are not exact."""


class Clock(Protocol):
    """What is used of an event loop; tests have one whose time they move."""

    def time(self) -> float: ...

    def call_at(self, when: float, callback: Callable[[], None]) -> asyncio.TimerHandle: ...


@dataclass(frozen=True, slots=True)
class Played:
    """How a sound ended."""

    complete: bool
    """False where it was dropped before its end."""
    heard_ms: int
    """How much of it has been played to the caller."""


class _Playing:
    def __init__(self, data: bytes, done: asyncio.Future[Played]) -> None:
        self.data = data
        self.position = 0
        self.ends_at = 0.0
        """When its last frame has been heard; set when that frame is sent."""
        self.done = done


class Playout:
    """The outgoing side of one call. `start` it once; it sends until it is stopped."""

    def __init__(
        self,
        send: Callable[[bytes], None],
        clock: Clock | None = None,
        lead_s: float = LEAD_S,
    ) -> None:
        """lead_s: how far sound may run ahead of the clock; a telephone has none."""
        self._send = send
        self._clock: Clock = clock or asyncio.get_running_loop()
        self._lead_s = lead_s
        self._queue: deque[_Playing] = deque()
        self._ending: deque[_Playing] = deque()
        self._due = 0.0
        """When the next frame is to be heard."""
        self._timer: asyncio.TimerHandle | None = None
        self.late_frames = 0
        """Frames the caller had to wait for: the lead was used up and one frame more."""
        self.started_at: float | None = None
        """Clock time at which the last sound's first frame was sent."""

    @property
    def playing(self) -> bool:
        """Whether the caller is hearing something of ours that is not silence."""
        return bool(self._queue or self._ending)

    def start(self) -> None:
        self._due = self._clock.time()
        self._tick()

    def stop(self) -> None:
        """Sends nothing more; what was playing counts as interrupted."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self.clear()

    def play(self, samples: NDArray[np.int16]) -> asyncio.Future[Played]:
        """Plays after whatever is playing; done when its last frame has been heard.

        samples: shape (n,), 8000 Hz. Its first frame is sent before this returns, if nothing
        else is playing.
        """
        data = np.ascontiguousarray(samples, dtype="<i2").tobytes()
        data += bytes(-len(data) % FRAME_BYTES)
        done: asyncio.Future[Played] = asyncio.get_running_loop().create_future()
        if not data:
            done.set_result(Played(True, 0))
            return done
        self._queue.append(_Playing(data, done))
        if self._timer is not None:
            self._tick()
        return done

    def clear(self) -> None:
        """Drops at once what has not been sent; at most the lead is still heard."""
        ahead = max(0.0, self._due - self._clock.time())
        for playing in (*self._ending, *self._queue):
            sent_ms = playing.position * FRAME_MS // FRAME_BYTES
            if not playing.done.done():
                playing.done.set_result(Played(False, max(0, sent_ms - round(ahead * 1000))))
        self._ending.clear()
        self._queue.clear()

    def _tick(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        now = self._clock.time()
        if now - self._due > FRAME_S + EPSILON_S:
            # The far end ran dry. Catching up would be a burst, so the clock starts again.
            self.late_frames += int((now - self._due) / FRAME_S)
            self._due = now
        while self._ending and self._ending[0].ends_at <= now + EPSILON_S:
            ended = self._ending.popleft()
            if not ended.done.done():
                heard_ms = len(ended.data) * FRAME_MS // FRAME_BYTES
                ended.done.set_result(Played(True, heard_ms))
        while self._due <= now + self._lead + EPSILON_S:
            self._send(self._next())
            self._due += FRAME_S
        self._timer = self._clock.call_at(self._due - self._lead, self._tick)

    @property
    def _lead(self) -> float:
        return self._lead_s if self._queue else 0.0

    def _next(self) -> bytes:
        if not self._queue:
            return SILENCE
        playing = self._queue[0]
        if playing.position == 0:
            self.started_at = self._clock.time()
        frame = playing.data[playing.position : playing.position + FRAME_BYTES]
        playing.position += FRAME_BYTES
        if playing.position >= len(playing.data):
            playing.ends_at = self._due + FRAME_S
            self._ending.append(self._queue.popleft())
        return frame
