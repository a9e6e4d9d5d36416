"""What callers of a load test are told, read for all of them at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from ivr.bench.told import Told
from store import calls
from store.calls import LastSaid
from store.database import Store, open_store
from store.models import Turn

NOW = datetime(2026, 11, 22, 8, tzinfo=UTC)
SOON_S = 20.0


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store(f"sqlite:///{tmp_path}/yihu.sqlite3")


@pytest.fixture
async def told(store: Store) -> AsyncIterator[Told]:
    told = Told(store)
    running = asyncio.create_task(told.run())
    yield told
    running.cancel()
    store.close()


def tell(store: Store, call_id: UUID, index: int, said: str) -> None:
    calls.begin_call(store, call_id, "051265123456", NOW)
    calls.record_turn(
        store, Turn(call_id=call_id, index=index, kind="heard", said=said, started_at=NOW)
    )


async def test_each_caller_learns_what_was_said_to_them_since(told: Told, store: Store) -> None:
    one, other = uuid4(), uuid4()
    tell(store, other, 0, "您好")
    waiting = asyncio.create_task(told.after(one, 0, SOON_S))
    assert await told.after(other, 0, SOON_S) == LastSaid(1, "您好")
    tell(store, one, 0, "您好，王老师")
    assert await waiting == LastSaid(1, "您好，王老师")
    again = asyncio.create_task(told.after(one, 1, SOON_S))
    tell(store, one, 1, "您希望什么时候？")
    assert await again == LastSaid(2, "您希望什么时候？")


async def test_caller_whom_nobody_tells_anything_goes_on(told: Told, store: Store) -> None:
    call_id = uuid4()
    tell(store, call_id, 0, "您好")
    with pytest.raises(TimeoutError):
        await told.after(call_id, 1, 0.7)
