"""All that has to do with text messages, as one task of the outreach process."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import NoReturn

import aiohttp
import structlog
from aiohttp import web

from ivr.config import ROOT, Settings
from ivr.outreach.sms.gateway import Gateway, one_request_a_connection
from ivr.outreach.sms.http_gateway import HttpGateway
from ivr.outreach.sms.kannel import Kannel
from ivr.outreach.sms.reader import Reader
from ivr.outreach.sms.sender import Sender
from ivr.outreach.sms.webhooks import make_app
from ivr.understanding.written import Written
from store.database import Store

LISTEN_AGAIN_S = 5.0

log = structlog.get_logger()


async def serve_sms(store: Store, settings: Settings) -> None:
    """Until cancelled; at once where the site has no gateway. Raises GrammarError."""
    if not settings.sms.gateway:
        log.warning("no messages are sent: sms.gateway is not set")
        return
    written = await asyncio.to_thread(Written.load, ROOT / "grammars")
    async with (
        aiohttp.ClientSession(connector=one_request_a_connection()) as http,
        asyncio.TaskGroup() as group,
    ):
        sender = Sender(store, _gateway(settings, http), settings)
        reader = Reader(store, settings, written, sender.wake.set)
        app = make_app(store, settings, reader.wake.set)
        group.create_task(sender.run(), name="sms sender")
        group.create_task(reader.run(), name="sms reader")
        group.create_task(_listen(app, settings), name="sms listener")


def _gateway(settings: Settings, http: aiohttp.ClientSession) -> Gateway:
    own = settings.sms
    if own.gateway == "http":
        return HttpGateway(own.http, http, own.ours, lambda: datetime.now(UTC))
    return Kannel(own.kannel, http, own.ours, settings.secrets.http)


async def _listen(app: web.Application, settings: Settings) -> NoReturn:
    """Until cancelled. A port that somebody else has is tried again: gateways tell again too."""
    own = settings.sms
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        while True:
            site = web.TCPSite(runner, own.listen_host, own.listen_port)
            try:
                await site.start()
                break
            except OSError as error:
                log.error("nobody hears the gateway", port=own.listen_port, reason=str(error))
                await asyncio.sleep(LISTEN_AGAIN_S)
        log.info("listening for messages", host=own.listen_host, port=own.listen_port)
        await asyncio.Event().wait()
        raise AssertionError("unreachable")
    finally:
        await runner.cleanup()
