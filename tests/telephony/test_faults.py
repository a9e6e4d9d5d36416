"""What breaks around a call, and what comes down the line: what the caller experiences of it."""

from __future__ import annotations

import asyncio
import os
import random
import re
import signal
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace

import numpy as np
import pytest
import pytest_asyncio
from call_fixtures import (
    AT_NINE,
    HAIRCUT,
    KNOWN_NUMBERS,
    SOON_S,
    YES,
    Caller,
    Say,
    caller_of,
    introduce_elders,
    reaches_operators,
    when_said,
)
from conftest import Site, wait_until
from numpy.typing import NDArray

from ivr.bench.machine import children, rss_mb
from ivr.caller.script import Speak
from ivr.supervisor import READY_SECONDS, wait_all_ready, wait_ready
from ivr.telephony.pbx import find_place
from store.callbacks import newest_callbacks
from store.models import Cause, Outcome

pytestmark = pytest.mark.faults
ORDER = (HAIRCUT, AT_NINE, YES, Say("不用了", until="再见"))
SEED = 20261122


@pytest.fixture(scope="module")
def own_site(make_site: Callable[..., Site]) -> Site:
    """One that is hurt."""
    site = make_site()
    site.up()
    introduce_elders(site)
    return site


@pytest_asyncio.fixture
async def caller(own_site: Site) -> AsyncIterator[Caller]:
    async with caller_of(own_site) as somebody:
        yield somebody


async def ordered(caller: Caller, number: str) -> list[str]:
    report = await caller.calls(*ORDER, number=number)
    return [row.code for row in caller.orders(report)]


@asynccontextmanager
async def frozen(site: Site, name: str) -> AsyncIterator[None]:
    """The process does nothing any more, and holds all that it has."""
    pid = site.pid(name)
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        with suppress(ProcessLookupError):  # the supervisor may have ended it meanwhile
            os.kill(pid, signal.SIGCONT)


def apart(site: Site) -> list[int]:
    """The agent's own processes, the oldest first: understanding, and then recognition."""
    return sorted(children(site.pid("agent")))


# --- processes ---


async def test_who_talks_to_an_agent_that_freezes_and_who_calls_then_reach_the_operators(
    caller: Caller,
) -> None:
    talking, late, after = KNOWN_NUMBERS[:3]
    leave = asyncio.Event()
    async with caller.queue() as queue, asyncio.TaskGroup() as group:
        group.create_task(caller.calls(*ORDER, number=talking, leave=leave))
        await when_said(caller, talking)
        async with frozen(caller.site, "agent"):
            group.create_task(caller.calls(number=late, leave=leave))
            assert await queue.joined(talking, late)
        leave.set()
    await asyncio.wait_for(wait_ready(caller.settings), READY_SECONDS)
    assert await ordered(caller, after) == ["haircut"]


@pytest.mark.parametrize("name", ["outreach", "console"])
async def test_what_is_promised_and_shown_goes_on_after_its_process_froze(
    caller: Caller, name: str
) -> None:
    site, old = caller.site, caller.site.pid(name)
    async with frozen(site, name):
        await asyncio.to_thread(wait_until, lambda: site.pid(name) != old)
    await asyncio.wait_for(wait_all_ready(site.settings), READY_SECONDS)


async def test_call_goes_on_when_recognition_and_understanding_die_and_freeze(
    caller: Caller,
) -> None:
    """They are processes of the agent's, which replaces them: one turn takes longer, or is asked
    for again."""
    number = KNOWN_NUMBERS[1]
    call = asyncio.create_task(caller.calls(*ORDER, number=number))
    await when_said(caller, number)
    first, *others = apart(caller.site)
    os.kill(first, signal.SIGSTOP)
    for pid in others:
        os.kill(pid, signal.SIGKILL)
    report = await call
    assert [row.code for row in caller.orders(report)] == ["haircut"]
    assert (await caller.ended_call(report)).outcome is Outcome.ORDERED
    assert first not in apart(caller.site)


async def test_call_goes_on_after_asterisk_was_frozen_for_a_moment(caller: Caller) -> None:
    number = KNOWN_NUMBERS[3]
    call = asyncio.create_task(caller.calls(*ORDER, number=number))
    await when_said(caller, number)
    async with frozen(caller.site, "asterisk"):
        await asyncio.sleep(1.0)  # what is measured is that time passes
    report = await call
    assert [row.code for row in caller.orders(report)] == ["haircut"]
    assert (await caller.ended_call(report)).outcome is Outcome.ORDERED


async def test_call_is_not_disturbed_when_the_manager_connection_is_cut_and_no_promise_is_lost(
    caller: Caller,
) -> None:
    """Somebody who hangs up while waiting just then is still owed a call."""
    talking, waiting = KNOWN_NUMBERS[4], caller.new_number()
    leave = asyncio.Event()
    async with caller.queue() as queue, asyncio.TaskGroup() as group:
        order = group.create_task(caller.calls(*ORDER, number=talking))
        await when_said(caller, talking)
        group.create_task(caller.calls("我要找人工", number=waiting, leave=leave))
        assert await queue.joined(waiting)
        await cut_managers(caller.site)
        leave.set()
    assert [row.code for row in caller.orders(order.result())] == ["haircut"]
    async with asyncio.timeout(SOON_S):
        while not any(  # noqa: ASYNC110
            row.callback.phone == waiting and row.callback.cause is Cause.ABANDONED
            for row in newest_callbacks(caller.store)
        ):
            await asyncio.sleep(0.1)


async def cut_managers(site: Site) -> None:
    """Asterisk closes every manager connection that there is."""
    place = find_place(site.settings)
    assert place is not None

    async def console(command: str) -> str:
        asking = await asyncio.create_subprocess_exec(
            *place.command("-rx", command), stdout=asyncio.subprocess.PIPE
        )
        told, _ = await asking.communicate()
        return told.decode()

    shown = await console("manager show connected")
    descriptors = re.findall(r"^\s*yihu\s+\S+\s+\d+\s+\d+\s+(\d+)\s", shown, re.MULTILINE)
    assert descriptors, shown
    for descriptor in descriptors:
        await console(f"manager kick session {descriptor}")


# --- the line ---


def nothing() -> NDArray[np.int16]:
    return np.zeros(60 * 8000, np.int16)


def tone() -> NDArray[np.int16]:
    return (np.sin(np.arange(40 * 8000) * 2 * np.pi * 1000 / 8000) * 12000).astype(np.int16)


def loud_noise() -> NDArray[np.int16]:
    noise = np.random.default_rng(SEED).normal(0, 9000, 40 * 8000)
    return noise.clip(-32768, 32767).astype(np.int16)


@pytest.mark.parametrize("sound", [nothing, tone, loud_noise])
async def test_line_that_is_silent_or_only_hums_or_roars_ends_with_a_human(
    caller: Caller, sound: Callable[[], NDArray[np.int16]]
) -> None:
    assert await reaches_operators(caller, Speak(sound(), sound.__name__))


async def test_who_shouts_into_the_telephone_is_understood_or_gets_a_human(caller: Caller) -> None:
    """Forty times as loud as usual."""
    script = [replace(say, gain=40.0) for say in (HAIRCUT, AT_NINE, YES)]
    number = caller.new_number()
    leave = asyncio.Event()
    async with caller.queue() as queue:
        patient = caller.calls(*script, number=number, leave=leave, farewell_s=4 * SOON_S)
        call = asyncio.create_task(patient)
        waits = asyncio.create_task(queue.joined(number))
        await asyncio.wait({call, waits}, return_when=asyncio.FIRST_COMPLETED)
        human = waits.done() and waits.result()
        leave.set()
        report = await call
        waits.cancel()
    assert human or [row.code for row in caller.orders(report)] == ["haircut"]


LONG_TALK_S = 240.0
"""Turns of max_turn_ms, not understood, until nobody asks again."""


async def test_who_talks_for_ten_minutes_without_a_pause_gets_a_human_and_costs_little(
    caller: Caller,
) -> None:
    story = await asyncio.to_thread(caller.speech, "今天天气很好，我孙子昨天来看我，我们去了公园")
    before = rss_mb(caller.site.pid("agent"))
    talk = np.resize(story, 600 * 8000)
    assert await reaches_operators(caller, Speak(talk, "ten minutes"), within_s=LONG_TALK_S)
    await caller.no_call_in_progress()
    assert rss_mb(caller.site.pid("agent")) - before < 150
    assert await ordered(caller, KNOWN_NUMBERS[0]) == ["haircut"]


# --- ports ---


async def test_garbage_on_every_port_does_not_disturb_a_call(caller: Caller) -> None:
    """All of them, all the time, while somebody orders."""
    settings, chance = caller.settings, random.Random(SEED)
    tcp = [
        settings.agent.audiosocket_port,
        settings.agent.http_port,
        settings.console.port,
        settings.asterisk.ami_port,
        settings.monitoring.outreach_port,
        settings.monitoring.console_port,
    ]
    udp = [settings.sip.port, settings.sip.port + 1]
    udp += range(settings.sip.rtp_start, settings.sip.rtp_start + 20)

    def garbage() -> bytes:
        begin = chance.choice([b"", b"GET / HTTP/1.1\r\n", b"\x01\x00\x10", b"Action: Login\r\n",
                               b"INVITE sip:1@x SIP/2.0\r\n", b"\x80\x08"])  # fmt: skip
        return begin + chance.randbytes(chance.randrange(1, 1200))

    sent = 0

    async def throw() -> None:
        nonlocal sent
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as thrower:
            thrower.setblocking(False)
            while True:
                for port in udp:
                    thrower.sendto(garbage(), ("127.0.0.1", port))
                for port in tcp:
                    _, writer = await asyncio.open_connection("127.0.0.1", port)
                    writer.write(garbage())
                    if chance.random() < 0.5:
                        writer.write_eof()
                    sent += 1
                    asyncio.get_running_loop().call_later(3.0, writer.transport.abort)
                await asyncio.sleep(0.2)

    throwing = asyncio.create_task(throw())
    try:
        assert await ordered(caller, KNOWN_NUMBERS[1]) == ["haircut"]
        assert not throwing.done()
    finally:
        throwing.cancel()
        await asyncio.gather(throwing, return_exceptions=True)
    assert sent > 100
    assert await ordered(caller, KNOWN_NUMBERS[2]) == ["haircut"]
