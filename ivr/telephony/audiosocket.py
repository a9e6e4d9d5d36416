"""Asterisk's AudioSocket: one TCP connection a call, sound and keys both ways.

Asterisk connects to us and names the call by its UUID in the first frame. A frame is kind (u8),
length (u16, big-endian), payload. Sound is 8 kHz 16-bit little-endian mono, 20 ms a frame.
Asterisk gives a call up after 2 s without a frame from us; who sends them is playout.py.
Source: Asterisk's apps/app_audiosocket.c and res/res_audiosocket.c.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from enum import IntEnum
from uuid import UUID

import structlog

FRAME_MS = 20
FRAME_SAMPLES = 160
FRAME_BYTES = 320
UUID_TIMEOUT_S = 2.0
"""The UUID is the first thing Asterisk sends; who does not is not Asterisk."""
MAX_PAYLOAD = 4096
"""256 ms of sound; real frames have 320 bytes. Longer means that we are out of step."""
MAX_UNSENT = 32 * FRAME_BYTES
"""Bytes in our own buffer (0.6 s) after which the other side counts as gone."""

HEADER = struct.Struct(">BH")

log = structlog.get_logger()


class Kind(IntEnum):
    """The first byte of a frame."""

    HANGUP = 0x00
    UUID = 0x01
    DIGIT = 0x03
    AUDIO = 0x10
    ERROR = 0xFF


class FrameError(Exception):
    """What came is not AudioSocket; the message says why."""


@dataclass(frozen=True, slots=True)
class Hangup:
    """The call is over."""

    def to_bytes(self) -> bytes:
        return HEADER.pack(Kind.HANGUP, 0)


@dataclass(frozen=True, slots=True)
class CallId:
    """Which call this connection carries; the first frame."""

    uuid: UUID

    def to_bytes(self) -> bytes:
        return HEADER.pack(Kind.UUID, 16) + self.uuid.bytes


@dataclass(frozen=True, slots=True)
class Digit:
    """A key was pressed: 0 to 9, *, #, A to D."""

    key: str

    def to_bytes(self) -> bytes:
        return HEADER.pack(Kind.DIGIT, 1) + self.key.encode("ascii")


@dataclass(frozen=True, slots=True)
class Audio:
    """Sound, 8 kHz 16-bit little-endian mono; 320 bytes are 20 ms."""

    data: bytes

    def to_bytes(self) -> bytes:
        return HEADER.pack(Kind.AUDIO, len(self.data)) + self.data


@dataclass(frozen=True, slots=True)
class Error:
    """Asterisk's side failed: 1 hung up, 2 forwarding failed, 4 out of memory."""

    code: int

    def to_bytes(self) -> bytes:
        return HEADER.pack(Kind.ERROR, 1) + bytes([self.code])


Frame = Hangup | CallId | Digit | Audio | Error


def parse(kind: int, payload: bytes) -> Frame:
    """One frame from its kind and payload; raises FrameError."""
    match kind:
        case Kind.HANGUP:
            return Hangup()
        case Kind.UUID if len(payload) == 16:
            return CallId(UUID(bytes=payload))
        case Kind.DIGIT if len(payload) == 1 and payload in b"0123456789*#ABCD":
            return Digit(payload.decode("ascii"))
        case Kind.AUDIO if len(payload) % 2 == 0:
            return Audio(payload)
        case Kind.ERROR if len(payload) <= 1:
            return Error(payload[0] if payload else 0)
    raise FrameError(f"kind 0x{kind:02x} with {len(payload)} bytes is not a frame")


async def read_frame(reader: asyncio.StreamReader) -> Frame | None:
    """The next frame; None where the stream ends between frames.

    Raises FrameError on garbage and on a stream cut within a frame, OSError when it is reset.
    """
    try:
        head = await reader.readexactly(HEADER.size)
    except asyncio.IncompleteReadError as error:
        if error.partial:
            raise FrameError("cut within a frame") from error
        return None
    kind, length = HEADER.unpack(head)
    if length > MAX_PAYLOAD:
        raise FrameError(f"a frame of {length} bytes, more than {MAX_PAYLOAD}")
    try:
        payload = await reader.readexactly(length)
    except asyncio.IncompleteReadError as error:
        raise FrameError("cut within a frame") from error
    return parse(kind, payload)


class Line:
    """One call's connection. Iterate it for Audio, Digit, and at last Hangup or Error.

    The iteration ends when the call does, however it does, and then `ended` says why. It must
    go on for as long as the call lasts: Asterisk is never made to wait.
    """

    def __init__(
        self, uuid: UUID, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.uuid = uuid
        self.ended: str | None = None
        """Why the call is over; None while it is not."""
        self._reader = reader
        self._writer = writer

    async def __aiter__(self) -> AsyncIterator[Audio | Digit | Hangup | Error]:
        while self.ended is None:
            try:
                frame = await read_frame(self._reader)
            except (FrameError, OSError) as error:
                self._end(str(error) or type(error).__name__)
                return
            match frame:
                case None:
                    self._end("cut without a hang-up")
                    return
                case CallId():
                    self._end("a second UUID")
                    return
                case Hangup():
                    self._end("hung up")
                case Error(code):
                    self._end(f"error {code} from Asterisk")
            yield frame

    def send(self, frame: Audio | Digit) -> None:
        """Sends without waiting. A side that has stopped reading is taken for gone."""
        if self.ended is not None:
            return
        if self._writer.transport.is_closing():
            self._end("the connection is gone")
            return
        if self._writer.transport.get_write_buffer_size() > MAX_UNSENT:
            self._end("the other side has stopped reading")
            return
        self._writer.write(frame.to_bytes())

    def hang_up(self) -> None:
        """Ends the call from this side: Asterisk goes on with the next line of the dialplan."""
        if self.ended is None:
            self._writer.write(Hangup().to_bytes())
            self._end("hung up by this side")

    def _end(self, reason: str) -> None:
        if self.ended is None:
            self.ended = reason
            log.info("line ended", call=str(self.uuid), reason=reason)
        self._writer.close()

    async def close(self) -> None:
        """Frees the socket; what was sent before a hang-up still goes out, for up to 1 s."""
        self._end("closed")
        try:
            async with asyncio.timeout(1.0):
                await self._writer.wait_closed()
        except (OSError, TimeoutError):
            self._writer.transport.abort()


Handler = Callable[[Line], Awaitable[None]]


class AudioSocketServer:
    """Listens, and owns the task of every call that is connected."""

    def __init__(self, handler: Handler, expects: Callable[[UUID], bool]) -> None:
        self._handler = handler
        self._expects = expects
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    @property
    def port(self) -> int:
        """The port listened on, also where 0 was asked for."""
        assert self._server is not None
        return int(self._server.sockets[0].getsockname()[1])

    @property
    def tasks(self) -> frozenset[asyncio.Task[None]]:
        """One task a connected call."""
        return frozenset(self._tasks)

    async def listen(self, host: str, port: int) -> None:
        """Raises OSError when the port is taken."""
        self._server = await asyncio.start_server(self._connected, host, port)

    async def stop_listening(self) -> None:
        """Takes no more calls; those that are connected go on."""
        if self._server is not None:
            self._server.close()

    async def close(self) -> None:
        """Stops listening and ends every call that is still connected."""
        await self.stop_listening()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._carry(reader, writer), name="audiosocket: no UUID yet")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            uuid = await self._introduced(reader, writer)
            if uuid is None:
                return
            line = Line(uuid, reader, writer)
            try:
                await self._handler(line)
            except Exception:
                log.exception("call handler failed", call=str(uuid))
            finally:
                await line.close()
        finally:
            writer.close()

    async def _introduced(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> UUID | None:
        """The call's UUID, or None (logged) if this is not a call of ours."""
        writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            async with asyncio.timeout(UUID_TIMEOUT_S):
                first = await read_frame(reader)
        except TimeoutError:
            reason = f"no UUID within {UUID_TIMEOUT_S:g} s"
        except (FrameError, OSError) as error:
            reason = str(error) or type(error).__name__
        else:
            if isinstance(first, CallId):
                if self._expects(first.uuid):
                    task = asyncio.current_task()
                    assert task is not None
                    task.set_name(f"call {first.uuid}")
                    return first.uuid
                reason = f"unknown call {first.uuid}"
            else:
                reason = "the first frame is not a UUID"
        log.warning("connection refused", reason=reason)
        return None


async def serve(
    host: str, port: int, handler: Handler, expects: Callable[[UUID], bool] = lambda uuid: True
) -> AudioSocketServer:
    """Starts listening; `handler` runs once a call, and the line is closed when it returns.

    `expects` says whether a UUID is a call of ours; the others are refused. Raises OSError when
    the port is taken.
    """
    server = AudioSocketServer(handler, expects)
    await server.listen(host, port)
    return server
