"""The dialplan on a real Asterisk, with the agent absent, answering, or talking nonsense."""

from __future__ import annotations

import asyncio
from uuid import UUID, uuid4

import pytest
from conftest import Site
from stand_in import CALL_S, agent, call_until, dial

from ivr.telephony.ami import AmiEvents


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
    assert [question for question, _ in asked] == ["admit", "priority", "next"]


async def test_caller_who_waits_hears_music(asterisk: Site) -> None:
    async with agent(asterisk, "agent", "operator"):
        report, _ = await call_until(asterisk, "MusicOnHoldStart")
    assert report.ended_by == "system"


async def test_call_ends_when_the_agent_says_so(asterisk: Site) -> None:
    async with agent(asterisk, "agent", "hangup"):
        report, _ = await call_until(asterisk, "Hangup")
    assert report.ended_by == "system"


async def test_dialplan_identifies_itself_and_the_call(asterisk: Site) -> None:
    call_id = uuid4()
    async with agent(asterisk, "agent", "hangup") as asked:
        await call_until(asterisk, "Hangup", "+8613912345678", call_id)
    assert len(asked) == 3
    for _, form in asked:
        assert form["secret"] == asterisk.settings.secrets.http
        assert UUID(form["uuid"]) == call_id
        assert form["caller"] == "+8613912345678"


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
            await hung_up(ended, await dial(asterisk, ami, "13900000000", **headers))
    assert UUID(asked[0][1]["uuid"]) != forged


async def test_what_a_caller_sends_stays_a_number(asterisk: Site) -> None:
    async with agent(asterisk, "agent", "hangup") as asked, asterisk.ami() as ami:
        await ami.wait_connected(CALL_S)
        with ami.events("Hangup") as ended:
            forged = '"$(reboot)&uuid=x" <139;DROP&caller=1>'
            await hung_up(ended, await dial(asterisk, ami, forged))
    for _, form in asked:
        assert set(form) <= {"caller", "uuid", "secret", "called_back"}
        assert set(form["caller"]) <= set("+0123456789")
        UUID(form["uuid"])
