"""The server as Asterisk meets it, over real sockets on loopback."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from uuid import UUID, uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ivr.telephony import audiosocket
from ivr.telephony.audiosocket import Audio, CallId, Digit, Error, FrameError, Hangup, Line

SILENCE = Audio(bytes(audiosocket.FRAME_BYTES))


class Seen:
    """What the handler has met."""

    def __init__(self) -> None:
        self.frames: list[object] = []
        self.lines: list[Line] = []
        self.first = asyncio.Event()
        self.over = asyncio.Event()

    async def handle(self, line: Line) -> None:
        self.lines.append(line)
        try:
            async for frame in line:
                self.frames.append(frame)
                self.first.set()
        finally:
            self.over.set()


@pytest.fixture
async def seen() -> Seen:
    return Seen()


@pytest.fixture
async def server(seen: Seen) -> AsyncIterator[audiosocket.AudioSocketServer]:
    server = await audiosocket.serve("127.0.0.1", 0, seen.handle)
    yield server
    await server.close()
    assert not server.tasks


async def connect(
    server: audiosocket.AudioSocketServer, *frames: audiosocket.Frame
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    for frame in frames:
        writer.write(frame.to_bytes())
    await writer.drain()
    return reader, writer


async def refused(reader: asyncio.StreamReader) -> bytes:
    """Everything the server sends until it closes; a reset counts as closing."""
    try:
        return await reader.read()
    except ConnectionResetError:
        return b""


async def test_sound_keys_and_hangup_arrive_in_order(seen: Seen, server) -> None:
    call = uuid4()
    reader, writer = await connect(server, CallId(call), SILENCE, Digit("0"), SILENCE, Hangup())
    await seen.over.wait()
    assert seen.frames == [SILENCE, Digit("0"), SILENCE, Hangup()]
    assert seen.lines[0].uuid == call
    assert seen.lines[0].ended == "hung up"
    assert await refused(reader) == b""
    writer.close()


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        (b"\x42\x00\x00", "kind 0x42"),
        (b"\x10\xff\xff" + bytes(100), "a frame of 65535 bytes"),
        (b"\x10\x00\x03abc", "kind 0x10"),
        (b"\x03\x00\x01x", "kind 0x03"),
        (CallId(UUID(int=1)).to_bytes(), "a second UUID"),
        (Error(2).to_bytes(), "error 2"),
    ],
)
async def test_a_broken_line_is_closed_with_a_reason(
    seen: Seen, server, sent: bytes, reason: str
) -> None:
    reader, writer = await connect(server, CallId(uuid4()))
    writer.write(sent)
    await seen.over.wait()
    assert (seen.lines[0].ended or "").startswith(reason)
    await refused(reader)
    writer.close()


@pytest.mark.parametrize("partial", [b"", b"\x10", b"\x10\x01\x40" + bytes(100)])
async def test_a_cut_socket_ends_the_call(seen: Seen, server, partial: bytes) -> None:
    _, writer = await connect(server, CallId(uuid4()))
    writer.write(partial)
    writer.close()
    await seen.over.wait()
    assert "cut" in (seen.lines[0].ended or "")


async def test_who_does_not_name_a_call_is_refused(seen: Seen, server, monkeypatch) -> None:
    monkeypatch.setattr(audiosocket, "UUID_TIMEOUT_S", 0.02)
    reader, writer = await connect(server)
    assert await refused(reader) == b""
    writer.close()
    reader, writer = await connect(server, SILENCE)
    assert await refused(reader) == b""
    writer.close()
    assert not seen.lines


async def test_unknown_calls_are_refused(seen: Seen) -> None:
    known = uuid4()
    server = await audiosocket.serve("127.0.0.1", 0, seen.handle, known.__eq__)
    reader, writer = await connect(server, CallId(uuid4()))
    assert await refused(reader) == b""
    writer.close()
    assert not seen.lines
    _, writer = await connect(server, CallId(known), Hangup())
    await seen.over.wait()
    writer.close()
    await server.close()


async def test_hanging_up_from_our_side_sends_what_was_said_before(server) -> None:
    async def handle(line: Line) -> None:
        line.send(SILENCE)
        line.hang_up()
        line.send(SILENCE)

    ours = await audiosocket.serve("127.0.0.1", 0, handle)
    reader, writer = await connect(ours, CallId(uuid4()))
    assert await reader.read() == SILENCE.to_bytes() + Hangup().to_bytes()
    writer.close()
    await ours.close()


async def test_a_side_that_stops_reading_is_taken_for_gone() -> None:
    ended = asyncio.get_running_loop().create_future()

    async def handle(line: Line) -> None:
        while line.ended is None:
            line.send(SILENCE)
            await asyncio.sleep(0)
        ended.set_result(line.ended)

    server = await audiosocket.serve("127.0.0.1", 0, handle)
    _, writer = await connect(server, CallId(uuid4()))
    assert await ended == "the other side has stopped reading"
    writer.transport.abort()
    await server.close()


async def test_a_line_that_was_reset_is_known_to_be_gone_by_who_only_sends() -> None:
    gone = asyncio.Event()

    async def talk(line: Line) -> None:
        while line.ended is None:
            line.send(SILENCE)
            await asyncio.sleep(0.001)
        gone.set()

    server = await audiosocket.serve("127.0.0.1", 0, talk)
    _, writer = await connect(server, CallId(uuid4()))
    writer.transport.abort()
    await asyncio.wait_for(gone.wait(), 10)
    await server.close()


async def test_a_failing_call_leaves_the_server_standing() -> None:
    async def handle(line: Line) -> None:
        raise RuntimeError("boom")

    server = await audiosocket.serve("127.0.0.1", 0, handle)
    for _ in range(2):
        reader, writer = await connect(server, CallId(uuid4()))
        assert await refused(reader) == b""
        writer.close()
    await server.close()


async def test_closing_the_server_ends_calls_in_progress(seen: Seen) -> None:
    server = await audiosocket.serve("127.0.0.1", 0, seen.handle)
    reader, writer = await connect(server, CallId(uuid4()), SILENCE)
    await seen.first.wait()
    await server.close()
    await refused(reader)
    writer.close()
    assert not server.tasks


@given(st.binary(max_size=2000))
@settings(max_examples=200, deadline=None)
def test_garbage_is_frames_or_an_error_and_always_ends(data: bytes) -> None:
    async def read_all() -> None:
        reader = asyncio.StreamReader()
        reader.feed_data(data)
        reader.feed_eof()
        try:
            while await audiosocket.read_frame(reader) is not None:
                pass
        except FrameError as error:
            assert str(error)

    asyncio.run(read_all())


@given(
    st.lists(
        st.one_of(
            st.builds(Hangup),
            st.builds(CallId, st.integers(0, 2**128 - 1).map(lambda n: UUID(int=n))),
            st.builds(Digit, st.sampled_from("0123456789*#ABCD")),
            st.builds(Audio, st.binary(max_size=640).filter(lambda b: len(b) % 2 == 0)),
            st.builds(Error, st.integers(0, 255)),
        )
    )
)
@settings(max_examples=50, deadline=None)
def test_frames_survive_the_wire(frames: list[audiosocket.Frame]) -> None:
    async def read_all() -> list[audiosocket.Frame | None]:
        reader = asyncio.StreamReader()
        reader.feed_data(b"".join(frame.to_bytes() for frame in frames))
        reader.feed_eof()
        return [await audiosocket.read_frame(reader) for _ in frames]

    assert asyncio.run(read_all()) == frames
