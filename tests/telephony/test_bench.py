"""A small load of real calls, as it is measured."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Site


@pytest.mark.faults
def test_load_of_calls_is_placed_and_told(make_site: Callable[..., Site], tmp_path: Path) -> None:
    site = make_site(YIHU_AGENT__SLOW_MS="60000")  # a busy machine sends nobody to the queue
    site.up()
    chart = tmp_path / "load.png"
    how = ("--concurrency", "2", "--seconds", "45", "--ramp", "2", "--seed", "3")
    done = site.yihu("bench", "calls", *how, "--chart", str(chart), "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["concurrency"] == 2 and found["calls"] >= 2
    assert [found[key] for key in ("busy", "failed", "dropped")] == [0, 0, 0]
    assert found["admitted"] == found["calls"]
    assert found["turns"] >= 2 and found["latency_ms"]["p50"] > 0
    assert found["orders_found"] == found["orders_expected"]
    assert (found["orders_lost"], found["orders_doubled"]) == (0, 0)
    assert found["agent_cpu_percent"] > 0 and found["agent_rss_mb"] > 0
    assert chart.read_bytes().startswith(b"\x89PNG")
