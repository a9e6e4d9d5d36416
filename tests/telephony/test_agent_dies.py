"""Whatever happens to the agent, its callers end up in front of a human and lose no order."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime

import pytest
import pytest_asyncio
from call_fixtures import (
    AT_NINE,
    KNOWN_NUMBERS,
    YES,
    Caller,
    Say,
    caller_of,
    introduce_elders,
)
from conftest import Site

SEED = 20261122
SCRIPT = (
    Say("我想请人帮我洗澡", until="洗澡.*什么时候"),
    AT_NINE,
    YES,
    Say("我还要理发", until="理发.*什么时候"),
    Say("后天下午三点", until="后天.*下午三点.*对吗"),
    YES,
)
LONGEST_S = 26.0
"""Nobody has come to the end of the script by then."""


@pytest.fixture(scope="module")
def mortal_site(make_site: Callable[..., Site]) -> Site:
    """One of its own: the supervisor waits longer each time before it starts the agent again."""
    site = make_site()
    site.up()
    introduce_elders(site)
    return site


@pytest_asyncio.fixture
async def caller(mortal_site: Site) -> AsyncIterator[Caller]:
    async with caller_of(mortal_site) as somebody:
        yield somebody


@pytest.mark.parametrize("seed", (SEED, SEED + 1))
async def test_callers_reach_the_operators_when_the_agent_is_killed(
    caller: Caller, seed: int
) -> None:
    """Five callers at different points of their call, twice: ten moments."""
    moments = random.Random(seed)
    ages_s = sorted((moments.uniform(0.3, LONGEST_S) for _ in KNOWN_NUMBERS), reverse=True)
    for line in SCRIPT:
        await asyncio.to_thread(caller.speech, line.text)
    leave = asyncio.Event()

    async with caller.queue() as queue, asyncio.TaskGroup() as group:
        calls = []
        for number, age_s, next_age_s in zip(KNOWN_NUMBERS, ages_s, [*ages_s[1:], 0], strict=True):
            calls.append(group.create_task(caller.calls(*SCRIPT, number=number, leave=leave)))
            await asyncio.sleep(age_s - next_age_s)
        assert not any(call.done() for call in calls)
        killed_at = datetime.now(UTC)
        caller.site.kill("agent")
        assert await queue.joined(*KNOWN_NUMBERS)
        leave.set()

    for call in calls:
        report = call.result()
        heard_booked = [
            exchange
            for exchange in report.exchanges
            if exchange.label == YES.text
            and exchange.answer_s is not None
            and report.answered_at.timestamp() + exchange.answer_s < killed_at.timestamp()
            and caller.sounds_like(caller.answer(report, exchange), "订好了")
        ]
        codes = [order.code for order in caller.orders(report)]
        assert codes in ([], ["bathing"], ["bathing", "haircut"])
        assert len(codes) >= len(heard_booked)
