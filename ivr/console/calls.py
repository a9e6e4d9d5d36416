"""One call: its transcript, while it lasts too, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from aiohttp import web

from ivr.console.live import Fragment, Topic, shown
from ivr.console.pages import Page, Viewer, audit, call_id_of, in_store, render
from ivr.console.recordings import recorded
from store import calls, elders, orders
from store.audit import Action
from store.board import Said, said_of
from store.database import Store


@dataclass(frozen=True, slots=True)
class Transcript:
    said: tuple[Said, ...]
    over: bool


async def show(request: web.Request) -> web.StreamResponse:
    id = call_id_of(request.match_info["id"])
    call = await in_store(request, calls.find_call, id)
    if call is None:
        raise web.HTTPNotFound
    await audit(request, Action.LOOK, "call", id)
    return render(
        request,
        "call.html",
        call=call,
        people=await in_store(request, elders.who_calls_from, call.phone),
        orders=await in_store(request, orders.orders_of, id),
        transcript=await shown(request, f"transcript:{id}"),
        recorded=await recorded(request, id),
    )


def _look(store: Store, argument: str) -> Transcript:
    try:
        id = UUID(argument)
    except ValueError:
        return Transcript((), True)
    call = calls.find_call(store, id)
    said = tuple(said_of(turn) for turn in calls.turns_of(store, id))
    return Transcript(said, call is None or call.ended_at is not None)


def _show(fragment: Fragment, viewer: Viewer, transcript: Transcript) -> str:
    return fragment("_call_transcript.html", transcript=transcript)


PAGES: tuple[Page, ...] = (Page("GET", "/calls/{id}", show),)
TOPICS: tuple[Topic, ...] = (Topic("transcript", _look, _show),)
