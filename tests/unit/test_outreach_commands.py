"""What is owed and what was said, and the one switch for everything that goes out."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest
from typer.testing import CliRunner

from ivr.catalog import load_catalog, services
from ivr.cli import app
from store import calls, follow_ups, order_life, orders, switches
from store.database import Store, open_store
from store.models import Channel, WorkOrder
from store.order_steps import NOBODY
from store.services import sync

NOW = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
PHONE = "13812345678"


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """With one completed order."""
    monkeypatch.setenv("YIHU_DATA_DIR", str(tmp_path))
    opened = open_store(f"sqlite:///{tmp_path / 'yihu.sqlite3'}")
    sync(opened, services(load_catalog()))
    call = calls.begin_call(opened, uuid4(), PHONE, NOW).id
    order = WorkOrder(
        call_id=call, code="bathing", phone=PHONE, price_fen=1, pay_fen=1, created_at=NOW
    )
    orders.book(opened, order)
    assert order.id is not None
    order_life.complete(opened, order.id, NOBODY, NOW)
    return opened


def yihu(*arguments: str) -> str:
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    return done.stdout


def test_calls_that_are_owed_are_listed(store: Store) -> None:
    [row] = json.loads(yihu("followups", "list", "--json"))
    assert (row["purpose"], row["state"], row["phone"]) == ("rating", "waiting", PHONE)
    assert [event["kind"] for event in row["events"]] == ["planned"]
    assert PHONE in yihu("followups", "list", "--open")


def test_ratings_are_listed(store: Store) -> None:
    assert json.loads(yihu("ratings", "list", "--json")) == []
    with store.write() as session:
        follow_ups.rate(session, order_id=1, score=5, channel=Channel.VOICE, at=NOW, said="蛮好")
    [row] = json.loads(yihu("ratings", "list", "--json"))
    assert (row["score"], row["channel"], row["said"], row["code"]) == (
        5,
        "voice",
        "蛮好",
        "bathing",
    )
    assert "蛮好" in yihu("ratings", "list")
    assert json.loads(yihu("followups", "list", "--open", "--json")) == []


def test_everything_that_goes_out_is_paused_and_resumed(store: Store) -> None:
    assert json.loads(yihu("outreach", "status", "--json"))["paused"] is False
    assert yihu("outreach", "pause", "--reason", "高温", "--now").strip() == "paused"
    assert switches.paused(store)
    assert "already" in yihu("outreach", "pause")
    told = json.loads(yihu("outreach", "status", "--json"))
    assert (told["paused"], told["reason"], told["due"]) == (True, "高温", 1)
    assert yihu("outreach", "resume").strip() == "resumed"
    assert not switches.paused(store)
