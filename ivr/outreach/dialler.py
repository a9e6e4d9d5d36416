"""Dials people who are owed a call: who has asked for one first, then those whom we want to ask.

A call is claimed in the store before it is dialled; what becomes of it is found out by
ivr.outreach.attempts.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import NoReturn
from uuid import UUID

import aiohttp
import structlog

from ivr.catalog import Item
from ivr.config import Settings
from ivr.outreach.attempts import Attempts
from ivr.outreach.line import Room, for_follow_ups, free_calls, to_dial
from ivr.outreach.next_step import Tick, decide
from ivr.outreach.promises import Ended, OwedCallbacks, OwedFollowUps
from ivr.outreach.schedule import next_time
from ivr.telephony.ami import Ami, AmiError
from ivr.telephony.members import QUEUE
from store import callbacks, follow_ups, queue_visits, switches
from store.database import Store, StoreError, looking, session_on
from store.follow_ups import Claim, Due
from store.models import Callback, CallbackState, FollowUpState, Wants
from store.privacy import mask_phone

TICK_S = 1.0
FOLLOW_UP_S = 45.0
"""How often it is looked for follow-ups while calls are under way: nobody waits for a follow-up,
and so several are begun at once, in the transaction in which is written what came of others."""
LOOK_S = 3.0
"""How often it is asked what became of the calls under way."""
ANSWER_MARGIN_S = 20.0
"""How much longer than the telephone rings the whole of an attempt may take to be answered."""
AGENT_GONE_S = 120.0
"""An agent that has not been there for so long does not come back by itself."""
AT_ONCE = 10
"""So many more follow-ups are looked at in one tick than could be dialled: some are put off or
given up. The others wait for the next."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Seen:
    """What the store says at one moment."""

    asked: list[Callback]
    """Due, as are those `owed`."""
    owed: list[Due]
    out: list[Callback]
    """Being called, as are those `out_too`."""
    out_too: list[Claim]
    talking: set[UUID | None]
    """Calls that an operator has answered and that last still."""


class Dialler:
    def __init__(
        self,
        store: Store,
        ami: Ami,
        settings: Settings,
        catalog: Mapping[str, Item],
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
        self._callbacks = OwedCallbacks(store, settings)
        self._follow_ups = OwedFollowUps(store, settings, catalog)
        self._attempts = Attempts(ami, settings, (self._callbacks, self._follow_ups), now)
        self._looked_at = 0.0
        self._followed_up_at = 0.0
        self._agent_seen = time.monotonic()
        """When the agent was last there."""

    async def run(self) -> NoReturn:
        """Until cancelled. A step that fails is made again at the next tick."""
        if not self._settings.outbound.gateway:
            log.warning("nobody can be called: outbound.gateway is not set")
        async with asyncio.TaskGroup() as group:
            group.create_task(self._attempts.listen(), name="dialler listens")
            while True:
                try:
                    await self.tick()
                except (StoreError, AmiError) as error:
                    if self._ami.connected:
                        log.warning("calls wait", reason=str(error))
                await asyncio.sleep(TICK_S)

    async def tick(self) -> None:
        """Raises StoreError, AmiError."""
        loop = asyncio.get_running_loop()
        if loop.time() - self._looked_at >= LOOK_S:
            self._looked_at = loop.time()
            await self._attempts.look()
        if self._ami.connected:
            await self._dial()

    async def _dial(self) -> None:
        loop = asyncio.get_running_loop()
        pause_s = FOLLOW_UP_S if self._attempts.under_way else 0.0
        too = loop.time() - self._followed_up_at >= pause_s
        ended = self._attempts.ended if too else {}
        seen = None
        if self._settings.outbound.gateway:
            seen = await asyncio.to_thread(self._see, self._now(), too, ended)
        if too:
            self._followed_up_at = loop.time()
        await self._follow_up(await self._decide(seen) if seen else Tick(), ended)

    async def _decide(self, seen: Seen) -> Tick:
        """What to do about follow-ups, once who asked for it is called back."""
        asked = await self._in_hours(seen.asked)
        if not asked and not seen.owed:
            return Tick()
        room = await self._room(asked, seen)
        chosen = await self._call_back(asked, seen.out, room)
        own, calls, agent = self._settings.follow_up, room.calls - len(chosen), room.agent
        if agent is not None:
            agent -= sum(row.wants is Wants.AGENT for row in chosen)
        places = for_follow_ups(own, len(seen.out_too), calls, agent)
        engaged = {row.phone for row in seen.out_too}
        engaged.update(row.phone for row in (*seen.out, *chosen))
        return decide(seen.owed, self._now(), places, engaged, own, self._settings.zone)

    def _see(self, now: datetime, too: bool, ended: Collection[UUID]) -> Seen | None:
        """What is to be decided on, follow-ups `too`; None if nothing is. Attempts that have
        `ended` take no line any more. Blocks."""
        with looking(self._store) as connection:
            if switches.paused(connection):
                return None
            asked = callbacks.due(connection, now)
            claimed = follow_ups.claimed(connection) if asked or too else []
            out_too = [row for row in claimed if row.attempt_id not in ended]
            places = self._settings.follow_up.max_calls - len(out_too)
            owed = []
            if too and places > 0:
                owed = follow_ups.due(connection, now, places + AT_ONCE)
            if not asked and not owed:
                return None
            out = callbacks.claimed(connection)
            visits = []
            if out:
                with session_on(connection) as session:
                    visits = queue_visits.talking(session)
        return Seen(asked, owed, out, out_too, {visit.call_id for visit in visits})

    async def _in_hours(self, asked: list[Callback]) -> list[Callback]:
        """Those who may be called at this hour; the others are put off."""
        now = self._now()
        due = []
        for row in asked:
            assert row.id is not None
            if row.by_hand:  # a person has decided so
                due.append(row)
                continue
            at = next_time(now, row.asked_at, self._settings.zone, self._settings.callback)
            if at > now:
                await asyncio.to_thread(callbacks.put_off, self._store, row.id, at)
            else:
                due.append(row)
        return due

    async def _call_back(
        self, due: list[Callback], out: list[Callback], room: Room
    ) -> list[Callback]:
        """Calls those whose turn it is, and says who they are."""
        if not due:
            return []
        called = {row.attempt_id for row in out}
        waiting = [
            visit
            for visit in await asyncio.to_thread(queue_visits.waiting, self._store)
            if visit.call_id is None or visit.call_id not in called
        ]
        by_hand = [row for row in due if row.by_hand][: max(0, room.calls)]
        rest = replace(room, calls=room.calls - len(by_hand))
        chosen = by_hand + to_dial([row for row in due if not row.by_hand], waiting, rest)
        for row in chosen:
            assert row.id is not None
            claimed = await asyncio.to_thread(
                callbacks.claim, self._store, row.id, self._attempts.me, self._now()
            )
            if claimed is not None and claimed.attempt_id is not None:
                self._attempts.begun(claimed.attempt_id, self._callbacks)
                log.info(
                    "dialling",
                    id=claimed.id,
                    phone=mask_phone(claimed.phone),
                    tries=claimed.tries,
                )
                await self._originate(
                    claimed.attempt_id,
                    claimed.phone,
                    "by-hand" if claimed.by_hand else "called-back",
                    self._settings.callback.ring_s,
                    {
                        "__QUEUE_PRIO": str(claimed.priority),
                        "CALLED_BACK": "1",
                        "WANTS": claimed.wants,
                        "PLACED": f"{claimed.queued_at.timestamp():.0f}",
                        "SHOWN": self._settings.outbound.caller_id,
                    },
                    by_hand=claimed.by_hand,
                )
        return chosen

    async def _follow_up(self, tick: Tick, ended: Mapping[UUID, Ended]) -> None:
        """Writes down what was decided and what came of earlier calls, and dials."""
        if not ended and tick == Tick():
            return
        own, me, now = self._settings.follow_up, self._attempts.me, self._now()
        over = list(ended.values())
        claims = await asyncio.to_thread(self._follow_ups.keep, tick, over, me, now)
        await self._attempts.entered(ended)
        for row in claims:
            self._attempts.begun(row.attempt_id, self._follow_ups)
            phone = mask_phone(row.phone)
            log.info("dialling", follow_up=row.id, phone=phone, tries=row.tries)
            await self._originate(
                row.attempt_id, row.phone, "followed-up", own.ring_s, {"FOLLOWED_UP": "1"}
            )

    async def _room(self, due: list[Callback], seen: Seen) -> Room:
        own = self._settings.outbound
        channels = await self._ami.listed("CoreShowChannels") if own.lines else []
        used = sum(one["Channel"].startswith("PJSIP/trunk-") for one in channels)
        rung = sum(
            row.wants is Wants.OPERATOR and row.attempt_id not in seen.talking for row in seen.out
        )
        queues = await self._ami.listed("QueueSummary", Queue=QUEUE) if due else []
        return Room(
            calls=free_calls(own, len(seen.out) + len(seen.out_too), used),
            agent=await self._for_agent(seen),
            operators=sum(int(queue["Available"]) for queue in queues),
            on_duty=sum(int(queue["LoggedIn"]) for queue in queues),
            rung=rung,
        )

    async def _for_agent(self, seen: Seen) -> int | None:
        """Room.agent; one that is being restarted is waited for."""
        room = await self._agent_room()
        if room is None:
            return None if time.monotonic() - self._agent_seen > AGENT_GONE_S else 0
        self._agent_seen = time.monotonic()
        ringing = [
            row
            for row in seen.out
            if row.wants is Wants.AGENT and row.state is CallbackState.DIALLING
        ]
        ringing_too = [row for row in seen.out_too if row.state is FollowUpState.DIALLING]
        return room - len(ringing) - len(ringing_too)

    async def _originate(
        self,
        attempt: UUID,
        phone: str,
        context: str,
        ring_s: float,
        variables: Mapping[str, str],
        by_hand: str = "",
    ) -> None:
        """Asks Asterisk to dial; what comes of it is found out later, also if this fails.

        by_hand: extension of the operator who is rung first, and sees who is called.
        """
        try:
            await self._ami.action(
                "Originate",
                Channel=f"PJSIP/{by_hand}" if by_hand else f"Local/{phone}@outbound/n",
                ChannelId=str(attempt),
                OtherChannelId=f"{attempt}-2",
                Context=context,
                Exten="s",
                Priority="1",
                Timeout=f"{(ring_s + ANSWER_MARGIN_S) * 1000:.0f}",
                CallerID=phone if by_hand else self._settings.outbound.caller_id,
                Async="true",
                variables={
                    "__CALL_UUID": str(attempt),
                    "__CALLER": phone,
                    "__QUEUE_PRIO": "0",
                    "__RING_S": f"{ring_s:.0f}",
                    **variables,
                },
            )
        except AmiError as error:
            log.warning("not dialled yet", attempt=str(attempt), reason=str(error))


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
