"""What the house says to people by itself: follow-ups, messages, and the button that stops it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from aiohttp import web

from ivr.console.live import Fragment, Topic, shown
from ivr.console.pages import VIEWER, Page, Viewer, audit, in_store, number_of, render, text_of
from store import messages, outgoing, switches
from store.audit import Action
from store.database import Store
from store.models import Role, SmsIn, SmsOut, SmsState
from store.outgoing import OpenFollowUps
from store.reports import SCORES
from store.switches import OUTGOING, Switched

FIRST = 50
RECENT = 30
MESSAGES = 100
LONGEST_WORDS = 500
LEAVE = "none"
"""In place of a rating: they are not to be asked."""
EVERY_S = 2.0
UNSENT = (SmsState.FAILED, SmsState.UNCERTAIN)
"""A person may have them sent again."""


async def follow_ups(request: web.Request) -> web.StreamResponse:
    await audit(request, Action.LOOK, "follow_up", "")
    over = await in_store(request, outgoing.closed_follow_ups, RECENT)
    listed = await shown(request, "followups")
    return render(
        request, "follow_ups.html", listed=listed, over=over, switched=await _switched(request)
    )


async def close(request: web.Request) -> web.StreamResponse:
    """An operator has been told the rating, or that they are not to be asked, and says so."""
    id, viewer, fields = number_of(request.match_info["id"]), request[VIEWER], await request.post()
    score, said = text_of(fields, "score"), text_of(fields, "said", LONGEST_WORDS)
    if score not in (LEAVE, *map(str, SCORES)) or (score == LEAVE and not said):
        raise web.HTTPBadRequest
    now, told = datetime.now(UTC), None if score == LEAVE else int(score)
    if not await in_store(request, outgoing.close_by_hand, id, viewer.id, now, told, said):
        raise web.HTTPConflict  # it is on the line at this moment, or over
    await audit(request, Action.CHANGE, "follow_up", id, f"closed by hand: {score} {said}".strip())
    raise web.HTTPSeeOther("/followups")


async def sms(request: web.Request) -> web.StreamResponse:
    """Ours, those of ours that were not sent, or those to us."""
    box = request.query.get("box", "out")
    await audit(request, Action.LOOK, "sms", box)
    rows: Sequence[SmsIn | SmsOut]
    if box == "in":
        rows = await in_store(request, messages.newest_in, MESSAGES)
    elif box in ("out", "unsent"):
        states = UNSENT if box == "unsent" else ()
        rows = await in_store(request, messages.newest_out, MESSAGES, states)
    else:
        raise web.HTTPBadRequest
    switched = await _switched(request)
    return render(request, "sms.html", box=box, rows=rows, unsent=UNSENT, switched=switched)


async def send_again(request: web.Request) -> web.StreamResponse:
    id, now = number_of(request.match_info["id"]), datetime.now(UTC)
    if await in_store(request, messages.send_again, id, now) is None:
        raise web.HTTPConflict
    await audit(request, Action.CHANGE, "sms", id, "send again")
    raise web.HTTPSeeOther("/sms")


async def switch(request: web.Request) -> web.StreamResponse:
    """Everything stops, or goes on. The store's own audit says whose doing it was."""
    fields, now = await request.post(), datetime.now(UTC)
    to, reason = text_of(fields, "to"), text_of(fields, "reason")
    if to not in ("pause", "resume") or (to == "pause" and not reason):
        raise web.HTTPBadRequest
    off = to == "pause"
    await in_store(request, switches.switch, OUTGOING, off, now, request[VIEWER].id, reason)
    raise web.HTTPSeeOther("/sms" if text_of(fields, "back") == "sms" else "/followups")


async def _switched(request: web.Request) -> Switched | None:
    return await in_store(request, switches.last_switched)


def _open(store: Store, _: str) -> OpenFollowUps:
    return outgoing.open_follow_ups(store, FIRST)


def _show_open(fragment: Fragment, viewer: Viewer, found: OpenFollowUps) -> str:
    return fragment("_follow_ups.html", found=found)


def _state(store: Store, _: str) -> Switched | None:
    return switches.last_switched(store)


def _show_state(fragment: Fragment, viewer: Viewer, switched: Switched | None) -> str:
    return fragment("_outgoing.html", switched=switched)


PAGES: tuple[Page, ...] = (
    Page("GET", "/followups", follow_ups),
    Page("POST", "/followups/{id}/close", close),
    Page("GET", "/sms", sms),
    Page("POST", "/sms/{id}/again", send_again, Role.SUPERVISOR),
    Page("POST", "/outgoing", switch, Role.SUPERVISOR),
)
TOPICS: tuple[Topic, ...] = (
    Topic("followups", _open, _show_open, every_s=EVERY_S),
    Topic("outgoing", _state, _show_state, every_s=EVERY_S),
)
