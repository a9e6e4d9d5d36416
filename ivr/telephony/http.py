"""The questions of the dialplan, and what monitoring wants to know, over HTTP on loopback."""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from uuid import UUID

import structlog
from aiohttp import web

from ivr import monitoring
from ivr.calls import metrics
from ivr.telephony.admission import Admission, Admit
from ivr.telephony.wishes import Wishes

SECRET_HEADER = "X-Yihu-Secret"
MAX_BODY = 4096

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Overflow:
    """What is done for those whom the agent has no place for; neither raises."""

    priority: Callable[[str], Awaitable[int]]
    """Number -> Asterisk's QUEUE_PRIO."""
    turn_away: Callable[[UUID, str], Awaitable[Admit]]
    """Call and number -> queue, or callback when that has been written down."""


def make_app(
    admission: Admission,
    overflow: Overflow,
    wishes: Wishes,
    secret: str,
    missing: monitoring.Missing,
) -> web.Application:
    """`missing` says, in words, what keeps the agent from answering a call; empty when ready."""

    def check(request: web.Request) -> None:
        given = request.headers.get(SECRET_HEADER, "")
        if not hmac.compare_digest(given.encode(), secret.encode()):
            log.warning("wrong secret from the dialplan", path=request.path)
            raise web.HTTPForbidden(text="wrong or no X-Yihu-Secret")

    async def form(request: web.Request) -> tuple[UUID, str]:
        check(request)
        fields = await request.post()
        try:
            return UUID(str(fields.get("uuid", ""))), str(fields.get("caller", ""))
        except ValueError as error:
            raise web.HTTPBadRequest(text="uuid is missing or is no UUID") from error

    async def admit(request: web.Request) -> web.Response:
        uuid, caller = await form(request)
        answer = admission.admit(uuid, caller)
        called_back = (await request.post()).get("called_back") == "1"
        if answer is Admit.QUEUE and not called_back:  # whom we have called is not sent away
            answer = await overflow.turn_away(uuid, caller)
        metrics.ADMISSIONS.labels(answer).inc()
        limit = admission.limit
        log.info("admission", call=str(uuid), answer=answer, present=admission.present, limit=limit)
        return web.Response(text=answer)

    async def priority(request: web.Request) -> web.Response:
        _, caller = await form(request)
        return web.Response(text=str(await overflow.priority(caller)))

    async def room(request: web.Request) -> web.Response:
        check(request)
        return web.Response(text=str(admission.room))

    async def overhear(request: web.Request) -> web.Response:
        uuid, _ = await form(request)
        return web.Response(text="yes" if wishes.expect(uuid, busy=not admission.room) else "no")

    async def wish(request: web.Request) -> web.Response:
        uuid, _ = await form(request)
        return web.Response(text=wishes.wish(uuid))

    async def next_step(request: web.Request) -> web.Response:
        uuid, _ = await form(request)
        answer = await admission.next(uuid)
        log.info("next", call=str(uuid), answer=answer)
        return web.Response(text=answer)

    app = web.Application(client_max_size=MAX_BODY)
    app.add_routes(
        [
            web.post("/asterisk/admit", admit),
            web.post("/asterisk/next", next_step),
            web.post("/asterisk/priority", priority),
            web.post("/asterisk/room", room),
            web.post("/asterisk/overhear", overhear),
            web.post("/asterisk/wish", wish),
            *monitoring.routes(missing),
        ]
    )
    return app
