"""What those who watch are told, and what it costs."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from datetime import UTC, datetime
from uuid import uuid4

import pytest
import pytest_asyncio

from ivr.console.live import AT_ONCE_S, Live, Topic
from store import queue_visits
from store.database import Store, StoreError


class Looks:
    """A topic whose looks are counted, and whose next one can be made to fail."""

    def __init__(self) -> None:
        self.value = 0
        self.looked: list[str] = []
        self.fails = False
        self.write: Callable[[], None] = lambda: None
        self._happened = threading.Semaphore(0)

    async def again(self) -> None:
        """Waits for a look that begins after this, since something is written; a failure to come
        is one of the test."""
        self.write()
        while self._happened.acquire(blocking=False):
            pass
        assert await asyncio.to_thread(self._happened.acquire, timeout=30)

    def __call__(self, store: Store, argument: str) -> int:
        self.looked.append(argument)
        self._happened.release()
        if self.fails:
            raise StoreError("the disk is full")
        return self.value


@pytest.fixture
def looks() -> Looks:
    return Looks()


@pytest_asyncio.fixture
async def live(store: Store, looks: Looks) -> AsyncIterator[Live]:
    looks.write = lambda: queue_visits.join(store, f"{uuid4()}", "", datetime.now(UTC))
    made = Live(store, [Topic("calls", looks, lambda *_: "")])
    task = asyncio.create_task(made.run())
    yield made
    assert not task.done(), "it ended"
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def test_store_is_looked_at_once_however_many_watch(live: Live, looks: Looks) -> None:
    first, second = asyncio.Event(), asyncio.Event()
    with live.watching(["calls"], first), live.watching(["calls"], second) as (watched,):
        await asyncio.wait_for(asyncio.gather(first.wait(), second.wait()), 10)
        assert watched.seen == 0
        assert len(looks.looked) == 1


async def test_who_watches_hears_of_changes_only(live: Live, looks: Looks) -> None:
    changed = asyncio.Event()
    with live.watching(["calls:7"], changed) as (watched,):
        await asyncio.wait_for(changed.wait(), 10)
        changed.clear()
        await looks.again()
        await looks.again()  # so the one before is over, and it was the same
        assert not changed.is_set()
        looks.value = 1
        looks.write()
        await asyncio.wait_for(changed.wait(), 10)
        assert watched.seen == 1
    assert set(looks.looked) == {"7"}


async def test_store_that_fails_leaves_what_was_seen_and_is_looked_at_again(
    live: Live, looks: Looks
) -> None:
    changed = asyncio.Event()
    with live.watching(["calls"], changed) as (watched,):
        await asyncio.wait_for(changed.wait(), 10)
        changed.clear()
        looks.fails = True
        await looks.again()
        await looks.again()
        assert watched.seen == 0
        looks.fails, looks.value = False, 2
        looks.write()
        await asyncio.wait_for(changed.wait(), 10)
        assert watched.seen == 2


async def test_what_nobody_watches_any_more_is_not_looked_at(live: Live, looks: Looks) -> None:
    changed = asyncio.Event()
    with live.watching(["calls:7"], changed):
        await asyncio.wait_for(changed.wait(), 10)
    with live.watching(["calls:8"], changed):
        await looks.again()
        before = looks.looked.count("7")  # one more may have been under way
        await looks.again()
        await looks.again()
        assert looks.looked.count("7") == before


async def test_store_into_which_nothing_is_written_is_not_read_again(
    live: Live, looks: Looks
) -> None:
    changed, written = asyncio.Event(), asyncio.Event()
    with live.watching(["calls:7"], changed), live.watching(["calls:8"], written):
        await asyncio.wait_for(asyncio.gather(changed.wait(), written.wait()), 10)
        looks.looked.clear()
        await asyncio.sleep(10 * AT_ONCE_S)
        assert looks.looked == []
        await looks.again()
        assert looks.looked
