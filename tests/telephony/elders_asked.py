"""Elders whose service is done and whom a site calls to ask how it was."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from uuid import uuid4

from conftest import Site
from phone import Phone
from sqlmodel import select
from stand_in import CALL_S, agent

from ivr.catalog import load_catalog, services
from ivr.telephony.ami import Ami
from store import calls, follow_ups, order_life, orders
from store.database import Store, open_store
from store.models import (
    FollowUp,
    FollowUpEventKind,
    Next,
    Outcome,
    SmsOut,
    WorkOrder,
)
from store.order_steps import NOBODY
from store.services import sync

_numbers = itertools.count(1)


class World:
    """A site's Asterisk and its store, and the elder's telephone at the far end of the trunk."""

    def __init__(self, site: Site, store: Store, ami: Ami, home: Phone) -> None:
        self.site = site
        self.store = store
        self.ami = ami
        self.home = home

    def number(self) -> str:
        return f"1380000{next(_numbers):04}"

    def completes(self, phone: str = "") -> int:
        """A service has been done; the id of what is to be asked."""
        now = datetime.now(UTC)
        phone = phone or self.number()
        call = calls.begin_call(self.store, uuid4(), phone, now).id
        calls.end_call(self.store, call, Outcome.ORDERED, Next.HANGUP, now)
        order = WorkOrder(
            call_id=call, code="bathing", phone=phone, price_fen=1, pay_fen=1, created_at=now
        )
        orders.book(self.store, order)
        assert order.id is not None
        order_life.complete(self.store, order.id, NOBODY, now)
        with self.store.read() as session:
            asked = select(FollowUp.id).where(FollowUp.order_id == order.id)
            found = session.exec(asked).one()
        assert found is not None
        return found

    def row(self, id: int) -> FollowUp:
        with self.store.read() as session:
            return session.get_one(FollowUp, id)

    def kinds(self, id: int) -> list[FollowUpEventKind]:
        return [event.kind for event in follow_ups.events_of(self.store, [id])[id]]

    def messages(self, id: int) -> list[SmsOut]:
        with self.store.read() as session:
            return list(session.exec(select(SmsOut).where(SmsOut.follow_up_id == id)))

    async def until(self, found: Callable[[], object]) -> None:
        async with asyncio.timeout(2 * CALL_S):
            while not await asyncio.to_thread(found):  # noqa: ASYNC110
                await asyncio.sleep(0.1)

    async def missed(self, id: int) -> FollowUp:
        """Once the call has come to nothing."""
        await self.until(lambda: FollowUpEventKind.NOT_REACHED in self.kinds(id))
        return self.row(id)


@asynccontextmanager
async def asked_at(site: Site, far_end: int) -> AsyncIterator[World]:
    """Of a site whose Asterisk runs: with elders' telephones at that port, and an agent that hangs
    up."""
    store = open_store(site.settings.database)
    sync(store, services(load_catalog()))
    try:
        async with (
            site.ami() as ami,
            Phone(site.settings, "elder", "", port=far_end) as home,
            agent(site, "agent", "hangup"),
        ):
            await ami.wait_connected(CALL_S)
            yield World(site, store, ami, home)
    finally:
        store.close()
