"""An elder orders by telephone: real SIP, real recogniser, real voice, real store."""

from __future__ import annotations

import asyncio
from datetime import datetime, time, timedelta

from call_fixtures import KNOWN_NUMBERS, Caller

from ivr.caller.script import Press


def tomorrow_at_nine(caller: Caller) -> datetime:
    zone = caller.settings.zone
    return datetime.combine(datetime.now(zone).date() + timedelta(days=1), time(9), zone)


async def test_order_from_ring_to_store(caller: Caller) -> None:
    report = await caller.calls("我想请人帮我洗澡", "明天上午九点", "对的，没错", "不用了")

    [order] = caller.orders(report)
    assert order.code == "bathing"
    assert order.scheduled_for == tomorrow_at_nine(caller)
    assert report.ended_by == "system"
    assert [e.label for e in report.exchanges if e.latency_ms is None] == []
    # The caller can understand by ear what is asked and read back.
    asked, read_back, booked = (caller.answer(report, index) for index in range(3))
    assert caller.sounds_like(asked, "什么时候")
    assert caller.sounds_like(read_back, "洗澡")
    assert caller.sounds_like(read_back, "对吗")
    assert caller.sounds_like(booked, "订好了")


async def test_read_back_is_repeated_on_request(caller: Caller) -> None:
    report = await caller.calls("我想请人来给我理发", "明天上午九点", "再说一遍", "对的，没错")

    turns = caller.turns(report)
    assert turns[2].meaning["code"] == "repeat"
    assert "对吗" in turns[2].said
    assert turns[2].said.endswith(turns[1].said)
    assert [order.code for order in caller.orders(report)] == ["haircut"]


async def test_no_then_another_time_orders_only_that(caller: Caller) -> None:
    report = await caller.calls(
        "我想请人来给我理发", "明天上午九点", "不对", "后天下午三点", "对的，没错"
    )

    [order] = caller.orders(report)
    assert order.code == "haircut"
    assert order.scheduled_for == tomorrow_at_nine(caller) + timedelta(days=1, hours=6)


async def test_keys_repeat_refuse_and_confirm(caller: Caller) -> None:
    report = await caller.calls(
        "我想请人来给我理发", "明天上午九点", Press("*"), Press("2"), "星期五上午九点", Press("1")
    )

    _, read_back, repeated, refused, *_ = caller.turns(report)
    assert repeated.said == read_back.said
    assert "对吗" not in refused.said
    assert [order.code for order in caller.orders(report)] == ["haircut"]


async def test_two_elders_order_at_the_same_time(caller: Caller) -> None:
    bath, clean = await asyncio.gather(
        caller.calls("我想请人帮我洗澡", "明天上午九点", "对的，没错", number=KNOWN_NUMBERS[0]),
        caller.calls("家里要打扫卫生", "明天上午九点", "对的，没错", number=KNOWN_NUMBERS[1]),
    )
    assert [order.code for order in caller.orders(bath)] == ["bathing"]
    assert [order.code for order in caller.orders(clean)] == ["cleaning"]
