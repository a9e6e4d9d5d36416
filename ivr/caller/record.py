"""A simulated call as the site remembers it, with the waiting times that the caller measured."""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from ivr.caller.simulator import CallReport
from store.calls import find_call, turns_of
from store.database import Store
from store.models import Call, Outcome, Turn, WorkOrder
from store.orders import orders_of

CLOSING_S = 5.0
"""How long the agent may take to close the call's row after the caller has gone."""
SLACK = timedelta(milliseconds=300)
"""A turn is never written down as begun that much before the caller began."""
BY_CALLER = frozenset({"heard", "digit", "note"})
"""Kinds of turns in which the caller did something."""


@dataclass(frozen=True, slots=True)
class CallRecord:
    outcome: Outcome
    orders: list[WorkOrder]
    turns: list[dict[str, Any]]
    """See turn_documents."""


async def call_record(report: CallReport, store: Store) -> CallRecord:
    """What the site knows of a call that is over. Raises StoreError.

    A call that the agent never saw counts as failed, wherever the dialplan took it.
    """
    call = await _closed(report, store)
    return CallRecord(
        outcome=call.outcome if call and call.outcome else Outcome.FAILED,
        orders=await asyncio.to_thread(orders_of, store, report.call_id),
        turns=turn_documents(report, await asyncio.to_thread(turns_of, store, report.call_id)),
    )


async def _closed(report: CallReport, store: Store) -> Call | None:
    """The call's row once it is closed, or as it is after CLOSING_S; None if there is none."""
    deadline = asyncio.get_running_loop().time() + CLOSING_S
    while True:
        call = await asyncio.to_thread(find_call, store, report.call_id)
        late = asyncio.get_running_loop().time() > deadline
        if late or (call is not None and call.ended_at is not None):
            return call
        await asyncio.sleep(0.1)


def turn_documents(report: CallReport, turns: list[Turn]) -> list[dict[str, Any]]:
    """Each turn of the store, with what the caller waited for the answer where it is known."""
    by_exchange: dict[int, Turn] = {}
    for turn in turns:
        began = [report.answered_at + timedelta(seconds=e.start_s) for e in report.exchanges]
        exchange = bisect_right(began, turn.started_at + SLACK) - 1
        if turn.kind in BY_CALLER and exchange >= 0:
            by_exchange[exchange] = turn  # of two turns in one breath, the answer is the second's
    latency_ms = {
        turn.index: report.exchanges[exchange].latency_ms for exchange, turn in by_exchange.items()
    }
    return [
        {
            "kind": turn.kind,
            "heard": turn.heard,
            "code": turn.meaning.get("code") or turn.meaning.get("kind"),
            "said": turn.said,
            "latency_ms": latency_ms.get(turn.index),
            "stages_ms": turn.stages_ms,
        }
        for turn in turns
    ]
