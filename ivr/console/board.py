"""The live board: calls as they are spoken, the queue, call-backs and operators."""

from __future__ import annotations

from datetime import UTC, datetime

from aiohttp import web

from ivr.console import care, complaints, duty
from ivr.console.live import Fragment, Topic, shown
from ivr.console.pages import VIEWER, Page, Viewer, audit, render
from store import board
from store.audit import Action
from store.board import Owed, Past, Queue, Talk
from store.database import Store

TURNS = 3
"""The last so many of each call."""


async def show(request: web.Request) -> web.StreamResponse:
    await audit(request, Action.LOOK, "board", "")
    topics = (*TOPICS, *duty.TOPICS, complaints.ON_BOARD, care.ON_BOARD)
    parts = {
        topic.name: await shown(request, topic.name)
        for topic in topics
        if request[VIEWER].may(topic.role)
    }
    return render(request, "board.html", parts=parts)


def _talks(store: Store, _: str) -> tuple[Talk, ...]:
    return board.talks(store, datetime.now(UTC), TURNS)


def _queue(store: Store, _: str) -> Queue:
    return board.queue(store, datetime.now(UTC))


def _owed(store: Store, _: str) -> tuple[Owed, ...]:
    return board.owed(store)


def _past(store: Store, _: str) -> tuple[Past, ...]:
    return board.past(store)


def _show_talks(fragment: Fragment, viewer: Viewer, talks: tuple[Talk, ...]) -> str:
    return fragment("_talks.html", talks=talks)


def _show_queue(fragment: Fragment, viewer: Viewer, queue: Queue) -> str:
    return fragment("_queue.html", queue=queue)


def _show_owed(fragment: Fragment, viewer: Viewer, owed: tuple[Owed, ...]) -> str:
    return fragment("_owed.html", owed=owed)


def _show_past(fragment: Fragment, viewer: Viewer, past: tuple[Past, ...]) -> str:
    return fragment("_past.html", past=past)


PAGES: tuple[Page, ...] = (Page("GET", "/board", show),)
TOPICS: tuple[Topic, ...] = (
    Topic("talks", _talks, _show_talks),
    Topic("queue", _queue, _show_queue),
    Topic("owed", _owed, _show_owed),
    Topic("past", _past, _show_past),
)
