"""A copy of the store is whole, made and put back while others write."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sqlite3
import stat
import threading
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import pytest
from sample_order import NOW, order

from store import backup, calls, orders
from store.database import Store, StoreError


def booked(store: Store) -> int:
    call_id = calls.begin_call(store, uuid4(), "13812345678", NOW).id
    id = orders.book(store, order(call_id)).id
    assert id is not None
    return id


def ids(store: Store) -> set[int | None]:
    return {row.order.id for row in orders.newest_orders(store)}


def test_copy_has_what_was_there_and_is_for_its_owner_only(store: Store, tmp_path: Path) -> None:
    id = booked(store)
    file = tmp_path / "new" / "copy.db"
    size = backup.backup(store, file)
    assert size == file.stat().st_size
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert backup.check_file(file).problems == []
    booked(store)
    backup.restore(store.url.render_as_string(hide_password=False), file)
    assert ids(store) == {id}
    assert backup.check(store).problems == []
    assert backup.check(store).rows["work_order"] == 1


def test_copy_made_while_orders_are_booked_has_every_order_with_its_events(
    store: Store, tmp_path: Path
) -> None:
    stop = threading.Event()
    began = threading.Event()

    def book() -> None:
        while not stop.is_set():
            booked(store)
            began.set()

    booking = threading.Thread(target=book)
    booking.start()
    assert began.wait(30)
    known = ids(store)
    files = [tmp_path / f"{number}.db" for number in range(2)]
    for file in files:
        backup.backup(store, file)
    stop.set()
    booking.join()
    for file in files:
        backup.restore(store.url.render_as_string(hide_password=False), file)
        assert known <= ids(store)
        for id in ids(store):
            assert id is not None
            opened = orders.open_order(store, id)
            assert opened is not None and len(opened.steps) == 1


def test_whoever_has_the_store_open_sees_the_restored_one_and_can_go_on(
    store: Store, tmp_path: Path
) -> None:
    first = booked(store)
    backup.backup(store, tmp_path / "copy.db")
    other = Store(store.url.render_as_string(hide_password=False))
    lost = booked(other)
    assert ids(other) == {first, lost}
    backup.restore(store.url.render_as_string(hide_password=False), tmp_path / "copy.db")
    assert ids(other) == {first}
    assert booked(other) in ids(store)
    other.close()


def test_nothing_is_put_in_place_of_a_file(store: Store, tmp_path: Path) -> None:
    file = tmp_path / "photo.jpg"
    file.write_bytes(b"a picture")
    with pytest.raises(StoreError, match="is there already"):
        backup.backup(store, file)
    assert file.read_bytes() == b"a picture"


def spoiled(file: Path) -> None:
    with file.open("r+b") as opened:
        opened.seek(file.stat().st_size // 3)
        opened.write(os.urandom(file.stat().st_size // 3))


def cut_short(file: Path) -> None:
    os.truncate(file, file.stat().st_size // 2)


def another_file(file: Path) -> None:
    file.write_bytes(b"GIF89a")


def emptied(file: Path) -> None:
    file.write_bytes(b"")


@pytest.mark.parametrize("harm", [spoiled, cut_short, another_file, emptied])
def test_copy_that_was_harmed_is_named_and_not_put_back(
    store: Store, tmp_path: Path, harm: Callable[[Path], None]
) -> None:
    file = tmp_path / "copy.db"
    backup.backup(store, file)
    id = booked(store)
    harm(file)
    assert backup.check_file(file).problems
    with pytest.raises(StoreError, match="not sound"):
        backup.restore(store.url.render_as_string(hide_password=False), file)
    assert ids(store) == {id}


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
def test_copy_of_a_newer_version_is_left_alone(store: Store, tmp_path: Path) -> None:
    file = tmp_path / "copy.db"
    backup.backup(store, file)
    id = booked(store)
    newer = sqlite3.connect(file)
    newer.execute("UPDATE alembic_version SET version_num = '9999'")
    newer.commit()
    newer.close()
    with pytest.raises(StoreError, match="newer version"):
        backup.restore(str(store.url), file)
    assert ids(store) == {id}


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
def test_order_without_its_call_is_found(store: Store, url: str) -> None:
    booked(store)
    path = Path(store.url.database or "")
    hurt = sqlite3.connect(path)
    hurt.execute("DELETE FROM call")
    hurt.commit()
    hurt.close()
    assert any("work_order" in problem for problem in backup.check(store).problems)


def restore_for_ever(url: str, file: Path, began: object) -> None:
    began.set()  # type: ignore[attr-defined]
    while True:
        backup.restore(url, file)


@pytest.mark.faults
@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
def test_restore_that_is_killed_leaves_the_old_store_or_the_new_one(
    store: Store, tmp_path: Path, url: str
) -> None:
    booked(store)
    backup.backup(store, tmp_path / "one.db")
    for _ in range(200):
        booked(store)
    context = multiprocessing.get_context("spawn")
    many = len(ids(store))
    for wait_s in (0.0, 0.05, 0.1, 0.15):
        began = context.Event()
        process = context.Process(target=restore_for_ever, args=(url, tmp_path / "one.db", began))
        process.start()
        assert began.wait(60)
        process.join(wait_s)
        assert process.pid is not None
        os.kill(process.pid, signal.SIGKILL)
        process.join()
        assert backup.check(store).problems == []
        assert len(ids(store)) in (1, many)
        many = len(ids(store))
