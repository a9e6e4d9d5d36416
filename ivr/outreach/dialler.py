"""Dials people who are owed a call, and finds out what became of each attempt.

An attempt is claimed in the store before it is dialled, and the channel has its name. What becomes
of it the dialplan writes into Asterisk's own database (dialplans/outbound.conf) and says in an
event. The event makes us quick; what counts is that database and whether the channel still exists,
asked again and again, so that it does not matter who was dead when it happened.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import secrets
import socket
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import NoReturn
from uuid import UUID

import aiohttp
import structlog

from ivr.config import Settings
from ivr.outreach.line import Room, to_dial
from ivr.outreach.schedule import next_time, retry_at
from ivr.telephony.ami import Ami, AmiError
from ivr.telephony.members import QUEUE
from ivr.telephony.probe import answers
from store import callbacks, queue_visits
from store.database import Store, StoreError
from store.models import Callback, CallbackState, Wants
from store.privacy import mask_phone

TICK_S = 1.0
LOOK_S = 3.0
"""How often it is asked what became of the calls under way."""
LEASE_S = 10.0
"""A process that has said nothing of its claims for so long is dead."""
STARTED_S = 10.0
"""An attempt of which there is no trace after this time was never begun."""
ANSWER_MARGIN_S = 20.0
"""How much longer than the telephone rings the whole of an attempt may take to be answered."""
NO_LINE_S = 15.0
"""When there was no line free, it is tried again after this."""
GATEWAY_S = 60.0
"""The same when the gateway did not do it."""
AGENT_GONE_S = 120.0
"""An agent that has not been there for so long does not come back by itself."""

FAMILY = "yihu-outbound"
UUID_PATTERN = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
RANG = frozenset((16, 17, 18, 19, 21, 22, 28))
"""Q.850 causes that tell something of the called telephone, and not of the way there."""
UNALLOCATED = 1
SIP_PORT = 5060
MISSES = {"BUSY": "busy", "NOANSWER": "no answer"}
"""Dial's DIALSTATUS -> how the attempt ended; of the others the cause says whose fault it is."""

log = structlog.get_logger()


def process_name() -> str:
    """Names this process among all that ever claim something."""
    return f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"


class Dialler:
    def __init__(
        self,
        store: Store,
        ami: Ami,
        settings: Settings,
        agent_room: Callable[[], Awaitable[int | None]],
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """agent_room: how many more callers the agent could take at this moment; None if it does
        not say."""
        self._store = store
        self._ami = ami
        self._settings = settings
        self._agent_room = agent_room
        self._now = now
        self._me = process_name()
        self._seen: dict[UUID, float] = {}
        """When an attempt of ours was begun, or taken over, in loop time."""
        self._gone: set[UUID] = set()
        """Attempts whose channel was gone when it was last looked for."""
        self._looked_at = 0.0
        self._tidied = False
        self._agent_seen = time.monotonic()
        """When the agent was last there."""

    async def run(self) -> NoReturn:
        """Until cancelled. A step that fails is made again at the next tick."""
        if not self._settings.outbound.gateway:
            log.warning("nobody can be called back: outbound.gateway is not set")
        async with asyncio.TaskGroup() as group:
            group.create_task(self._listen(), name="dialler listens")
            while True:
                try:
                    await self._tick()
                except (StoreError, AmiError) as error:
                    if self._ami.connected:
                        log.warning("call-backs wait", reason=str(error))
                await asyncio.sleep(TICK_S)

    async def _listen(self) -> NoReturn:
        """What the dialplan says of an attempt is entered at once."""
        while True:
            try:
                with self._ami.events("UserEvent") as events:
                    async for event in events:
                        if event["UserEvent"] == "YihuOutbound":
                            await self._enter(UUID(event["Call"]), event["Value"])
            except (StoreError, AmiError, ValueError) as error:
                log.warning("an event is looked up later", reason=str(error))

    # --- what became of attempts ---

    async def _tick(self) -> None:
        """Raises StoreError, AmiError."""
        loop = asyncio.get_running_loop()
        if loop.time() - self._looked_at >= LOOK_S:
            self._looked_at = loop.time()
            await self._look()
        if self._ami.connected and self._settings.outbound.gateway:
            await self._dial()

    async def _look(self) -> None:
        now = self._now()
        await asyncio.to_thread(callbacks.renew, self._store, self._me, now)
        taken = await asyncio.to_thread(
            callbacks.take_over, self._store, self._me, now, now - timedelta(seconds=LEASE_S)
        )
        if taken:
            log.info("call-backs of a process that died", taken=len(taken))
        for closed in await asyncio.to_thread(callbacks.close_served, self._store, now):
            log.info("called again and was served", id=closed.id)
        if not self._ami.connected:
            return
        if not self._tidied:
            await self._tidy()
            self._tidied = True
        mine = await asyncio.to_thread(callbacks.claimed, self._store, self._me)
        attempts = {row.attempt_id for row in mine if row.attempt_id is not None}
        self._seen = {one: at for one, at in self._seen.items() if one in attempts}
        self._gone &= attempts
        for row in mine:
            await self._find_out(row)

    async def _find_out(self, row: Callback) -> None:
        """Asks Asterisk what became of an attempt."""
        loop = asyncio.get_running_loop()
        assert row.attempt_id is not None
        began = self._seen.setdefault(row.attempt_id, loop.time())
        there = await self._exists(row.attempt_id)
        said = await self._said(row.attempt_id)
        if said not in ("", "dialling", "answered"):
            await self._enter(row.attempt_id, said)
        elif there:
            if said == "answered":
                await self._enter(row.attempt_id, said)
        elif row.attempt_id not in self._gone:
            self._gone.add(row.attempt_id)  # its last word may be on its way
        elif said:
            await self._miss(row.attempt_id, "cut off")
            await self._forget(row.attempt_id)
        elif loop.time() - began > STARTED_S:
            await self._release(row.attempt_id, "was not dialled", NO_LINE_S)

    async def _exists(self, attempt: UUID) -> bool:
        try:
            await self._ami.action("Getvar", Channel=str(attempt), Variable="CALL_UUID")
        except AmiError as error:
            if "No such channel" in str(error):
                return False
            raise
        return True

    async def _said(self, attempt: UUID) -> str:
        """What the dialplan has written of an attempt; empty if nothing."""
        answer = await self._ami.action("Command", Command=f"database get {FAMILY} {attempt}")
        found = [
            line.partition(":")[2].strip()
            for line in str(answer.get("Output", "")).splitlines()
            if line.startswith("Value:")
        ]
        return found[0] if found else ""

    async def _enter(self, attempt: UUID, said: str) -> None:
        """Keeps what the dialplan says of an attempt; saying it twice changes nothing."""
        now = self._now()
        status, _, cause = said.partition("/")
        match status:
            case "dialling":
                return
            case "answered":
                row = await asyncio.to_thread(callbacks.reached, self._store, attempt, now)
                if row is not None:
                    log.info("reached", id=row.id)
                return
            case "served":
                row = await asyncio.to_thread(callbacks.done, self._store, attempt, now)
                if row is not None:
                    log.info("called back", id=row.id)
            case "left":
                await self._miss(attempt, "hung up before anybody spoke with them")
            case "refused":
                await self._miss(attempt, "outbound.numbers does not allow this number", final=True)
            case "full":
                await self._release(attempt, "no line free", NO_LINE_S)
            case _:
                await self._unanswered(attempt, status, cause)
        await self._forget(attempt)

    async def _unanswered(self, attempt: UUID, status: str, cause: str) -> None:
        number = int(cause) if cause.isdigit() else 0
        said = f"{status.lower()} {cause}".strip()
        if status in MISSES:
            await self._miss(attempt, MISSES[status])
        elif number == UNALLOCATED:
            await self._miss(attempt, "no such number")
        elif number in RANG and await self._gateway_answers():
            await self._miss(attempt, said)
        else:
            await self._release(attempt, f"the gateway did not do it: {said}", GATEWAY_S)

    async def _gateway_answers(self) -> bool:
        """A telephone that does not answer looks the same as a gateway that is down."""
        host, _, port = self._settings.outbound.gateway.partition(":")
        return await asyncio.to_thread(answers, host, int(port or SIP_PORT))

    async def _miss(self, attempt: UUID, why: str, *, final: bool = False) -> None:
        now = self._now()
        row = await asyncio.to_thread(callbacks.of_attempt, self._store, attempt)
        if row is None:
            return
        again = None
        if not final:
            again = retry_at(
                row.tries, now, row.asked_at, self._settings.zone, self._settings.callback
            )
        row = await asyncio.to_thread(callbacks.missed, self._store, attempt, now, why, again)
        if row is not None:
            log.info("not reached", id=row.id, why=why, tries=row.tries, again=str(again))

    async def _release(self, attempt: UUID, why: str, wait_s: float) -> None:
        now = self._now()
        due_at = now + timedelta(seconds=wait_s)
        await asyncio.to_thread(callbacks.release, self._store, attempt, now, why, due_at)
        log.info("not dialled", attempt=str(attempt), why=why)

    async def _tidy(self) -> None:
        """Removes what a process that died had taken into the store already."""
        shown = await self._ami.action("Command", Command=f"database show {FAMILY}")
        claims = await asyncio.to_thread(callbacks.claimed, self._store)
        wanted = {row.attempt_id for row in claims}
        for found in re.findall(rf"/{FAMILY}/({UUID_PATTERN})", str(shown.get("Output", ""))):
            if UUID(found) not in wanted:
                await self._forget(UUID(found))

    async def _forget(self, attempt: UUID) -> None:
        """The store has it: Asterisk's database need not keep it."""
        with contextlib.suppress(AmiError):  # it is gone already
            await self._ami.action("DBDel", Family=FAMILY, Key=str(attempt))

    # --- dialling ---

    async def _dial(self) -> None:
        now = self._now()
        due = []
        for row in await asyncio.to_thread(callbacks.due, self._store, now):
            assert row.id is not None
            at = next_time(now, row.asked_at, self._settings.zone, self._settings.callback)
            if at > now:
                await asyncio.to_thread(callbacks.put_off, self._store, row.id, at)
            else:
                due.append(row)
        if not due:
            return
        out = await asyncio.to_thread(callbacks.claimed, self._store)
        called = {row.attempt_id for row in out}
        waiting = [
            visit
            for visit in await asyncio.to_thread(queue_visits.waiting, self._store)
            if visit.call_id is None or visit.call_id not in called
        ]
        for row in to_dial(due, waiting, await self._room(due, out)):
            assert row.id is not None
            claimed = await asyncio.to_thread(
                callbacks.claim, self._store, row.id, self._me, self._now()
            )
            if claimed is not None:
                await self._originate(claimed)

    async def _room(self, due: list[Callback], out: list[Callback]) -> Room:
        """out: those being called."""
        own = self._settings.outbound
        calls = own.max_calls - len(out)
        if calls > 0 and own.lines:
            channels = await self._ami.listed("CoreShowChannels")
            used = sum(one["Channel"].startswith("PJSIP/trunk-") for one in channels)
            calls = min(calls, own.lines - own.spare_lines - used)
        agent = await self._for_agent(out) if any(row.wants is Wants.AGENT for row in due) else 0
        talking = {
            visit.call_id for visit in await asyncio.to_thread(queue_visits.talking, self._store)
        }
        rung = sum(row.wants is Wants.OPERATOR and row.attempt_id not in talking for row in out)
        queues = await self._ami.listed("QueueSummary", Queue=QUEUE)
        return Room(
            calls=calls,
            agent=agent,
            operators=sum(int(queue["Available"]) for queue in queues),
            on_duty=sum(int(queue["LoggedIn"]) for queue in queues),
            rung=rung,
        )

    async def _for_agent(self, out: list[Callback]) -> int | None:
        """Room.agent; one that is being restarted is waited for."""
        room = await self._agent_room()
        if room is None:
            return None if time.monotonic() - self._agent_seen > AGENT_GONE_S else 0
        self._agent_seen = time.monotonic()
        return room - sum(
            row.wants is Wants.AGENT and row.state is CallbackState.DIALLING for row in out
        )

    async def _originate(self, row: Callback) -> None:
        """Asks Asterisk to dial; what comes of it is found out later, also if this fails."""
        assert row.attempt_id is not None
        attempt = str(row.attempt_id)
        self._seen[row.attempt_id] = asyncio.get_running_loop().time()
        log.info("dialling", id=row.id, phone=mask_phone(row.phone), tries=row.tries)
        ring_s = self._settings.callback.ring_s
        try:
            await self._ami.action(
                "Originate",
                Channel=f"Local/{row.phone}@outbound/n",
                ChannelId=attempt,
                OtherChannelId=f"{attempt}-2",
                Context="called-back",
                Exten="s",
                Priority="1",
                Timeout=f"{(ring_s + ANSWER_MARGIN_S) * 1000:.0f}",
                CallerID=self._settings.outbound.caller_id,
                Async="true",
                variables={
                    "__CALL_UUID": attempt,
                    "__CALLER": row.phone,
                    "__QUEUE_PRIO": str(row.priority),
                    "CALLED_BACK": "1",
                    "WANTS": row.wants,
                    "PLACED": f"{row.queued_at.timestamp():.0f}",
                },
            )
        except AmiError as error:
            log.warning("not dialled yet", id=row.id, reason=str(error))


def agent_room(
    settings: Settings, http: aiohttp.ClientSession
) -> Callable[[], Awaitable[int | None]]:
    """Asks the agent how many more callers it could take; None if it does not say."""
    agent = settings.agent
    url = f"http://{agent.host}:{agent.http_port}/asterisk/room"

    async def ask() -> int | None:
        try:
            async with http.post(
                url,
                headers={"X-Yihu-Secret": settings.secrets.http},
                timeout=aiohttp.ClientTimeout(total=2),
            ) as response:
                text = await response.text()
                return int(text) if response.status == 200 else None
        except (aiohttp.ClientError, TimeoutError, ValueError):
            return None

    return ask
