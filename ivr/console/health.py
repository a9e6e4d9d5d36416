"""Whether the console can be used, for the supervisor and for monitoring."""

from __future__ import annotations

from aiohttp import web

from ivr.console.pages import Page, in_store
from store.database import Store, StoreError


async def healthz(request: web.Request) -> web.Response:
    return web.Response(text="ok")


async def readyz(request: web.Request) -> web.Response:
    missing = await in_store(request, _missing)
    return web.Response(text=missing or "ready", status=503 if missing else 200)


def _missing(store: Store) -> str:
    """Why nothing can be written; empty if it can. Says no more than that to strangers."""
    try:
        with store.write():
            return ""
    except StoreError:
        return "the store cannot be written"


PAGES: tuple[Page, ...] = (
    Page("GET", "/healthz", healthz, role=None),
    Page("GET", "/readyz", readyz, role=None),
)
