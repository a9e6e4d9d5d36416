"""The waiting times that a caller measured are shown beside the right turns."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import numpy as np

from ivr.caller.record import turn_documents
from ivr.caller.simulator import CallReport, Exchange
from store.models import Turn

ANSWERED = datetime(2026, 11, 22, 8, tzinfo=UTC)


def report(*exchanges: Exchange) -> CallReport:
    nothing = np.zeros(0, np.int16)
    return CallReport(
        uuid4(), "139", ANSWERED, 10, "caller", exchanges, (), nothing, nothing, late_frames=0
    )


def turn(index: int, kind: str, at_s: float) -> Turn:
    return Turn(
        call_id=uuid4(), index=index, kind=kind, started_at=ANSWERED + timedelta(seconds=at_s)
    )


def latencies(call: CallReport, *turns: Turn) -> list[int | None]:
    return [document["latency_ms"] for document in turn_documents(call, list(turns))]


def test_silence_between_two_answers_takes_no_waiting_time() -> None:
    call = report(Exchange("a", 3, 4, 4.8, None), Exchange("b", 15, 16, 17.0, None))
    assert latencies(
        call, turn(0, "heard", 2.9), turn(1, "silence", 13), turn(2, "digit", 16.1)
    ) == [800, None, 1000]


def test_waiting_time_belongs_to_the_last_of_two_turns_in_one_breath() -> None:
    call = report(Exchange("a", 3, 7, 8.0, None), Exchange("b", 15, 16, None, None))
    assert latencies(call, turn(0, "heard", 3), turn(1, "heard", 5), turn(2, "heard", 15)) == [
        None,
        1000,
        None,
    ]
