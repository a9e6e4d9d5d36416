"""Asterisk's manager interface for asyncio: actions with an answer, events, and it reconnects.

    async with Ami("127.0.0.1", 5038, "yihu", secret) as ami:
        await ami.wait_connected(5)
        with ami.events("QueueCallerJoin") as events:
            await ami.action("Originate", Channel="PJSIP/operator", Async="true", ...)
            async for event in events: ...

The protocol is the `asterisk-ami` library's, which lives in threads. What it leaves open is closed
in `_Client`; nothing else here knows that there are threads.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import random
import socket
import struct
from collections import deque
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Self

import structlog
from asterisk.ami import Action, AMIClient

CONNECT_SECONDS = 3.0
SEND_SECONDS = 3
PING_SECONDS = 15.0
"""A connection that carries nothing is asked this often whether it still lives."""
BACKOFF_FIRST_SECONDS = 0.2
BACKOFF_MOST_SECONDS = 2.0
"""Asterisk is on this machine: an attempt costs nothing, and operators are back on duty sooner."""
EVENTS_KEPT = 1000
"""Events a reader may lag behind before it is told that it has lost some."""

log = structlog.get_logger()


class AmiError(Exception):
    """The action was refused or its answer did not come; the message is Asterisk's or says why."""


class AmiEvents:
    """Events as they come, from the moment it was made; lasts over reconnections.

    What happens while there is no connection is not seen. Raises AmiError from the iteration when
    the reader has fallen behind by EVENTS_KEPT events.
    """

    def __init__(self, names: frozenset[str], forget: Callable[[AmiEvents], None]) -> None:
        self._names = names
        self._forget = forget
        self._queue: asyncio.Queue[dict[str, Any]] = asyncio.Queue(EVENTS_KEPT)
        self._lost = False

    def offer(self, event: dict[str, Any]) -> None:
        if self._names and event["Event"] not in self._names:
            return
        try:
            self._queue.put_nowait(event)
        except asyncio.QueueFull:
            self._lost = True

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> dict[str, Any]:
        if self._lost:
            raise AmiError(f"events came faster than they were read: {EVENTS_KEPT} are waiting")
        return await self._queue.get()

    def here(self) -> list[dict[str, Any]]:
        """Those that have come and were not read yet; does not wait."""
        return [self._queue.get_nowait() for _ in range(self._queue.qsize())]

    def close(self) -> None:
        self._forget(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class _Client(AMIClient):  # type: ignore[misc]  # the library has no types
    """One connection. The library's listener thread calls `on_pack` and at last `on_closed`.

    Closed here: its listener ended after three seconds without an event (socket time-out); a short
    write was taken for a whole one; an error before the greeting ended the thread without a word;
    an event after an empty line was passed over, and distributions build Asterisk with its test
    framework, whose events end in one.
    """

    def __init__(
        self,
        host: str,
        port: int,
        on_greeting: Callable[[], None],
        on_response: Callable[[str, dict[str, Any]], None],
        on_event: Callable[[dict[str, Any]], None],
        on_closed: Callable[[BaseException | None], None],
    ) -> None:
        super().__init__(address=host, port=port, timeout=CONNECT_SECONDS, buffer_size=1 << 16)
        self._on_closed = on_closed
        self._error: BaseException | None = None
        self._unwanted = False
        self.add_listener(
            on_connect=lambda source: on_greeting(),
            on_response=lambda source, response: on_response(
                response.keys.get("ActionID", ""), {**response.keys, "Response": response.status}
            ),
            on_event=lambda source, event: on_event({**event.keys, "Event": event.name}),
            on_disconnect=self._note,
        )

    def _note(self, source: AMIClient, error: BaseException | None) -> None:
        self._error = error

    def listen(self) -> None:
        self._socket.settimeout(None)
        # Writes only: a peer that reads nothing more must not hold a thread for ever.
        self._socket.setsockopt(
            socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", SEND_SECONDS, 0)
        )
        try:
            if not self._unwanted:
                super().listen()
        except Exception as error:
            self._error = error
        finally:
            self._socket.close()
            self._on_closed(self._error)

    def fire_recv_pack(self, pack: str) -> None:
        super().fire_recv_pack(pack.lstrip("\r\n"))

    def send(self, pack: Action) -> None:
        self._socket.sendall(f"{pack}\r\n".encode())

    def cut(self) -> None:
        """Ends the connection at once, also one being made; the listener thread goes."""
        self._unwanted = True
        if self.finished is not None:
            self.finished.set()
        if self._socket is not None:
            with contextlib.suppress(OSError):  # it was closed by the far end before
                self._socket.shutdown(socket.SHUT_RDWR)


class Ami:
    """A connection that is made again whenever it is lost. Enter it before use."""

    def __init__(self, host: str, port: int, user: str, secret: str) -> None:
        self._address = (host, port)
        self._login = {"Username": user, "Secret": secret, "AuthType": "plain"}
        self._client: _Client | None = None
        self._up = asyncio.Event()
        self._numbers = itertools.count(1)
        self._answers: dict[str, asyncio.Future[dict[str, Any]]] = {}
        self._readers: set[AmiEvents] = set()
        self._keeper: asyncio.Task[None] | None = None
        self._trouble = "not connected yet"

    @property
    def connected(self) -> bool:
        """Logged in at this moment."""
        return self._up.is_set()

    async def __aenter__(self) -> Self:
        self._keeper = asyncio.create_task(self._keep(), name="ami")
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._keeper is not None
        self._keeper.cancel()
        await asyncio.gather(self._keeper, return_exceptions=True)

    async def wait_connected(self, timeout_s: float) -> None:
        """Returns once logged in; raises AmiError with the reason if it takes longer."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._up.wait()
        except TimeoutError:
            raise AmiError(f"{self._address[0]}:{self._address[1]}: {self._trouble}") from None

    def events(self, *names: str) -> AmiEvents:
        """Events of these names (all if none is given) from now on; close it when done."""
        reader = AmiEvents(frozenset(names), self._readers.discard)
        self._readers.add(reader)
        return reader

    async def action(
        self,
        name: str,
        *,
        variables: Mapping[str, str] | None = None,
        timeout_s: float = 5.0,
        **fields: str,
    ) -> dict[str, Any]:
        """Sends an action and returns its answer, with `Response` and Asterisk's other fields.

        variables: channel variables for Originate. Raises AmiError if there is no connection, it is
        lost, Asterisk refuses, or no answer comes in time; ValueError for a value with a line break
        (it would be a second action).
        """
        if not self.connected:
            raise AmiError(f"{name}: {self._trouble}")
        return await self._ask(name, fields, variables or {}, timeout_s)

    async def listed(
        self, name: str, *, timeout_s: float = 5.0, **fields: str
    ) -> list[dict[str, Any]]:
        """The events that an action answers with, such as QueueStatus, without the last, which
        says that it was the last.

        Raises AmiError as `action` does.
        """
        if not self.connected:
            raise AmiError(f"{name}: {self._trouble}")
        found = []
        with self.events() as events:
            number = (await self._ask(name, fields, {}, timeout_s))["ActionID"]
            try:
                async with asyncio.timeout(timeout_s):
                    async for event in events:
                        if event.get("ActionID") != number:
                            continue
                        if event.get("EventList") == "Complete":
                            break
                        found.append(event)
            except TimeoutError:
                raise AmiError(f"{name}: the list did not end within {timeout_s:g} s") from None
        return found

    async def _ask(
        self, name: str, fields: Mapping[str, str], variables: Mapping[str, str], timeout_s: float
    ) -> dict[str, Any]:
        for text in itertools.chain.from_iterable([*fields.items(), *variables.items(), [name]]):
            if "\r" in text or "\n" in text:
                raise ValueError(f"line break in a field of {name}: {text!r}")
        client = self._client
        assert client is not None
        number = str(next(self._numbers))
        action = Action(name, {"ActionID": number, **fields}, dict(variables))
        answer: asyncio.Future[dict[str, Any]]
        answer = self._answers[number] = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(timeout_s):
                await asyncio.to_thread(client.send, action)
                response = await answer
        except TimeoutError:
            raise AmiError(f"{name}: no answer within {timeout_s:g} s") from None
        except OSError as error:
            client.cut()
            raise AmiError(f"{name}: {error}") from error
        finally:
            del self._answers[number]
        if response["Response"] == "Error":
            raise AmiError(f"{name}: {response.get('Message', 'refused')}")
        return response

    async def _keep(self) -> None:
        """Connects, stays until the connection is lost, and starts again."""
        failures = 0
        while True:
            try:
                await self._session()
                failures = 0
            except (OSError, AmiError) as error:
                if failures == 0:
                    log.warning("no manager connection", reason=str(error))
                self._trouble = str(error)
                failures += 1
            delay = min(BACKOFF_MOST_SECONDS, BACKOFF_FIRST_SECONDS * 2 ** min(failures, 10))
            await asyncio.sleep(delay * random.uniform(0.5, 1.0))

    async def _session(self) -> None:
        """One connection from start to end; returns when it is lost after a login."""
        loop = asyncio.get_running_loop()
        greeted = asyncio.Event()
        closed: asyncio.Future[BaseException | None] = loop.create_future()
        early: deque[dict[str, Any]] = deque(maxlen=EVENTS_KEPT)

        def happened(event: dict[str, Any]) -> None:
            # FullyBooted overtakes the end of our login; whoever hears of it may act at once.
            if self._up.is_set():
                self._happened(event)
            else:
                early.append(event)

        def on_loop(act: Callable[..., None]) -> Callable[..., None]:
            def call(*values: Any) -> None:
                with contextlib.suppress(RuntimeError):  # the loop ended before the thread did
                    loop.call_soon_threadsafe(act, *values)

            return call

        def ended(error: BaseException | None) -> None:
            if not closed.done():
                closed.set_result(error)

        client = self._client = _Client(
            *self._address,
            on_greeting=on_loop(greeted.set),
            on_response=on_loop(self._answered),
            on_event=on_loop(happened),
            on_closed=on_loop(ended),
        )
        try:
            await asyncio.to_thread(client.connect)
            greeting: asyncio.Future[Any] = asyncio.ensure_future(greeted.wait())
            either: set[asyncio.Future[Any]] = {greeting, closed}
            try:
                await asyncio.wait(
                    either, timeout=CONNECT_SECONDS, return_when=asyncio.FIRST_COMPLETED
                )
            finally:
                greeting.cancel()
            if closed.done() or not greeted.is_set():
                raise AmiError("what answers there is not Asterisk's manager interface")
            await self._ask("Login", self._login, {}, CONNECT_SECONDS)
            self._up.set()
            for event in early:
                self._happened(event)
            while not closed.done():
                await asyncio.wait({closed}, timeout=PING_SECONDS)
                if not closed.done():
                    await self._ask("Ping", {}, {}, CONNECT_SECONDS)
            self._trouble = f"connection lost ({closed.result() or 'closed by Asterisk'})"
            log.warning("manager connection lost", reason=self._trouble)
        finally:
            self._up.clear()
            client.cut()
            for answer in self._answers.values():
                if not answer.done():
                    answer.set_exception(AmiError("the connection was lost before the answer"))

    def _answered(self, number: str, response: dict[str, Any]) -> None:
        answer = self._answers.get(number)
        if answer is not None and not answer.done():
            answer.set_result(response)

    def _happened(self, event: dict[str, Any]) -> None:
        for reader in list(self._readers):
            reader.offer(event)
