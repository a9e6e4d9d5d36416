"""Stands in for the agent and for callers, where what is tested is the dialplan on its own.

And a centre with operators, who have real telephones.
"""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

from aiohttp import web
from conftest import Site
from phone import Phone

from ivr.caller.simulator import CallReport, Simulator
from ivr.telephony.ami import Ami, AmiEvents
from ivr.telephony.audiosocket import Line, serve
from store import operators
from store.database import open_store
from store.models import Duty, Operator, Role

CALL_S = 60.0


class Centre:
    """A site with outreach, its store and two operators, off duty."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.store = open_store(site.settings.database)
        self.operators = [
            operators.add(self.store, name, name, Role.OPERATOR, "no log-in", f"secret of {name}")
            for name in ("wang", "li")
        ]
        self._outreach: subprocess.Popen[bytes] | None = None

    def set(self, index: int, duty: Duty, reason: str = "") -> Operator:
        id = self.operators[index].id
        assert id is not None
        return operators.set_duty(self.store, id, duty, reason, datetime.now(UTC))

    def phone(self, index: int) -> Phone:
        operator = self.operators[index]
        return Phone(self.site.settings, operator.extension, operator.sip_secret)

    @asynccontextmanager
    async def phones(self) -> AsyncIterator[list[Phone]]:
        """Of both operators, registered."""
        async with self.phone(0) as one, self.phone(1) as other:
            async with asyncio.timeout(CALL_S):
                for phone in (one, other):
                    # Outreach may not have made the account yet.
                    while await phone.register() != 200:  # noqa: ASYNC110
                        await asyncio.sleep(0.2)
            yield [one, other]

    def start_outreach(self) -> None:
        self._outreach = self.site.start_outreach()

    def kill_outreach(self) -> None:
        if self._outreach is not None:
            self._outreach.kill()
            self._outreach.wait()
            self._outreach = None

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """With outreach running; the store is closed afterwards."""
        self.start_outreach()
        try:
            yield
        finally:
            self.kill_outreach()
            self.store.close()


@asynccontextmanager
async def agent(
    site: Site,
    admit: str | Callable[[str], str],
    next_step: str = "",
    *,
    priority: Callable[[str], str] = lambda number: "0",
    room: str = "10",
    sound: bool = True,
) -> AsyncIterator[list[tuple[str, dict[str, str]]]]:
    """Stands in for the agent: answers as told, takes the call and lets it go at once.

    Gives the questions that the dialplan has asked, as they come: path and form.
    """
    asked: list[tuple[str, dict[str, str]]] = []

    async def answer(request: web.Request) -> web.Response:
        if request.path.endswith("room"):  # outreach asks, not the dialplan
            return web.Response(text=room)
        form = {str(key): str(value) for key, value in (await request.post()).items()}
        form["secret"] = request.headers.get("X-Yihu-Secret", "")
        asked.append((request.path.removeprefix("/asterisk/"), form))
        text = next_step
        if request.path.endswith("priority"):
            text = priority(form["caller"])
        if request.path.endswith("admit"):
            text = admit if isinstance(admit, str) else admit(form["caller"])
        return web.Response(text=text, status=500 if text == "error" else 200)

    async def hang_up(line: Line) -> None:
        line.hang_up()

    app = web.Application()
    app.router.add_post("/asterisk/{question}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    settings = site.settings.agent
    await web.TCPSite(runner, "127.0.0.1", settings.http_port).start()
    lines = (
        await serve("127.0.0.1", settings.audiosocket_port, hang_up, lambda uuid: True)
        if sound
        else None
    )
    try:
        yield asked
    finally:
        if lines is not None:
            await lines.close()
        await runner.cleanup()


async def call_until(
    site: Site, event: str, number: str = "13900000000", call_id: UUID | None = None
) -> tuple[CallReport, dict[str, Any]]:
    """A caller who listens until Asterisk reports this event, and then hangs up."""
    async with Simulator(site.settings) as simulator, site.ami() as ami:
        await ami.wait_connected(CALL_S)
        with ami.events(event) as reader:
            patient = simulator.call([], number, call_id=call_id, farewell_s=2 * CALL_S)
            async with asyncio.timeout(CALL_S), asyncio.TaskGroup() as group:
                listening = group.create_task(patient)
                happened = await anext(reader)
                await hang_up_all(ami)
    return listening.result(), happened


async def hang_up_all(ami: Ami) -> None:
    await ami.action("Hangup", Channel="/^PJSIP/")


async def dial(site: Site, ami: Ami, caller: str, *, stays_s: int = 120, **headers: str) -> str:
    """Dials with these SIP headers; gives the unique id of the caller's channel."""
    unique_id = f"test-{uuid4()}"
    headers.setdefault("X-Yihu-Simulator", site.settings.secrets.simulator)
    headers.setdefault("X-Yihu-Call", str(uuid4()))
    await ami.action(
        "Originate",
        Channel="PJSIP/1000@simulator",
        ChannelId=unique_id,
        CallerID=caller,
        Application="Wait",
        Data=str(stays_s),
        Async="true",
        variables={f"PJSIP_HEADER(add,{name})": value for name, value in headers.items()},
    )
    return unique_id


async def press(ami: Ami, caller: str, key: str) -> None:
    """The caller of `dial` presses a key: it crosses SIP as an RFC 4733 event."""
    await ami.action("PlayDTMF", Channel=caller, Digit=key, Duration="160")


async def event_of(events: AmiEvents, name: str, **fields: str) -> dict[str, Any]:
    """The next event of this name with these fields."""
    async with asyncio.timeout(CALL_S):
        async for event in events:
            if event["Event"] == name and fields.items() <= event.items():
                return event
    raise AssertionError("events do not end")
