"""The store fails while people talk: nobody hears 订好了 in vain, and nobody is cut off."""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from call_fixtures import (
    AT_NINE,
    HAIRCUT,
    KNOWN_NUMBERS,
    SOON_S,
    YES,
    Caller,
    Say,
    caller_of,
    introduce_elders,
    when_said,
)
from conftest import Site
from disk import Disk

from store import backup

pytestmark = pytest.mark.faults
DONE = Say("不用了", until="再见")
ORDER = (HAIRCUT, AT_NINE, YES, DONE)
ONCE = ("我想请人来给我理发", "明天上午九点", "对的，没错", "不用了")
"""The same, by somebody who does not look into the store to see whether they were understood."""
NOBODY = 65534


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    with Disk(tmp_path).mounted() as disk:
        yield disk


def site_on(make_site: Callable[..., Site], url: str) -> Site:
    site = make_site(YIHU_DATABASE_URL=url)
    site.up()
    introduce_elders(site)
    return site


async def ordered(caller: Caller, number: str) -> list[str]:
    report = await caller.calls(*ORDER, number=number)
    return [row.code for row in caller.orders(report)]


async def gets_a_human(caller: Caller, number: str, *script: Say) -> None:
    """Whoever calls now says what they can, and stands in the operators' queue in the end."""
    leave = asyncio.Event()
    async with caller.queue() as queue:
        call = asyncio.create_task(caller.calls(*script, number=number, leave=leave))
        joined = await queue.joined(number)
        leave.set()
        report = await call
    assert joined
    heard = [one for one in report.exchanges if one.label == YES.text and one.answer_s is not None]
    assert not any(caller.sounds_like(caller.answer(report, one), "订好了") for one in heard)


async def test_full_disk_sends_callers_to_humans_and_all_is_well_once_there_is_room(
    make_site: Callable[..., Site], disk: Disk
) -> None:
    site = await asyncio.to_thread(site_on, make_site, f"sqlite:///{disk.folder / 'y.sqlite3'}")
    async with caller_of(site) as caller:
        assert await ordered(caller, KNOWN_NUMBERS[0]) == ["haircut"]
        await asyncio.to_thread(disk.fill)
        await gets_a_human(caller, KNOWN_NUMBERS[1], *ORDER[:3])
        await asyncio.to_thread(disk.empty)
        assert await ordered(caller, KNOWN_NUMBERS[2]) == ["haircut"]
        assert backup.check(caller.store).problems == []
    await asyncio.to_thread(site.down)


async def test_disk_that_fails_sends_callers_to_humans_and_keeps_what_was_booked(
    make_site: Callable[..., Site], disk: Disk
) -> None:
    """From the middle of a call on, nothing can be written any more."""
    path = disk.folder / "y.sqlite3"
    site = await asyncio.to_thread(site_on, make_site, f"sqlite:///{path}")
    async with caller_of(site) as caller:
        assert await ordered(caller, KNOWN_NUMBERS[0]) == ["haircut"]
        leave = asyncio.Event()
        async with caller.queue() as queue:
            number = KNOWN_NUMBERS[1]
            call = asyncio.create_task(caller.calls(*ONCE[:3], number=number, leave=leave))
            await when_said(caller, number, SOON_S)
            await asyncio.to_thread(disk.fail)
            assert await queue.joined(number)
            leave.set()
            await call
        await gets_a_human(caller, KNOWN_NUMBERS[2])
    copy = disk.folder.parent / "copy.sqlite3"
    await asyncio.to_thread(shutil.copy, path, copy)
    wal = Path(f"{path}-wal")
    if await asyncio.to_thread(wal.exists):
        await asyncio.to_thread(shutil.copy, wal, f"{copy}-wal")
    checked = await asyncio.to_thread(backup.check_file, copy)
    assert (checked.problems, checked.rows["work_order"]) == ([], 1)
    await asyncio.to_thread(site.down)


@contextmanager
def another_writer(path: Path, holds_s: float, pause_s: float) -> Iterator[None]:
    """Somebody who locks the database again and again."""
    stop = threading.Event()

    def write() -> None:
        other = sqlite3.connect(path, isolation_level=None, timeout=60)
        while not stop.is_set():
            other.execute("BEGIN IMMEDIATE")
            stop.wait(holds_s)
            other.execute("ROLLBACK")
            stop.wait(pause_s)
        other.close()

    writing = threading.Thread(target=write)
    writing.start()
    try:
        yield
    finally:
        stop.set()
        writing.join()


async def test_slow_store_costs_time_and_no_order(make_site: Callable[..., Site]) -> None:
    site = make_site()
    path = site.settings.data_dir / "yihu.sqlite3"
    await asyncio.to_thread(site.up)
    await asyncio.to_thread(introduce_elders, site)
    async with caller_of(site) as caller:
        with another_writer(path, 1.0, 0.3):
            assert await ordered(caller, KNOWN_NUMBERS[0]) == ["haircut"]
        with another_writer(path, 30.0, 0.1):
            await asyncio.sleep(1.0)
            await gets_a_human(caller, KNOWN_NUMBERS[1])
        assert await ordered(caller, KNOWN_NUMBERS[2]) == ["haircut"]
    await asyncio.to_thread(site.down)


class Postgres:
    """A server of our own, which can be stopped and started."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._as = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
        if os.geteuid() != 0:
            self._as = []
        else:
            os.chown(folder, NOBODY, NOBODY)
        self._run("initdb", "-D", f"{folder}/data", "-U", "yihu", "-A", "trust", "-E", "UTF8")
        self.start()

    @property
    def url(self) -> str:
        return f"postgresql+psycopg://yihu@/postgres?host={self._folder}"

    def start(self) -> None:
        options = f"-c listen_addresses= -c unix_socket_directories={self._folder}"
        log = f"{self._folder}/log"
        self._run("pg_ctl", "-D", f"{self._folder}/data", "-l", log, "-o", options, "-w", "start")

    def stop(self, how: str) -> None:
        self._run("pg_ctl", "-D", f"{self._folder}/data", "-m", how, "-w", "stop")

    def read_only(self, on: bool) -> None:
        """As a server that has become another's replica."""
        setting = f"ALTER SYSTEM SET default_transaction_read_only = {'on' if on else 'off'}"
        psql = ["psql", "-q", "-h", str(self._folder), "-U", "yihu", "-d", "postgres"]
        self._run(*psql, "-c", "SET default_transaction_read_only = off", "-c", setting)
        self._run(*psql, "-c", "SELECT pg_reload_conf()")

    def _run(self, *command: str) -> None:
        subprocess.run(
            [*self._as, *command], check=True, cwd=self._folder, stdout=subprocess.DEVNULL
        )


@pytest.fixture
def postgres() -> Iterator[Postgres]:
    if not shutil.which("initdb"):
        pytest.skip("PostgreSQL's initdb and pg_ctl are not on the PATH")
    folder = Path(f"/tmp/yihu-pg-{os.getpid()}-{time.monotonic_ns()}")
    folder.mkdir()
    server = Postgres(folder)
    yield server
    server.stop("immediate")
    shutil.rmtree(folder)


async def test_postgresql_may_be_restarted_or_read_only_while_people_order(
    make_site: Callable[..., Site], postgres: Postgres
) -> None:
    site = await asyncio.to_thread(site_on, make_site, postgres.url)
    async with caller_of(site) as caller:
        number = KNOWN_NUMBERS[0]
        call = asyncio.create_task(caller.calls(*ONCE, number=number))
        await when_said(caller, number, SOON_S)
        await asyncio.to_thread(postgres.stop, "fast")
        await asyncio.to_thread(postgres.start)
        report = await call
        assert [row.code for row in caller.orders(report)] == ["haircut"]

        await asyncio.to_thread(postgres.read_only, True)
        await gets_a_human(caller, KNOWN_NUMBERS[1])
        await asyncio.to_thread(postgres.read_only, False)
        assert await ordered(caller, KNOWN_NUMBERS[2]) == ["haircut"]

        await asyncio.to_thread(postgres.stop, "immediate")
        await gets_a_human(caller, KNOWN_NUMBERS[3])
        await asyncio.to_thread(postgres.start)
        assert await ordered(caller, KNOWN_NUMBERS[4]) == ["haircut"]
    await asyncio.to_thread(site.down)
