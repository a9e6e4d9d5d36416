"""What a load test tells of its calls."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import numpy as np
import pytest

from ivr.bench.load import Load, Placed, Sample
from ivr.bench.people import Manner
from ivr.bench.report import BOOKED, Known, document, draw
from ivr.caller.simulator import CallReport, Exchange
from store.models import Call, Callback, Cause, Next, Outcome, QueueVisit, Turn, Wants, WorkOrder

BEGAN = datetime(2026, 11, 22, 8, tzinfo=UTC)
NOTHING = np.zeros(0, np.int16)


def report(call_id: UUID, ended_by: str = "system", late: int = 0) -> CallReport:
    exchanges = (Exchange("need", 3, 4, 4.8, None), Exchange("yes", 8, 9, 10.0, None))
    return CallReport(
        call_id, "0512", BEGAN, 10, ended_by, exchanges, (), NOTHING, NOTHING, 0, late
    )


def order(call_id: UUID, number: int) -> WorkOrder:
    return WorkOrder(
        call_id=call_id,
        number=number,
        code="cleaning",
        phone="0512",
        price_fen=1,
        pay_fen=1,
        created_at=BEGAN,
    )


class Bench:
    def __init__(self) -> None:
        self.load = Load(steady_from_s=0, steady_to_s=60)
        self.known: dict[UUID, Known] = {}
        for second in range(60):
            cpu = {"agent": 50.0, "asterisk": 10.0, "callers": 30.0}
            self.load.samples.append(Sample(second + 0.5, 2, 5.0, cpu, 700.0, 3.0))

    def call(
        self,
        *,
        told: tuple[str, ...] = (),
        orders: int = 0,
        reason: str = "goodbye",
        next: Next = Next.HANGUP,
        ended_by: str = "system",
        answered: bool = True,
        refused: str = "",
        visit: QueueVisit | None = None,
        callback: Callback | None = None,
        late: int = 0,
    ) -> None:
        call_id = uuid4()
        placed = Placed(
            call_id,
            Manner.PLAIN,
            1.0,
            None if refused else report(call_id, ended_by, late),
            refused,
        )
        self.load.placed.append(placed)
        call = Call(id=call_id, phone="0512", started_at=BEGAN, reason=reason, next=next)
        call.answered_at = BEGAN if answered else None
        call.outcome = Outcome.ORDERED if orders else Outcome.ABANDONED
        turns = [
            Turn(
                call_id=call_id,
                index=index,
                kind="heard",
                said=said,
                stages_ms={"recognise": 300.0, "first_frame": 750.0},
                started_at=BEGAN + timedelta(seconds=4 + 5 * index),
            )
            for index, said in enumerate(told)
        ]
        self.known[call_id] = Known(
            None if refused else call,
            turns,
            [order(call_id, number) for number in range(orders)],
            visit,
            callback,
        )

    def figures(self) -> dict[str, object]:
        return document(self.load, self.known, 2)


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_orders_that_were_promised_are_compared_with_those_there_are(bench: Bench) -> None:
    bench.call(told=("什么时候？", f"{BOOKED}。"), orders=1)
    bench.call(told=(f"{BOOKED}。",), orders=0)
    bench.call(told=(f"{BOOKED}。",), orders=2)
    found = bench.figures()
    assert (found["orders_expected"], found["orders_found"]) == (3, 3)
    assert (found["orders_lost"], found["orders_doubled"]) == (1, 1)


def test_who_was_let_go_of_before_they_were_done_was_dropped(bench: Bench) -> None:
    bench.call(reason="goodbye")
    bench.call(ended_by="caller", reason="hung up")
    bench.call(reason="store", next=Next.OPERATOR)
    assert bench.figures()["dropped"] == 1


def test_where_everybody_went_is_told_apart(bench: Bench) -> None:
    visit = QueueVisit(uniqueid="1.1", phone="0512", joined_at=BEGAN)
    owed = Callback(
        phone="0512",
        cause=Cause.ADMISSION,
        wants=Wants.AGENT,
        queued_at=BEGAN,
        asked_at=BEGAN,
        due_at=BEGAN,
    )
    bench.call(late=2)
    bench.call(answered=False, visit=visit)
    bench.call(answered=False, callback=owed)
    bench.call(refused="busy")
    bench.call(refused="it rang and nobody answered")
    found = bench.figures()
    keys = ("calls", "admitted", "queued", "called_back", "busy", "failed", "dropped")
    assert [found[key] for key in keys] == [5, 1, 1, 1, 1, 1, 0]
    assert found["late_frames"] == 2


def test_times_are_those_of_the_steady_state(bench: Bench, tmp_path: Path) -> None:
    bench.call(told=("什么时候？", "对吗？"))
    found = bench.figures()
    assert found["latency_ms"] == {"p50": 900, "p95": 990}
    assert found["stages_ms"]["recognise"] == {"p50": 300, "p95": 300}  # type: ignore[index]
    assert (found["agent_cpu_percent"], found["callers_cpu_percent"]) == (50.0, 30.0)
    assert found["stolen_cpu_percent"] == 3.0
    draw(bench.load, bench.known, found, tmp_path / "chart.png")
    assert (tmp_path / "chart.png").read_bytes().startswith(b"\x89PNG")
    bench.load.steady_from_s = 30
    assert bench.figures()["latency_ms"] == {"p50": None, "p95": None}
