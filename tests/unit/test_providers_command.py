from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner, Result

from ivr.commands import api_key, providers
from store import api_keys, audit
from store.database import open_store

app = typer.Typer()
for module in (providers, api_key):
    module.add_to(app)

TABLE = """name,phone,latitude,longitude,services,district,workers
安康家政,139 0000 1111,31.31,120.62,"助浴、cleaning",姑苏区,周师傅 吴师傅
和顺服务,13900002222,31.30,120.60,飞天,姑苏区,
远方,13900003333,131,120.60,bathing,,
德润,12,31.3,120.6,bathing,,
"""


@pytest.fixture(autouse=True)
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("YIHU_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("YIHU_CONFIG", str(tmp_path / "yihu.toml"))
    monkeypatch.delenv("YIHU_DATABASE_URL", raising=False)
    return tmp_path


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, arguments)


def listed(what: str) -> Any:
    return json.loads(run(what, "list", "--json").stdout)


def test_table_of_providers_goes_in_but_for_the_lines_that_are_named(tmp_path: Path) -> None:
    file = tmp_path / "providers.csv"
    file.write_text(TABLE, encoding="gb18030")
    result = run("providers", "import", str(file), "--json")
    assert result.exit_code == 1
    document = json.loads(result.stdout)
    assert (document["added"], [one["line"] for one in document["wrong"]]) == (1, [3, 4, 5])
    reasons = [one["reason"] for one in document["wrong"]]
    assert "'飞天' is none of" in reasons[0]
    assert "is not a place" in reasons[1]
    assert "is not a telephone number" in reasons[2]
    (only,) = listed("providers")
    assert (only["phone"], only["services"], only["radius_km"], only["orders_a_day"]) == (
        "13900001111",
        ["bathing", "cleaning"],
        5.0,
        20,
    )
    assert [one["name"] for one in only["workers"]] == ["吴师傅", "周师傅"]
    assert "安康家政, 姑苏区, 5 km" in run("providers", "list").stdout


def test_provider_is_added_and_brought_up_to_date() -> None:
    given = ["--name", "安康", "--phone", "13900001111", "--latitude", "31.3", "--longitude", "120"]
    assert run("providers", "add", *given, "--services", "理发").exit_code == 0
    further = run("providers", "add", *given, "--services", "助浴", "--radius-km", "8", "--json")
    assert json.loads(further.stdout)["change"] == "updated"
    assert [(one["services"], one["radius_km"]) for one in listed("providers")] == [
        (["bathing"], 8.0)
    ]
    assert run("providers", "add", *given, "--services", "助浴", "--radius-km", "x").exit_code == 2


def test_key_is_shown_once_and_opens_nothing_after_it_is_revoked(site: Path) -> None:
    made = run("api-key", "add", "街道平台")
    key = made.stdout.strip()
    assert run("api-key", "add", "街道平台").exit_code == 2
    assert run("api-key", "add", "安康", "--provider", "没有").exit_code == 2
    store = open_store(f"sqlite:///{site / 'yihu.sqlite3'}")
    found = api_keys.find(store, key)
    assert found is not None and (found.name, found.provider_id) == ("街道平台", None)
    kept = b"".join(path.read_bytes() for path in site.glob("yihu.sqlite3*"))
    assert "街道平台".encode() in kept and key.encode() not in kept
    assert key not in run("api-key", "list").stdout
    assert run("api-key", "revoke", "街道平台").exit_code == 0
    assert api_keys.find(store, key) is None
    assert run("api-key", "revoke", "没有").exit_code == 1
    assert [row.audit.detail for row in audit.newest(store, 2)] == ["revoked", "added"]
    assert listed("api-key")[0]["revoked_at"] is not None
    store.close()
