"""Finds out what became of each attempt to call somebody.

The channel of an attempt has its name. What becomes of it the dialplan writes into Asterisk's own
database (dialplans/outbound.conf) and says in an event. The event makes us quick; what counts is
that database and whether the channel still exists, asked again and again, so that it does not
matter who was dead when it happened.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import NoReturn
from uuid import UUID

import structlog

from ivr.config import Settings
from ivr.outreach.next_step import Miss
from ivr.outreach.promises import Ended, Promises
from ivr.telephony import astdb
from ivr.telephony.ami import Ami, AmiError
from ivr.telephony.probe import answers
from store.database import StoreError

LEASE_S = 10.0
"""A process that has said nothing of its claims for so long is dead."""
STARTED_S = 10.0
"""An attempt of which there is no trace after this time was never begun."""
NO_LINE_S = 15.0
"""When there was no line free, it is tried again after this."""
GATEWAY_S = 60.0
"""The same when the gateway did not do it."""

FAMILY = "yihu-outbound"
RANG = frozenset((16, 17, 18, 19, 21, 22, 28))
"""Q.850 causes that tell something of the called telephone, and not of the way there."""
UNALLOCATED = 1
DECLINED = "603"
"""SIP's word for somebody who saw the call and did not want it."""
FORBIDDEN = ("401", "403", "407")
"""Said by a gateway that does not know us."""
SIP_PORT = 5060
MISSES = {"BUSY": Miss.BUSY, "NOANSWER": Miss.NO_ANSWER}
"""Dial's DIALSTATUS -> how the attempt ended; of the others the cause says whose fault it is."""

log = structlog.get_logger()


def process_name() -> str:
    """Names this process among all that ever claim something."""
    return f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"


class Attempts:
    """Of this process, and of those that died."""

    def __init__(
        self,
        ami: Ami,
        settings: Settings,
        promises: Sequence[Promises],
        now: Callable[[], datetime],
    ) -> None:
        self.me = process_name()
        self._ami = ami
        self._settings = settings
        self._promises = promises
        self._now = now
        self._seen: dict[UUID, float] = {}
        """When an attempt of ours was begun, or taken over, in loop time."""
        self._whose: dict[UUID, Promises] = {}
        """What an attempt of ours is made for."""
        self._gone: set[UUID] = set()
        """Attempts whose channel was gone when it was last looked for."""
        self._ended: dict[UUID, Ended] = {}
        self._tidied = False

    def begun(self, attempt: UUID, promises: Promises) -> None:
        """It is about to be dialled."""
        self._seen[attempt] = asyncio.get_running_loop().time()
        self._whose[attempt] = promises

    @property
    def under_way(self) -> bool:
        """Whether any attempt of ours is, as far as is known."""
        return not self._whose.keys() <= self._ended.keys()

    @property
    def ended(self) -> dict[UUID, Ended]:
        """Attempts that are over, which the store does not know yet: whoever decides on the next
        calls writes it down, and then says so (`entered`). Until then Asterisk remembers them."""
        return dict(self._ended)

    async def entered(self, ended: Iterable[UUID]) -> None:
        """The store knows what came of these."""
        for attempt in ended:
            self._ended.pop(attempt, None)
            await self._forget(attempt)

    async def listen(self) -> NoReturn:
        """What the dialplan says of attempts is taken up at once, and of several together if it
        says so at the same moment: who were called together often end together."""
        while True:
            try:
                with self._ami.events("UserEvent") as events:
                    async for event in events:
                        if event["UserEvent"] == "YihuOutbound":
                            said = [event, *events.here()]
                            await self._enter(
                                (UUID(one["Call"]), one["Value"])
                                for one in said
                                if one["UserEvent"] == "YihuOutbound"
                            )
            except (StoreError, AmiError, ValueError) as error:
                log.warning("an event is looked up later", reason=str(error))

    async def look(self) -> None:
        """Asks after all of them. Raises StoreError, AmiError."""
        lease = timedelta(seconds=LEASE_S)
        mine: dict[UUID, Promises] = {}
        for one in self._promises:
            for attempt in await asyncio.to_thread(one.look, self.me, self._now(), lease):
                mine[attempt] = one
        self._whose = dict(mine)
        if not self._ami.connected:
            return
        if not self._tidied:
            await self._tidy()
            self._tidied = True
        self._seen = {one: at for one, at in self._seen.items() if one in mine}
        self._gone &= mine.keys()
        for attempt in [one for one in mine if one not in self._ended]:
            await self._find_out(attempt)

    async def _find_out(self, attempt: UUID) -> None:
        """Asks Asterisk what became of an attempt."""
        loop = asyncio.get_running_loop()
        began = self._seen.setdefault(attempt, loop.time())
        there = await self._exists(attempt)
        kept = await astdb.show(self._ami, FAMILY, str(attempt))
        said = kept[0].value if kept else ""
        if said not in ("", "dialling", "answered"):
            await self._enter([(attempt, said)])
        elif there:
            if said == "answered":
                await self._enter([(attempt, said)])
        elif attempt not in self._gone:
            self._gone.add(attempt)  # its last word may be on its way
        elif said:
            await self._end([Ended(attempt, self._now(), Miss.CUT_OFF, Miss.CUT_OFF)])
        elif loop.time() - began > STARTED_S:
            await self._release(attempt, "was not dialled", NO_LINE_S)

    async def _exists(self, attempt: UUID) -> bool:
        try:
            await self._ami.action("Getvar", Channel=str(attempt), Variable="CALL_UUID")
        except AmiError as error:
            if "No such channel" in str(error):
                return False
            raise
        return True

    async def _enter(self, said: Iterable[tuple[UUID, str]]) -> None:
        """Takes up what the dialplan says of attempts, in the order of its words; saying it twice
        changes nothing."""
        now = self._now()
        ended: list[Ended] = []
        for attempt, words in said:
            status, cause, sip, *_ = [*words.split("/"), "", ""]
            match status:
                case "dialling":
                    pass
                case "answered":
                    for one in self._owners(attempt):
                        await asyncio.to_thread(one.reached, attempt, now)
                case "served":
                    ended.append(Ended(attempt, now, None))
                case "left":
                    ended.append(Ended(attempt, now, Miss.CUT_OFF))
                case "machine":
                    ended.append(Ended(attempt, now, Miss.MACHINE, Miss.MACHINE))
                case "refused":
                    ended.append(Ended(attempt, now, Miss.FORBIDDEN, Miss.FORBIDDEN))
                case "full":
                    await self._release(attempt, "no line free", NO_LINE_S)
                case "later":
                    why = "the agent was gone when they answered"
                    ended.append(Ended(attempt, now, Miss.CUT_OFF, why))
                case _:
                    if told := await self._unanswered(status, cause, sip):
                        ended.append(Ended(attempt, now, *told))
                    else:
                        why = f"the gateway did not do it: {status.lower()} {cause}".strip()
                        await self._release(attempt, why, GATEWAY_S)
        await self._end(ended)

    async def _unanswered(self, status: str, cause: str, sip: str) -> tuple[Miss, str] | None:
        """How an attempt ended, and why in words; None: their telephone never rang."""
        number = int(cause) if cause.isdigit() else 0
        how = MISSES.get(status)
        if how is None and number == UNALLOCATED:
            how = Miss.BAD_NUMBER
        if how is None and sip == DECLINED:
            how = Miss.REFUSED
        if how is not None:
            return how, how
        if number in RANG and sip not in FORBIDDEN and await self._gateway_answers():
            return Miss.NO_ANSWER, f"{status.lower()} {cause}".strip()
        return None

    async def _gateway_answers(self) -> bool:
        """A telephone that does not answer looks the same as a gateway that is down."""
        host, _, port = self._settings.outbound.gateway.partition(":")
        return await asyncio.to_thread(answers, host, int(port or SIP_PORT))

    def _owners(self, attempt: UUID) -> Sequence[Promises]:
        """Of an attempt that is not ours, as far as is known, all are asked."""
        one = self._whose.get(attempt)
        return (one,) if one else self._promises

    async def _end(self, ended: Sequence[Ended]) -> None:
        for one in self._promises:
            theirs = [end for end in ended if one in self._owners(end.attempt)]
            if theirs and not await asyncio.to_thread(one.ended, theirs):
                self._ended.update((end.attempt, end) for end in theirs)
        for end in ended:
            if end.attempt not in self._ended:
                await self._forget(end.attempt)

    async def _release(self, attempt: UUID, why: str, wait_s: float) -> None:
        for one in self._owners(attempt):
            await asyncio.to_thread(one.release, attempt, self._now(), why, wait_s)
        log.info("not dialled", attempt=str(attempt), why=why)
        await self._forget(attempt)

    async def _tidy(self) -> None:
        """Removes what a process that died had taken into the store already."""
        kept = await astdb.show(self._ami, FAMILY)
        wanted: set[str] = set()
        for one in self._promises:
            wanted |= {str(attempt) for attempt in await asyncio.to_thread(one.attempts)}
        for row in kept:
            if row.key not in wanted:
                await astdb.forget(self._ami, FAMILY, row.key)

    async def _forget(self, attempt: UUID) -> None:
        self._whose.pop(attempt, None)
        await astdb.forget(self._ami, FAMILY, str(attempt))
