"""`yihu standing` and `yihu greetings`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner, Result

from ivr.commands import greetings, standing
from store import elders, orders
from store.database import open_store
from store.elders import Registration
from store.models import OrderStatus

app = typer.Typer()
standing.add_to(app)
greetings.add_to(app)
BATH = ("standing", "add", "--phone", "13812345678", "--service", "bathing", "--at", "23:45")


def document(result: Result) -> Any:
    """What was asked for; the logs before it go to standard error in the real command."""
    return json.loads(result.stdout.splitlines()[-1])


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, arguments)


@pytest.fixture(autouse=True)
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Two elders share a number."""
    monkeypatch.setenv("YIHU_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("YIHU_CONFIG", str(tmp_path / "yihu.toml"))
    monkeypatch.delenv("YIHU_DATABASE_URL", raising=False)
    url = f"sqlite:///{tmp_path / 'yihu.sqlite3'}"
    store = open_store(url)
    for name in ("王秀英", "张德明"):
        elders.register(store, Registration("13812345678", name, "干将路12号"))
    store.close()
    return url


def test_weekly_service_is_added_listed_and_stopped(site: str) -> None:
    added = run(*BATH, "--days", "每天", "--name", "王秀英", "--json")
    assert added.exit_code == 0, added.output
    id = document(added)["id"]
    assert document(run(*BATH, "--days", "daily", "--name", "王秀英", "--json"))["id"] == id
    (row,) = document(run("standing", "list", "--json"))
    assert (row["name"], row["weekdays"], row["at"]) == ("王秀英", "1234567", "23:45")
    store = open_store(site)
    planned = orders.newest_orders(store)
    assert planned and {one.order.standing_id for one in planned} == {id}
    assert run("standing", "stop", str(id)).exit_code == 0
    assert {one.order.status for one in orders.newest_orders(store)} == {OrderStatus.CANCELLED}
    store.close()
    assert run("standing", "stop", str(id)).exit_code == 1
    assert document(run("standing", "list", "--json")) == []


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ((*BATH, "--days", "2"), "say which with --name"),
        ((*BATH, "--days", "2", "--name", "李四"), "not of 李四"),
        ((*BATH, "--days", "8", "--name", "王秀英"), "names no days of the week"),
        ((*BATH[:4], "--service", "x", "--at", "9:00", "--days", "2"), "is not a time of day"),
        ((*BATH[:4], "--service", "x", "--at", "09:00", "--days", "2"), "is none of"),
        (("greetings", "add", "--phone", "13900000000", "--days", "2", "--at", "09:00"), "nobody"),
    ],
)
def test_what_cannot_be_arranged_is_refused_with_the_reason(
    arguments: tuple[str, ...], reason: str
) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert reason in " ".join(result.output.replace("│", " ").split())


def test_greetings_are_added_replaced_and_stopped() -> None:
    add = ("greetings", "add", "--phone", "13812345678", "--name", "张德明", "--at", "10:00")
    assert run(*add, "--days", "135").exit_code == 0
    assert run(*add, "--days", "24").exit_code == 0
    (row,) = document(run("greetings", "list", "--json"))
    assert (row["name"], row["weekdays"], row["phone"]) == ("张德明", "24", "13812345678")
    assert run("greetings", "stop", str(row["id"])).exit_code == 0
    assert run("greetings", "list").stdout == ""
    assert run("greetings", "stop", str(row["id"])).exit_code == 1
