"""A caller who hangs up leaves nothing behind."""

from __future__ import annotations

import pytest
from call_fixtures import AT_NINE, HAIRCUT, Caller, Say

from ivr.caller.script import Leave, Step
from store.models import Outcome


@pytest.mark.parametrize(
    "script",
    [
        (Leave(into_ms=0),),
        (Leave(into_ms=700),),
        (HAIRCUT, Leave(into_ms=300)),
        (HAIRCUT, AT_NINE, Leave()),
    ],
    ids=["at once", "in the greeting", "in the question", "before the read-back"],
)
async def test_hang_up_leaves_no_open_call_and_no_order(
    caller: Caller, script: tuple[Say | Step, ...]
) -> None:
    report = await caller.calls(*script)

    row = await caller.ended_call(report)
    assert row.outcome == Outcome.ABANDONED
    assert caller.orders(report) == []
    await caller.no_call_in_progress()
