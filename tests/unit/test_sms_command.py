from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from ivr.commands import sms as command
from store import messages
from store.database import open_store
from store.models import SmsPurpose

AT = datetime(2026, 11, 22, 1, tzinfo=UTC)
PHONE = "13812345678"
app = typer.Typer()
command.add_to(app)


@pytest.fixture(autouse=True)
def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One message of ours of which nobody knows whether it was sent, and one to us."""
    monkeypatch.setenv("YIHU_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("YIHU_CONFIG", str(tmp_path / "yihu.toml"))
    monkeypatch.delenv("YIHU_DATABASE_URL", raising=False)
    store = open_store(f"sqlite:///{tmp_path / 'yihu.sqlite3'}")
    with store.write() as session:
        messages.queue_sms(
            session,
            key="rating:1",
            phone=PHONE,
            text="满意吗？",
            purpose=SmsPurpose.RATING,
            at=AT,
        )
    [row] = messages.claim(store, "me", AT, 9, list(SmsPurpose))
    messages.not_known(store, row.id or 0, "me", "no answer")
    messages.receive(store, "kannel", "m1", PHONE, "5", AT + timedelta(minutes=1))
    store.close()


def run(*arguments: str) -> str:
    result = CliRunner().invoke(app, ("sms", *arguments))
    assert result.exit_code == 0, result.output
    return result.stdout


def test_list_shows_both_ways_newest_first() -> None:
    came, went = json.loads(run("list", "--json"))
    assert (came["direction"], came["text"], came["kind"]) == ("in", "5", None)
    assert (went["direction"], went["state"], went["detail"]) == ("out", "uncertain", "no answer")
    assert went["at"] == "2026-11-22T09:00:00+08:00"
    assert [one["direction"] for one in json.loads(run("list", "--limit", "1", "--json"))] == ["in"]
    assert "满意吗？ (no answer)" in run("list", "--state", "uncertain")


def test_person_decides_that_it_is_sent_again() -> None:
    run("again", "1")
    assert json.loads(run("list", "--state", "queued", "--json"))[0]["id"] == 1
    assert CliRunner().invoke(app, ("sms", "again", "1")).exit_code == 1


def test_number_that_wants_none_is_left_alone_until_it_is_undone() -> None:
    run("again", "1")
    run("stop", "138 1234 5678")
    assert json.loads(run("list", "--state", "failed", "--json"))[0]["detail"] == messages.STOPPED
    run("stop", PHONE, "--undo")
    assert CliRunner().invoke(app, ("sms", "stop", "nobody")).exit_code == 2


def test_configuration_for_kannel_tells_where_we_listen() -> None:
    printed = run("kannel")
    assert "username = yihu" in printed
    assert 'get-url = "http://127.0.0.1:8092/sms/kannel/in?token=' in printed
