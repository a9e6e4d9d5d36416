"""The console as one application: all pages, their headers, and what is shown when one fails."""

from __future__ import annotations

import asyncio

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler

from ivr.api import routes as api
from ivr.api.gate import STATUS, failure
from ivr.catalog import load_catalog
from ivr.config import Settings
from ivr.console import (
    board,
    callbacks,
    calls,
    care,
    complaints,
    duty,
    health,
    live,
    login,
    orders,
    outgoing,
    people,
    plans,
    providers,
    recordings,
    records,
    reports,
    supervisor,
    transfer,
)
from ivr.console.live import LIVE, Live
from ivr.console.metrics import counted
from ivr.console.pages import CATALOG, SCREENS, SETTINGS, STORE, add_pages, render
from ivr.console.screens import STATIC, Screens
from ivr.console.texts import load_texts
from ivr.telephony.pbx import find_place
from store.database import Store, StoreError

MODULES = (
    health,
    login,
    board,
    duty,
    transfer,
    callbacks,
    people,
    providers,
    calls,
    orders,
    plans,
    care,
    recordings,
    outgoing,
    complaints,
    supervisor,
    reports,
    records,
    api,
)
"""Each has PAGES, and TOPICS where something on them is live."""
MOST_BODY = 64 * 1024
FAILURES = frozenset({400, 401, 403, 404, 405, 409, 413, 500, 503})
"""Those that have a text; others are shown as 400 or 500."""

log = structlog.get_logger()


def make_app(settings: Settings, store: Store) -> web.Application:
    """Raises CatalogError, TextError."""
    app = web.Application(middlewares=[counted, explained], client_max_size=MOST_BODY)
    app[SETTINGS], app[STORE] = settings, store
    app[CATALOG] = load_catalog()
    app[SCREENS] = Screens(load_texts(), app[CATALOG], settings.zone)
    app[recordings.PLACE] = find_place(settings)
    app[login.LOOKS] = asyncio.Semaphore(login.LOOKS_AT_ONCE)
    topics = [topic for module in MODULES for topic in getattr(module, "TOPICS", ())]
    app[LIVE] = Live(store, topics)
    for module in (live, *MODULES):
        add_pages(app, module.PAGES)
    api.add_api(app)
    app.router.add_static("/static", STATIC)
    app.cleanup_ctx.append(live.run_live)
    app.on_shutdown.append(live.close_live)
    app.on_response_prepare.append(secure)
    return app


async def secure(request: web.Request, response: web.StreamResponse) -> None:
    """Nothing from elsewhere, nothing inline, nothing in a frame, nothing left in a cache."""
    response.headers.update(
        {
            "Content-Security-Policy": (
                "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self';"
                " font-src 'self'; media-src 'self'; connect-src 'self'; form-action 'self';"
                " frame-ancestors 'none'; base-uri 'none'"
            ),
            "X-Content-Type-Options": "nosniff",
            "X-Frame-Options": "DENY",
            # not `no-referrer`, with which browsers send `Origin: null` along with our own forms
            "Referrer-Policy": "same-origin",
            "Cross-Origin-Opener-Policy": "same-origin",
            "Cross-Origin-Resource-Policy": "same-origin",
            "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
            "Server": "yihu",
        }
    )
    if not request.path.startswith("/static/"):
        response.headers["Cache-Control"] = "no-store"
    if request.app[SETTINGS].console.certificate:
        response.headers["Strict-Transport-Security"] = "max-age=31536000"


@web.middleware
async def explained(request: web.Request, handler: Handler) -> web.StreamResponse:
    """What went wrong, as a page in words."""
    try:
        return await handler(request)
    except web.HTTPException as error:
        if error.status < 400:
            raise
        return _failure(request, error.status)
    except StoreError as error:
        log.error("the store did not do it", path=request.path, error=str(error))
        return _failure(request, 503)
    except ConnectionError:  # the browser has gone
        raise
    except Exception:
        log.exception("a page failed", path=request.path)
        return _failure(request, 500)


def _failure(request: web.Request, status: int) -> web.Response:
    if request.path.startswith(f"{api.ROOT}/"):
        return failure(status, STATUS.get(status, "failed"), f"{status}")
    shown = status if status in FAILURES else 400 if status < 500 else 500
    return render(request, "failure.html", status=status, number=status, shown=shown)
