"""Waiting for an operator: who comes first, what is said, and being called back instead."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import uuid4

import pytest
from call_fixtures import sounds_like
from conftest import Site
from phone import Phone
from stand_in import CALL_S, agent, dial, event_of, hang_up_all, press

from audio.engines import make_recogniser
from ivr.caller.ear import RATE
from ivr.caller.simulator import Simulator
from ivr.telephony import astdb, journal
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
        answered: list[str] = []
        while len(answered) < len(numbers):
            ring = await phone.rings()
            await ring.answer()
            answered.append(ring.caller)
            await ring.hang_up()
    assert answered == [HIGH_RISK, ORDINARY, "13900000003"]


@pytest.mark.parametrize("number", ["13900000011", "+8651265123411"])
async def test_caller_who_presses_1_is_promised_a_call_back_with_their_place(
    asterisk: Site, number: str
) -> None:
    call_id = uuid4()
    names = ("QueueCallerJoin", "QueueCallerLeave", "QueueCallerAbandon", "UserEvent", "Hangup")
    async with agent(asterisk, "queue"), manager(asterisk, *names) as (ami, events):
        caller = await dial(asterisk, ami, number, **{"X-Yihu-Call": str(call_id)})
        await event_of(events, "QueueCallerJoin", CallerIDNum=number)
        joined_at = time.time()
        await press(ami, caller, "1")
        await event_of(events, "QueueCallerLeave", CallerIDNum=number)
        promise = await event_of(events, "UserEvent", UserEvent="YihuCallback")
        await event_of(events, "Hangup", CallerIDNum=number)
        [kept] = await astdb.show(ami, "yihu-callback")
        await astdb.forget(ami, "yihu-callback", str(call_id))
    assert promise["Call"] == str(call_id)
    entry = journal.told(promise)
    assert entry is not None and journal.entry_of(kept) == entry
    phone, joined, priority = entry.fields
    assert (phone, priority) == (number, "0")
    assert abs(int(joined) - joined_at) < 10


@pytest.mark.parametrize("number", ["anonymous", "0085212345678"])
async def test_caller_who_cannot_be_called_back_and_presses_1_goes_on_waiting_in_their_place(
    asterisk: Site, number: str
) -> None:
    async with agent(asterisk, "queue"), manager(asterisk, "QueueCallerJoin") as (ami, events):
        first = await dial(asterisk, ami, number)
        await event_of(events, "QueueCallerJoin")
        await dial(asterisk, ami, ORDINARY)
        await event_of(events, "QueueCallerJoin", CallerIDNum=ORDINARY)
        await press(ami, first, "1")
        again = await event_of(events, "QueueCallerJoin")
    assert again["CallerIDNum"] != ORDINARY
    assert again["Position"] == "1"


async def test_caller_who_waits_hears_their_place_between_the_music(asterisk: Site) -> None:
    chosen = asterisk.settings.recogniser
    listener = make_recogniser(chosen.engine, chosen.model, asterisk.settings.models)
    async with (
        agent(asterisk, "queue"),
        manager(asterisk, "QueueCallerJoin", "MusicOnHoldStart", "Hangup") as (ami, events),
        Simulator(asterisk.settings) as simulator,
    ):
        await dial(asterisk, ami, ORDINARY)
        await event_of(events, "QueueCallerJoin", CallerIDNum=ORDINARY)
        leave = asyncio.Event()
        call = asyncio.create_task(
            simulator.call([], "13900000004", farewell_s=CALL_S, leave=leave)
        )
        await event_of(events, "QueueCallerJoin", CallerIDNum="13900000004")
        # Twice: before the place is said, and after.
        for _ in range(2):
            await event_of(events, "MusicOnHoldStart", CallerIDNum="13900000004")
        leave.set()
        report = await call
    place = report.heard[-4 * RATE :]
    assert sounds_like(listener, place, "您现在排在第二位")
