"""Whoever wants a human gets one."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest
from call_fixtures import SOON_S, Caller, Say, reaches_operators
from phone import Phone
from sqlmodel import select

from ivr.caller.script import Press, Speak, Step
from store.callbacks import close_by_hand, newest_callbacks
from store.models import CallbackState, Cause, QueueEnd, QueueVisit, Wants


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


def visit_of(caller: Caller, number: str) -> QueueVisit:
    with caller.store.read() as session:
        return session.exec(select(QueueVisit).where(QueueVisit.phone == number)).one()


async def test_caller_who_says_so_while_waiting_is_promised_a_call_back(caller: Caller) -> None:
    number = caller.new_number()
    wish = await asyncio.to_thread(caller.speech, "我不等了，你们给我回电话吧")

    async def owed() -> bool:
        rows = await asyncio.to_thread(newest_callbacks, caller.store)
        return any(row.callback.phone == number for row in rows)

    insisting = [Speak(wish, "回电话", into_ms=2000, understood=owed) for _ in range(3)]
    report = await caller.calls(Press("0", into_ms=500), *insisting, number=number)
    assert report.ended_by == "system"
    [row] = [one.callback for one in newest_callbacks(caller.store) if one.callback.phone == number]
    assert (row.cause, row.wants, row.call_id) == (Cause.ASKED, Wants.OPERATOR, report.call_id)
    async with asyncio.timeout(SOON_S):
        while (visit := await asyncio.to_thread(visit_of, caller, number)).how is None:  # noqa: ASYNC110
            await asyncio.sleep(0.1)
    assert visit.how is QueueEnd.CALLBACK
    close_by_hand(caller.store, row.id or 0, CallbackState.GIVEN_UP, datetime.now(UTC), "a test")
