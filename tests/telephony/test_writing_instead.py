"""Who does not come to the telephone is asked in writing: calls, message and answer in one run."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import web
from conftest import Site, free_ports
from elders_asked import World, asked_at
from stand_in import CALL_S

from ivr.outreach.sms.http_gateway import PATH
from ivr.outreach.sms.signing import check, signed
from store import follow_ups, orders
from store.models import (
    FollowUp,
    FollowUpEnd,
    FollowUpEventKind,
    FollowUpState,
    OrderStatus,
    SmsState,
)

SECRET = "of both"


class Provider:
    """Takes messages over HTTP as docs/sms.md says, and tells what is answered."""

    def __init__(self) -> None:
        self.taken: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

    async def take(self, request: web.Request) -> web.Response:
        body = await request.read()
        check(SECRET, request.headers, body, datetime.now(UTC), 300)
        self.taken.put_nowait(json.loads(body))
        return web.json_response({"id": "p1"}, status=202)

    async def tell(self, port: int, phone: str, text: str) -> int:
        """What an elder writes; the status of our answer."""
        data = {"id": "in1", "from": phone, "text": text}
        body = json.dumps({"type": "message.received", "data": data}).encode()
        headers = signed(SECRET, str(uuid4()), datetime.now(UTC), body)
        url = f"http://127.0.0.1:{port}{PATH}"
        async with (
            aiohttp.ClientSession() as http,
            http.post(url, data=body, headers=headers) as response,
        ):
            return response.status


@pytest_asyncio.fixture
async def provider() -> AsyncIterator[tuple[Provider, int]]:
    """It, and its port."""
    made, port = Provider(), free_ports(socket.SOCK_STREAM, 1, 19000, 20000)
    app = web.Application()
    app.add_routes([web.post("/send", made.take)])
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    yield made, port
    await runner.cleanup()


@pytest_asyncio.fixture
async def world(
    make_site: Callable[..., Site], provider: tuple[Provider, int]
) -> AsyncIterator[World]:
    far_end = free_ports(socket.SOCK_DGRAM, 1, 19000, 20000)
    site = make_site(
        YIHU_OUTBOUND__GATEWAY=f"127.0.0.1:{far_end}",
        YIHU_FOLLOW_UP__HOURS_FROM="00:00",
        YIHU_FOLLOW_UP__HOURS_TO="23:59:59",
        YIHU_FOLLOW_UP__AFTER_MINUTES="0",
        YIHU_FOLLOW_UP__RING_S="5",
        YIHU_SMS__GATEWAY="http",
        YIHU_SMS__HTTP__URL=f"http://127.0.0.1:{provider[1]}/send",
        YIHU_SMS__HTTP__SECRET=SECRET,
        YIHU_SMS__HOURS_FROM="00:00",
        YIHU_SMS__HOURS_TO="23:59:59.999",
        YIHU_SMS__LISTEN_PORT=str(free_ports(socket.SOCK_STREAM, 1, 19000, 20000)),
    )
    await asyncio.to_thread(site.start_asterisk)
    async with asked_at(site, far_end) as world:
        process = site.start_outreach()
        yield world
        process.terminate()
        await asyncio.to_thread(process.wait, 30)


def hours_pass(world: World, id: int) -> None:
    """Until they are called again."""
    with world.store.write() as session:
        row = session.get_one(FollowUp, id)
        assert row.state is FollowUpState.WAITING and row.due_at > datetime.now(UTC)
        row.due_at = datetime.now(UTC)


@pytest.mark.faults
async def test_three_calls_that_nobody_takes_lead_to_a_message_and_its_answer_closes_the_order(
    world: World, provider: tuple[Provider, int]
) -> None:
    gateway, _ = provider
    id = world.completes()
    phone = world.row(id).phone
    for number, way in enumerate(("not answered", "busy", "not answered"), 1):
        ring = await world.home.rings(CALL_S)
        assert ring.called == phone and gateway.taken.empty()
        if way == "busy":
            ring.reject()
        else:
            await asyncio.wait_for(ring.over.wait(), CALL_S)
        await world.until(lambda tries=number: missed(world, id) == tries)
        if number < 3:
            hours_pass(world, id)
    sent = await asyncio.wait_for(gateway.taken.get(), CALL_S)
    assert sent["to"] == phone and "助浴" in sent["text"]
    await world.until(lambda: [one.state for one in world.messages(id)] == [SmsState.SENT])
    assert (world.row(id).state, world.row(id).tries) == (FollowUpState.MESSAGED, 3)
    assert world.home.silent
    assert await gateway.tell(world.site.settings.sms.listen_port, phone, "很满意，谢谢") == 200
    await world.until(lambda: world.row(id).end is FollowUpEnd.RATED)
    thanks = await asyncio.wait_for(gateway.taken.get(), CALL_S)
    assert thanks["to"] == phone
    opened = orders.open_order(world.store, world.row(id).order_id or 0)
    assert opened is not None and opened.order.status is OrderStatus.CLOSED
    [rated] = follow_ups.newest_ratings(world.store)
    assert rated.rating.score >= 4


def missed(world: World, id: int) -> int:
    """How many calls came to nothing."""
    return world.kinds(id).count(FollowUpEventKind.NOT_REACHED)
