"""How many calls the agent can serve in time, as measured: an adaptive concurrency limit.

The recogniser is what calls share, so its delay says how it goes: additive increase while it is
quick, multiplicative decrease as soon as it is slow (AIMD), the further the slower it is (as the
gradient algorithm of Netflix's concurrency-limits does). Between quick and slow nothing changes,
and after a decrease nothing is decreased again until its effect can be seen: as many calls have
ended, and what was said since is slow too. A limit turns nobody out: it says whom to let in.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

WINDOW_S = 20.0
"""Delays older than this say nothing of now."""
SHARE = 0.9
"""Share of the utterances that have to be in time. Measured at the caller: docs/measurements.md."""
FEWEST = 5
"""Fewer utterances than these tell nothing."""
QUICK = 0.7
"""A delay below this part of the slow one is quick."""
DECREASE, MOST_DECREASE = 0.8, 0.5
"""What is left of the limit when it is a little too slow, and when it is far too slow: a step takes
as long to be seen as calls last, so one should do."""
SETTLE_S = 15.0
"""After a decrease nothing changes for so long: the calls that are there go on, and it takes until
some have ended."""
STEP_S = 5.0
"""Between increases, each by one call."""
KEPT = 500


class Capacity:
    """`clock` gives seconds that only go forward; `waiting` says for how many seconds the longest
    waiting utterance has been with the recogniser, 0 if there is none: a recogniser that answers
    nothing at all has no delays to measure."""

    def __init__(
        self,
        most: int,
        slow_s: float,
        clock: Callable[[], float],
        waiting: Callable[[], float] = lambda: 0.0,
    ) -> None:
        self._most = most
        self._slow_s = slow_s
        self._clock = clock
        self._waiting = waiting
        self._limit = most
        self._delays: deque[tuple[float, float]] = deque(maxlen=KEPT)
        """When it was measured, and the delay."""
        self._changed_at = clock() - SETTLE_S
        self._lowered_at = self._changed_at

    def heard(self, delay_s: float) -> None:
        """An utterance whose caller was waiting took so long. Any thread may say so."""
        self._delays.append((self._clock(), delay_s))

    @property
    def delay_s(self) -> float:
        """What nearly all utterances are done within now; 0 where little has been said lately, or
        since fewer calls are let in: what waited then already tells nothing of that."""
        since = max(self._clock() - WINDOW_S, self._lowered_at)
        recent = sorted(delay for at, delay in list(self._delays) if at - delay > since)
        enough = len(recent) >= FEWEST
        measured = recent[int(SHARE * (len(recent) - 1))] if enough else 0.0
        return max(measured, self._waiting())

    def limit(self, present: int) -> int:
        """How many calls may be there at once; at least one. `present`: that are there now."""
        delay_s, now = self.delay_s, self._clock()
        settled = now - self._lowered_at >= SETTLE_S
        if delay_s > self._slow_s:
            left = min(DECREASE, max(MOST_DECREASE, self._slow_s / delay_s))
            fewer = max(1, int(min(self._limit, present) * left))
            if fewer < self._limit and present <= self._limit and settled:
                self._limit = fewer
                self._lowered_at = self._changed_at = now
        elif delay_s < self._slow_s * QUICK and settled and now - self._changed_at >= STEP_S:
            if self._limit < self._most:
                self._limit += 1
            self._changed_at = now
        return self._limit
