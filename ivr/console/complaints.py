"""What went wrong for elders: a list that fills by itself, taken and closed by supervisors."""

from __future__ import annotations

import asyncio
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
from ivr.recordings import kept_recording
from store import complaints
from store.audit import Action
from store.complaints import ListedComplaint
from store.database import Store
from store.models import Role

RECENT = 50
LONGEST_REMEDY = 1000


async def show(request: web.Request) -> web.StreamResponse:
    await audit(request, Action.LOOK, "complaint", "")
    over = await in_store(request, complaints.closed_complaints, RECENT)
    listed = await shown(request, "complaints")
    return render(request, "complaints.html", listed=listed, over=over)


async def take(request: web.Request) -> web.StreamResponse:
    id = number_of(request.match_info["id"])
    if not await in_store(request, complaints.take, id, request[VIEWER].id):
        raise web.HTTPConflict  # somebody has closed it
    await audit(request, Action.CHANGE, "complaint", id, "taken")
    raise web.HTTPSeeOther("/complaints")


async def close(request: web.Request) -> web.StreamResponse:
    """It has been put right; the remedy says how."""
    id, now = number_of(request.match_info["id"]), datetime.now(UTC)
    remedy = text_of(await request.post(), "remedy", LONGEST_REMEDY)
    if not remedy:
        raise web.HTTPBadRequest
    if not await in_store(request, complaints.close, id, request[VIEWER].id, remedy, now):
        raise web.HTTPConflict
    await audit(request, Action.CHANGE, "complaint", id, f"closed: {remedy}")
    raise web.HTTPSeeOther("/complaints")


async def note(request: web.Request) -> web.StreamResponse:
    """What the elder said, as sound."""
    id = number_of(request.match_info["id"])
    found = await in_store(request, complaints.find_complaint, id)
    if found is None or not found.note:
        raise web.HTTPNotFound
    path = await asyncio.to_thread(kept_recording, found.note, request.app[SETTINGS].recordings)
    if path is None:
        raise web.HTTPNotFound
    await audit(request, Action.LISTEN, "complaint", id)
    return web.FileResponse(path, headers={"Content-Type": "audio/wav"})


def _open(store: Store, _: str) -> tuple[ListedComplaint, ...]:
    return complaints.open_complaints(store)


def _show(fragment: Fragment, viewer: Viewer, found: tuple[ListedComplaint, ...]) -> str:
    return fragment("_complaints.html", found=found)


def _show_on_board(fragment: Fragment, viewer: Viewer, found: tuple[ListedComplaint, ...]) -> str:
    return fragment("_open_complaints.html", found=found)


PAGES: tuple[Page, ...] = (
    Page("GET", "/complaints", show, Role.SUPERVISOR),
    Page("POST", "/complaints/{id}/take", take, Role.SUPERVISOR),
    Page("POST", "/complaints/{id}/close", close, Role.SUPERVISOR),
    Page("GET", "/complaints/{id}/note.wav", note, Role.SUPERVISOR),
)
ON_BOARD = Topic("open_complaints", _open, _show_on_board, Role.SUPERVISOR)
TOPICS: tuple[Topic, ...] = (Topic("complaints", _open, _show, Role.SUPERVISOR), ON_BOARD)
