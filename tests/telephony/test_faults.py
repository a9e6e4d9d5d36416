"""A process freezes: what the caller experiences of it."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

import pytest
from call_fixtures import (
    AT_NINE,
    HAIRCUT,
    KNOWN_NUMBERS,
    SOON_S,
    YES,
    Caller,
    Say,
    introduce_elders,
)
from conftest import Site, wait_until

from ivr.supervisor import READY_SECONDS, wait_all_ready, wait_ready
from store.models import Outcome

pytestmark = pytest.mark.faults
ORDER = (HAIRCUT, AT_NINE, YES, Say("不用了", until="再见"))


@pytest.fixture(scope="module")
def answering_site(make_site: Callable[..., Site]) -> Site:
    """One that is hurt."""
    site = make_site()
    site.up()
    introduce_elders(site)
    return site


async def ordered(caller: Caller, number: str) -> list[str]:
    report = await caller.calls(*ORDER, number=number)
    return [row.code for row in caller.orders(report)]


async def when_said(caller: Caller, number: str) -> None:
    """Returns when the agent has understood what the number wants."""
    async with asyncio.timeout(2 * SOON_S):
        while not any(row.summary.get("service") for row in caller.calls_from(number)):  # noqa: ASYNC110
            await asyncio.sleep(0.1)


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


async def test_call_goes_on_after_asterisk_was_frozen_for_a_moment(caller: Caller) -> None:
    number = KNOWN_NUMBERS[3]
    call = asyncio.create_task(caller.calls(*ORDER, number=number))
    await when_said(caller, number)
    async with frozen(caller.site, "asterisk"):
        await asyncio.sleep(1.0)  # what is measured is that time passes
    report = await call
    assert [row.code for row in caller.orders(report)] == ["haircut"]
    assert (await caller.ended_call(report)).outcome is Outcome.ORDERED
