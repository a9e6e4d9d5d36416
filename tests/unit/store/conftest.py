"""A store of one's own for each test, on SQLite and on PostgreSQL where there is one."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from sample_order import BATHING, NOW
from sqlalchemy import create_engine, text

from store import calls, services
from store.database import Store, open_store

NOBODY = 65534


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """URL of a server of our own, reached through a socket in its folder."""
    if not shutil.which("initdb") or not shutil.which("pg_ctl"):
        pytest.skip("PostgreSQL's initdb and pg_ctl are not on the PATH")
    with tempfile.TemporaryDirectory(prefix="yihu-pg-") as name:
        folder = Path(name)
        as_user: list[str] = []
        if os.geteuid() == 0:  # the server refuses to run as root
            if not shutil.which("setpriv"):
                pytest.skip("root needs setpriv to start PostgreSQL as someone else")
            os.chown(folder, NOBODY, NOBODY)
            as_user = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
        data = folder / "data"
        log = folder / "log"

        def run(*command: str) -> None:
            subprocess.run([*as_user, *command], check=True, cwd=folder, stdout=subprocess.DEVNULL)

        run("initdb", "-D", str(data), "-U", "yihu", "-A", "trust", "-E", "UTF8", "--no-locale")
        options = f"-c listen_addresses= -c unix_socket_directories={folder}"
        run("pg_ctl", "-D", str(data), "-l", str(log), "-o", options, "-w", "start")
        try:
            yield f"postgresql+psycopg://yihu@/postgres?host={folder}"
        finally:
            run("pg_ctl", "-D", str(data), "-m", "immediate", "-w", "stop")


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'yihu.sqlite3'}"
    server: str = request.getfixturevalue("postgres")
    name = f"t{uuid4().hex}"
    engine = create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    engine.dispose()
    return server.replace("/postgres?", f"/{name}?")


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    """A store that knows one service."""
    opened = open_store(url)
    services.sync(opened, [BATHING.model_copy()])
    yield opened
    opened.close()


@pytest.fixture
def call_id(store: Store) -> UUID:
    """A call that has begun."""
    return calls.begin_call(store, uuid4(), "13812345678", NOW).id
