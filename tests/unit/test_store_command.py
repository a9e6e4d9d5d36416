"""`yihu store` and what `yihu elders` does with all of one person's data, as typed."""

from __future__ import annotations

import json
import stat
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID, uuid4

import pytest
import typer
from typer.testing import CliRunner, Result

from ivr.commands import elders, store
from ivr.config import load_settings
from ivr.recordings import turn_sound
from store import audit, calls
from store.database import open_store
from store.models import Next, Outcome

NUMBER, NAME = "13812345678", "王秀英"
app = typer.Typer()
for module in (elders, store):
    module.add_to(app)


@pytest.fixture(autouse=True)
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One that knows an elder."""
    monkeypatch.setenv("YIHU_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("YIHU_CONFIG", str(tmp_path / "yihu.toml"))
    monkeypatch.delenv("YIHU_DATABASE_URL", raising=False)
    assert (
        run("elders", "add", "--phone", NUMBER, "--name", NAME, "--address", "平江路").exit_code
        == 0
    )
    return tmp_path


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, arguments)


def names() -> list[str]:
    return [elder["name"] for elder in json.loads(run("elders", "list", "--json").stdout)]


def called() -> tuple[UUID, Path]:
    """The elder has called, and the sound of a turn is kept."""
    settings = load_settings()
    opened = open_store(settings.database)
    call = calls.begin_call(opened, uuid4(), NUMBER, datetime.now(UTC), 1).id
    calls.end_call(opened, call, Outcome.OPERATOR, Next.OPERATOR, datetime.now(UTC))
    opened.close()
    sound = turn_sound(settings, call, 1)
    sound.parent.mkdir(parents=True)
    sound.write_bytes(b"sound")
    return call, sound


def test_copy_is_made_checked_and_put_back(site: Path) -> None:
    made = json.loads(run("store", "backup", "--json").stdout)
    assert Path(made["file"]).parent == site / "data" / "backups"
    assert json.loads(run("store", "check", made["file"], "--json").stdout)["rows"]["elder"] == 1
    run("elders", "add", "--phone", "13912345678", "--name", "李建国", "--address", "前进路")
    restored = run("store", "restore", "--yes", "--json", made["file"])
    assert names() == [NAME]
    undone = run("store", "restore", "--yes", json.loads(restored.stdout)["before"])
    assert undone.exit_code == 0
    assert names() == ["李建国", NAME]


def test_restore_asks_first(site: Path) -> None:
    made = json.loads(run("store", "backup", "--json").stdout)["file"]
    run("elders", "add", "--phone", "13912345678", "--name", "李建国", "--address", "前进路")
    assert CliRunner().invoke(app, ["store", "restore", made], input="n\n").exit_code == 1
    assert names() == ["李建国", NAME]


def test_damaged_store_is_told_and_status_says_so(site: Path) -> None:
    path = site / "copy.db"
    path.write_bytes(b"SQLite format 3\0" + b"\xff" * 9000)
    checked = run("store", "check", str(path), "--json")
    assert checked.exit_code == 1
    assert not json.loads(checked.stdout)["sound"]


def test_person_is_handed_out_with_their_sound(site: Path) -> None:
    called()
    file = site / "wang.zip"
    done = run("elders", "export", "1", "--to", str(file), "--json")
    assert json.loads(done.stdout)["recordings"] == 1
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    with zipfile.ZipFile(file) as opened:
        assert json.loads(opened.read("data.json"))["elder"][0]["name"] == NAME
        assert [opened.read(name) for name in opened.namelist() if name.endswith("wav")] == [
            b"sound"
        ]
    assert run("elders", "export", "1", "--to", str(file)).exit_code == 1
    opened_again = open_store(load_settings().database)
    assert [row.audit.action for row in audit.newest(opened_again, 1)] == ["export"]
    opened_again.close()


def test_person_is_erased_with_their_sound_and_stays_so_after_a_restore(site: Path) -> None:
    _, sound = called()
    copy = json.loads(run("store", "backup", "--json").stdout)["file"]
    assert run("elders", "erase", "--phone", NUMBER, "--yes").exit_code == 0
    assert names() == []
    assert not sound.exists()
    restored = run("store", "restore", "--yes", "--json", copy)
    assert json.loads(restored.stdout)["erased_before"] == [1]
    assert run("elders", "erase", "1", "--yes").exit_code == 0
    assert names() == []


@pytest.mark.parametrize("arguments", [(), ("1", "--phone", NUMBER), ("--phone", "nobody")])
def test_whom_to_erase_has_to_be_said(arguments: tuple[str, ...]) -> None:
    assert run("elders", "erase", "--yes", *arguments).exit_code == 2
    assert names() == [NAME]
