"""Pages that change while they are looked at, by server-sent events.

The store is looked at for everybody at once while somebody watches, as soon as something has been
written into it; a browser is sent what has changed. One that is slow gets the latest and misses
what was between.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

import structlog
from aiohttp import web
from markupsafe import Markup

from ivr.console.pages import SCREENS, STORE, VIEWER, Page, Viewer, audit, who
from store.audit import Action
from store.changes import Changes
from store.database import Store, StoreError
from store.models import Role

EVERY_S = 0.5
"""How often the store is looked at while things are written into it."""
AT_ONCE_S = 0.2
"""The same for what somebody has to see before they pick up the telephone."""
IDLE_S = 10.0
"""The same though nothing has been written: what is seen may depend on the time too."""
ALIVE_S = 15.0
"""How often a quiet connection is written to, and its session looked at again."""
RETRY_MS = 1000
"""How soon a browser comes back when its connection has ended."""
STREAM = "text/event-stream"
MOST_TOPICS = 16
ON_EVERY_PAGE = frozenset({"duty", "ringing", "alarms", "outgoing"})
"""What concerns the viewer themselves or everybody; looking at the rest is audited."""

log = structlog.get_logger()


class Fragment(Protocol):
    """Renders a template for whoever watches."""

    def __call__(self, template: str, **values: Any) -> str: ...


class Topic(NamedTuple):
    """One part of a page that changes, the event by its name and the element that shows it."""

    name: str
    look: Callable[[Store, str], Any]
    """What there is to see now, compared by ==; blocking. The text is what follows the name in
    `name:argument`."""
    show: Callable[[Fragment, Viewer, Any], str]
    """It as HTML, the same text for what looks the same."""
    role: Role = Role.OPERATOR
    every_s: float = EVERY_S
    """How often it is looked at."""


@dataclass(eq=False, slots=True)
class Watched:
    """What a topic showed last, and who wants to know."""

    topic: Topic
    argument: str
    seen: Any = None
    looked: bool = False
    due: float = 0.0
    """Not to be looked at again before, on the loop's clock."""
    at: float = 0.0
    """When it was looked at last."""
    version: object = None
    """Of the store when it was looked at last."""
    watchers: set[asyncio.Event] = field(default_factory=set)


class Live:
    """Looks at the store for all who watch."""

    def __init__(self, store: Store, topics: Iterable[Topic]) -> None:
        self._store = store
        self._changes = Changes(store)
        self._topics = {topic.name: topic for topic in topics}
        self._watched: dict[str, Watched] = {}
        self._wanted = asyncio.Event()
        self.closing = False

    def topic(self, watch: str) -> Topic | None:
        return self._topics.get(watch.partition(":")[0])

    @contextlib.contextmanager
    def watching(self, names: Iterable[str], changed: asyncio.Event) -> Iterator[list[Watched]]:
        """Sets `changed` whenever one of `names` (topic or topic:argument) looks different."""
        mine = []
        for name in names:
            watched = self._watched.get(name)
            if watched is None:
                watched = Watched(self._topics[name.partition(":")[0]], name.partition(":")[2])
                self._watched[name] = watched
            watched.watchers.add(changed)
            mine.append(watched)
        self._wanted.set()
        try:
            yield mine
        finally:
            for name in names:
                watched = self._watched[name]
                watched.watchers.discard(changed)
                if not watched.watchers:
                    del self._watched[name]

    async def run(self) -> None:
        """Until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            if not self._watched:
                self._wanted.clear()
                await self._wanted.wait()
            version = await self._version()
            for watched in list(self._watched.values()):
                now = loop.time()
                changed = version is None or version != watched.version
                if now >= watched.due and (changed or now - watched.at >= IDLE_S):
                    watched.due, watched.at, watched.version = (
                        now + watched.topic.every_s,
                        now,
                        version,
                    )
                    await self._look(watched)
            await asyncio.sleep(AT_ONCE_S)

    async def _version(self) -> object:
        """Of the store; None if it does not say."""
        try:
            return await asyncio.to_thread(self._changes.version)
        except StoreError:
            return None

    def close(self) -> None:
        """Ends all connections: their browsers come back to the next process."""
        self.closing = True
        for watched in self._watched.values():
            for changed in watched.watchers:
                changed.set()

    def forget(self) -> None:
        """The store is looked at no more."""
        self._changes.close()

    async def _look(self, watched: Watched) -> None:
        try:
            seen = await asyncio.to_thread(watched.topic.look, self._store, watched.argument)
        except StoreError as error:  # what was seen last stays on the screens
            log.error("the store cannot be looked at", topic=watched.topic.name, error=str(error))
            watched.version = None
            return
        except Exception:  # one topic that fails must not stop the others
            log.exception("a topic failed", topic=watched.topic.name)
            watched.version = None
            return
        if not watched.looked or seen != watched.seen:
            watched.seen, watched.looked = seen, True
            for changed in watched.watchers:
                changed.set()


LIVE = web.AppKey("live", Live)


async def run_live(app: web.Application) -> AsyncIterator[None]:
    """For app.cleanup_ctx: the task that looks lives as long as the application."""
    task = asyncio.create_task(app[LIVE].run(), name="live")
    yield
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    app[LIVE].forget()


async def close_live(app: web.Application) -> None:
    app[LIVE].close()


async def events(request: web.Request) -> web.StreamResponse:
    """One connection a page: /events?watch=duty,calls,call:ID.

    Whoever is not logged in any more hears so in an event: a browser takes a refusal for a
    connection that was lost, and the page would stay as it is.
    """
    if VIEWER not in request:
        return web.Response(text=_event("signed-out", "").decode(), content_type=STREAM)
    live, viewer = request.app[LIVE], request[VIEWER]
    names = list(dict.fromkeys(filter(None, request.query.get("watch", "").split(","))))
    topics = [live.topic(name) for name in names]
    if not names or len(names) > MOST_TOPICS or None in topics:
        raise web.HTTPBadRequest
    if not all(topic is not None and viewer.may(topic.role) for topic in topics):
        raise web.HTTPForbidden
    if personal := ",".join(name for name in names if name not in ON_EVERY_PAGE):
        await audit(request, Action.LOOK, "live", personal)
    response = web.StreamResponse(headers={"Content-Type": STREAM})
    await response.prepare(request)
    try:
        await response.write(f"retry: {RETRY_MS}\n\n".encode())
        await _send(request, response, names)
    except ConnectionError:
        pass  # the browser has gone
    except Exception:  # the answer has begun: the browser can only be told to come back
        log.exception("a live page failed", watched=names)
    return response


async def _send(request: web.Request, response: web.StreamResponse, names: list[str]) -> None:
    """Until the browser has gone, its session has ended or the console stops."""
    live, changed = request.app[LIVE], asyncio.Event()
    shown: dict[str, str] = {}
    viewer: Viewer | None = request[VIEWER]
    loop = asyncio.get_running_loop()
    checked = loop.time()
    with live.watching(names, changed) as watched:
        while viewer is not None and not live.closing:
            for name, one in zip(names, watched, strict=True):
                if one.looked and (html := _html(request, viewer, one)) != shown.get(name):
                    shown[name] = html
                    await response.write(_event(one.topic.name, html))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(ALIVE_S):
                    await changed.wait()
            changed.clear()
            if loop.time() - checked > ALIVE_S / 2:
                checked = loop.time()
                await response.write(b": alive\n\n")
                viewer = await _still(request)
    if viewer is None:
        await response.write(_event("signed-out", ""))


async def _still(request: web.Request) -> Viewer | None:
    try:
        return await who(request)
    except StoreError:  # nobody is logged out for that
        return request[VIEWER]


def _html(request: web.Request, viewer: Viewer, watched: Watched) -> str:
    def fragment(template: str, **values: Any) -> str:
        return request.app[SCREENS].html(viewer.language, template, viewer=viewer, **values)

    return watched.topic.show(fragment, viewer, watched.seen)


async def shown(request: web.Request, watch: str) -> Markup:
    """A part of a page as it is now, for the page's own first showing. Raises StoreError."""
    name, _, argument = watch.partition(":")
    topic = request.app[LIVE].topic(name)
    assert topic is not None
    seen = await asyncio.to_thread(topic.look, request.app[STORE], argument)
    return Markup(_html(request, request[VIEWER], Watched(topic, argument, seen)))


def _event(name: str, html: str) -> bytes:
    lines = "".join(f"data: {line}\n" for line in html.splitlines() or [""])
    return f"event: {name}\n{lines}\n".encode()


PAGES: tuple[Page, ...] = (Page("GET", "/events", events, role=None),)
