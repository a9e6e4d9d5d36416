"""An elder who wants to hear it again, or something else than was read back."""

from __future__ import annotations

from datetime import timedelta

from call_fixtures import AT_NINE, HAIRCUT, YES, Caller, Say, tomorrow_at_nine

from ivr.caller.script import Press


async def test_read_back_is_repeated_on_request(caller: Caller) -> None:
    report = await caller.calls(HAIRCUT, AT_NINE, Say("再说一遍", until="对吗"), YES)

    turns = caller.turns(report)
    [repeated] = [n for n, turn in enumerate(turns) if turn.meaning.get("code") == "repeat"]
    assert "对吗" in turns[repeated].said
    assert turns[repeated].said.endswith(turns[repeated - 1].said)
    assert [order.code for order in caller.orders(report)] == ["haircut"]


async def test_no_then_another_time_orders_only_that(caller: Caller) -> None:
    no = Say("不对", until="哪里不对")
    at_three = Say("后天下午三点", until="后天.*下午三点.*对吗")
    report = await caller.calls(HAIRCUT, AT_NINE, no, at_three, YES)

    [order] = caller.orders(report)
    assert order.code == "haircut"
    assert order.scheduled_for == tomorrow_at_nine(caller) + timedelta(days=1, hours=6)


async def test_keys_repeat_refuse_and_confirm(caller: Caller) -> None:
    friday = Say("星期五上午九点", until="星期五.*上午九点.*对吗")
    report = await caller.calls(HAIRCUT, AT_NINE, Press("*"), Press("2"), friday, Press("1"))

    turns = caller.turns(report)
    star = next(n for n, turn in enumerate(turns) if turn.kind == "digit")
    read_back, repeated, refused = turns[star - 1 : star + 2]
    assert repeated.said == read_back.said
    assert "对吗" not in refused.said
    assert [order.code for order in caller.orders(report)] == ["haircut"]
