"""What monitoring reads is true and names nobody."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
import structlog
from aiohttp import ClientSession
from prometheus_client import REGISTRY
from prometheus_client.parser import text_string_to_metric_families

from ivr import monitoring
from ivr.logs import set_up_logs
from ivr.outreach import metrics
from ivr.telephony.ami import Ami
from store import calls, elders
from store.database import Store, open_store
from store.models import Alarm, QueueVisit

NUMBER, NAME = "051265123456", "王秀英"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A call is under way, somebody waits for an operator, somebody called for help."""
    opened = open_store(f"sqlite:///{tmp_path / 'yihu.sqlite3'}")
    now = datetime.now(UTC)
    elder = elders.register(opened, elders.Registration(NUMBER, NAME, "平江路12号")).elder
    call = calls.begin_call(opened, uuid4(), NUMBER, now, elder.id).id
    with opened.write() as session:
        joined = now - timedelta(seconds=90)
        session.add(QueueVisit(call_id=call, uniqueid="1.1", phone=NUMBER, joined_at=joined))
        session.add(Alarm(call_id=call, phone=NUMBER, raised_at=now))
    yield opened
    opened.close()


def spoil(store: Store) -> None:
    store.close()
    Path(store.url.database or "").write_bytes(b"not a database any more" * 1000)
    for log in ("-wal", "-shm"):
        Path(f"{store.url.database}{log}").unlink(missing_ok=True)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


async def read(port: int, path: str) -> tuple[int, str]:
    async with (
        ClientSession() as http,
        http.get(f"http://127.0.0.1:{port}/{path}") as response,
    ):
        return response.status, await response.text()


def values(text: str) -> dict[str, float]:
    return {
        sample.name: sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if not sample.labels
    }


async def test_what_is_open_is_counted_when_asked_and_names_nobody(store: Store) -> None:
    port = free_port()
    ami = Ami("127.0.0.1", 1, "yihu", "secret")

    async def missing() -> list[str]:
        return []

    async with monitoring.monitored(
        "127.0.0.1", port, missing, lambda: metrics.refresh(store, ami)
    ):
        status, text = await read(port, "metrics")
        assert status == 200
        found = values(text)
        assert found["yihu_calls_open"] == found["yihu_queue_waiting"] == 1
        assert found["yihu_queue_longest_wait_seconds"] >= 90
        assert (found["yihu_alarms_open"], found["yihu_store_up"]) == (1, 1)
        assert found["yihu_manager_connected"] == 0
        assert "process_resident_memory_bytes" in found
        assert NUMBER not in text and NAME not in text
        spoil(store)
        assert values((await read(port, "metrics"))[1])["yihu_store_up"] == 0


async def test_readiness_says_what_is_missing_and_health_that_it_runs(store: Store) -> None:
    port = free_port()
    reasons: list[str] = []

    async def missing() -> list[str]:
        return reasons

    async with monitoring.monitored("127.0.0.1", port, missing):
        assert await read(port, "readyz") == (200, "ready")
        reasons.append("no connection to Asterisk")
        assert await read(port, "readyz") == (503, "no connection to Asterisk")
        assert await read(port, "healthz") == (200, "ok")


async def test_port_that_is_taken_stops_nobody() -> None:
    async def missing() -> list[str]:
        return []

    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        async with monitoring.monitored("127.0.0.1", other.getsockname()[1], missing):
            await asyncio.sleep(0)


def test_every_name_and_unit_is_as_prometheus_wants_it() -> None:
    from ivr.calls import metrics as _agent  # noqa: F401
    from ivr.console import metrics as _console  # noqa: F401

    ours = [family for family in REGISTRY.collect() if family.name.startswith("yihu_")]
    assert len(ours) > 25
    for family in ours:
        assert family.documentation.endswith("."), family.name
        assert not family.name.endswith(("_ms", "_milliseconds", "_percent", "_minutes"))
        if "_seconds_" in family.name:
            assert family.name.endswith("_seconds"), family.name


def test_log_of_a_call_carries_its_id_and_is_json_if_asked(
    capsys: pytest.CaptureFixture[str],
) -> None:
    set_up_logs("info", "json")
    try:
        with structlog.contextvars.bound_contextvars(call="c0ffee"):
            structlog.get_logger().info("turn", kind="heard")
        try:
            secret = "13812345678"
            raise ValueError("it broke")
        except ValueError:
            structlog.get_logger().exception("call failed")
        lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    finally:
        structlog.reset_defaults()
    assert (lines[0]["event"], lines[0]["call"], lines[0]["kind"]) == ("turn", "c0ffee", "heard")
    assert "it broke" in lines[1]["exception"] and secret not in str(lines[1])
