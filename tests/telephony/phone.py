"""An operator's telephone for tests: a small SIP user agent with real RTP, on loopback.

    async with Phone(settings, "op101", secret) as phone:
        assert await phone.register() == 200
        ring = await phone.rings()
        await ring.answer()
        await ring.over.wait()

It knows what these tests need of RFC 3261: registering and calling with digest authentication,
being rung, cancelled, answered and hung up on, on any number of lines at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import itertools
import random
import re
import struct
from collections import deque
from dataclasses import dataclass, field
from email.message import Message
from email.parser import HeaderParser
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from audio.sound import alaw_decode, alaw_encode
from ivr.config import Settings

ANSWER_S = 30.0
T1_S, T2_S = 0.5, 4.0
"""A request over UDP is sent again after the first, and then after twice as long each time, up to
the second, until it is answered (RFC 3261, 17.1)."""
FRAME = 160
ALAW_SILENCE = b"\xd5" * FRAME
ALAW, EVENTS = 8, 101
"""RTP payload types."""
COPIED = ("Via", "From", "To", "Call-ID", "CSeq", "Record-Route")


@dataclass(frozen=True, slots=True)
class Packet:
    """A SIP message: its first line, its headers and its body."""

    first: str
    headers: Message
    body: str

    @classmethod
    def parse(cls, data: bytes) -> Packet:
        head, _, body = data.decode().partition("\r\n\r\n")
        first, _, headers = head.partition("\r\n")
        return cls(first, HeaderParser().parsestr(headers), body)

    @property
    def status(self) -> int:
        """Of a response; 0 for a request."""
        return int(self.first.split()[1]) if self.first.startswith("SIP/2.0") else 0

    @property
    def method(self) -> str:
        return str(self.headers["CSeq"]).split()[-1]

    @property
    def call_id(self) -> str:
        return str(self.headers["Call-ID"])


class Media(asyncio.DatagramProtocol):
    """The sound of one call: what is played goes out, and what comes in is kept."""

    def __init__(self) -> None:
        self.heard: list[bytes] = []
        self._playing: deque[bytes] = deque()
        self._sequence = itertools.count(random.randrange(1000))
        self._timestamp = 0
        self._source = random.getrandbits(32)
        self._transport: asyncio.DatagramTransport
        self._sending: asyncio.Task[None]

    async def open(self, host: str) -> int:
        """Returns the port."""
        loop = asyncio.get_running_loop()
        made = await loop.create_datagram_endpoint(lambda: self, local_addr=(host, 0))
        self._transport = made[0]
        return int(self._transport.get_extra_info("sockname")[1])

    def start(self, far: tuple[str, int]) -> None:
        self._far = far
        self._sending = asyncio.create_task(self._send(), name="phone's sound")

    async def close(self) -> None:
        self._sending.cancel()
        await asyncio.gather(self._sending, return_exceptions=True)
        self._transport.close()

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        if len(data) > 12 and data[1] & 0x7F == ALAW:
            self.heard.append(data[12:])

    def press(self, key: str) -> None:
        """RFC 4733: one event, its end said three times."""
        event = "0123456789*#".index(key)
        for packet in range(6):
            end = 0x80 if packet >= 3 else 0
            duration = min(packet + 1, 4) * FRAME * 2
            self._packet(EVENTS, struct.pack("!BBH", event, end | 10, duration), packet == 0)
        self._timestamp += 8 * FRAME

    def _packet(self, kind: int, payload: bytes, marker: bool = False) -> None:
        head = struct.pack(
            "!BBHII",
            0x80,
            kind | (0x80 if marker else 0),
            next(self._sequence) & 0xFFFF,
            self._timestamp,
            self._source,
        )
        self._transport.sendto(head + payload, self._far)

    def play(self, samples: NDArray[np.int16]) -> None:
        """Shape (n,), 8000 Hz; after what is playing already."""
        encoded = alaw_encode(samples).tobytes()
        frames = (encoded[start : start + FRAME] for start in range(0, len(encoded), FRAME))
        self._playing.extend(frame.ljust(FRAME, ALAW_SILENCE[:1]) for frame in frames)

    @property
    def playing(self) -> bool:
        return bool(self._playing)

    async def _send(self) -> None:
        """A frame every 20 ms; what a busy machine has delayed is made up for."""
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            self._packet(ALAW, self._playing.popleft() if self._playing else ALAW_SILENCE)
            self._timestamp += FRAME
            due += FRAME / 8000
            await asyncio.sleep(max(0.0, due - loop.time()))


@dataclass(slots=True)
class Ring:
    """A call that rings, or has been answered."""

    phone: Phone
    invite: Packet
    over: asyncio.Event = field(default_factory=asyncio.Event)
    """The far end has given up or hung up, or we have."""
    acknowledged: asyncio.Event = field(default_factory=asyncio.Event)
    media: Media | None = None
    tag: str = field(default_factory=lambda: f"{random.getrandbits(64):x}")
    response: bytes = b""
    """The last one, for an INVITE that comes again."""

    @property
    def called(self) -> str:
        """The number that was dialled."""
        return self.invite.first.split()[1].partition("sip:")[2].partition("@")[0]

    @property
    def caller(self) -> str:
        """The number that the telephone shows."""
        found = re.search(r"sip:([^@>]*)@", str(self.invite.headers["From"]))
        return found[1] if found else ""

    @property
    def name(self) -> str:
        """The name that the telephone shows."""
        return str(self.invite.headers["From"]).partition("<")[0].strip().strip('"')

    async def answer(self) -> None:
        """Returns when the far end has acknowledged it."""
        self.media = Media()
        port = await self.media.open(self.phone.host)
        connection = re.search(r"c=IN IP4 (\S+)", self.invite.body)
        audio = re.search(r"m=audio (\d+)", self.invite.body)
        assert connection and audio, self.invite.body
        self.media.start((connection[1], int(audio[1])))
        self.phone.respond(self, 200, "OK", self.phone.description(port))
        async with asyncio.timeout(ANSWER_S):
            await self.acknowledged.wait()

    def reject(self, status: int = 486, reason: str = "Busy Here") -> None:
        self.phone.respond(self, status, reason)
        self.over.set()

    def press(self, key: str) -> None:
        assert self.media is not None
        self.media.press(key)

    def says(self, samples: NDArray[np.int16]) -> None:
        """See Media.play."""
        assert self.media is not None
        self.media.play(samples)

    def heard(self) -> NDArray[np.int16]:
        """What came so far, shape (n,), 8000 Hz."""
        assert self.media is not None
        return alaw_decode(np.frombuffer(b"".join(self.media.heard), np.uint8))

    async def hang_up(self) -> None:
        """Ends an answered call."""
        headers = self.invite.headers
        target = re.search(r"<(.*?)>", str(headers["Contact"]))
        assert target is not None
        await self.phone.request(
            "BYE",
            target[1],
            call_id=self.invite.call_id,
            sender=f"{headers['To']};tag={self.tag}",
            to=str(headers["From"]),
        )
        self.over.set()


class Phone(asyncio.DatagramProtocol):
    """One telephone. Use as an asynchronous context manager."""

    def __init__(
        self,
        settings: Settings,
        user: str,
        secret: str,
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        """port: of its own; 0: any."""
        self.user = user
        self._port = port
        self.host = host
        self._secret = secret
        self._server = (host, settings.sip.port)
        self._numbers = itertools.count(1)
        self._answers: dict[tuple[str, str], asyncio.Queue[Packet]] = {}
        self._lines: dict[str, Ring] = {}
        self._ringing: asyncio.Queue[Ring] = asyncio.Queue()

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        made = await loop.create_datagram_endpoint(lambda: self, local_addr=(self.host, self._port))
        self._transport: asyncio.DatagramTransport = made[0]
        self._port = self._transport.get_extra_info("sockname")[1]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for line in self._lines.values():
            if line.media is not None:
                await line.media.close()
        self._transport.close()

    async def register(self) -> int:
        """Status of the last answer: 200 when it is registered."""
        uri = f"sip:{self.host}:{self._server[1]}"
        answer = await self.request("REGISTER", uri, to=f"<sip:{self.user}@{self.host}>")
        return answer.status

    async def calls(self, number: str) -> int:
        """Status of the final answer to a call; one that is answered is ended at once."""
        uri = f"sip:{number}@{self.host}:{self._server[1]}"
        media = Media()
        port = await media.open(self.host)
        media.start((self.host, 9))
        try:
            answer = await self.request("INVITE", uri, body=self.description(port))
            if answer.status == 200:
                await self.request("BYE", uri, call_id=answer.call_id, to=str(answer.headers["To"]))
        finally:
            await media.close()
        return answer.status

    async def rings(self, within_s: float = ANSWER_S) -> Ring:
        """The next call that rings here."""
        async with asyncio.timeout(within_s):
            return await self._ringing.get()

    @property
    def silent(self) -> bool:
        """Whether no call has rung here that was not asked for by rings()."""
        return self._ringing.empty()

    def description(self, port: int) -> str:
        """SDP."""
        lines = (
            "v=0",
            f"o=- {port} 1 IN IP4 {self.host}",
            "s=-",
            f"c=IN IP4 {self.host}",
            "t=0 0",
            f"m=audio {port} RTP/AVP {ALAW} {EVENTS}",
            f"a=rtpmap:{ALAW} PCMA/8000",
            f"a=rtpmap:{EVENTS} telephone-event/8000",
        )
        return "".join(f"{line}\r\n" for line in lines)

    # --- requests of ours ---

    async def request(
        self,
        method: str,
        uri: str,
        *,
        to: str = "",
        sender: str = "",
        call_id: str = "",
        body: str = "",
    ) -> Packet:
        """The final answer; a challenge is answered once."""
        call_id = call_id or f"{random.getrandbits(64):x}"
        sender = sender or f"<sip:{self.user}@{self.host}>;tag={random.getrandbits(64):x}"
        to = to or f"<{uri}>"
        answer = await self._ask(method, uri, to, sender, call_id, body, "")
        if answer.status in (401, 407) and method != "ACK":
            proof = self._proof(method, uri, str(answer.headers["WWW-Authenticate"]))
            answer = await self._ask(method, uri, to, sender, call_id, body, proof)
        return answer

    async def _ask(
        self, method: str, uri: str, to: str, sender: str, call_id: str, body: str, proof: str
    ) -> Packet:
        number = next(self._numbers)
        answers = self._answers[(call_id, f"{number} {method}")] = asyncio.Queue()
        branch = f"z9hG4bK{random.getrandbits(64):x}"

        def message(name: str, receiver: str, content: str) -> bytes:
            lines = [
                f"{name} {uri} SIP/2.0",
                f"Via: SIP/2.0/UDP {self.host}:{self._port};branch={branch};rport",
                f"From: {sender}",
                f"To: {receiver}",
                f"Call-ID: {call_id}",
                f"CSeq: {number} {name}",
                f"Contact: <sip:{self.user}@{self.host}:{self._port}>",
                "Max-Forwards: 70",
                "Expires: 600",
                *([f"Authorization: {proof}"] if proof else []),
                *(["Content-Type: application/sdp"] if content else []),
                f"Content-Length: {len(content)}",
            ]
            return ("\r\n".join(lines) + "\r\n\r\n" + content).encode()

        request, answer, wait_s = message(method, to, body), None, T1_S
        async with asyncio.timeout(ANSWER_S):
            while answer is None:  # an Asterisk that is beginning may not hear the first
                self._transport.sendto(request, self._server)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(wait_s):
                        answer = await answers.get()
                wait_s = min(2 * wait_s, T2_S)
            while answer.status < 200:
                answer = await answers.get()
        if method == "INVITE":
            self._transport.sendto(message("ACK", str(answer.headers["To"]), ""), self._server)
        return answer

    def _proof(self, method: str, uri: str, challenge: str) -> str:
        """RFC 2617 with qop=auth."""
        given = dict(re.findall(r'(\w+)="?([^",]+)"?', challenge))

        def digest(*parts: str) -> str:
            return hashlib.md5(":".join(parts).encode()).hexdigest()

        nonce, client = given["nonce"], f"{random.getrandbits(64):x}"
        own = digest(self.user, given["realm"], self._secret)
        response = digest(own, nonce, "00000001", client, "auth", digest(method, uri))
        fields = {
            "username": self.user,
            "realm": given["realm"],
            "nonce": nonce,
            "uri": uri,
            "response": response,
            "cnonce": client,
            "opaque": given.get("opaque", ""),
        }
        quoted = ", ".join(f'{name}="{value}"' for name, value in fields.items())
        return f"Digest {quoted}, qop=auth, nc=00000001, algorithm=MD5"

    # --- requests of the far end ---

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        packet = Packet.parse(data)
        if packet.status:
            waiting = self._answers.get((packet.call_id, str(packet.headers["CSeq"])))
            if waiting is not None:
                waiting.put_nowait(packet)
            return
        line = self._lines.get(packet.call_id)
        match packet.method:
            case "INVITE" if line is None:
                line = self._lines[packet.call_id] = Ring(self, packet)
                self.respond(line, 180, "Ringing")
                self._ringing.put_nowait(line)
            case "INVITE" if line is not None:
                self._transport.sendto(line.response, self._server)
            case "ACK" if line is not None:
                line.acknowledged.set()
            case "CANCEL" if line is not None:
                self._send(packet, 200, "OK", line.tag)
                self.respond(line, 487, "Request Terminated")
                line.over.set()
            case "BYE" if line is not None:
                self._send(packet, 200, "OK", line.tag)
                line.over.set()
            case "ACK":
                pass
            case "OPTIONS":  # may come from others than Asterisk
                self._send(packet, 200, "OK", "phone", far=addr)
            case _:
                self._send(packet, 200, "OK", "phone")

    def respond(self, line: Ring, status: int, reason: str, body: str = "") -> None:
        """An answer to the INVITE of this line."""
        line.response = self._send(line.invite, status, reason, line.tag, body)

    def _send(
        self,
        packet: Packet,
        status: int,
        reason: str,
        tag: str,
        body: str = "",
        far: tuple[str, int] | None = None,
    ) -> bytes:
        lines = [f"SIP/2.0 {status} {reason}"]
        for name in COPIED:
            for value in packet.headers.get_all(name) or ():
                own = f";tag={tag}" if name == "To" and "tag=" not in value else ""
                lines.append(f"{name}: {value}{own}")
        lines.append(f"Contact: <sip:{self.user}@{self.host}:{self._port}>")
        if body:
            lines.append("Content-Type: application/sdp")
        lines.append(f"Content-Length: {len(body)}")
        data = ("\r\n".join(lines) + "\r\n\r\n" + body).encode()
        self._transport.sendto(data, far or self._server)
        return data
