"""Callers who wait for an operator and are overheard, in case they say that they want to be called
back: which connections are theirs, and what they have asked for.

They come over AudioSocket like calls, but the caller hears nothing of it and waits on in the queue.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

MOST = 12
"""Overheard at once: whoever waits further back is heard when it is nearly their turn."""
FEW = 4
"""The same while the agent has all the calls that it can take: they come first."""
KEEP_S = 30.0
"""How long a wish is remembered for the dialplan, which asks at once; and how long a connection is
waited for."""


class Wish(StrEnum):
    NONE = ""
    CALLBACK = "callback"
    EMERGENCY = "emergency"


@dataclass(slots=True)
class Overheard:
    at: float
    """When it was expected, or has ended."""
    arrived: bool = False
    ended: bool = False
    wish: Wish = Wish.NONE


class Wishes:
    """All who are overheard by this agent. `clock` gives seconds that only go forward."""

    def __init__(self, clock: Callable[[], float], most: int = MOST) -> None:
        self._clock = clock
        self._most = most
        self._overheard: dict[UUID, Overheard] = {}

    def expect(self, uuid: UUID, busy: bool) -> bool:
        """Whether there is room to overhear one more, who connects under this name. busy: the
        agent can take no more calls."""
        self._forget()
        if uuid in self._overheard and not self._overheard[uuid].ended:
            return True
        most = min(self._most, FEW) if busy else self._most
        if sum(not one.ended for one in self._overheard.values()) >= most:
            return False
        self._overheard[uuid] = Overheard(self._clock())
        return True

    def arrive(self, uuid: UUID) -> bool:
        """Whether this connection is expected, and has not come before."""
        self._forget()
        one = self._overheard.get(uuid)
        if one is None or one.arrived:
            return False
        one.arrived = True
        return True

    def __contains__(self, uuid: UUID) -> bool:
        return uuid in self._overheard

    def end(self, uuid: UUID, wish: Wish) -> None:
        """Nothing more is overheard; what they want is kept for `wish`."""
        one = self._overheard[uuid]
        if not one.ended:
            one.ended, one.wish, one.at = True, wish, self._clock()

    def wish(self, uuid: UUID) -> Wish:
        one = self._overheard.get(uuid)
        return one.wish if one is not None else Wish.NONE

    def _forget(self) -> None:
        late = self._clock() - KEEP_S
        for uuid, one in list(self._overheard.items()):
            if (one.ended or not one.arrived) and one.at < late:
                del self._overheard[uuid]
