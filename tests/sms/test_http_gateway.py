"""The gateway over HTTP, with a provider of our own at the other end of real connections."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import web
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from kannel import free_ports
from people import People

from ivr.config import Settings, SmsSettings
from ivr.outreach.sms import kannel
from ivr.outreach.sms.gateway import BadWebhook, one_request_a_connection
from ivr.outreach.sms.http_gateway import PATH, HttpGateway, read_webhook
from ivr.outreach.sms.sender import LEASE_S, Sender
from ivr.outreach.sms.signing import check, signed
from ivr.outreach.sms.webhooks import make_app
from store import messages
from store.database import open_store
from store.models import SmsPurpose, SmsState

PHONE, SECRET = "13812345678", "of both"
NOW = datetime(2026, 11, 22, 4, 0, tzinfo=UTC)


class Provider:
    """Takes messages as docs/sms.md says, each reference once, and fails as it is told to."""

    def __init__(self) -> None:
        self.sent: dict[str, dict[str, Any]] = {}
        self.asked = 0
        self.was_asked = asyncio.Event()
        self.fails_with: list[int] = []
        """Statuses of the next answers; 0: takes the message and breaks the connection."""

    async def take(self, request: web.Request) -> web.StreamResponse:
        self.asked += 1
        self.was_asked.set()
        body = await request.read()
        reference = check(SECRET, request.headers, body, NOW, 300)
        fails = self.fails_with.pop(0) if self.fails_with else None
        if fails:
            return web.Response(status=fails, text="not now")
        known = reference in self.sent
        self.sent.setdefault(reference, json.loads(body))
        if fails == 0:
            assert request.transport is not None
            request.transport.abort()
        number = list(self.sent).index(reference)
        return web.json_response({"id": f"p{number}"}, status=409 if known else 202)


class World:
    """A store, our sender and our listener, and the provider."""

    def __init__(self, folder: Path, provider: Provider, gateway_port: int) -> None:
        self.provider = provider
        [self.port] = free_ports(1)
        self.site = Settings(
            data_dir=folder,
            sms=SmsSettings.model_validate(
                {
                    "gateway": "http",
                    "listen_port": self.port,
                    "http": {"url": f"http://127.0.0.1:{gateway_port}/send", "secret": SECRET},
                }
            ),
        )
        self.store = open_store(self.site.database)
        self.people = People(self.store)
        self.now = NOW
        self.came_in = 0

    def queue(self, key: str = "reply:1") -> None:
        with self.store.write() as session:
            messages.queue_sms(
                session,
                key=key,
                phone=PHONE,
                text="您好",
                purpose=SmsPurpose.REPLY,
                at=self.now,
            )

    def sender(self, http: aiohttp.ClientSession) -> Sender:
        own = self.site.sms
        gateway = HttpGateway(own.http, http, own.ours, lambda: NOW)
        return Sender(self.store, gateway, self.site, lambda: self.now)

    async def tell(self, content: dict[str, Any], at: datetime = NOW, secret: str = SECRET) -> int:
        """A webhook to us; gives the status of our answer."""
        body = json.dumps(content).encode()
        async with (
            aiohttp.ClientSession() as http,
            http.post(
                f"http://127.0.0.1:{self.port}{PATH}",
                data=body,
                headers=signed(secret, str(uuid4()), at, body),
            ) as response,
        ):
            return response.status

    def one_came_in(self) -> None:
        self.came_in += 1


@pytest_asyncio.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    provider = Provider()
    app = web.Application()
    app.add_routes([web.post("/send", provider.take)])
    runner = web.AppRunner(app)
    await runner.setup()
    [port] = free_ports(1)
    await web.TCPSite(runner, "127.0.0.1", port).start()
    made = World(tmp_path, provider, port)
    ours = web.AppRunner(make_app(made.store, made.site, made.one_came_in, lambda: made.now))
    await ours.setup()
    await web.TCPSite(ours, "127.0.0.1", made.port).start()
    yield made
    await ours.cleanup()
    await runner.cleanup()
    made.store.close()


@pytest_asyncio.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(connector=one_request_a_connection()) as session:
        yield session


async def test_message_goes_out_signed_and_its_report_comes_in(
    world: World, http: aiohttp.ClientSession
) -> None:
    world.queue()
    assert await world.sender(http).step() == 1
    [row] = world.people.out()
    assert (row.state, row.gateway_id, row.parts) == (SmsState.SENT, "p0", 1)
    assert world.provider.sent == {
        str(row.reference): {
            "reference": str(row.reference),
            "to": PHONE,
            "text": "您好",
            "webhook": f"http://127.0.0.1:{world.port}{PATH}",
        }
    }
    data = {"reference": str(row.reference), "status": "delivered"}
    assert await world.tell({"type": "message.report", "data": data}) == 200
    assert world.people.out()[0].state is SmsState.DELIVERED


async def test_message_whose_answer_was_lost_is_asked_for_again_and_sent_once(
    world: World, http: aiohttp.ClientSession
) -> None:
    world.provider.fails_with = [0]
    world.queue()
    sender = world.sender(http)
    await sender.step()
    assert world.people.out()[0].state is SmsState.QUEUED
    world.now += timedelta(minutes=1)
    await sender.step()
    assert (world.people.out()[0].state, world.people.out()[0].gateway_id) == (SmsState.SENT, "p0")
    assert (world.provider.asked, len(world.provider.sent)) == (2, 1)


async def test_message_of_a_process_that_died_is_sent_by_the_next(
    world: World, http: aiohttp.ClientSession
) -> None:
    world.queue()
    messages.claim(world.store, "dead", world.now, 9, list(SmsPurpose))
    sender = world.sender(http)
    await sender.step()
    assert world.provider.asked == 0  # it may be alive
    world.now += timedelta(seconds=LEASE_S + 1)
    await sender.step()
    assert world.people.out()[0].state is SmsState.SENT


@pytest.mark.parametrize("status", [401, 404, 429, 503])
async def test_gateway_that_takes_nothing_gets_one_message_at_a_time(
    world: World, http: aiohttp.ClientSession, status: int
) -> None:
    for number in range(10):
        world.queue(f"reply:{number}")
    world.provider.fails_with = [status] * 6
    sender = world.sender(http)
    await sender.step()
    assert world.provider.asked == world.site.sms.at_once
    await sender.step()
    assert world.provider.asked == world.site.sms.at_once  # it is left in peace
    for _ in range(40):
        world.now += timedelta(seconds=world.site.sms.retry_most_s)
        await sender.step()
    assert all(row.state is SmsState.SENT for row in world.people.out())
    assert len(world.provider.sent) == 10


async def test_message_that_is_wrong_in_itself_is_not_tried_again(
    world: World, http: aiohttp.ClientSession
) -> None:
    world.provider.fails_with = [422]
    world.queue()
    await world.sender(http).step()
    [row] = world.people.out()
    assert (row.state, row.detail) == (SmsState.FAILED, "the gateway: 422 not now")


async def test_what_could_not_be_sent_for_days_is_given_up(
    world: World, http: aiohttp.ClientSession
) -> None:
    world.provider.fails_with = [503] * 1000
    world.queue()
    sender = world.sender(http)
    for _ in range(world.site.sms.late_hours + 1):
        assert world.people.out()[0].state is SmsState.QUEUED
        await sender.step()
        world.now += timedelta(hours=1)
    assert world.people.out()[0].state is SmsState.FAILED


async def test_elders_are_not_written_to_at_night(
    world: World, http: aiohttp.ClientSession
) -> None:
    world.now = datetime(2026, 11, 22, 15, 0, tzinfo=UTC)  # 23:00 in Shanghai
    world.people.ask(PHONE, at=world.now)
    world.queue()
    sender = world.sender(http)
    assert await sender.step() == 1
    assert [row.purpose for row in world.people.out(states=(SmsState.QUEUED,))] == ["rating"]
    world.now += timedelta(hours=10)  # 9:00
    assert await sender.step() == 1


async def test_message_to_us_is_taken_once(world: World) -> None:
    content = {"type": "message.received", "data": {"id": "m1", "from": PHONE, "text": "5 👍"}}
    assert [await world.tell(content) for _ in range(3)] == [200, 200, 200]
    [row] = messages.newest_in(world.store)
    assert (row.phone, row.text) == (PHONE, "5 👍")


async def test_whoever_else_tells_us_something_is_refused(world: World) -> None:
    content = {"type": "message.received", "data": {"id": "m1", "from": PHONE, "text": "5"}}
    assert await world.tell(content, secret="guessed") == 401
    assert await world.tell(content, at=NOW - timedelta(minutes=6)) == 401
    url = f"http://127.0.0.1:{world.port}{kannel.IN_PATH}?id=1&from={PHONE}&text=5&token="
    async with aiohttp.ClientSession() as http:
        for token in ("", "0" * 32):
            async with http.get(url + token) as response:
                assert response.status == 401
    assert messages.newest_in(world.store) == []


async def test_what_cannot_be_kept_is_to_be_told_again(world: World) -> None:
    content = {"type": "message.received", "data": {"id": "m1", "from": PHONE, "text": "5"}}
    with world.store.write() as session:
        session.connection().exec_driver_sql("ALTER TABLE sms_in RENAME TO gone")
    assert await world.tell(content) == 503
    with world.store.write() as session:
        session.connection().exec_driver_sql("ALTER TABLE gone RENAME TO sms_in")
    assert await world.tell(content) == 200
    assert len(messages.newest_in(world.store)) == 1


async def test_sender_that_is_told_to_stop_ends_what_it_has_begun(
    world: World, http: aiohttp.ClientSession
) -> None:
    world.queue()
    running = asyncio.create_task(world.sender(http).run())
    await world.provider.was_asked.wait()
    running.cancel()
    await asyncio.wait([running])
    assert world.people.out()[0].state is SmsState.SENT


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=8,
)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.binary(max_size=200) | json_values.map(lambda value: json.dumps(value).encode()))
def test_whatever_a_gateway_tells_is_refused_or_understood(body: bytes) -> None:
    try:
        read_webhook(body)
    except BadWebhook as error:
        assert str(error)


@settings(deadline=None)
@given(st.text(max_size=200), st.binary(max_size=60))
def test_whatever_kannel_tells_is_refused_or_understood(query: str, text: bytes) -> None:
    token = kannel.token(SECRET)
    encoded = "".join(f"%{byte:02X}" for byte in text)
    for told in (query, f"token={token}&{query}", f"token={token}&id=1&from=2&text={encoded}"):
        for read in (kannel.read_incoming, kannel.read_report):
            try:
                read(told, SECRET)
            except BadWebhook as error:
                assert str(error)
