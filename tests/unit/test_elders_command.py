from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import typer
from typer.testing import CliRunner, Result

from ivr.catalog import load_catalog
from ivr.catalog import services as catalog_rows
from ivr.commands import calls as calls_command
from ivr.commands import elders, orders
from store import calls, services
from store.database import Store, open_store
from store.models import Next, Outcome, WorkOrder
from store.orders import book

HOME = "苏州市姑苏区平江路12号"
app = typer.Typer()
for module in (elders, orders, calls_command):
    module.add_to(app)


@pytest.fixture(autouse=True)
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("YIHU_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("YIHU_CONFIG", str(tmp_path / "yihu.toml"))
    monkeypatch.delenv("YIHU_DATABASE_URL", raising=False)
    return tmp_path


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, arguments)


def listed(what: str) -> Any:
    result = run(what, "list", "--json")
    assert result.exit_code == 0
    return json.loads(result.stdout)


def add(phone: str, name: str, *more: str) -> Result:
    return run("elders", "add", "--phone", phone, "--name", name, "--address", HOME, *more)


def test_elder_is_registered_and_listed() -> None:
    result = add("138 1234 5678", "王秀英", "--class", "subsidised", "--high-risk", "--json")
    assert result.exit_code == 0
    assert json.loads(result.stdout)["change"] == "added"
    (elder,) = listed("elders")
    assert elder["phones"] == ["13812345678"]
    assert (elder["name"], elder["address"]) == ("王秀英", HOME)
    assert (elder["class"], elder["high_risk"]) == ("subsidised", True)


def test_second_name_on_a_number_is_said_to_share_it() -> None:
    add("051265123456", "王秀英")
    assert "shares the number with 王秀英" in add("0512-65123456", "李建国").stderr
    assert len(listed("elders")) == 2
    taken = add("051265123456", "李建国", "--replace")
    assert "shares" not in taken.stderr
    assert [elder["phones"] for elder in listed("elders")] == [["051265123456"], []]


@pytest.mark.parametrize(
    ("phone", "name", "more"),
    [
        ("1381234567", "王秀英", ()),
        ("13812345678", " ", ()),
        ("13812345678", "王秀英", ("--class", "rich")),
        ("13812345678", "王秀英", ("--dialect", "klingon")),
    ],
)
def test_wrong_entry_is_wrong_usage_and_registers_nobody(
    phone: str, name: str, more: tuple[str, ...]
) -> None:
    assert add(phone, name, *more).exit_code == 2
    assert listed("elders") == []


TABLE = """\
phone,name,address,class,dialect,high_risk
13812345678,王秀英,平江路12号,补助,suzhou,是
1381234567,李四,平江路13号,,,

13812345670,,平江路14号,,,
"0512-65123456","李建国","十全街1号，
二楼",aided,,no
13812345671,赵七,观前街1号,rich,,
13812345672,钱六,观前街2号
"13812345673"x,孙八,观前街3号,,,
13812345674,周九,观前街4号,,,
"""


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
def test_wrong_lines_of_a_table_are_named_and_the_others_go_in(site: Path, encoding: str) -> None:
    (site / "elders.csv").write_text(TABLE, encoding=encoding)
    result = run("elders", "import", str(site / "elders.csv"), "--json")
    assert result.exit_code == 1
    summary = json.loads(result.stdout)
    assert summary["added"] == 3
    assert [(wrong["line"], wrong["reason"].split(" ")[0]) for wrong in summary["wrong"]] == [
        (3, "'1381234567'"),
        (5, "name"),
        (8, "class"),
        (9, "has"),
        (10, "not"),
    ]
    assert "elders.csv:5: name is empty" in result.stderr
    assert {elder["name"] for elder in listed("elders")} == {"王秀英", "李建国", "周九"}


def test_table_imported_again_changes_nothing(site: Path) -> None:
    table = "phone,name,address\n13812345678,王秀英,平江路12号\n"
    (site / "elders.csv").write_text(table, encoding="utf-8")
    assert run("elders", "import", str(site / "elders.csv")).exit_code == 0
    result = run("elders", "import", str(site / "elders.csv"), "--json")
    assert result.exit_code == 0
    assert json.loads(result.stdout) == {"added": 0, "updated": 0, "unchanged": 1, "wrong": []}


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "phone, name, address is missing"),
        ("姓名,电话\n".encode(), "phone, name, address is missing"),
        (b"phone,name,address,colour\n", "unknown column 'colour'"),
        (b"\xff\xfe\x00\xd8", "neither UTF-8 nor GB 18030"),
    ],
)
def test_table_of_another_kind_is_refused_with_the_reason(
    site: Path, content: bytes, reason: str
) -> None:
    (site / "elders.csv").write_bytes(content)
    result = run("elders", "import", str(site / "elders.csv"), "--json")
    assert (result.exit_code, result.stdout) == (1, "")
    assert reason in result.stderr


def test_database_out_of_reach_fails_with_its_name(
    site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("YIHU_DATABASE_URL", "sqlite:////dev/null/yihu.sqlite3")
    result = run("orders", "list", "--json")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "/dev/null/yihu.sqlite3" in result.stderr


@pytest.fixture
def store(site: Path) -> Store:
    opened = open_store(f"sqlite:///{site / 'yihu.sqlite3'}")
    services.sync(opened, catalog_rows(load_catalog()))
    return opened


def test_orders_and_calls_are_listed_newest_first_in_site_time(store: Store) -> None:
    add("13812345678", "王秀英")
    rung = datetime(2026, 11, 22, 1, tzinfo=UTC)
    ids = [uuid4(), uuid4()]
    for number, call_id in enumerate(ids):
        begun = rung.replace(minute=number)
        calls.begin_call(store, call_id, "13812345678", begun, elder_id=1)
        book(
            store,
            WorkOrder(
                call_id=call_id,
                number=1,
                code="bathing",
                elder_id=1,
                phone="13812345678",
                address=HOME,
                scheduled_for=datetime(2026, 11, 23, 1, tzinfo=UTC),
                price_fen=3500,
                pay_fen=1750,
                created_at=begun,
            ),
        )
    calls.end_call(store, ids[1], Outcome.ORDERED, Next.HANGUP, rung.replace(minute=5))
    newest, oldest = listed("orders")
    assert [newest["call_id"], oldest["call_id"]] == [str(ids[1]), str(ids[0])]
    assert newest["scheduled_for"] == "2026-11-23T09:00:00+08:00"
    assert newest["created_at"] == "2026-11-22T09:01:00+08:00"
    assert (newest["code"], newest["status"], newest["phone"]) == (
        "bathing",
        "created",
        "13812345678",
    )
    assert (newest["name"], newest["address"]) == ("王秀英", HOME)
    assert (newest["price_fen"], newest["pay_fen"]) == (3500, 1750)
    assert [call["outcome"] for call in listed("calls")] == ["ordered", None]
    assert listed("calls")[0]["orders"] == 1
    assert "35.00" in run("orders", "list").stdout
    assert "under way" in run("calls", "list").stdout
    assert len(json.loads(run("orders", "list", "--limit", "1", "--json").stdout)) == 1
