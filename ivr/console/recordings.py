"""Listening: to what a caller said turn by turn, and to recordings of whole calls."""

from __future__ import annotations

import asyncio
from pathlib import Path
from uuid import UUID

from aiohttp import web

from ivr.console.pages import SETTINGS, VIEWER, Page, audit, call_id_of, in_store, number_of
from ivr.recordings import call_recording, turn_sound
from ivr.telephony.pbx import Place
from store import handovers
from store.audit import Action
from store.models import Role

PLACE: web.AppKey[Place | None] = web.AppKey("place")
"""None where there is no Asterisk."""


async def recorded(request: web.Request, call: UUID) -> bool:
    """Whether there is a recording of the call that the viewer may listen to."""
    place = request.app[PLACE]
    if place is None or not request[VIEWER].may(Role.SUPERVISOR):
        return False
    return await asyncio.to_thread(call_recording(place, call).is_file)


async def turn(request: web.Request) -> web.StreamResponse:
    """What the caller said in one turn, for the operator who has the call."""
    id = call_id_of(request.match_info["id"])
    index = number_of(request.match_info["turn"])
    path = turn_sound(request.app[SETTINGS], id, index)
    return await _sound(request, path, "turn", f"{id}/{index}")


async def whole(request: web.Request) -> web.StreamResponse:
    """The recording of a call that is over."""
    id = call_id_of(request.match_info["id"])
    where = await in_store(request, handovers.whereabouts, id)
    place = request.app[PLACE]
    if place is None or where.place is not handovers.Place.OVER:
        raise web.HTTPNotFound
    return await _sound(request, call_recording(place, id), "call", str(id))


async def _sound(
    request: web.Request, path: Path, subject_kind: str, subject_id: str
) -> web.StreamResponse:
    if not await asyncio.to_thread(path.is_file):
        raise web.HTTPNotFound
    await audit(request, Action.LISTEN, subject_kind, subject_id)
    return web.FileResponse(path, headers={"Content-Type": "audio/wav"})


PAGES: tuple[Page, ...] = (
    Page("GET", "/calls/{id}/turns/{turn}.wav", turn),
    Page("GET", "/calls/{id}/recording.wav", whole, Role.SUPERVISOR),
)
