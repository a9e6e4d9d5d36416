"""Telephones, lines and an agent that exist in simulated time only, behind the manager interface.

They live on when the process that dials is killed: what was dialled is appended to a file before
anything else happens, and all that comes of a call follows from its number and from how often that
number was called. A new process finds them as it would find Asterisk.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import os
import time as clocks
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from selectors import DefaultSelector, SelectorKey
from typing import Any
from uuid import UUID

from ivr.config import Settings
from ivr.outreach.hours import Hours, is_allowed
from ivr.telephony.ami import AmiError, AmiEvents
from store import follow_ups, order_life
from store.database import Store
from store.models import Channel, FollowUpEnd, Purpose
from store.order_steps import NOBODY

WAYS = (
    (62, "answers"),
    (18, "NOANSWER/19"),
    (8, "BUSY/17"),
    (5, "machine"),
    (4, "left"),
    (1, "CHANUNAVAIL/1"),
    (2, "CONGESTION/34"),
)
"""Of a hundred calls, how many go like this: what the dialplan says of them at last."""

AWAY = 1500
"""Of ten thousand telephones, how many nobody ever answers."""


class Jumping(DefaultSelector):
    """Where an event loop would wait, the time is then."""

    def __init__(self) -> None:
        super().__init__()
        self.at = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[SelectorKey, int]]:
        ready = super().select(0)
        if not ready and timeout:
            self.at += timeout
        return ready


class Here(ThreadPoolExecutor):
    """Does at once what would be done in another thread: no simulated time passes."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        done: Future[Any] = Future()
        try:
            done.set_result(fn(*args, **kwargs))
        except Exception as error:
            done.set_exception(error)
        return done


class SimulatedLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._jumping = Jumping()
        super().__init__(self._jumping)
        self.set_default_executor(Here())

    def time(self) -> float:
        return self._jumping.at


def chance(*parts: object) -> int:
    """0 to 9999, always the same for the same."""
    text = ":".join(map(str, parts))
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=4).digest()) % 10_000


@dataclass(slots=True)
class Placed:
    """A call that was dialled, and all that comes of it."""

    attempt: UUID
    phone: str
    count: int
    """The how manieth to this number."""
    at: datetime

    @property
    def way(self) -> str:
        if chance("away", self.phone) < AWAY:
            return "NOANSWER/19"
        number = chance("way", self.phone, self.count) // 100
        for share, way in WAYS:
            number -= share
            if number < 0:
                return way
        raise AssertionError("the shares are of a hundred")

    @property
    def picked_up(self) -> datetime | None:
        if self.way not in ("answers", "left", "machine"):
            return None
        return self.at + timedelta(seconds=6 + chance("rings", self.phone, self.count) % 15)

    @property
    def over(self) -> datetime:
        if self.picked_up is None:
            return self.at + timedelta(seconds=40 if self.way.startswith("NOANSWER") else 4)
        talk_s = 25 + chance("talks", self.phone, self.count) % 50 if self.way == "answers" else 5
        return self.picked_up + timedelta(seconds=talk_s)


class Telephones:
    """Takes the place of Ami."""

    connected = True

    def __init__(
        self,
        folder: Path,
        store: Store,
        settings: Settings,
        hours: Mapping[str, Hours],
        now: Callable[[], datetime],
    ) -> None:
        self.busy = asyncio.Event()
        """Set when something has happened that the dialler may want to know."""
        self.wrong: list[str] = []
        """What must never happen and did, to this process or one before it."""
        self.aside_s = 0.0
        """Processor time that the simulation itself has taken."""
        self.most = 0
        self.placed = 0
        self._store, self._settings, self._hours, self._now = store, settings, hours, now
        self._kept: dict[str, str] = {}
        """Asterisk's own database."""
        self._lasting: dict[UUID, Placed] = {}
        self._counts: Counter[str] = Counter()
        self._listeners: list[AmiEvents] = []
        self._journal = os.open(folder / "calls.jsonl", os.O_CREAT | os.O_RDWR | os.O_APPEND, 0o600)
        self._remember(folder / "calls.jsonl")

    def _remember(self, path: Path) -> None:
        """What was dialled before this process began goes on, or has ended meanwhile."""
        forgotten: set[str] = set()
        placed: list[Placed] = []
        for line in path.read_text().splitlines():
            entry = json.loads(line)
            if "wrong" in entry:
                self.wrong.append(entry["wrong"])
                continue
            if "forgotten" in entry:
                forgotten.add(entry["forgotten"])
                continue
            at = datetime.fromisoformat(entry["at"])
            self._counts[entry["phone"]] += 1
            one = Placed(UUID(entry["call"]), entry["phone"], entry["count"], at)
            placed.append(one)
        for one in placed:
            if str(one.attempt) not in forgotten:
                self._begin(one)

    def agent_room(self) -> int:
        """What the agent has left, with some callers of its own at any time."""
        return self._settings.agent.max_calls - len(self._lasting) - self._callers()

    def _callers(self) -> int:
        """Lines taken by people who call in."""
        quarter = int(self._now().timestamp()) // 900
        return chance("callers", quarter) % 4

    # --- as Asterisk ---

    def events(self, *names: str) -> AmiEvents:
        events = AmiEvents(frozenset(names), self._listeners.remove)
        self._listeners.append(events)
        return events

    async def listed(self, action: str, **fields: str) -> list[dict[str, str]]:
        if action == "CoreShowChannels":
            used = len(self._lasting) + self._callers()
            return [{"Channel": f"PJSIP/trunk-{number:08x}"} for number in range(used)]
        return []

    async def action(
        self, name: str, *, variables: Mapping[str, str] | None = None, **fields: str
    ) -> dict[str, Any]:
        with self.aside():
            match name:
                case "Originate":
                    self._dial(UUID(fields["ChannelId"]), fields["Channel"])
                case "Getvar":
                    if UUID(fields["Channel"]) not in self._lasting:
                        raise AmiError("No such channel")
                case "Command":
                    return {"Output": self._shown(fields["Command"])}
                case "DBDel":
                    self._forget(fields["Key"])
        return {}

    def _shown(self, command: str) -> str:
        _, _, family, *key = command.split()
        keys = key if key else list(self._kept)
        return "\n".join(f"/{family}/{one}: {self._kept[one]}" for one in keys if one in self._kept)

    def _forget(self, key: str) -> None:
        if self._kept.pop(key, None) is None:
            raise AmiError("Database entry not found")
        self._append({"forgotten": key})

    def _append(self, entry: dict[str, Any]) -> None:
        os.write(self._journal, f"{json.dumps(entry)}\n".encode())

    def _dial(self, attempt: UUID, channel: str) -> None:
        phone = channel.removeprefix("Local/").removesuffix("@outbound/n")
        self._check(phone)
        self._counts[phone] += 1
        one = Placed(attempt, phone, self._counts[phone], self._now())
        self._append(
            {
                "call": str(attempt),
                "phone": phone,
                "count": one.count,
                "at": one.at.isoformat(),
                "way": one.way,
            }
        )
        self.placed += 1
        self._begin(one)
        self.most = max(self.most, len(self._lasting))

    def _check(self, phone: str) -> None:
        """What must hold of every call."""
        own, at = self._settings.outbound, self._now()
        if not is_allowed(at, self._hours[phone], self._settings.zone):
            self._blame(f"{phone} called at {at.astimezone(self._settings.zone)}")
        if len(self._lasting) >= min(own.max_calls, self._settings.follow_up.max_calls):
            self._blame(f"{len(self._lasting)} calls already, and one more at {at}")
        if own.lines and len(self._lasting) + self._callers() >= own.lines - own.spare_lines:
            self._blame(f"no line left for callers at {at}")
        if any(one.phone == phone for one in self._lasting.values()):
            self._blame(f"{phone} called twice at a time at {at}")

    def _blame(self, what: str) -> None:
        self.wrong.append(what)
        self._append({"wrong": what})

    # --- what comes of a call ---

    def _begin(self, one: Placed) -> None:
        self._lasting[one.attempt] = one
        self._kept[str(one.attempt)] = "dialling"
        loop, now = asyncio.get_running_loop(), self._now()
        if one.picked_up is not None and one.way != "machine":
            in_s = (one.picked_up - now).total_seconds()
            loop.call_later(max(0.0, in_s), self._say, one.attempt, "answered")
        loop.call_later(max(0.0, (one.over - now).total_seconds()), self._end, one)

    def _say(self, attempt: UUID, what: str) -> None:
        with self.aside():
            self._kept[str(attempt)] = what
            event = {"Event": "UserEvent", "UserEvent": "YihuOutbound"}
            for listener in self._listeners:
                listener.offer({**event, "Call": str(attempt), "Value": what})

    def _end(self, one: Placed) -> None:
        with self.aside():
            if one.way == "answers":
                self._talk(one)
            del self._lasting[one.attempt]
        self._say(one.attempt, "served" if one.way == "answers" else one.way)

    def _talk(self, one: Placed) -> None:
        """What the agent has written down when the call is over; written twice it is the same."""
        at, say = one.over, chance("says", one.phone, one.count) // 100
        with self._store.write() as session:
            errand = follow_ups.errand_of(session, one.attempt, one.phone)
            if errand is None:
                return
            row, order = errand
            assert row.id is not None
            if row.purpose is Purpose.GREETING:
                follow_ups.settle(session, row.id, FollowUpEnd.GREETED, at, call_id=one.attempt)
            elif say < 3:
                follow_ups.settle(session, row.id, FollowUpEnd.REFUSED, at, call_id=one.attempt)
            elif row.purpose is Purpose.RATING:
                assert order is not None and order.id is not None
                follow_ups.rate(
                    session, order_id=order.id, score=1 + say % 5, channel=Channel.VOICE, at=at,
                    call_id=one.attempt,
                )  # fmt: skip
            elif say < 10:
                assert order is not None and order.id is not None
                follow_ups.settle(session, row.id, FollowUpEnd.CANCELLED, at, call_id=one.attempt)
                live = session.get(type(order), order.id)
                assert live is not None
                order_life.cancelled(session, live, NOBODY, at, "said so")
            else:
                follow_ups.settle(session, row.id, FollowUpEnd.CONFIRMED, at, call_id=one.attempt)

    @contextlib.contextmanager
    def aside(self) -> Iterator[None]:
        """What is done here is not the work of the process that is simulated."""
        begun = clocks.process_time()
        try:
            yield
        finally:
            self.aside_s += clocks.process_time() - begun
