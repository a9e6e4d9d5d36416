from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
import typer
from typer.testing import CliRunner

from ivr.commands import callbacks as command
from store import callbacks
from store.database import open_store
from store.models import Cause, Wants

AT = datetime(2026, 11, 22, 1, tzinfo=UTC)
app = typer.Typer()
command.add_to(app)


@pytest.fixture(autouse=True)
def owed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two were owed a call; the first has been given up."""
    monkeypatch.setenv("YIHU_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("YIHU_CONFIG", str(tmp_path / "yihu.toml"))
    monkeypatch.delenv("YIHU_DATABASE_URL", raising=False)
    store = open_store(f"sqlite:///{tmp_path / 'yihu.sqlite3'}")
    for phone in ("13812345678", "051265123456"):
        callbacks.ask(
            store, phone, cause=Cause.ABANDONED, wants=Wants.OPERATOR, at=AT, call_id=uuid4()
        )
    first = callbacks.newest_callbacks(store)[-1].callback
    assert first.id is not None
    later = AT + timedelta(minutes=5)
    claimed = callbacks.claim(store, first.id, "test", later)
    assert claimed is not None and claimed.attempt_id is not None
    callbacks.missed(store, claimed.attempt_id, later, "no answer", None)
    store.close()


def test_list_tells_what_became_of_each() -> None:
    result = CliRunner().invoke(app, ("callbacks", "list", "--json"))
    assert result.exit_code == 0
    second, first = json.loads(result.stdout)
    assert (second["phone"], second["state"], second["tries"]) == ("051265123456", "waiting", 0)
    assert (first["state"], first["tries"], first["detail"]) == ("given_up", 1, "no answer")
    assert first["queued_at"] == "2026-11-22T09:00:00+08:00"
    assert [event["kind"] for event in first["events"]] == [
        "asked",
        "dialled",
        "not_reached",
        "given_up",
    ]


def test_list_for_people_can_be_of_those_still_owed_a_call() -> None:
    result = CliRunner().invoke(app, ("callbacks", "list", "--open"))
    assert result.exit_code == 0
    (line,) = result.stdout.splitlines()
    assert "051265123456" in line and "waiting" in line
