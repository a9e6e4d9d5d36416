"""An elder orders in dialect: its words and its sounds, from ring to order.

How much of such speech is understood is measured by `yihu eval`; this is what comes of a call.
Mandarin: test_ordering.py.
"""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from call_fixtures import KNOWN_NUMBERS, Caller, Say, tomorrow_at_nine

from ivr.caller.script import Leave


@dataclass(frozen=True, slots=True)
class Talk:
    """What an elder says, and what has to come of it."""

    dialect: str
    number: str
    script: tuple[Say, ...]
    code: str
    hour: int
    """Tomorrow."""


SUZHOU = Talk(
    "suzhou",
    KNOWN_NUMBERS[2],
    (
        Say("水龙头关勿牢，阿好来修一修", until="修水管.*什么时候"),
        Say("明朝下昼三点", until="修水管.*明天.*下午三点.*对吗"),
        Say("是个，对个", until="订好了"),
    ),
    code="plumbing_repair",
    hour=15,
)
LANZHOU = Talk(
    "lanzhou",
    KNOWN_NUMBERS[3],
    (
        Say("头发长得很，给我把头推一下", until="理发.*什么时候"),
        Say("明个子早上九点", until="理发.*明天.*九点.*对吗"),
        Say("对着呢，就这么弄", until="订好了"),
    ),
    code="haircut",
    hour=9,
)
GUANZHONG = Talk(
    "guanzhong",
    KNOWN_NUMBERS[4],
    (
        Say("屋里头脏得很，寻个人来拾掇一下", until="打扫卫生.*什么时候"),
        Say("明儿早上九点", until="打扫卫生.*明天.*九点.*对吗"),
        Say("对着呢，没麻达", until="订好了"),
    ),
    code="cleaning",
    hour=9,
)


@pytest.mark.parametrize("talk", [SUZHOU, LANZHOU, GUANZHONG], ids=lambda talk: talk.dialect)
async def test_order_in_dialect_from_ring_to_store(caller: Caller, talk: Talk) -> None:
    report = await caller.calls(*talk.script, Leave(), number=talk.number, dialect=talk.dialect)

    [order] = caller.orders(report)
    assert order.code == talk.code
    assert order.scheduled_for == tomorrow_at_nine(caller).replace(hour=talk.hour)
