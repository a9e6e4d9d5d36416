"""What monitoring reads of a process: /healthz (it runs), /readyz (it can do its work, or else why
not, with status 503) and /metrics (Prometheus). Nothing of people is in any of them.

The agent has them beside the dialplan's questions; the other processes listen on a port of their
own, since the console's is open to the whole office.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import structlog
from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, Histogram, generate_latest

from ivr import systemd
from store.database import Store, StoreError

Missing = Callable[[], Awaitable[list[str]]]
"""What keeps a process from doing its work, in words; empty when it is ready."""
Refresh = Callable[[], Awaitable[None]]

LOOK_S = 0.5
LOOP_DELAY = Histogram(
    "yihu_event_loop_delay_seconds",
    "How much later than asked for the process's event loop did something.",
    buckets=(0.001, 0.005, 0.01, 0.02, 0.04, 0.1, 0.25, 0.5, 1.0, 5.0),
)
log = structlog.get_logger()


async def _nothing() -> None:
    """Figures that keep themselves up to date."""


def routes(missing: Missing, refresh: Refresh = _nothing) -> list[web.RouteDef]:
    """refresh: brings up to date what is only counted when somebody asks."""

    async def healthz(request: web.Request) -> web.Response:
        return web.Response(text="ok")

    async def readyz(request: web.Request) -> web.Response:
        reasons = await missing()
        return web.Response(text="\n".join(reasons) or "ready", status=503 if reasons else 200)

    async def metrics(request: web.Request) -> web.Response:
        await refresh()
        return web.Response(body=generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    return [
        web.get("/healthz", healthz),
        web.get("/readyz", readyz),
        web.get("/metrics", metrics),
    ]


@asynccontextmanager
async def monitored(
    host: str, port: int, missing: Missing, refresh: Refresh = _nothing
) -> AsyncIterator[None]:
    """Listens meanwhile. A port that is taken is told and costs nobody a call."""
    app = web.Application()
    app.add_routes(routes(missing, refresh))
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    watching = asyncio.create_task(watch_loop(), name="event loop's delay")
    try:
        try:
            await web.TCPSite(runner, host, port).start()
        except OSError as error:
            log.error("no monitoring", host=host, port=port, reason=error.strerror or str(error))
        yield
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
        await runner.cleanup()


async def watch_loop() -> None:
    """Until cancelled. Tells systemd as well that the loop goes round."""
    loop = asyncio.get_running_loop()
    watched = systemd.watches()
    while True:
        due = loop.time() + LOOK_S
        await asyncio.sleep(LOOK_S)
        LOOP_DELAY.observe(max(0.0, loop.time() - due))
        if watched:
            systemd.tell(systemd.ALIVE)


def unwritable(store: Store) -> str:
    """Why the store cannot be written; empty if it can. Blocking."""
    try:
        with store.write():
            return ""
    except StoreError as error:
        return str(error)
