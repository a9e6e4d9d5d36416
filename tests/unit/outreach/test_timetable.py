"""Work that is done at certain times, whoever is killed in between."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ivr.config import Settings
from ivr.outreach.timetable import Timetable
from store.database import Store, StoreError, open_store

BEGIN = datetime(2026, 11, 22, 1, 30, tzinfo=UTC)  # 9:30 in Shanghai
HOURLY = "5 * * * *"
done: list[datetime] = []
trouble: list[BaseException] = []
"""What the next run fails with."""


def work(store: Store, settings: Settings, now: datetime) -> None:
    if trouble:
        raise trouble.pop()
    done.append(now)


class Clock:
    def __init__(self) -> None:
        self.at = BEGIN

    def __call__(self) -> datetime:
        return self.at


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    done.clear()
    trouble.clear()
    return Settings(data_dir=tmp_path)


@pytest.fixture
def store(settings: Settings) -> Iterator[Store]:
    opened = open_store(settings.database)
    yield opened
    opened.close()


@pytest.fixture
def clock() -> Clock:
    return Clock()


def timetable(store: Store, settings: Settings, clock: Clock, when: str = HOURLY) -> Timetable:
    return Timetable(store, settings, clock, {"work": (work, when)})


def test_new_job_is_done_at_once_and_then_at_its_times(
    store: Store, settings: Settings, clock: Clock
) -> None:
    table = timetable(store, settings, clock)
    table.run_due()
    table.run_due()
    assert done == [BEGIN]
    assert table.next_at == BEGIN + timedelta(minutes=35)
    clock.at = BEGIN + timedelta(minutes=34)
    table.run_due()
    clock.at = BEGIN + timedelta(minutes=36)
    table.run_due()
    assert done == [BEGIN, clock.at]


def test_next_process_goes_on_where_the_last_one_ended(
    store: Store, settings: Settings, clock: Clock
) -> None:
    timetable(store, settings, clock).run_due()
    clock.at = BEGIN + timedelta(minutes=10)
    timetable(store, settings, clock).run_due()
    assert done == [BEGIN]


def test_what_was_missed_many_times_is_done_once(
    store: Store, settings: Settings, clock: Clock
) -> None:
    timetable(store, settings, clock).run_due()
    clock.at = BEGIN + timedelta(days=3)
    table = timetable(store, settings, clock)
    table.run_due()
    table.run_due()
    assert done == [BEGIN, clock.at]
    assert table.next_at == clock.at + timedelta(minutes=35)


def test_job_that_failed_is_done_at_the_next_look(
    store: Store, settings: Settings, clock: Clock
) -> None:
    table = timetable(store, settings, clock)
    trouble.append(StoreError("the database is locked"))
    table.run_due()
    assert done == []
    table.run_due()
    assert done == [BEGIN]


def test_job_whose_process_ended_in_the_middle_is_done_by_the_next(
    store: Store, settings: Settings, clock: Clock
) -> None:
    trouble.append(KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        timetable(store, settings, clock).run_due()
    timetable(store, settings, clock).run_due()
    assert done == [BEGIN]


def test_job_at_other_times_than_before_is_done_at_once_and_then_at_those(
    store: Store, settings: Settings, clock: Clock
) -> None:
    timetable(store, settings, clock).run_due()
    clock.at = BEGIN + timedelta(minutes=10)
    table = timetable(store, settings, clock, "0 3 * * *")
    table.run_due()
    assert done == [BEGIN, clock.at]
    assert table.next_at == datetime(2026, 11, 22, 19, tzinfo=UTC)


def test_job_that_is_no_more_is_forgotten(store: Store, settings: Settings, clock: Clock) -> None:
    timetable(store, settings, clock)
    Timetable(store, settings, clock, {}).run_due()
    assert done == []
