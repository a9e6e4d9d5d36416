from __future__ import annotations

import stat
import subprocess
import sys
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlmodel import SQLModel

import store.models  # noqa: F401  the tables
from store.database import Store, StoreError, open_store

OPENER = "import sys; from store.database import open_store; open_store(sys.argv[1]).close()"


def test_migrated_schema_is_the_one_of_the_models(url: str) -> None:
    opened = open_store(url)
    with opened.read() as session:
        context = MigrationContext.configure(session.connection(), opts={"compare_type": True})
        assert compare_metadata(context, SQLModel.metadata) == []
    opened.close()


def test_agent_and_command_line_may_both_be_the_first(url: str) -> None:
    openers = [subprocess.Popen([sys.executable, "-c", OPENER, url]) for _ in range(4)]
    assert [opener.wait() for opener in openers] == [0] * 4


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
def test_sqlite_is_set_up_to_survive_a_power_cut(url: str) -> None:
    opened = open_store(url)
    with opened.read() as session:
        pragma = {
            name: session.connection().exec_driver_sql(f"PRAGMA {name}").scalar_one()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }
    opened.close()
    full = 2
    assert pragma == {
        "journal_mode": "wal",
        "synchronous": full,
        "foreign_keys": 1,
        "busy_timeout": 5000,
    }


def test_database_is_readable_by_its_owner_only(tmp_path: Path) -> None:
    open_store(f"sqlite:///{tmp_path}/new/yihu.sqlite3").close()
    assert stat.S_IMODE((tmp_path / "new" / "yihu.sqlite3").stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("sqlite:////dev/null/yihu.sqlite3", "/dev/null/yihu.sqlite3 cannot be opened"),
        ("sqlite://", "needs a file"),
        ("nonsense", "is not a database URL"),
        ("nosuch://host/name", "is not a database URL"),
        ("postgresql+psycopg://yihu:secret@127.0.0.1:1/x", r"yihu:\*\*\*@127.0.0.1:1/x"),
    ],
)
def test_database_that_cannot_be_opened_is_named(url: str, message: str) -> None:
    with pytest.raises(StoreError, match=message) as caught:
        open_store(url)
    assert "secret" not in str(caught.value)


def test_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    path = tmp_path / "photo.jpg"
    path.write_bytes(b"\xff\xd8" * 1000)
    with pytest.raises(StoreError, match=r"photo\.jpg is not a database"):
        Store(f"sqlite:///{path}").migrate()
