"""Which calls the agent takes, and where a call goes when it leaves the agent.

The dialplan asks twice: before it connects a call, and after the agent has let go of it. Whatever
is not known for certain is answered with a human.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from uuid import UUID

from ivr.telephony.capacity import Capacity
from store.models import Next

CONNECT_S = 30.0
"""An admitted call connects within milliseconds; one that does not has hung up."""
KEEP_S = 300.0
"""How long the outcome of a call is remembered, for a dialplan that asks again."""
ASKED_S = 2.0
"""The dialplan asks where a call goes within milliseconds, or the caller has hung up."""
NEXT_WAIT_S = 1.0
"""How long `next` waits for a call's last record. The caller hears nothing meanwhile."""


class Admit(StrEnum):
    AGENT = "agent"
    QUEUE = "queue"
    CALLBACK = "callback"
    """A call-back has been written down, and the caller may hang up."""


@dataclass(slots=True)
class Guest:
    """One admitted call."""

    caller: str
    """The number as it came, digits and + only; empty if withheld."""
    admitted_at: float
    arrived: bool = False
    left_at: float | None = None
    next: Next = Next.OPERATOR
    left: asyncio.Event = field(default_factory=asyncio.Event)
    asked: bool = False
    """The dialplan knows where it goes."""


class Admission:
    """All calls of this agent. `clock` gives seconds that only go forward."""

    def __init__(self, capacity: Capacity, clock: Callable[[], float]) -> None:
        self._capacity = capacity
        self._clock = clock
        self._guests: dict[UUID, Guest] = {}
        self._changed = asyncio.Event()
        """A guest has left, or was asked for."""
        self.open = True
        """False while the agent is shutting down or cannot answer."""

    @property
    def present(self) -> int:
        """Calls connected or about to connect."""
        self._forget()
        return sum(guest.left_at is None for guest in self._guests.values())

    @property
    def limit(self) -> int:
        """Calls that may be there at once, at this moment."""
        return self._capacity.limit(self.present)

    @property
    def room(self) -> int:
        """Calls that would be let in now."""
        return max(0, self.limit - self.present) if self.open else 0

    def admit(self, uuid: UUID, caller: str) -> Admit:
        """The agent or the queue. Who is let in stays in, also when asked again."""
        self._forget()
        if uuid in self._guests:
            return Admit.AGENT
        if not self.room:
            return Admit.QUEUE
        number = "".join(c for c in caller if c in "+0123456789")[:20]
        self._guests[uuid] = Guest(number, self._clock())
        return Admit.AGENT

    def arrive(self, uuid: UUID) -> bool:
        """Whether this connection is an admitted call that has not been connected before."""
        self._forget()
        guest = self._guests.get(uuid)
        if guest is None or guest.arrived:
            return False
        guest.arrived = True
        return True

    def caller(self, uuid: UUID) -> str:
        return self._guests[uuid].caller

    def leave(self, uuid: UUID, next: Next) -> None:
        """The agent has let go of the call, and its record is complete."""
        guest = self._guests[uuid]
        guest.next = next
        guest.left_at = self._clock()
        guest.left.set()
        self._changed.set()

    async def next(self, uuid: UUID) -> Next:
        """Where the call goes now; a human if it is unknown or its end is not clear in time."""
        guest = self._guests.get(uuid)
        if guest is None:
            return Next.OPERATOR
        try:
            async with asyncio.timeout(NEXT_WAIT_S):
                await guest.left.wait()
        except TimeoutError:
            return Next.OPERATOR
        guest.asked = True
        self._changed.set()
        return guest.next

    async def drained(self) -> None:
        """Returns when the last guest has left and the dialplan knows where each goes."""
        while self.present or any(map(self._owed_an_answer, self._guests.values())):
            self._changed.clear()
            with contextlib.suppress(TimeoutError):  # some go by the passing of time alone
                async with asyncio.timeout(ASKED_S / 4):
                    await self._changed.wait()

    def _owed_an_answer(self, guest: Guest) -> bool:
        gone = guest.left_at is not None and self._clock() - guest.left_at > ASKED_S
        return not guest.asked and not gone

    def _forget(self) -> None:
        now = self._clock()
        for uuid, guest in list(self._guests.items()):
            gone = not guest.arrived and now - guest.admitted_at > CONNECT_S
            over = guest.left_at is not None and now - guest.left_at > KEEP_S
            if gone or over:
                del self._guests[uuid]
