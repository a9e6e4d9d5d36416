"""What a load test found: one document of figures, and a chart."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ivr.bench.load import Load, Placed
from ivr.caller.record import turn_documents
from store.models import Call, Callback, Next, QueueVisit, Turn, WorkOrder

BOOKED = "订好了"
STAGES = ("recogniser_queue", "recognise", "understand", "first_frame")
BUSY = re.compile("busy|congestion")


@dataclass(frozen=True, slots=True)
class Known:
    """What the site remembers of one call of the load."""

    call: Call | None
    turns: Sequence[Turn]
    orders: Sequence[WorkOrder]
    visit: QueueVisit | None
    callback: Callback | None

    @property
    def where(self) -> str:
        """Where the call was admitted to."""
        if self.call is not None and self.call.answered_at is not None:
            return "agent"
        if self.visit is not None:
            return "queue"
        return "callback" if self.callback is not None else "nowhere"

    @property
    def promised(self) -> int:
        """Orders that the caller was told are booked."""
        return sum(BOOKED in turn.said for turn in self.turns)


def percentiles(values: Sequence[float]) -> dict[str, float | None]:
    if not values:
        return {"p50": None, "p95": None}
    p50, p95 = np.percentile(values, (50, 95))
    return {"p50": round(float(p50)), "p95": round(float(p95))}


def dropped(placed: Placed, known: Known) -> bool:
    """Whether the system has let go of somebody who was neither done nor handed on."""
    if placed.report is None or placed.report.ended_by != "system" or known.callback is not None:
        return False
    if known.visit is not None:  # an operator has taken them, or they were told something
        return False
    call = known.call
    return call is None or not (call.next is Next.HANGUP and call.reason == "goodbye")


def document(load: Load, known: dict[Any, Known], concurrency: int) -> dict[str, Any]:
    """The figures; latencies and CPU of the steady state only."""
    steady = [
        sample for sample in load.samples if load.steady_from_s <= sample.at_s < load.steady_to_s
    ]
    turns = _turns(load, known)
    latencies = [turn["latency_ms"] for turn in turns if turn["latency_ms"] is not None]
    rows = [(placed, known[placed.call_id]) for placed in load.placed]
    numbers = [[order.number for order in one.orders] for _, one in rows]
    where = Counter(one.where for placed, one in rows if placed.report is not None)
    outcomes = Counter(
        str(one.call.outcome) if one.call and one.call.outcome else "none" for _, one in rows
    )
    limits = [sample.limit for sample in load.samples if sample.limit == sample.limit]
    rss = [sample.agent_rss_mb for sample in steady]
    return {
        "concurrency": concurrency,
        "calls": len(rows),
        "busy": sum(bool(BUSY.search(placed.refused)) for placed, _ in rows),
        "failed": sum(
            placed.report is None and not BUSY.search(placed.refused) for placed, _ in rows
        ),
        "dropped": sum(dropped(placed, one) for placed, one in rows),
        "queued": where["queue"],
        "called_back": where["callback"],
        "admitted": where["agent"],
        "limit": {"least": min(limits, default=None), "most": max(limits, default=None)},
        "orders_expected": sum(one.promised for _, one in rows),
        "orders_found": sum(len(one.orders) for _, one in rows),
        "orders_doubled": sum(
            max(len(found) - len(set(found)), len(found) - one.promised, 0)
            for found, (_, one) in zip(numbers, rows, strict=True)
        ),
        "orders_lost": sum(max(0, one.promised - len(one.orders)) for _, one in rows),
        "outcomes": dict(outcomes),
        "manners": dict(Counter(str(placed.manner) for placed, _ in rows)),
        "turns": len(turns),
        "latency_ms": percentiles(latencies),
        "stages_ms": {
            stage: percentiles([t["stages_ms"][stage] for t in turns if stage in t["stages_ms"]])
            for stage in STAGES
        },
        "late_frames": sum(placed.report.late_heard for placed, _ in rows if placed.report),
        "callers_late_frames": sum(
            placed.report.late_frames for placed, _ in rows if placed.report
        ),
        "agent_cpu_percent": _mean([sample.cpu.get("agent", 0.0) for sample in steady]),
        "asterisk_cpu_percent": _mean([sample.cpu.get("asterisk", 0.0) for sample in steady]),
        "callers_cpu_percent": _mean([sample.cpu.get("callers", 0.0) for sample in steady]),
        "stolen_cpu_percent": _mean([sample.stolen for sample in steady]),
        "agent_rss_mb": round(max(rss, default=0.0)),
        "agent_rss_mb_first": round(rss[0]) if rss else 0,
    }


def _mean(values: Sequence[float]) -> float:
    return round(float(np.mean(values)), 1) if values else 0.0


def _turns(load: Load, known: dict[Any, Known]) -> list[dict[str, Any]]:
    """What callers said and were answered in the steady state, with the second it was in."""
    found = []
    for placed in load.placed:
        report = placed.report
        if report is None:
            continue
        turns = list(known[placed.call_id].turns)
        for turn, told in zip(turns, turn_documents(report, turns), strict=True):
            at_s = placed.began_s + (turn.started_at - report.answered_at).total_seconds()
            if turn.kind == "heard" and load.steady_from_s <= at_s < load.steady_to_s:
                found.append({**told, "at_s": at_s})
    return found


def draw(load: Load, known: dict[Any, Known], figures: dict[str, Any], path: Path) -> None:
    """The load over time, as a PNG. Raises OSError."""
    import matplotlib  # half a second, and memory, for whoever draws nothing

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, (waits, calls, cpu) = pyplot.subplots(3, 1, sharex=True, figsize=(10, 9))
    turns = [turn for turn in _turns(load, known) if turn["latency_ms"] is not None]
    waits.scatter(
        [turn["at_s"] for turn in turns], [turn["latency_ms"] / 1000 for turn in turns], s=9
    )
    for name, style in (("p50", "-"), ("p95", "--")):
        value = figures["latency_ms"][name]
        if value is not None:
            waits.axhline(
                value / 1000, linestyle=style, color="tab:red", label=f"{name}: {value} ms"
            )
    waits.set_ylabel("answer after s")
    waits.legend(loc="upper right")
    at = [sample.at_s for sample in load.samples]
    calls.plot(at, [sample.calls for sample in load.samples], label="calls")
    calls.plot(at, [sample.limit for sample in load.samples], label="limit of the agent")
    calls.set_ylabel("at once")
    calls.legend(loc="upper right")
    for name in ("agent", "asterisk", "callers"):
        cpu.plot(at, [sample.cpu.get(name, 0.0) for sample in load.samples], label=name)
    cpu.set_ylabel("% of one core")
    cpu.set_xlabel("s")
    cpu.legend(loc="upper right")
    for part in (waits, calls, cpu):
        part.axvspan(load.steady_from_s, load.steady_to_s, color="0.95", zorder=0)
        part.grid(alpha=0.3)
    figure.suptitle(f"{figures['calls']} calls, {figures['concurrency']} at once")
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    pyplot.close(figure)
