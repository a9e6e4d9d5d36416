"""Stands in for the agent and for callers, where what is tested is the dialplan on its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID, uuid4

from aiohttp import web
from conftest import Site

from ivr.caller.simulator import CallReport, Simulator
from ivr.telephony.ami import Ami, AmiEvents
from ivr.telephony.audiosocket import Line, serve

CALL_S = 60.0


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
