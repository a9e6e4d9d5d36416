"""Logging in and out, and the language of the pages."""

from __future__ import annotations

import asyncio
import secrets
from datetime import UTC, datetime, timedelta

import structlog
from aiohttp import web

from ivr.console import passwords
from ivr.console.pages import (
    COOKIE,
    LANGUAGE_COOKIE,
    SETTINGS,
    VIEWER,
    VISITOR_COOKIE,
    Page,
    audit,
    in_store,
    language_of,
    render,
    text_of,
)
from ivr.console.texts import LANGUAGES
from store import audit as audits
from store import operators, sessions
from store.audit import Action
from store.models import Duty, Operator

LOOKS = web.AppKey("looks", asyncio.Semaphore)
"""Each look at a password takes 64 MiB and a processor: guessing must not slow calls down."""
LOOKS_AT_ONCE = 2

log = structlog.get_logger()


async def index(request: web.Request) -> web.StreamResponse:
    raise web.HTTPSeeOther("/board")


async def form(request: web.Request) -> web.StreamResponse:
    language = request.query.get("language", "")
    if language in LANGUAGES:
        chosen = web.HTTPSeeOther("/login")
        _set_cookie(request, chosen, LANGUAGE_COOKIE, language, timedelta(days=365))
        raise chosen
    if VIEWER in request:
        raise web.HTTPSeeOther("/board")
    return _form(request)


def _form(
    request: web.Request, trouble: str = "", name: str = "", status: int = 200
) -> web.Response:
    token = request.cookies.get(VISITOR_COOKIE) or secrets.token_urlsafe(32)
    page = render(
        request, "login.html", status=status, csrf=token, trouble=trouble, name=name,
        other=next(one for one in LANGUAGES if one != language_of(request)),
    )  # fmt: skip
    _set_cookie(request, page, VISITOR_COOKIE, token, timedelta(hours=1))
    return page


async def log_in(request: web.Request) -> web.StreamResponse:
    fields = await request.post()
    name, password = text_of(fields, "name", 64), fields.get("password", "")
    address, now = request.remote or "", datetime.now(UTC)
    tried = await in_store(request, sessions.reserve_try, name, address, now)
    if tried is None:
        log.warning("too many failed log-ins", address=address)
        await audit(request, Action.LOGIN_REFUSED, "operator", name, f"locked, from {address}")
        return _form(request, "login.locked", name, status=429)
    operator = await in_store(request, operators.find, name)
    if not await _right(request, operator, password if isinstance(password, str) else ""):
        log.warning("failed log-in", address=address)
        await audit(request, Action.LOGIN_REFUSED, "operator", name, f"from {address}")
        return _form(request, "login.wrong", name, status=401)
    assert operator is not None and operator.id is not None
    lasts = timedelta(hours=request.app[SETTINGS].console.session_hours)
    await in_store(request, sessions.forgive_try, tried)
    opened = await in_store(request, sessions.open_session, operator.id, now, lasts)
    await in_store(
        request, audits.record, operator.id, Action.LOGIN, "operator", str(operator.id), now,
        f"from {address}",
    )  # fmt: skip
    to = web.HTTPSeeOther("/duty" if operator.duty is Duty.OFF else "/board")
    _set_cookie(request, to, COOKIE, opened.token, lasts)
    to.del_cookie(VISITOR_COOKIE, path="/")
    raise to


async def _right(request: web.Request, operator: Operator | None, password: str) -> bool:
    known = operator.password_hash if operator and operator.active else None
    async with request.app[LOOKS]:
        if not await asyncio.to_thread(passwords.verify, known, password):
            return False
        assert operator is not None
        if passwords.outdated(operator.password_hash):
            new = await asyncio.to_thread(passwords.hash_password, password)
            await in_store(request, operators.rehash, operator.id, new)
    return True


async def log_out(request: web.Request) -> web.StreamResponse:
    """Nobody is at the screen any more, so the telephone does not ring either."""
    viewer, now = request[VIEWER], datetime.now(UTC)
    await in_store(request, operators.set_duty, viewer.id, Duty.OFF, "", now)
    await in_store(request, sessions.close_session, viewer.session.id)
    await audit(request, Action.LOGOUT, "operator", viewer.id)
    to = web.HTTPSeeOther("/login")
    to.del_cookie(COOKIE, path="/")
    raise to


async def password_form(request: web.Request) -> web.StreamResponse:
    return render(request, "password.html", trouble="", shortest=passwords.SHORTEST)


async def change_password(request: web.Request) -> web.StreamResponse:
    """One's own. It ends all of one's sessions, this one too: the new one is tried at once."""
    fields, operator = await request.post(), request[VIEWER].operator
    old, new, again = (str(fields.get(name, "")) for name in ("old", "new", "again"))
    address, now = request.remote or "", datetime.now(UTC)
    tried = await in_store(request, sessions.reserve_try, operator.name, address, now)
    if tried is None:
        return _password_trouble(request, "login.locked")
    if not await _right(request, operator, old):
        return _password_trouble(request, "password.wrong")
    await in_store(request, sessions.forgive_try, tried)
    if new != again:
        return _password_trouble(request, "password.differ")
    try:
        async with request.app[LOOKS]:
            new_hash = await asyncio.to_thread(passwords.hash_password, new)
    except passwords.PasswordError:
        return _password_trouble(request, "password.length")
    await audit(request, Action.CHANGE, "operator", operator.id, "own password")
    await in_store(request, operators.change_password, operator.name, new_hash)
    raise web.HTTPSeeOther("/login")


def _password_trouble(request: web.Request, trouble: str) -> web.Response:
    shortest = passwords.SHORTEST
    return render(request, "password.html", status=400, trouble=trouble, shortest=shortest)


async def language(request: web.Request) -> web.StreamResponse:
    chosen = text_of(await request.post(), "language")
    if chosen not in LANGUAGES:
        raise web.HTTPBadRequest
    await in_store(request, operators.set_language, request[VIEWER].id, chosen)
    back = request.headers.get("Referer", "")
    origin = str(request.url.origin())
    raise web.HTTPSeeOther(back if back.startswith(f"{origin}/") else "/board")


def _set_cookie(
    request: web.Request,
    response: web.Response | web.HTTPException,
    name: str,
    value: str,
    lasts: timedelta,
) -> None:
    response.set_cookie(
        name,
        value,
        max_age=int(lasts.total_seconds()),
        path="/",
        httponly=True,
        samesite="Strict",
        secure=request.app[SETTINGS].console.certificate is not None,
    )


PAGES: tuple[Page, ...] = (
    Page("GET", "/", index, role=None),
    Page("GET", "/login", form, role=None),
    Page("POST", "/login", log_in, role=None),
    Page("POST", "/logout", log_out),
    Page("POST", "/language", language),
    Page("GET", "/password", password_form),
    Page("POST", "/password", change_password),
)
