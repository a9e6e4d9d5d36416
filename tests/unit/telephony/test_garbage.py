"""Whatever comes in on a port, the process stays whole and serves who comes next properly."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from uuid import UUID, uuid4

import pytest
from aiohttp import ClientSession
from aiohttp.test_utils import BaseTestServer, TestServer
from hypothesis import given, settings
from hypothesis import strategies as st

from ivr.telephony import ami as manager_interface
from ivr.telephony import audiosocket
from ivr.telephony.admission import Admission, Admit
from ivr.telephony.ami import Ami
from ivr.telephony.audiosocket import HEADER, Audio, CallId, Digit, Error, Hangup, Line
from ivr.telephony.capacity import Capacity
from ivr.telephony.http import SECRET_HEADER, Overflow, make_app
from ivr.telephony.wishes import Wishes

SOON_S = 20.0

# --- AudioSocket ---

FRAMES = st.one_of(
    st.builds(Hangup),
    st.builds(CallId, st.uuids()),
    st.builds(Digit, st.sampled_from("0123456789*#ABCD")),
    st.builds(Audio, st.sampled_from([bytes(320), bytes(2), b"", b"\xff" * 4096])),
    st.builds(Error, st.integers(0, 255)),
).map(lambda frame: frame.to_bytes())
BROKEN = st.builds(
    lambda kind, length, rest: HEADER.pack(kind, length) + rest,
    st.integers(0, 255),
    st.integers(0, 65535),
    st.binary(max_size=400),
)
STREAMS = st.lists(st.one_of(FRAMES, BROKEN, st.binary(max_size=60)), max_size=8)


@dataclass
class Heard:
    """What the calls of a server were given."""

    frames: dict[UUID, list[object]] = field(default_factory=dict)
    ended: list[str] = field(default_factory=list)

    async def carry(self, line: Line) -> None:
        frames = self.frames.setdefault(line.uuid, [])
        async for frame in line:
            frames.append(frame)
        assert line.ended
        self.ended.append(line.ended)


@given(streams=st.lists(st.tuples(st.booleans(), STREAMS, st.integers(1, 500)), max_size=4))
@settings(max_examples=60, deadline=None)
def test_caller_is_heard_whatever_others_send_at_the_same_time(
    streams: list[tuple[bool, list[bytes], int]],
) -> None:
    async def meet() -> None:
        heard, good = Heard(), uuid4()
        server = await audiosocket.serve("127.0.0.1", 0, heard.carry)

        async def send(named: bool, stream: list[bytes], piece: int) -> None:
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            data = (CallId(uuid4()).to_bytes() if named else b"") + b"".join(stream)
            try:
                for start in range(0, len(data), piece):
                    writer.write(data[start : start + piece])
                    await writer.drain()
                writer.write_eof()
                while await reader.read(4096):
                    pass
            except ConnectionError:  # refused as soon as it was no frame
                pass
            writer.close()

        async def call() -> None:
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            for frame in (CallId(good), Audio(bytes(320)), Digit("1"), Hangup()):
                writer.write(frame.to_bytes())
                await writer.drain()
            assert await reader.read() == b""
            writer.close()

        async with asyncio.timeout(SOON_S):
            await asyncio.gather(call(), *(send(*stream) for stream in streams))
            await asyncio.gather(*server.tasks)
        assert heard.frames[good] == [Audio(bytes(320)), Digit("1"), Hangup()]
        assert all(heard.ended)
        await server.close()
        assert not server.tasks

    asyncio.run(meet())


# --- HTTP ---

WORDS = st.one_of(
    st.text(max_size=60),
    st.sampled_from(
        ["", str(UUID(int=0)), "+86 512 65123456", "../../etc/passwd", "\0", "1" * 5000]
    ),
)
FIELDS = st.dictionaries(st.sampled_from(["uuid", "caller", "called_back", "x"]), WORDS, max_size=4)
PATHS = st.one_of(
    st.sampled_from(
        [f"/asterisk/{name}" for name in ("admit", "next", "priority", "room", "overhear", "wish")]
    ),
    st.sampled_from(["/healthz", "/readyz", "/metrics", "/", "/asterisk/../metrics", "/%00"]),
)
RAW = st.one_of(
    st.binary(max_size=300),
    st.builds(
        lambda path, length, body: (
            b"POST " + path.encode() + b" HTTP/1.1\r\nHost: x\r\nContent-Length: "
            + length.encode() + b"\r\n\r\n" + body
        ),
        PATHS,
        st.sampled_from(["0", "-1", "3", "99999999999", "x", "5\r\nTransfer-Encoding: chunked"]),
        st.binary(max_size=100),
    ),
)  # fmt: skip


def with_server(ask: Callable[[BaseTestServer], Awaitable[None]]) -> None:
    """Asks an agent's HTTP side, which must be as well as before afterwards."""

    async def ready() -> list[str]:
        return []

    async def priority(caller: str) -> int:
        return 0

    async def turn_away(call: UUID, caller: str) -> Admit:
        return Admit.QUEUE

    async def meet() -> None:
        admission = Admission(Capacity(1000, 1.0, lambda: 0.0), lambda: 0.0)
        wishes = Wishes(lambda: 0.0)
        app = make_app(admission, Overflow(priority, turn_away), wishes, "s3cret", ready)
        async with TestServer(app) as server, asyncio.timeout(SOON_S), ClientSession() as http:
            await ask(server)
            call, headers = str(uuid4()), {SECRET_HEADER: "s3cret"}
            form = {"uuid": call, "caller": "0512"}
            url = server.make_url("/asterisk/admit")
            async with http.post(url, data=form, headers=headers) as response:
                assert await response.text() == "agent"

    asyncio.run(meet())


@given(
    asked=st.lists(
        st.tuples(PATHS, st.sampled_from(["GET", "POST", "PUT"]), FIELDS, st.booleans()), max_size=6
    )
)
@settings(max_examples=40, deadline=None)
def test_questions_that_make_no_sense_are_refused_and_break_nothing(
    asked: list[tuple[str, str, dict[str, str], bool]],
) -> None:
    async def ask(server: BaseTestServer) -> None:
        async with ClientSession() as http:
            for path, method, fields, secret in asked:
                headers = {SECRET_HEADER: "s3cret"} if secret else {}
                url = server.make_url(path)
                async with http.request(method, url, data=fields, headers=headers) as response:
                    assert response.status < 500
                    assert secret or url.parts[1] != "asterisk" or response.status >= 400

    with_server(ask)


@given(sent=st.lists(RAW, max_size=5))
@settings(max_examples=40, deadline=None)
def test_what_is_not_http_is_refused_and_breaks_nothing(sent: list[bytes]) -> None:
    async def ask(server: BaseTestServer) -> None:
        assert server.port is not None
        for data in sent:
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            try:
                writer.write(data)
                writer.write_eof()
                assert b" 500 " not in (await reader.read(4096)).split(b"\r\n")[0]
            except ConnectionError:
                pass
            writer.close()

    with_server(ask)


# --- Asterisk's manager interface ---

LINES = st.one_of(
    st.sampled_from(
        [
            "Event: Hangup",
            "Response: Success",
            "Response: Error",
            "ActionID: 1",
            "Value: a|b",
            ":",
            "",
        ]
    ),
    st.text(max_size=40),
).map(lambda line: line.encode("utf-8", "surrogatepass"))
PACKETS = st.one_of(
    st.lists(LINES, max_size=5).map(lambda lines: b"\r\n".join(lines) + b"\r\n\r\n"),
    st.binary(max_size=120),
)
LAST = b"\r\n\r\nEvent: UserEvent\r\nUserEvent: Last\r\n\r\n"


@given(sent=st.lists(PACKETS, max_size=6), piece=st.integers(1, 200))
@settings(max_examples=40, deadline=None)
def test_event_after_garbage_is_heard_at_once_or_after_a_new_connection(
    sent: list[bytes], piece: int
) -> None:
    async def meet() -> None:
        connections = 0

        async def asterisk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal connections
            connections += 1
            writer.write(b"Asterisk Call Manager/9.0.0\r\n")
            try:
                while packet := await reader.readuntil(b"\r\n\r\n"):
                    lines = dict(
                        line.split(": ", 1) for line in packet.decode().strip().split("\r\n")
                    )
                    number = lines["ActionID"].encode()
                    writer.write(b"Response: Success\r\nActionID: " + number + b"\r\n\r\n")
                    if lines["Action"] == "Login":
                        data = b"".join(sent) if connections == 1 else b""
                        for start in range(0, len(data), piece):
                            writer.write(data[start : start + piece])
                            await writer.drain()
                        writer.write(LAST)
                        if connections == 1:  # whatever has become of the first
                            writer.close()
            except (asyncio.IncompleteReadError, ConnectionError):
                pass
            writer.close()

        server = await asyncio.start_server(asterisk, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        ami = Ami("127.0.0.1", port, "yihu", "secret")
        with ami.events("UserEvent") as events:
            async with asyncio.timeout(SOON_S), ami:
                while connections < 2 or not ami.connected:  # noqa: ASYNC110
                    await asyncio.sleep(0.005)
                async for event in events:
                    if event.get("UserEvent") == "Last":
                        break
                assert (await ami.action("Ping"))["Response"] == "Success"
        server.close()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(manager_interface, "BACKOFF_FIRST_SECONDS", 0.001)
        patch.setattr(manager_interface, "BACKOFF_MOST_SECONDS", 0.01)
        asyncio.run(meet())
