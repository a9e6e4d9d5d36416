from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from sample_order import BATHING, NOW, order
from sqlmodel import col, select

from store import calls, orders, services
from store.database import Store, StoreError, open_store
from store.models import OrderEvent, WorkOrderEvent

BOOKER = """
import sys
from uuid import UUID
from store import orders
from store.database import Store
from sample_order import order
store = Store(sys.argv[1])
mine = order(UUID(sys.argv[2]))
print("ready", flush=True)
sys.stdin.readline()
print(orders.book(store, mine).id, flush=True)
sys.stdin.readline()
"""


def booker(url: str, call_id: UUID) -> subprocess.Popen[str]:
    """A process that books once when told to, says which order it got, and waits."""
    process = subprocess.Popen(
        [sys.executable, "-c", BOOKER, url, str(call_id)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parent,
    )
    assert process.stdout and process.stdout.readline() == "ready\n"
    return process


def test_order_is_there_after_the_agent_is_killed(store: Store, url: str, call_id: UUID) -> None:
    with booker(url, call_id) as process:
        assert process.stdin and process.stdout
        process.stdin.write("go\n")
        process.stdin.flush()
        booked = int(process.stdout.readline())
        os.kill(process.pid, signal.SIGKILL)
    assert [o.id for o in orders.orders_of(store, call_id)] == [booked]


def test_order_booked_by_two_processes_exists_once(store: Store, url: str, call_id: UUID) -> None:
    with booker(url, call_id) as one, booker(url, call_id) as two:
        for process in (one, two):
            assert process.stdin
            process.stdin.write("go\n")
            process.stdin.flush()
        got = {int(process.stdout.readline()) for process in (one, two) if process.stdout}
        for process in (one, two):
            process.kill()
    assert len(got) == 1
    assert [o.id for o in orders.orders_of(store, call_id)] == list(got)


def test_order_booked_by_many_threads_exists_once(store: Store, call_id: UUID) -> None:
    start = threading.Barrier(8)

    def book(_: int) -> int | None:
        start.wait()
        return orders.book(store, order(call_id)).id

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(book, range(8)))) == 1
    with store.read() as session:
        assert len(session.exec(select(WorkOrderEvent)).all()) == 1


def test_booking_again_changes_nothing(store: Store, call_id: UUID) -> None:
    first = orders.book(store, order(call_id))
    again = order(call_id)
    again.pay_fen = 0
    second = orders.book(store, again)
    assert (second.id, second.pay_fen) == (first.id, 3500)


def test_second_order_of_a_call_is_another_one_and_comes_first_in_the_list(
    store: Store, call_id: UUID
) -> None:
    first = orders.book(store, order(call_id, 1))
    second = orders.book(store, order(call_id, 2))
    listed = orders.newest_orders(store)
    assert [row.order.id for row in listed] == [second.id, first.id]
    assert [row.order.id for row in orders.newest_orders(store, limit=1)] == [second.id]


def test_time_of_an_order_comes_back_as_the_same_moment(store: Store, call_id: UUID) -> None:
    china = timezone(timedelta(hours=8))
    wanted = order(call_id)
    wanted.scheduled_for = datetime(2026, 11, 23, 9, tzinfo=china)
    orders.book(store, wanted)
    (booked,) = orders.orders_of(store, call_id)
    assert booked.scheduled_for == datetime(2026, 11, 23, 9, tzinfo=china)
    assert booked.scheduled_for.utcoffset() == timedelta(0)


def test_time_without_a_zone_is_refused(store: Store, call_id: UUID) -> None:
    wrong = order(call_id)
    wrong.scheduled_for = datetime(2026, 11, 23, 9)
    with pytest.raises(StoreError, match="has no time zone"):
        orders.book(store, wrong)
    assert orders.orders_of(store, call_id) == []


def test_voice_note_is_found_with_its_order(store: Store, call_id: UUID) -> None:
    booked = orders.book(store, order(call_id))
    assert booked.id
    orders.attach_note(store, booked.id, "notes/1.wav", NOW)
    (row,) = orders.orders_of(store, call_id)
    assert row.note == "notes/1.wav"
    with store.read() as session:
        kinds = session.exec(select(WorkOrderEvent.kind).order_by(col(WorkOrderEvent.id))).all()
    assert kinds == [OrderEvent.CREATED, OrderEvent.NOTE]
    with pytest.raises(StoreError, match="no order 99"):
        orders.attach_note(store, 99, "x", NOW)


def test_order_for_an_unknown_service_or_call_is_refused(store: Store, call_id: UUID) -> None:
    unknown = order(call_id)
    unknown.code = "moon_flight"
    with pytest.raises(StoreError):
        orders.book(store, unknown)
    with pytest.raises(StoreError):
        orders.book(store, order(uuid4()))
    assert orders.newest_orders(store) == []


FULL = """
import resource, sys
from uuid import UUID
from store import orders
from store.database import Store, StoreError
from sample_order import order
store = Store(sys.argv[1])
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))
try:
    orders.book(store, order(UUID(sys.argv[2])))
except StoreError as error:
    print(error)
"""


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
def test_full_disk_is_said_and_nothing_is_half_written(
    store: Store, url: str, call_id: UUID
) -> None:
    with store.read() as session:
        pages = session.connection().exec_driver_sql("PRAGMA page_count").scalar_one()
    small = Store(url)
    with small.write() as session:
        session.connection().exec_driver_sql(f"PRAGMA max_page_count = {pages}")
    failed = None
    for number in range(1, 2000):
        try:
            orders.book(small, order(call_id, number))
        except StoreError as error:
            failed = (number, str(error))
            break
    small.close()
    assert failed
    number, message = failed
    assert "yihu.sqlite3 has no room left: free space on its disk" in message
    booked = orders.orders_of(store, call_id)
    assert [o.number for o in booked] == list(range(1, number))
    with store.read() as session:
        assert len(session.exec(select(WorkOrderEvent)).all()) == number - 1
    orders.book(store, order(call_id, number))  # with room again it goes on


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
def test_disk_that_cannot_grow_is_said_and_nothing_is_half_written(
    store: Store, url: str, call_id: UUID
) -> None:
    said = subprocess.run(
        [sys.executable, "-c", FULL, url, str(call_id)],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parent,
    ).stdout
    assert "yihu.sqlite3" in said
    assert "disk" in said
    assert orders.orders_of(store, call_id) == []
    assert orders.book(store, order(call_id)).id


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
def test_database_held_by_another_program_is_said(
    store: Store, url: str, call_id: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("store.database.BUSY_MS", 50)
    impatient = Store(url)
    with store.write(), pytest.raises(StoreError, match=r"yihu\.sqlite3 has been locked"):
        orders.book(impatient, order(call_id))
    impatient.close()
    assert orders.book(store, order(call_id)).id


def test_service_prices_follow_the_catalogue(store: Store, call_id: UUID) -> None:
    orders.book(store, order(call_id))
    dearer = BATHING.model_copy(update={"price_fen": 4000})
    services.sync(store, [dearer])
    services.sync(store, [])
    (booked,) = orders.orders_of(store, call_id)
    assert booked.price_fen == 3500


def test_store_opened_anew_has_everything(store: Store, url: str, call_id: UUID) -> None:
    orders.book(store, order(call_id))
    again = open_store(url)
    assert [row.order.call_id for row in orders.newest_orders(again)] == [call_id]
    assert calls.find_call(again, call_id)
    again.close()
