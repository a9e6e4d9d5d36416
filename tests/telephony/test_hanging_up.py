"""A caller who hangs up leaves nothing behind."""

from __future__ import annotations

import pytest
from call_fixtures import Caller

from ivr.caller.script import Leave, Step
from store.models import Outcome


@pytest.mark.parametrize(
    "script",
    [
        (Leave(into_ms=0),),
        (Leave(into_ms=700),),
        ("我想请人来给我理发", Leave(into_ms=300)),
        ("我想请人来给我理发", "明天上午九点", Leave()),
    ],
    ids=["at once", "in the greeting", "in the question", "before the read-back"],
)
async def test_hang_up_leaves_no_open_call_and_no_order(
    caller: Caller, script: tuple[str | Step, ...]
) -> None:
    report = await caller.calls(*script)

    row = await caller.ended_call(report)
    assert row.outcome == Outcome.ABANDONED
    assert caller.orders(report) == []
    await caller.no_call_in_progress()
