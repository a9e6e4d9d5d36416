"""Whoever wants a human gets one."""

from __future__ import annotations

import asyncio

import pytest
from call_fixtures import SOON_S, Caller, Say
from phone import Phone

from ivr.caller.script import Press, Step


async def reaches_operators(caller: Caller, *script: str | Say | Step) -> bool:
    """Whether the call came to stand in the operators' queue; the caller hangs up there."""
    number = caller.new_number()
    async with caller.queue() as queue:
        call = asyncio.create_task(caller.calls(*script, number=number))
        try:
            return await queue.joined(number)
        finally:
            call.cancel()
            await asyncio.gather(call, return_exceptions=True)


async def test_caller_who_asks_for_a_human_reaches_the_operators(caller: Caller) -> None:
    assert await reaches_operators(caller, Say("我要找人工", until="转人工"))


async def test_key_zero_reaches_the_operators_in_the_middle_of_a_prompt(caller: Caller) -> None:
    assert await reaches_operators(caller, Press("0", into_ms=500))


@pytest.mark.parametrize(
    "script",
    [(Say("救命啊，我摔倒了", until="紧急|接人工"), "是"), (Press("9", into_ms=500),)],
    ids=["asked once", "key in the middle of a prompt"],
)
async def test_emergency_rings_the_operators(
    caller: Caller, script: tuple[str | Say | Step, ...]
) -> None:
    number = caller.new_number()
    settings = caller.settings
    async with Phone(settings, "operator", settings.secrets.operator) as phone:
        assert await phone.register() == 200
        call = asyncio.create_task(caller.calls(*script, number=number))
        try:
            ring = await phone.rings(2 * SOON_S)
            assert (ring.caller, ring.name) == (number, "SOS")
        finally:
            call.cancel()
            await asyncio.gather(call, return_exceptions=True)


async def test_caller_who_is_not_understood_twice_reaches_the_operators(caller: Caller) -> None:
    nonsense = "今天的月亮真圆啊"
    assert await reaches_operators(caller, nonsense, nonsense)
