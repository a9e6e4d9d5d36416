"""A finished service leads to a call that asks how it was; the answer is kept and closes it."""

from __future__ import annotations

import asyncio
import itertools
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
import pytest_asyncio
from call_fixtures import SOON_S
from conftest import Site, free_ports
from elder_at_home import ElderAtHome
from phone import Phone
from sqlmodel import select

from ivr.catalog import load_catalog
from ivr.supervisor import wait_ready
from ivr.understanding.dialects import MANDARIN
from store import calls, complaints, elders, follow_ups, order_life, orders
from store.database import Store, open_store
from store.elders import Registration
from store.models import (
    Channel,
    FollowUp,
    FollowUpEnd,
    Next,
    OrderStatus,
    Outcome,
    Purpose,
    Rating,
    WorkOrder,
)
from store.order_steps import NOBODY

_numbers = itertools.count(1)
RINGS_S = 60.0
WRONG = "来得太晚了，洗得也不干净"


@pytest.fixture(scope="module")
def far_end() -> int:
    return free_ports(socket.SOCK_DGRAM, 1, 19000, 20000)


@pytest.fixture(scope="module")
def asking_site(make_site: Callable[..., Site], far_end: int) -> Iterator[Site]:
    made = make_site(
        YIHU_OUTBOUND__GATEWAY=f"127.0.0.1:{far_end}",
        YIHU_FOLLOW_UP__HOURS_FROM="00:00",
        YIHU_FOLLOW_UP__HOURS_TO="23:59:59",
        YIHU_FOLLOW_UP__AFTER_MINUTES="0",
    )
    made.up()
    yield made
    made.down()


class World:
    def __init__(self, site: Site, store: Store, home: Phone) -> None:
        self.site = site
        self.store = store
        self.home = home

    def number(self) -> str:
        return f"1390000{next(_numbers):04}"

    def completes(self, phone: str) -> int:
        """A bath has been given; returns the order."""
        now = datetime.now(UTC)
        call = calls.begin_call(self.store, uuid4(), phone, now).id
        calls.end_call(self.store, call, Outcome.ORDERED, Next.HANGUP, now)
        price = load_catalog()["bathing"].price_fen
        order = orders.book(
            self.store,
            WorkOrder(
                call_id=call,
                code="bathing",
                phone=phone,
                price_fen=price,
                pay_fen=price,
                created_at=now,
            ),
        )
        assert order.id is not None
        order_life.complete(self.store, order.id, NOBODY, now)
        return order.id

    def plans(self, purpose: Purpose) -> int:
        """A bath of this day, or a greeting; returns the call that is owed."""
        now, phone = datetime.now(UTC), self.number()
        elder = elders.register(self.store, Registration(phone, f"老人{phone}", "平江路1号")).elder
        price = load_catalog()["bathing"].price_fen
        with self.store.write() as session:
            order = WorkOrder(
                code="bathing", elder_id=elder.id, phone=phone, price_fen=price, pay_fen=price,
                scheduled_for=now + timedelta(hours=3), created_at=now,
            )  # fmt: skip
            session.add(order)
            session.flush()
            return follow_ups.plan(
                session, f"{purpose}:{phone}", purpose, phone, at=now, due_at=now,
                elder_id=elder.id, order_id=order.id if purpose is Purpose.PLAN else None,
                expires_at=now + timedelta(hours=2),
            )  # fmt: skip

    def planned(self, id: int) -> FollowUp:
        with self.store.read() as session:
            return session.get_one(FollowUp, id)

    def rating(self, order: int) -> Rating | None:
        with self.store.read() as session:
            return session.exec(select(Rating).where(Rating.order_id == order)).one_or_none()

    def follow_up(self, order: int) -> FollowUp:
        rows = follow_ups.newest_follow_ups(self.store)
        return next(row.follow_up for row in rows if row.follow_up.order_id == order)

    def status(self, order: int) -> OrderStatus:
        opened = orders.open_order(self.store, order)
        assert opened is not None
        return opened.order.status

    async def asked(self, *texts: str, dialect: str = MANDARIN) -> tuple[int, ElderAtHome]:
        """A bath has been given, and the elder answers the telephone: the order, and the elder."""
        settings = self.site.settings
        elder = await asyncio.to_thread(ElderAtHome, settings, *texts, dialect=dialect)
        order = await asyncio.to_thread(self.completes, self.number())
        await elder.answers(await self.home.rings(RINGS_S))
        return order, elder

    async def until(self, found: Callable[[], object]) -> None:
        async with asyncio.timeout(SOON_S):
            while not await asyncio.to_thread(found):  # noqa: ASYNC110
                await asyncio.sleep(0.1)


@pytest_asyncio.fixture
async def world(asking_site: Site, far_end: int) -> AsyncIterator[World]:
    await asyncio.wait_for(wait_ready(asking_site.settings), SOON_S)
    store = open_store(asking_site.settings.database)
    async with Phone(asking_site.settings, "elder", "", port=far_end) as home:
        yield World(asking_site, store, home)
    store.close()


@pytest.mark.parametrize(
    ("dialect", "words"), [(MANDARIN, "很满意"), ("suzhou", "蛮好格"), ("lanzhou", "好得很")]
)
async def test_elder_is_called_and_says_in_their_dialect_how_it_was(
    world: World, dialect: str, words: str
) -> None:
    order, elder = await world.asked(words, dialect=dialect)
    await elder.says_until(words, lambda: world.rating(order))
    await asyncio.wait_for(elder.ring.over.wait(), SOON_S)  # we have said goodbye
    rating = world.rating(order)
    assert rating is not None and rating.score >= 4 and rating.channel is Channel.VOICE
    assert world.status(order) is OrderStatus.CLOSED
    row = world.follow_up(order)
    assert (row.end, row.tries, row.reached_call_id) == (FollowUpEnd.RATED, 1, rating.call_id)


async def test_elder_presses_how_it_was(world: World) -> None:
    order, elder = await world.asked()
    await elder.listens()
    elder.ring.press("5")
    await world.until(lambda: world.rating(order))
    rating = world.rating(order)
    assert rating is not None and (rating.score, rating.channel) == (5, Channel.KEYPAD)
    await asyncio.wait_for(elder.ring.over.wait(), SOON_S)
    assert world.status(order) is OrderStatus.CLOSED


async def test_what_was_wrong_is_a_complaint_with_words_and_sound(world: World) -> None:
    order, elder = await world.asked("不满意", WRONG)
    await elder.says_until("不满意", lambda: world.rating(order))
    assert [row.order_id for row in complaints.open_complaints(world.store)] == [order]
    await elder.listens()
    elder.says(WRONG)
    await world.until(lambda: complaints.open_complaints(world.store)[0].recorded)
    [complaint] = complaints.open_complaints(world.store)
    assert len(complaint.said) > 4
    await asyncio.wait_for(elder.ring.over.wait(), SOON_S)
    assert world.status(order) is OrderStatus.FOLLOWED_UP


@pytest.mark.faults
@pytest.mark.parametrize(
    ("purpose", "end"),
    [(Purpose.PLAN, FollowUpEnd.CONFIRMED), (Purpose.GREETING, FollowUpEnd.GREETED)],
)
async def test_elder_who_is_called_about_what_is_planned_or_how_they_are_says_yes(
    world: World, purpose: Purpose, end: FollowUpEnd
) -> None:
    elder = await asyncio.to_thread(ElderAtHome, world.site.settings, "对")
    planned = await asyncio.to_thread(world.plans, purpose)
    await elder.answers(await world.home.rings(RINGS_S))
    await elder.says_until("对", lambda: world.planned(planned).end)
    await asyncio.wait_for(elder.ring.over.wait(), SOON_S)
    row = world.planned(planned)
    assert (row.end, row.tries, row.reached_call_id) == (end, 1, row.attempt_id)
