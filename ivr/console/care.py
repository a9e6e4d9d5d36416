"""Elders who did not answer their greeting: on the board until somebody knows how they are."""

from __future__ import annotations

from datetime import UTC, datetime

from aiohttp import web

from ivr.console.live import Fragment, Topic, shown
from ivr.console.pages import VIEWER, Page, Viewer, audit, in_store, number_of, render, text_of
from store import care_alerts
from store.audit import Action
from store.care_alerts import Worry
from store.database import Store

RECENT = 30


async def show(request: web.Request) -> web.StreamResponse:
    await audit(request, Action.LOOK, "care_alert", "")
    over = await in_store(request, care_alerts.past_worries, RECENT)
    return render(request, "care.html", open=await shown(request, "worries"), over=over)


async def close(request: web.Request) -> web.StreamResponse:
    """An operator has found out how they are, and says it."""
    id, fields = number_of(request.match_info["id"]), await request.post()
    found, now = text_of(fields, "found"), datetime.now(UTC)
    if not found:
        raise web.HTTPBadRequest
    if await in_store(request, care_alerts.close, id, request[VIEWER].id, now, found) is None:
        raise web.HTTPConflict  # somebody else has closed it
    await audit(request, Action.CHANGE, "care_alert", id, found)
    raise web.HTTPSeeOther("/care")


def _worries(store: Store, _: str) -> tuple[Worry, ...]:
    return care_alerts.open_worries(store)


def _show(fragment: Fragment, viewer: Viewer, worries: tuple[Worry, ...]) -> str:
    return fragment("_worries.html", worries=worries)


def _show_few(fragment: Fragment, viewer: Viewer, worries: tuple[Worry, ...]) -> str:
    return fragment("_worried.html", worries=worries)


PAGES: tuple[Page, ...] = (
    Page("GET", "/care", show),
    Page("POST", "/care/{id}/close", close),
)
ON_BOARD = Topic("worried", _worries, _show_few)
TOPICS: tuple[Topic, ...] = (Topic("worries", _worries, _show), ON_BOARD)
