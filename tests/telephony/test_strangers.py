"""Who does not belong here is not let in."""

from __future__ import annotations

import asyncio
from uuid import uuid4

import aiohttp
from call_fixtures import Caller

from ivr.caller.script import Leave
from ivr.caller.simulator import Simulator
from ivr.config import Secrets
from ivr.telephony.audiosocket import Audio, CallId


async def test_call_that_was_not_admitted_is_refused_by_the_agent(caller: Caller) -> None:
    agent = caller.settings.agent
    reader, writer = await asyncio.open_connection(agent.host, agent.audiosocket_port)
    writer.write(CallId(uuid4()).to_bytes() + Audio(bytes(320)).to_bytes())
    assert await reader.read() == b""
    writer.close()


async def test_question_without_the_secret_is_not_answered(caller: Caller) -> None:
    agent = caller.settings.agent
    for secret in ("", "wrong"):
        async with (
            aiohttp.ClientSession(headers={"X-Yihu-Secret": secret}) as http,
            http.post(
                f"http://{agent.host}:{agent.http_port}/asterisk/admit",
                data={"caller": "139", "uuid": str(uuid4())},
            ) as response,
        ):
            assert response.status == 403
            assert await response.text() not in ("agent", "queue", "callback")


async def test_forged_simulator_is_an_ordinary_caller(caller: Caller) -> None:
    """Without the secret nobody chooses the identifier of a call."""
    settings = caller.settings.model_copy()
    genuine = caller.settings.secrets
    settings.__dict__["secrets"] = Secrets(**{**genuine.model_dump(), "simulator": "forged"})
    number = caller.new_number()
    async with Simulator(settings) as forger:
        report = await forger.call([Leave(into_ms=500)], number)

    assert caller.call(report) is None
    [row] = caller.calls_from(number)
    assert row.id != report.call_id
