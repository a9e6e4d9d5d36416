"""Keeps the store's account of the operators' queue: events as they come, and after a gap (the
connection was down, we were dead, Asterisk was) its own log and the channels that there still are.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NoReturn
from uuid import UUID

import structlog

from ivr.outreach.queue_log import extension_of, read
from ivr.telephony.ami import Ami, AmiError, AmiEvents
from ivr.telephony.members import QUEUE
from store import queue_visits
from store.database import Store, StoreError
from store.models import QueueEnd
from store.phones import of_caller
from store.privacy import mask_phone
from store.queue_visits import Logged

EVENTS = (
    "FullyBooted",
    "QueueCallerJoin",
    "QueueCallerAbandon",
    "QueueCallerLeave",
    "AgentConnect",
    "AgentComplete",
)
SETTLED_S = 1.0
"""Who has left the queue and of whom no event has told why in this time: the log says it."""
CONNECTED = "connected"
NEXT_SECOND_S = 1.5
"""After it nothing of the second in which we connected is still to come. The log counts in whole
seconds: what it says of that one cannot be told from what events say, and is read when it is over.
"""
AGAIN_S = 1.0
CONNECTED_S = 60.0
TAIL_BYTES = 4_000_000
"""Of the log's end that is read: more than a day of the busiest site."""
ROTATE_BYTES = 4_000_000
ROTATE_S = 600.0
"""How often it is looked at how long the log is."""
REMEMBERED = timedelta(hours=24)
"""What happened longer ago is history, and nobody is called back for it."""

log = structlog.get_logger()


async def watch_queue(
    store: Store,
    ami: Ami,
    queue_log: Path,
    grace: timedelta,
    withdrawn: dict[str, QueueEnd],
) -> NoReturn:
    """Until cancelled; what fails is begun again with what Asterisk says then.

    grace: see store.queue_visits.leave. withdrawn: see overhearing.keep_overhearing.
    """
    while True:
        with ami.events(*EVENTS) as events:
            try:
                await _QueueWatch(store, ami, queue_log, grace, withdrawn).run(events)
            except (StoreError, AmiError) as error:
                if ami.connected:
                    log.warning("the queue is watched again from the start", reason=str(error))
        await asyncio.sleep(AGAIN_S)


class _QueueWatch:
    def __init__(
        self,
        store: Store,
        ami: Ami,
        queue_log: Path,
        grace: timedelta,
        withdrawn: dict[str, QueueEnd],
    ) -> None:
        self._store = store
        self._ami = ami
        self._queue_log = queue_log
        self._grace = grace
        self._withdrawn = withdrawn
        self._due: dict[str, float] = {}
        """When the log is read, for channels that have left the queue, nobody knows why yet, and
        for CONNECTED."""
        self._abandoned: set[str] = set()
        """Those who hung up, and whose leaving is still to be told: it comes after the reason."""

    async def run(self, events: AmiEvents) -> NoReturn:
        """Raises StoreError, AmiError."""
        loop = asyncio.get_running_loop()
        await self._ami.wait_connected(CONNECTED_S)
        self._due[CONNECTED] = loop.time() + NEXT_SECOND_S
        await self._catch_up()
        while True:
            try:
                async with asyncio.timeout_at(min(self._due.values(), default=None)):
                    event = await anext(events)
            except TimeoutError:
                now_s = loop.time()
                self._due = {one: at for one, at in self._due.items() if at > now_s}
                self._abandoned.clear()
                await self._catch_up()
                continue
            if event["Event"] == "FullyBooted":  # a new connection
                self._abandoned.clear()
                self._due[CONNECTED] = loop.time() + NEXT_SECOND_S
                await self._catch_up()
            elif event["Queue"] == QUEUE:
                if "Uniqueid" not in event:  # the caller's channel went before the event was made
                    await self._catch_up()
                else:
                    await self._take(event, loop.time())

    async def _take(self, event: Mapping[str, Any], now_s: float) -> None:
        uniqueid = event["Uniqueid"]
        if event["Event"] == "QueueCallerLeave":
            if uniqueid in self._abandoned:
                self._abandoned.discard(uniqueid)
            else:
                self._due[uniqueid] = now_s + SETTLED_S
            return
        left = self._due.pop(uniqueid, None)
        if event["Event"] == "QueueCallerAbandon" and left is None:
            self._abandoned.add(uniqueid)
        await asyncio.to_thread(self._happened, event, datetime.now(UTC))

    def _happened(self, event: Mapping[str, Any], at: datetime) -> None:
        store, uniqueid = self._store, event["Uniqueid"]
        match event["Event"]:
            case "QueueCallerJoin":
                variables = event.get("ChanVariable", {})
                queue_visits.join(
                    store,
                    uniqueid,
                    of_caller(event["CallerIDNum"]),
                    at,
                    call_id=_call(variables.get("CALL_UUID", "")),
                    priority=int(variables.get("QUEUE_PRIO") or 0),
                )
            case "AgentConnect":
                queue_visits.answer(store, uniqueid, extension_of(event["Interface"]), at)
            case "AgentComplete":
                queue_visits.end_talk(store, uniqueid, at)
            case "QueueCallerAbandon":
                how = self._withdrawn.pop(uniqueid, QueueEnd.ABANDONED)
                owed = queue_visits.leave(store, uniqueid, how, at, self._grace)
                if owed is not None:
                    log.info("hung up while waiting", phone=mask_phone(owed.phone), id=owed.id)

    async def _catch_up(self) -> None:
        """First the channels and then the log: the end of one that is gone stands there, if it had
        one. Who has joined since is told of by events."""
        now = datetime.now(UTC)
        channels = {event["Uniqueid"] for event in await self._ami.listed("CoreShowChannels")}
        logged = await asyncio.to_thread(self._logged, now)
        owed = await asyncio.to_thread(
            queue_visits.catch_up, self._store, logged, channels, now, self._grace
        )
        if owed:
            log.info("waiting callers found gone", call_backs=len(owed))

    def _logged(self, now: datetime) -> list[Logged]:
        """The visits of before this second, for the log knows no less."""
        lines = [line for path in _files(self._queue_log) for line in _tail(path)]
        visits = read(lines, QUEUE, now - REMEMBERED)
        return [visit for visit in visits if visit.joined_at < now.replace(microsecond=0)]


def _files(path: Path) -> list[Path]:
    """The log and the one before it, the older first."""
    return [*_aside(path)[-1:], path]


def _aside(path: Path) -> list[Path]:
    """Logs that were put aside, the oldest first: Asterisk calls them queue_log.0 and so on."""
    found = [(one.stat().st_mtime, one) for one in path.parent.glob(f"{path.name}[.-]*")]
    return [one for _, one in sorted(found)]


def _bytes(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _remove_oldest(path: Path) -> None:
    for old in _aside(path)[:-1]:
        old.unlink()


async def keep_rotated(ami: Ami, queue_log: Path, most_bytes: int = ROTATE_BYTES) -> NoReturn:
    """Until cancelled: a log that has become long is put aside, and of the old ones the last is
    kept."""
    while True:
        try:
            await ami.wait_connected(CONNECTED_S)
            if await asyncio.to_thread(_bytes, queue_log) > most_bytes:
                await ami.action("Command", Command="logger rotate")
                await asyncio.to_thread(_remove_oldest, queue_log)
                log.info("queue log put aside")
        except (AmiError, OSError) as error:
            log.warning("the queue log is not put aside", reason=str(error))
        await asyncio.sleep(ROTATE_S)


def _tail(path: Path) -> list[str]:
    """The log's last lines; none if there is no log yet."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - TAIL_BYTES))
            lines = deque(file.read().decode("utf-8", "replace").splitlines())
    except FileNotFoundError:
        return []
    if size > TAIL_BYTES:
        lines.popleft()
    return list(lines)


def _call(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
