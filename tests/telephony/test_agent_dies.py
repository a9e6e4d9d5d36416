"""Whatever happens to the agent, its callers end up in front of a human and lose no order."""

from __future__ import annotations

import asyncio
import random
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from call_fixtures import KNOWN_NUMBERS, Caller

from ivr.supervisor import wait_ready

SEED = 20261122
SCRIPT = (
    "我想请人帮我洗澡",
    "明天上午九点",
    "对的，没错",
    "我还要理发",
    "后天下午三点",
    "对的，没错",
)
YES = [index for index, text in enumerate(SCRIPT) if text == "对的，没错"]


@pytest.mark.parametrize("seed", range(SEED, SEED + 5))
async def test_callers_reach_the_operators_when_the_agent_is_killed(
    caller: Caller, seed: int
) -> None:
    """Two callers at different points of their call, five times: ten moments."""
    moments = random.Random(seed)
    await asyncio.wait_for(wait_ready(caller.settings), 60)
    leave = asyncio.Event()

    async with caller.queue() as queue, asyncio.TaskGroup() as group:
        calls = []
        for number in KNOWN_NUMBERS:
            calls.append(
                group.create_task(
                    caller.calls(*SCRIPT, number=number, call_id=uuid4(), leave=leave)
                )
            )
            await asyncio.sleep(moments.uniform(0.3, 12))
        await asyncio.sleep(moments.uniform(0.0, 8))
        assert not any(call.done() for call in calls)
        killed_at = datetime.now(UTC)
        caller.site.kill("agent")
        assert await queue.joined(*KNOWN_NUMBERS)
        leave.set()

    for call in calls:
        report = call.result()
        heard_booked = [
            index
            for index in YES
            if index < len(report.exchanges)
            and (answer_s := report.exchanges[index].answer_s) is not None
            and report.answered_at.timestamp() + answer_s < killed_at.timestamp()
            and caller.sounds_like(caller.answer(report, index), "订好了")
        ]
        codes = [order.code for order in caller.orders(report)]
        assert codes in ([], ["bathing"], ["bathing", "haircut"])
        assert len(codes) >= len(heard_booked)
