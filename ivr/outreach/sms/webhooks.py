"""What gateways tell us, over HTTP: messages to us, and what became of ours.

Nothing is answered before it is on disk: whatever is not answered with 200 the gateway tells again,
and what it tells twice is taken once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler

from ivr.config import Settings
from ivr.outreach.sms import http_gateway, kannel, signing
from ivr.outreach.sms.gateway import BadWebhook, Incoming, Reported, Unsigned
from store import messages
from store.database import Store, StoreError
from store.phones import of_caller
from store.privacy import mask_phone

MAX_BODY = 64 * 1024
LONGEST_TEXT = 4000
"""Characters that are kept of a message; the longest that a network carries has 17,000 bytes."""
LONGEST_NUMBER = 30

log = structlog.get_logger()


def make_app(
    store: Store,
    settings: Settings,
    came_in: Callable[[], None],
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> web.Application:
    """`came_in` is called when there is a message to read."""

    async def take(gateway: str, told: Incoming | Reported) -> None:
        """Raises StoreError."""
        if isinstance(told, Reported):
            found = await asyncio.to_thread(
                messages.report,
                store,
                told.reference,
                told.report,
                now(),
                told.detail,
                told.gateway_id,
            )
            known = found.id if found else None
            log.info("reported", gateway=gateway, report=told.report, id=known)
            return
        phone = of_caller(told.phone) or told.phone[:LONGEST_NUMBER]
        text = told.text.replace("\0", "")[:LONGEST_TEXT]
        kept = await asyncio.to_thread(
            messages.receive, store, gateway, told.gateway_id, phone, text, now()
        )
        log.info("came in", gateway=gateway, phone=mask_phone(phone), first=kept is not None)
        came_in()

    @web.middleware
    async def answers(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            return await handler(request)
        except Unsigned as error:
            log.warning("not from our gateway", path=request.path, reason=str(error))
            return web.Response(status=401, text=str(error))
        except BadWebhook as error:
            log.warning("not understood", path=request.path, reason=str(error))
            return web.Response(status=400, text=str(error))
        except StoreError as error:
            log.warning("not kept, to be told again", path=request.path, reason=str(error))
            return web.Response(status=503, text="not kept: tell it again")

    async def kannel_in(request: web.Request) -> web.Response:
        await take(kannel.NAME, kannel.read_incoming(_query(request), settings.secrets.http))
        return web.Response()

    async def kannel_report(request: web.Request) -> web.Response:
        await take(kannel.NAME, kannel.read_report(_query(request), settings.secrets.http))
        return web.Response()

    async def http_webhook(request: web.Request) -> web.Response:
        own = settings.sms.http
        secret = own.secret.get_secret_value()
        if not secret:
            raise Unsigned("no secret is agreed on: sms.http.secret is not set")
        body = await request.read()
        signing.check(secret, request.headers, body, now(), own.tolerance_s)
        await take(http_gateway.NAME, http_gateway.read_webhook(body))
        return web.Response()

    app = web.Application(client_max_size=MAX_BODY, middlewares=[answers])
    app.add_routes(
        [
            web.get(kannel.IN_PATH, kannel_in),
            web.get(kannel.REPORT_PATH, kannel_report),
            web.post(http_gateway.PATH, http_webhook),
        ]
    )
    return app


def _query(request: web.Request) -> str:
    """As it came over the wire: Kannel's is not always UTF-8."""
    return request.raw_path.partition("?")[2]
