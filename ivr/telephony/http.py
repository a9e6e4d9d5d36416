"""The questions of the dialplan, and what monitoring wants to know, over HTTP on loopback."""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable
from uuid import UUID

import structlog
from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from ivr.telephony.admission import Admission

SECRET_HEADER = "X-Yihu-Secret"
MAX_BODY = 4096

log = structlog.get_logger()


def make_app(
    admission: Admission, secret: str, missing: Callable[[], Awaitable[list[str]]]
) -> web.Application:
    """`missing` says, in words, what keeps the agent from answering a call; empty when ready."""

    async def form(request: web.Request) -> tuple[UUID, str]:
        given = request.headers.get(SECRET_HEADER, "")
        if not hmac.compare_digest(given.encode(), secret.encode()):
            log.warning("wrong secret from the dialplan", path=request.path)
            raise web.HTTPForbidden(text="wrong or no X-Yihu-Secret")
        fields = await request.post()
        try:
            return UUID(str(fields.get("uuid", ""))), str(fields.get("caller", ""))
        except ValueError as error:
            raise web.HTTPBadRequest(text="uuid is missing or is no UUID") from error

    async def admit(request: web.Request) -> web.Response:
        uuid, caller = await form(request)
        answer = admission.admit(uuid, caller)
        log.info("admission", call=str(uuid), answer=answer, present=admission.present)
        return web.Response(text=answer)

    async def next_step(request: web.Request) -> web.Response:
        uuid, _ = await form(request)
        answer = await admission.next(uuid)
        log.info("next", call=str(uuid), answer=answer)
        return web.Response(text=answer)

    async def healthz(request: web.Request) -> web.Response:
        return web.Response(text="ok")

    async def readyz(request: web.Request) -> web.Response:
        reasons = await missing()
        return web.Response(text="\n".join(reasons) or "ready", status=503 if reasons else 200)

    async def metrics(request: web.Request) -> web.Response:
        return web.Response(body=generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    app = web.Application(client_max_size=MAX_BODY)
    app.add_routes(
        [
            web.post("/asterisk/admit", admit),
            web.post("/asterisk/next", next_step),
            web.get("/healthz", healthz),
            web.get("/readyz", readyz),
            web.get("/metrics", metrics),
        ]
    )
    return app
