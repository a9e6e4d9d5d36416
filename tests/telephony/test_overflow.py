"""Waiting for an operator: who comes first, what is said, and being called back instead."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

from conftest import Site
from phone import Phone
from stand_in import CALL_S, agent, dial, hang_up_all

from ivr.caller.ear import RATE
from ivr.caller.script import Press
from ivr.caller.simulator import CallReport, Simulator
from ivr.telephony.ami import Ami, AmiEvents

ORDINARY, HIGH_RISK = "13900000001", "13900000002"


@asynccontextmanager
async def manager(site: Site, *events: str) -> AsyncIterator[tuple[Ami, AmiEvents]]:
    """Asterisk from now on; all calls are ended afterwards."""
    async with site.ami() as ami:
        await ami.wait_connected(CALL_S)
        with ami.events(*events) as reader:
            try:
                yield ami, reader
            finally:
                await hang_up_all(ami)


async def event_of(events: AmiEvents, name: str, **fields: str) -> dict[str, Any]:
    """The next event of this name with these fields."""
    async with asyncio.timeout(CALL_S):
        async for event in events:
            if event["Event"] == name and fields.items() <= event.items():
                return event
    raise AssertionError("events do not end")


async def press(ami: Ami, caller: str, key: str) -> None:
    await ami.action("PlayDTMF", Channel=caller, Digit=key, Duration="160")


async def test_high_risk_elder_is_answered_first_and_the_others_in_their_order(
    asterisk: Site,
) -> None:
    numbers = [ORDINARY, "13900000003", HIGH_RISK]

    def priority(number: str) -> str:
        return "10" if number == HIGH_RISK else "0"

    secret = asterisk.settings.secrets.operator
    async with (
        agent(asterisk, "queue", priority=priority),
        manager(asterisk, "QueueCallerJoin") as (ami, events),
        Phone(asterisk.settings, "operator", secret) as phone,
    ):
        for number in numbers:
            await dial(asterisk, ami, number)
            await event_of(events, "QueueCallerJoin", CallerIDNum=number)
        assert await phone.register() == 200
        answered = []
        while len(answered) < len(numbers):
            ring = await phone.rings()
            await ring.answer()
            answered.append(ring.caller)
            await ring.hang_up()
    assert answered == [HIGH_RISK, ORDINARY, "13900000003"]


async def test_caller_who_presses_1_is_promised_a_call_back_with_their_place(
    asterisk: Site,
) -> None:
    call_id, number = uuid4(), "13900000011"
    names = ("QueueCallerJoin", "QueueCallerLeave", "QueueCallerAbandon", "UserEvent")
    async with (
        agent(asterisk, "queue"),
        manager(asterisk, *names) as (ami, events),
        Simulator(asterisk.settings) as simulator,
    ):
        call = asyncio.create_task(
            simulator.call([Press("1", into_ms=300)], number, call_id=call_id)
        )
        promise = await event_of(events, "UserEvent", UserEvent="YihuCallback")
        report = await call
        kept = await ami.action("Command", Command=f"database get yihu-callback {call_id}")
        await ami.action("DBDel", Family="yihu-callback", Key=str(call_id))
    assert promise["Call"] == str(call_id)
    assert re.fullmatch(rf"{number}\|\d+\|0", promise["Value"])
    assert promise["Value"] in kept["Output"]
    assert report.ended_by == "system"
