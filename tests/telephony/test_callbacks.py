"""Whoever could not be helped at once is called back: once, by whoever was asked for."""

from __future__ import annotations

import asyncio
import random
import socket
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
import pytest_asyncio
from conftest import Site, free_ports
from phone import Phone, Ring
from stand_in import CALL_S, agent, dial, hang_up_all

from ivr.telephony.ami import Ami
from store import callbacks
from store.database import Store, open_store
from store.models import (
    Callback,
    CallbackEventKind,
    CallbackState,
    Cause,
    Outcome,
    QueueEnd,
    QueueVisit,
    Wants,
)
from store.queue_visits import waiting

ELDER = "13900000001"
ABROAD = "0085212345678"
QUICK = {
    "YIHU_CALLBACK__HOURS_FROM": "00:00",
    "YIHU_CALLBACK__HOURS_TO": "23:59:59",
    "YIHU_CALLBACK__RETRY_FIRST_S": "2",
    "YIHU_CALLBACK__RING_S": "30",
}


class World:
    """A site's Asterisk and its store, the elder's telephone at the far end of the trunk, and an
    operator's."""

    def __init__(self, site: Site, store: Store, ami: Ami, elder: Phone, operator: Phone) -> None:
        self.site = site
        self.store = store
        self.ami = ami
        self.elder = elder
        self.operator = operator

    async def until(self, found: Callable[[], object]) -> None:
        """For what another process writes into the store and tells nobody."""
        async with asyncio.timeout(CALL_S):
            while not await asyncio.to_thread(found):
                await asyncio.sleep(0.1)

    def rows(self) -> list[Callback]:
        """Oldest first."""
        return [row.callback for row in reversed(callbacks.newest_callbacks(self.store))]

    def state(self) -> CallbackState:
        return self.rows()[-1].state

    def kinds(self) -> list[CallbackEventKind]:
        [row] = self.rows()
        assert row.id is not None
        return [event.kind for event in callbacks.events_of(self.store, [row.id])[row.id]]

    async def waits_in_queue(self, number: str = ELDER) -> str:
        """Somebody calls and stands in the queue; gives their channel."""
        channel = await dial(self.site, self.ami, number)
        await self.until(lambda: [one for one in waiting(self.store) if one.phone == number])
        return channel

    def asks(self, number: str = ELDER, wants: Wants = Wants.OPERATOR) -> Callback:
        row = callbacks.ask(
            self.store,
            number,
            cause=Cause.ASKED,
            wants=wants,
            at=datetime.now(UTC),
            call_id=uuid4(),
        )
        assert row is not None
        return row


@pytest.fixture(scope="module")
def far_end() -> int:
    """Port of the elder's telephone."""
    return free_ports(socket.SOCK_DGRAM, 1, 19000, 20000)


@pytest.fixture(scope="module")
def own_asterisk(make_site: Callable[..., Site], far_end: int) -> Site:
    made = make_site(YIHU_OUTBOUND__GATEWAY=f"127.0.0.1:{far_end}", **QUICK)
    made.start_asterisk()
    return made


@pytest.fixture
def outreach(own_asterisk: Site) -> Iterator[subprocess.Popen[bytes]]:
    process = own_asterisk.start_outreach()
    yield process
    process.terminate()
    process.wait(30)


@pytest_asyncio.fixture
async def world(own_asterisk: Site, far_end: int) -> AsyncIterator[World]:
    site = own_asterisk
    store = open_store(site.settings.database)
    with store.write() as session:
        session.connection().exec_driver_sql("DELETE FROM callback_event")
        session.connection().exec_driver_sql("DELETE FROM callback")
        session.connection().exec_driver_sql("DELETE FROM queue_visit")
    async with (
        site.ami() as ami,
        Phone(site.settings, "elder", "", port=far_end) as elder,
        Phone(site.settings, "operator", site.settings.secrets.operator) as operator,
    ):
        await ami.wait_connected(CALL_S)
        yield World(site, store, ami, elder, operator)
        await hang_up_all(ami)
    store.close()


async def test_caller_who_hangs_up_while_waiting_is_called_back_and_reaches_an_operator(
    world: World, outreach: subprocess.Popen[bytes]
) -> None:
    channel = await world.waits_in_queue()
    await world.ami.action("Hangup", Channel=channel)
    await world.until(world.rows)
    assert await world.operator.register() == 200

    at_home = await world.elder.rings(CALL_S)
    assert at_home.called == ELDER
    await at_home.answer()
    at_desk = await world.operator.rings(CALL_S)
    assert at_desk.caller == ELDER
    await at_desk.answer()
    await world.until(lambda: world.state() is CallbackState.REACHED)
    await at_desk.hang_up()
    await world.until(lambda: world.state() is CallbackState.DONE)

    [row] = world.rows()
    assert (row.cause, row.wants, row.tries) == (Cause.ABANDONED, Wants.OPERATOR, 1)
    assert row.reached_call_id is not None
