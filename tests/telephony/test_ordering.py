"""An elder orders by telephone: real SIP, real recogniser, real voice, real store."""

from __future__ import annotations

import asyncio

from call_fixtures import AT_NINE, KNOWN_NUMBERS, YES, Caller, Say, tomorrow_at_nine

BATH = Say("我想请人帮我洗澡", until="洗澡.*什么时候")
CLEANING = Say("家里要打扫卫生", until="打扫卫生.*什么时候")


async def test_order_from_ring_to_store(caller: Caller) -> None:
    done = Say("不用了", until="再见")
    report = await caller.calls(BATH, AT_NINE, YES, done)

    [order] = caller.orders(report)
    assert order.code == "bathing"
    assert order.scheduled_for == tomorrow_at_nine(caller)
    assert report.ended_by == "system"
    # The caller can understand by ear what is asked and read back.
    last = {exchange.label: exchange for exchange in report.exchanges}
    asked, read_back, booked = (
        caller.answer(report, last[line.text]) for line in (BATH, AT_NINE, YES)
    )
    assert caller.sounds_like(asked, "什么时候")
    assert caller.sounds_like(read_back, "洗澡")
    assert caller.sounds_like(read_back, "对吗")
    assert caller.sounds_like(booked, "订好了")


async def test_two_elders_order_at_the_same_time(caller: Caller) -> None:
    bath, clean = await asyncio.gather(
        caller.calls(BATH, AT_NINE, YES, number=KNOWN_NUMBERS[0]),
        caller.calls(CLEANING, AT_NINE, YES, number=KNOWN_NUMBERS[1]),
    )
    assert [order.code for order in caller.orders(bath)] == ["bathing"]
    assert [order.code for order in caller.orders(clean)] == ["cleaning"]
