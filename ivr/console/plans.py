"""What is arranged with elders for certain days of the week: standing orders, greeting calls."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from typing import Any

from aiohttp import web
from multidict import MultiDictProxy

from ivr.console.orders import CATALOG
from ivr.console.pages import (
    SETTINGS,
    VIEWER,
    Page,
    audit,
    in_store,
    number_of,
    render,
    text_of,
)
from ivr.outreach.planning import plan
from ivr.weekdays import EVERY_DAY
from store import elders, greetings, standing
from store.audit import Action
from store.elders import ListedElder
from store.models import GreetingPlan, StandingOrder


async def show_standing(request: web.Request) -> web.StreamResponse:
    await audit(request, Action.LOOK, "standing_order", "")
    rows = await in_store(request, standing.listed)
    return render(request, "standing.html", rows=rows, left=request.query.get("left", ""))


async def show_greetings(request: web.Request) -> web.StreamResponse:
    await audit(request, Action.LOOK, "greeting_plan", "")
    return render(request, "greetings.html", rows=await in_store(request, greetings.listed))


async def new_standing(request: web.Request) -> web.StreamResponse:
    listed = await _elder(request, request.query.get("elder", ""))
    today = datetime.now(request.app[SETTINGS].zone).date()
    return render(
        request, "new_standing.html", listed=listed, days=EVERY_DAY, today=today, code="", was="",
        catalog=request.app[CATALOG],
    )  # fmt: skip


async def new_greeting(request: web.Request) -> web.StreamResponse:
    listed = await _elder(request, request.query.get("elder", ""))
    return render(request, "new_greeting.html", listed=listed, days=EVERY_DAY)


async def add_standing(request: web.Request) -> web.StreamResponse:
    """The orders of the next days are made at once: the operator sees them on the elder's card."""
    fields = await request.post()
    listed = await _elder(request, text_of(fields, "elder"))
    code, starts_on = text_of(fields, "code"), _day(fields, "starts_on")
    ends_on = _day(fields, "ends_on")
    if code not in request.app[CATALOG] or starts_on is None:
        raise web.HTTPBadRequest
    if ends_on is not None and ends_on < starts_on:
        raise web.HTTPBadRequest
    new = StandingOrder(
        elder_id=listed.elder.id or 0,
        phone=_number(fields, listed),
        code=code,
        weekdays=_weekdays(fields),
        at=_clock(fields),
        address=text_of(fields, "address") or None,
        starts_on=starts_on,
        ends_on=ends_on,
    )
    added = await in_store(request, standing.add, new)
    await audit(request, Action.CHANGE, "standing_order", added.id or 0, "added")
    await in_store(request, plan, request.app[SETTINGS], datetime.now(UTC))
    raise web.HTTPSeeOther("/plans")


async def add_greeting(request: web.Request) -> web.StreamResponse:
    fields = await request.post()
    listed = await _elder(request, text_of(fields, "elder"))
    new = GreetingPlan(
        elder_id=listed.elder.id or 0,
        phone=_number(fields, listed),
        weekdays=_weekdays(fields),
        at=_clock(fields),
    )
    added = await in_store(request, greetings.put, new)
    await audit(request, Action.CHANGE, "greeting_plan", added.id or 0, "added")
    await in_store(request, plan, request.app[SETTINGS], datetime.now(UTC))
    raise web.HTTPSeeOther("/greetings")


async def stop_standing(request: web.Request) -> web.StreamResponse:
    id, now = number_of(request.match_info["id"]), datetime.now(UTC)
    stopped = await in_store(request, standing.stop, id, now, request[VIEWER].id)
    if stopped is None:
        raise web.HTTPConflict  # somebody else has stopped it
    await audit(request, Action.CHANGE, "standing_order", id, "stopped")
    left = ",".join(map(str, stopped.left))
    raise web.HTTPSeeOther(f"/plans?left={left}" if left else "/plans")


async def stop_greetings(request: web.Request) -> web.StreamResponse:
    id, now = number_of(request.match_info["id"]), datetime.now(UTC)
    if await in_store(request, greetings.stop, id, now) is None:
        raise web.HTTPConflict
    await audit(request, Action.CHANGE, "greeting_plan", id, "stopped")
    raise web.HTTPSeeOther("/greetings")


async def _elder(request: web.Request, id: str) -> ListedElder:
    """Raises HTTPNotFound."""
    listed = await in_store(request, elders.find_elder, number_of(id))
    if listed is None or not listed.phones:
        raise web.HTTPNotFound
    await audit(request, Action.LOOK, "elder", listed.elder.id or 0)
    return listed


def _number(fields: MultiDictProxy[Any], listed: ListedElder) -> str:
    """One of the elder's own. Raises HTTPBadRequest."""
    phone = text_of(fields, "phone")
    if phone not in listed.phones:
        raise web.HTTPBadRequest
    return phone


def _weekdays(fields: MultiDictProxy[Any]) -> str:
    """Raises HTTPBadRequest."""
    days = "".join(sorted({str(day) for day in fields.getall("day", ())}))
    if not days or not set(days) <= set(EVERY_DAY):
        raise web.HTTPBadRequest
    return days


def _clock(fields: MultiDictProxy[Any]) -> time:
    """Raises HTTPBadRequest."""
    try:
        at = time.fromisoformat(text_of(fields, "at"))
    except ValueError as error:
        raise web.HTTPBadRequest from error
    if at.tzinfo is not None:
        raise web.HTTPBadRequest
    return at.replace(second=0, microsecond=0)


def _day(fields: MultiDictProxy[Any], name: str) -> date | None:
    """Raises HTTPBadRequest."""
    text = text_of(fields, name)
    try:
        return date.fromisoformat(text) if text else None
    except ValueError as error:
        raise web.HTTPBadRequest from error


PAGES: tuple[Page, ...] = (
    Page("GET", "/plans", show_standing),
    Page("GET", "/plans/new", new_standing),
    Page("POST", "/plans", add_standing),
    Page("POST", "/plans/{id}/stop", stop_standing),
    Page("GET", "/greetings", show_greetings),
    Page("GET", "/greetings/new", new_greeting),
    Page("POST", "/greetings", add_greeting),
    Page("POST", "/greetings/{id}/stop", stop_greetings),
)
