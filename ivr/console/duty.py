"""Going on duty, pausing for a reason, going off. The queue rings whom the store has on duty."""

from __future__ import annotations

from datetime import UTC, datetime, time

from aiohttp import web

from ivr.console.live import Fragment, Topic
from ivr.console.pages import SETTINGS, VIEWER, Page, Viewer, in_store, render, text_of
from store import board, operators
from store.board import Desk
from store.database import Store
from store.models import Duty

REASONS = ("rest", "meal", "paperwork", "training", "other")
"""Why somebody pauses; their texts are duty.reason.*."""


async def show(request: web.Request) -> web.StreamResponse:
    zone = request.app[SETTINGS].zone
    midnight = datetime.combine(datetime.now(zone).date(), time(), zone)
    today = await in_store(request, operators.duties, request[VIEWER].id, midnight)
    return render(request, "duty.html", today=today, reasons=REASONS)


async def change(request: web.Request) -> web.StreamResponse:
    fields = await request.post()
    duty, reason = text_of(fields, "duty"), text_of(fields, "reason")
    if duty not in set(Duty) or (duty == Duty.PAUSED and reason not in REASONS):
        raise web.HTTPBadRequest
    now = datetime.now(UTC)
    await in_store(request, operators.set_duty, request[VIEWER].id, Duty(duty), reason, now)
    raise web.HTTPSeeOther("/board" if duty == Duty.ON else "/duty")


def _look(store: Store, _: str) -> tuple[Desk, ...]:
    return board.desks(store)


def _own(fragment: Fragment, viewer: Viewer, desks: tuple[Desk, ...]) -> str:
    own = next((desk for desk in desks if desk.operator_id == viewer.id), None)
    return fragment("_duty.html", own=own) if own else ""  # just shut out


def _all(fragment: Fragment, viewer: Viewer, desks: tuple[Desk, ...]) -> str:
    return fragment("_desks.html", desks=desks)


PAGES: tuple[Page, ...] = (Page("GET", "/duty", show), Page("POST", "/duty", change))
TOPICS: tuple[Topic, ...] = (Topic("duty", _look, _own), Topic("desks", _look, _all))
