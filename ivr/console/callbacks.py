"""The list of those who are owed a call."""

from __future__ import annotations

from datetime import UTC, datetime

from aiohttp import web

from ivr.console.live import Fragment, Topic, shown
from ivr.console.pages import (
    SETTINGS,
    VIEWER,
    Page,
    Viewer,
    audit,
    in_store,
    number_of,
    render,
    text_of,
)
from store import board
from store.audit import Action
from store.board import Owed
from store.callbacks import call_by_hand, close_by_hand, newest_callbacks
from store.database import Store
from store.models import CallbackState

CLOSED = (CallbackState.DONE, CallbackState.GIVEN_UP)
RECENT = 20


async def show(request: web.Request) -> web.StreamResponse:
    await audit(request, Action.LOOK, "callback", "")
    over = await in_store(request, newest_callbacks, RECENT, CLOSED)
    return render(request, "callbacks.html", listed=await shown(request, "callbacks"), over=over)


async def call(request: web.Request) -> web.StreamResponse:
    """The operator's own telephone rings, and then theirs."""
    id, viewer = number_of(request.match_info["id"]), request[VIEWER]
    extension, now = viewer.operator.extension, datetime.now(UTC)
    detail = f"{viewer.operator.display_name} calls"
    if not request.app[SETTINGS].outbound.gateway:
        raise web.HTTPConflict
    if not await in_store(request, call_by_hand, id, extension, now, detail):
        raise web.HTTPConflict  # it is on the line at this moment, or over
    await audit(request, Action.CHANGE, "callback", id, "called by hand")
    raise web.HTTPSeeOther("/callbacks")


async def close(request: web.Request) -> web.StreamResponse:
    """An operator has settled it otherwise, or sees that it is no use, and says why."""
    id, viewer, fields = number_of(request.match_info["id"]), request[VIEWER], await request.post()
    state, why = text_of(fields, "state"), text_of(fields, "why")
    if state not in CLOSED or not why:
        raise web.HTTPBadRequest
    detail, now = f"{viewer.operator.display_name}: {why}", datetime.now(UTC)
    if not await in_store(request, close_by_hand, id, CallbackState(state), now, detail):
        raise web.HTTPConflict  # it is on the line at this moment, or over
    await audit(request, Action.CHANGE, "callback", id, f"{state}: {why}")
    raise web.HTTPSeeOther("/callbacks")


def _owed(store: Store, _: str) -> tuple[Owed, ...]:
    return board.owed(store)


def _show(fragment: Fragment, viewer: Viewer, owed: tuple[Owed, ...]) -> str:
    return fragment("_callbacks.html", owed=owed)


PAGES: tuple[Page, ...] = (
    Page("GET", "/callbacks", show),
    Page("POST", "/callbacks/{id}/call", call),
    Page("POST", "/callbacks/{id}/close", close),
)
TOPICS: tuple[Topic, ...] = (Topic("callbacks", _owed, _show),)
