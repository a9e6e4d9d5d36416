"""The agent or the whole site is stopped while people talk: nobody is cut off."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable

import pytest
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
)
from conftest import Site, wait_until

from ivr import supervisor
from store.models import Outcome

pytestmark = pytest.mark.faults
SCRIPT = (HAIRCUT, AT_NINE, YES, Say("不用了", until="再见"))


@pytest.fixture(scope="module")
def answering_site(make_site: Callable[..., Site]) -> Site:
    """One that is stopped."""
    made = make_site()
    made.up()
    introduce_elders(made)
    return made


async def when_greeted(caller: Caller, number: str) -> None:
    """Returns when the agent talks with this number."""
    async with asyncio.timeout(SOON_S):
        while not any(call.answered_at for call in caller.calls_from(number)):  # noqa: ASYNC110
            await asyncio.sleep(0.1)


async def test_order_under_way_is_finished_and_who_calls_meanwhile_gets_a_human(
    caller: Caller,
) -> None:
    """The agent alone is told to end, as for an upgrade; the supervisor starts the next one."""
    talking, late, again = KNOWN_NUMBERS[:3]
    leave = asyncio.Event()
    old = caller.site.pid("agent")
    async with caller.queue() as queue, asyncio.TaskGroup() as group:
        order = group.create_task(caller.calls(*SCRIPT, number=talking))
        await when_greeted(caller, talking)
        os.kill(old, signal.SIGTERM)
        waiting = group.create_task(caller.calls(number=late, leave=leave))
        assert await queue.joined(late)
        assert not order.done()
        assert caller.site.pid("agent") == old
        leave.set()

    report = order.result()
    assert [row.code for row in caller.orders(report)] == ["haircut"]
    call = await caller.ended_call(report)
    assert (call.outcome, call.reason) == (Outcome.ORDERED, "goodbye")
    assert report.ended_by == "system"
    assert caller.turns(waiting.result()) == []

    await asyncio.to_thread(wait_until, lambda: caller.site.pid("agent") != old)
    async with caller_of(caller.site) as somebody:
        after = await somebody.calls(*SCRIPT, number=again)
        assert [row.code for row in somebody.orders(after)] == ["haircut"]


async def test_site_that_is_taken_down_ends_after_its_calls(caller: Caller) -> None:
    number = KNOWN_NUMBERS[3]
    order = asyncio.create_task(caller.calls(*SCRIPT, number=number))
    await when_greeted(caller, number)
    down = asyncio.create_task(asyncio.to_thread(caller.site.yihu, "down"))
    report = await order
    assert [row.code for row in caller.orders(report)] == ["haircut"]
    assert report.ended_by == "system"
    assert (await down).returncode == 0
    assert caller.call(report).outcome is Outcome.ORDERED  # type: ignore[union-attr]
    assert supervisor.read_state(caller.site.settings).children == {}
    await asyncio.to_thread(caller.site.up)


async def test_site_that_has_to_stop_at_once_does_so_with_somebody_on_the_line(
    caller: Caller,
) -> None:
    number = KNOWN_NUMBERS[4]
    silent = asyncio.create_task(caller.calls(HAIRCUT, number=number, farewell_s=10 * SOON_S))
    await when_greeted(caller, number)
    async with asyncio.timeout(SOON_S):
        done = await asyncio.to_thread(caller.site.yihu, "down", "--now")
    assert done.returncode == 0
    silent.cancel()
    await asyncio.gather(silent, return_exceptions=True)
    await asyncio.to_thread(caller.site.up)
