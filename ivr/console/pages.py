"""What every page has: somebody who is logged in, with the right to it, in their language.

A page is listed with the role that it needs, and there is no other way to add one: what is
forgotten is refused, not open.
"""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple, TypeVar
from uuid import UUID

import structlog
from aiohttp import web

from ivr.catalog import Item
from ivr.config import Settings
from ivr.console.screens import Screens
from ivr.console.texts import DEFAULT, LANGUAGES
from store import audit as audits
from store import sessions
from store.audit import Action
from store.database import Store
from store.models import LoginSession, Operator, Role

SETTINGS = web.AppKey("settings", Settings)
STORE = web.AppKey("store", Store)
SCREENS = web.AppKey("screens", Screens)
CATALOG = web.AppKey("catalog", Mapping[str, Item])

COOKIE = "yihu_session"
VISITOR_COOKIE = "yihu_visitor"
"""Of somebody who is not logged in: what their form has to repeat."""
LANGUAGE_COOKIE = "yihu_language"
CSRF_FIELD = "csrf"
CSRF_HEADER = "X-CSRF-Token"
SAFE = frozenset({"GET", "HEAD"})
ROLES = (Role.OPERATOR, Role.SUPERVISOR, Role.ADMIN)
"""Each may do what those before it may."""

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
T = TypeVar("T")
log = structlog.get_logger()


class Page(NamedTuple):
    method: str
    path: str
    handler: Handler
    role: Role | None = Role.OPERATOR
    """The least that may see it; None: everybody, also who is not logged in."""


@dataclass(frozen=True, slots=True)
class Viewer:
    """Somebody who is logged in."""

    operator: Operator
    session: LoginSession

    @property
    def id(self) -> int:
        assert self.operator.id is not None
        return self.operator.id

    @property
    def language(self) -> str:
        return self.operator.language

    @property
    def csrf(self) -> str:
        return self.session.csrf

    def may(self, role: Role) -> bool:
        return ROLES.index(self.operator.role) >= ROLES.index(role)


VIEWER = web.RequestKey("viewer", Viewer)


def add_pages(app: web.Application, pages: Sequence[Page]) -> None:
    for page in pages:
        app.router.add_route(page.method, page.path, _guarded(page))


def _guarded(page: Page) -> Handler:
    async def guarded(request: web.Request) -> web.StreamResponse:
        viewer = await who(request)
        if viewer is not None:
            request[VIEWER] = viewer
        if page.role is not None:
            if viewer is None:
                return to_login(request)
            if not viewer.may(page.role):
                await audit(request, Action.REFUSED, "page", request.path)
                raise web.HTTPForbidden
        if request.method not in SAFE:
            await _check_csrf(request, viewer)
        return await page.handler(request)

    return guarded


async def who(request: web.Request) -> Viewer | None:
    """Whose session the request belongs to. Raises StoreError."""
    token = request.cookies.get(COOKIE, "")
    if not token:
        return None
    settings, now = request.app[SETTINGS].console, datetime.now(UTC)
    idle = timedelta(minutes=settings.idle_minutes)
    found = await in_store(request, sessions.find_session, token, now, idle)
    if found is None:
        return None
    if now - found.session.seen_at > sessions.SEEN_EVERY:
        await in_store(request, sessions.seen, found.session.id, now)
    return Viewer(found.operator, found.session)


def to_login(request: web.Request) -> web.Response:
    """Not logged in, or not any more."""
    if request.headers.get("HX-Request"):
        return web.Response(status=401, headers={"HX-Redirect": "/login"})
    if request.method in SAFE and "text/html" in request.headers.get("Accept", ""):
        raise web.HTTPSeeOther("/login")
    raise web.HTTPUnauthorized


async def _check_csrf(request: web.Request, viewer: Viewer | None) -> None:
    """What a page of another site makes a browser send, does not know the token."""
    fields = await request.post()
    given = request.headers.get(CSRF_HEADER) or str(fields.get(CSRF_FIELD, ""))
    wanted = viewer.csrf if viewer else request.cookies.get(VISITOR_COOKIE, "")
    if not wanted or not hmac.compare_digest(given.encode(), wanted.encode()):
        log.warning("wrong or no CSRF token", path=request.path, address=request.remote)
        raise web.HTTPForbidden


async def in_store(request: web.Request, ask: Callable[..., T], *args: Any, **more: Any) -> T:
    """`ask(store, ...)` in a thread, since the store blocks. Raises StoreError."""
    return await asyncio.to_thread(ask, request.app[STORE], *args, **more)


async def audit(
    request: web.Request, action: str, subject_kind: str, subject_id: object, detail: str = ""
) -> None:
    """Somebody looks at or changes a person's data; done before it is shown. Raises StoreError."""
    await in_store(
        request,
        audits.record,
        request[VIEWER].id if VIEWER in request else None,
        action,
        subject_kind,
        str(subject_id),
        datetime.now(UTC),
        detail,
    )


def language_of(request: web.Request) -> str:
    if VIEWER in request:
        return request[VIEWER].language
    chosen = request.cookies.get(LANGUAGE_COOKIE, DEFAULT)
    return chosen if chosen in LANGUAGES else DEFAULT


def render(
    request: web.Request, template: str, *, status: int = 200, **values: Any
) -> web.Response:
    viewer = request.get(VIEWER)
    html = request.app[SCREENS].html(
        language_of(request), template, viewer=viewer, path=request.path, **values
    )
    return web.Response(text=html, content_type="text/html", status=status)


def text_of(fields: Any, name: str, most: int = 200) -> str:
    """What was typed into a field, on one line, without blanks around it."""
    value = fields.get(name, "")
    return " ".join(value.split())[:most] if isinstance(value, str) else ""


def call_id_of(text: str) -> UUID:
    """A call's id in an address. Raises HTTPNotFound."""
    try:
        return UUID(text)
    except ValueError as error:
        raise web.HTTPNotFound from error


def number_of(text: str) -> int:
    """An id in an address. Raises HTTPNotFound."""
    if not text.isascii() or not text.isdigit() or len(text) > 15:
        raise web.HTTPNotFound
    return int(text)
