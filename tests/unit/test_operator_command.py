from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner, Result

from ivr.commands import operator
from ivr.console.passwords import SHORTEST, verify
from store import audit, operators
from store.database import Store, open_store

app = typer.Typer()
operator.add_to(app)


@pytest.fixture(autouse=True)
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("YIHU_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("YIHU_CONFIG", str(tmp_path / "yihu.toml"))
    monkeypatch.delenv("YIHU_DATABASE_URL", raising=False)
    return tmp_path


@pytest.fixture
def store(site: Path) -> Store:
    return open_store(f"sqlite:///{site / 'yihu.sqlite3'}")


def run(*arguments: str, typed: str | None = None) -> Result:
    return CliRunner().invoke(app, ["operator", *arguments], input=typed)


def add(*arguments: str) -> dict[str, Any]:
    result = run("add", *arguments, "--json")
    assert result.exit_code == 0, result.stderr
    document: dict[str, Any] = json.loads(result.stdout)
    return document


def test_operator_gets_a_password_and_a_telephone_of_their_own(store: Store) -> None:
    first = add("wang.fang", "--display", "王芳")
    second = add("chen", "--role", "admin")
    assert (first["role"], first["display_name"]) == ("operator", "王芳")
    assert (second["role"], second["display_name"]) == ("admin", "chen")
    assert [one["telephone"]["user"] for one in (first, second)] == ["op101", "op102"]
    assert first["telephone"]["secret"] != second["telephone"]["secret"]
    known = operators.find(store, "wang.fang")
    assert known is not None and verify(known.password_hash, first["password"])
    assert not verify(known.password_hash, second["password"])
    assert [row.audit.detail for row in audit.newest(store, 1)] == ["added as admin"]


def test_settings_of_the_telephone_are_printed_for_people() -> None:
    lines = dict(line.split() for line in run("add", "wang").stdout.splitlines()[4:9])
    assert (lines["server"], lines["port"], lines["user"]) == ("127.0.0.1", "5060", "op101")
    assert len(lines["secret"]) >= 20


def test_typed_password_is_taken_and_not_shown(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ivr.commands.operator.asked_at_a_terminal", lambda: True)
    result = run("add", "wang", typed="my own words\nmy own words\n")
    assert result.exit_code == 0
    assert "my own words" not in result.output
    known = operators.find(store, "wang")
    assert known is not None and verify(known.password_hash, "my own words")


TOO_SHORT = "x" * (SHORTEST - 1)


@pytest.mark.parametrize("typed", ["my own words\nother words\n", f"{TOO_SHORT}\n{TOO_SHORT}\n"])
def test_password_mistyped_or_too_short_adds_nobody(
    store: Store, monkeypatch: pytest.MonkeyPatch, typed: str
) -> None:
    monkeypatch.setattr("ivr.commands.operator.asked_at_a_terminal", lambda: True)
    assert run("add", "wang", typed=typed).exit_code == 1
    assert operators.everyone(store) == []


@pytest.mark.parametrize("name", ["王芳", "W", "a b", "-x", ""])
def test_name_that_cannot_be_typed_everywhere_is_wrong_usage(name: str) -> None:
    assert run("add", "--", name).exit_code == 2


def test_name_that_is_taken_is_refused() -> None:
    add("wang")
    again = run("add", "wang")
    assert again.exit_code == 1
    assert "'wang' already" in again.stderr


def test_new_password_replaces_the_old_one(store: Store) -> None:
    old = add("wang")["password"]
    new = json.loads(run("passwd", "wang", "--generate", "--json").stdout)["password"]
    known = operators.find(store, "wang")
    assert known is not None
    assert (verify(known.password_hash, old), verify(known.password_hash, new)) == (False, True)


@pytest.mark.parametrize("command", ["passwd", "disable", "enable"])
def test_unknown_name_is_said(command: str) -> None:
    result = run(command, "nobody")
    assert result.exit_code == 1
    assert "no operator 'nobody'" in result.stderr


def test_who_is_shut_out_stays_in_the_list() -> None:
    add("wang")
    assert run("disable", "wang").exit_code == 0
    (listed,) = json.loads(run("list", "--json").stdout)
    assert (listed["name"], listed["active"]) == ("wang", False)
    assert "shut out" in run("list").stdout
    run("enable", "wang")
    assert json.loads(run("list", "--json").stdout)[0]["active"]
