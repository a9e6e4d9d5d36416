"""The dialplan on a real Asterisk, with the agent absent, answering, or talking nonsense."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID, uuid4

import pytest
from aiohttp import web
from conftest import Site

from ivr.caller.simulator import CallReport, Simulator
from ivr.telephony.ami import Ami, AmiEvents
from ivr.telephony.audiosocket import Line, serve

CALL_S = 60.0


@asynccontextmanager
async def agent(
    site: Site, admit: str | Callable[[str], str], next_step: str = "", *, sound: bool = True
) -> AsyncIterator[list[tuple[str, dict[str, str]]]]:
    """Stands in for the agent: answers as told, takes the call and lets it go at once.

    Gives the questions that the dialplan has asked, as they come: path and form.
    """
    asked: list[tuple[str, dict[str, str]]] = []

    async def answer(request: web.Request) -> web.Response:
        form = {str(key): str(value) for key, value in (await request.post()).items()}
        form["secret"] = request.headers.get("X-Yihu-Secret", "")
        asked.append((request.path.removeprefix("/asterisk/"), form))
        text = next_step
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


async def test_caller_reaches_operators_and_hears_so_when_the_agent_is_absent(
    asterisk: Site,
) -> None:
    report, joined = await call_until(asterisk, "QueueCallerJoin")
    assert joined["Queue"] == "operators"
    assert joined["CallerIDNum"] == "13900000000"
    assert report.utterances


@pytest.mark.parametrize("answer", ["", "error", "<html>", "AGENT;System(id)", "queue"])
async def test_caller_reaches_operators_whatever_the_agent_answers(
    asterisk: Site, answer: str
) -> None:
    async with agent(asterisk, answer):
        report, joined = await call_until(asterisk, "QueueCallerJoin")
    assert joined["Queue"] == "operators"
    assert report.utterances


async def test_caller_reaches_operators_when_the_agent_admits_but_takes_no_call(
    asterisk: Site,
) -> None:
    async with agent(asterisk, "agent", "", sound=False):
        report, joined = await call_until(asterisk, "QueueCallerJoin")
    assert joined["Queue"] == "operators"
    assert report.utterances


@pytest.mark.parametrize("next_step", ["operator", "", "error", "nonsense"])
async def test_caller_goes_on_to_operators_after_the_agent(asterisk: Site, next_step: str) -> None:
    async with agent(asterisk, "agent", next_step) as asked:
        await call_until(asterisk, "QueueCallerJoin")
    assert [question for question, _ in asked] == ["admit", "next"]


async def test_caller_who_waits_hears_music(asterisk: Site) -> None:
    async with agent(asterisk, "agent", "operator"):
        report, _ = await call_until(asterisk, "MusicOnHoldStart")
    assert report.ended_by == "system"


async def test_call_ends_when_the_agent_says_so(asterisk: Site) -> None:
    async with agent(asterisk, "agent", "hangup"):
        report, _ = await call_until(asterisk, "Hangup")
    assert report.ended_by == "system"


async def test_emergency_goes_in_front_of_those_who_wait(asterisk: Site) -> None:
    def admit(caller: str) -> str:
        return "agent" if caller == "13900000009" else "queue"

    async with agent(asterisk, admit, "emergency"), asterisk.ami() as ami:
        await ami.wait_connected(CALL_S)
        with ami.events("QueueCallerJoin") as joined:
            for caller in ("13900000001", "13900000009"):
                await _originate(asterisk, ami, caller)
                event = await asyncio.wait_for(anext(joined), CALL_S)
                assert event["CallerIDNum"] == caller
                assert event["Position"] == "1"
        await hang_up_all(ami)


async def test_dialplan_identifies_itself_and_the_call(asterisk: Site) -> None:
    call_id = uuid4()
    async with agent(asterisk, "agent", "hangup") as asked:
        await call_until(asterisk, "Hangup", "+8613912345678", call_id)
    (_, admit), (_, after) = asked
    assert admit["secret"] == after["secret"] == asterisk.settings.secrets.http
    assert UUID(admit["uuid"]) == UUID(after["uuid"]) == call_id
    assert admit["caller"] == "+8613912345678"


async def _originate(site: Site, ami: Ami, caller: str, **headers: str) -> str:
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
        Data="10",
        Async="true",
        variables={f"PJSIP_HEADER(add,{name})": value for name, value in headers.items()},
    )
    return unique_id


async def hung_up(ended: AmiEvents, unique_id: str) -> None:
    async with asyncio.timeout(CALL_S):
        async for event in ended:
            if event["Uniqueid"] == unique_id:
                return


async def test_call_without_the_secret_is_an_ordinary_call(asterisk: Site) -> None:
    forged = uuid4()
    async with agent(asterisk, "agent", "hangup") as asked, asterisk.ami() as ami:
        await ami.wait_connected(CALL_S)
        with ami.events("Hangup") as ended:
            headers = {"X-Yihu-Simulator": "guess", "X-Yihu-Call": str(forged)}
            await hung_up(ended, await _originate(asterisk, ami, "13900000000", **headers))
    assert UUID(asked[0][1]["uuid"]) != forged


async def test_what_a_caller_sends_stays_a_number(asterisk: Site) -> None:
    async with agent(asterisk, "agent", "hangup") as asked, asterisk.ami() as ami:
        await ami.wait_connected(CALL_S)
        with ami.events("Hangup") as ended:
            forged = '"$(reboot)&uuid=x" <139;DROP&caller=1>'
            await hung_up(ended, await _originate(asterisk, ami, forged))
    form = asked[0][1]
    assert set(form) == {"caller", "uuid", "secret"}
    assert set(form["caller"]) <= set("+0123456789")
    UUID(form["uuid"])
