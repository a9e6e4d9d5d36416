"""Who knows what to say need not hear the prompt out."""

from __future__ import annotations

from dataclasses import replace

from call_fixtures import AT_NINE, HAIRCUT, YES, Caller

from ivr.caller.script import Press


async def test_speaking_into_the_greeting_stops_it_and_is_understood(caller: Caller) -> None:
    report = await caller.calls(replace(HAIRCUT, into_ms=600), AT_NINE, YES)

    assert [order.code for order in caller.orders(report)] == ["haircut"]
    interruption = report.exchanges[0]
    assert interruption.prompt_stopped_ms is not None
    # It fell silent while the caller was still talking, well before the greeting's end.
    spoken_ms = (interruption.end_s - interruption.start_s) * 1000
    assert interruption.prompt_stopped_ms < spoken_ms - 200


async def test_key_in_the_read_back_confirms_it(caller: Caller) -> None:
    report = await caller.calls(HAIRCUT, AT_NINE, Press("1", into_ms=400))

    assert [order.code for order in caller.orders(report)] == ["haircut"]
