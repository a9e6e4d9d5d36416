"""Who knows what to say need not hear the prompt out."""

from __future__ import annotations

from call_fixtures import Caller

from ivr.caller.script import Press, Speak


async def test_speaking_into_the_greeting_stops_it_and_is_understood(caller: Caller) -> None:
    request = caller.voice("我想请人来给我理发")
    report = await caller.calls(Speak(request, into_ms=600), "明天上午九点", "对的，没错")

    assert [order.code for order in caller.orders(report)] == ["haircut"]
    interruption = report.exchanges[0]
    assert interruption.prompt_stopped_ms is not None
    # It fell silent while the caller was still talking, well before the greeting's end.
    assert interruption.prompt_stopped_ms < len(request) // 8 - 200


async def test_key_in_the_read_back_confirms_it(caller: Caller) -> None:
    report = await caller.calls("我想请人来给我理发", "明天上午九点", Press("1", into_ms=400))

    assert [order.code for order in caller.orders(report)] == ["haircut"]
