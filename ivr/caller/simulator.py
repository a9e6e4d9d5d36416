"""Places calls to this site over SIP and RTP and carries out their scripts.

Asterisk dials itself: a channel of the `simulator` endpoint sends the INVITE to the port that
trunks call, with G.711 both ways, and its near side is an AudioSocket to this process.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from types import TracebackType
from typing import Any, Self
from uuid import UUID, uuid4

import numpy as np
import structlog
from numpy.typing import NDArray

from audio.sound import speech_edges, to_samples
from ivr.caller.ear import RATE, Ear
from ivr.caller.script import TRIES, Leave, Press, Speak, Step
from ivr.caller.track import Track
from ivr.config import Settings
from ivr.telephony.ami import Ami, AmiError, AmiEvents
from ivr.telephony.audiosocket import FRAME_SAMPLES, Audio, AudioSocketServer, Line, serve
from ivr.telephony.pbx import AMI_USER
from ivr.telephony.playout import FRAME_S, SILENCE, Playout

DEFAULT_NUMBER = "13900000000"
NUMBER = re.compile(r"\+?[0-9]{2,20}")
EXTENSION = "1000"
"""What is dialled; every number leads to the agent."""
REASONS = {
    "0": "the number could not be reached",
    "1": "the far end hung up",
    "3": "it rang and nobody answered",
    "5": "busy",
    "8": "congestion: all lines are taken or the call was refused",
}
"""Asterisk's Reason of OriginateResponse (AST_CONTROL_*)."""
CONNECT_S = 3.0
RING_S = 20.0
"""How long a call may take to be answered."""
PATIENCE_S = 30.0
"""How long the caller waits for the system to speak and fall silent before going on."""
REPLY_S = 1.4
"""Silence after which the caller takes it that the system waits for an answer: longer than the
pauses inside a prompt, also where a busy machine stretches them."""
FAREWELL_S = 3.0
"""After the last step: silence after which the caller hangs up."""
SPEECH_RANGE_DB = 30.0
"""What is further below the loudest part of a piece is not speech any more."""
LATE_S = 0.04
"""A frame that comes so much later than its turn leaves a gap that can be heard."""
KEY_MS = 160
KEY_GAP_S = 0.3

log = structlog.get_logger()


class SimulatorError(Exception):
    """The call could not be placed; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """One step of the caller and what came back; seconds on the call's clock."""

    label: str
    start_s: float
    end_s: float
    """The last speech sample left the caller, or the last key was pressed."""
    answer_s: float | None
    """First sound of the answer; None where there was none."""
    prompt_stopped_ms: int | None
    """For words spoken into the system's speech: how long it went on speaking."""

    @property
    def latency_ms(self) -> int | None:
        """Waiting time as the caller hears it."""
        return None if self.answer_s is None else round((self.answer_s - self.end_s) * 1000)


@dataclass(frozen=True, slots=True)
class CallReport:
    """One call as the caller experienced it."""

    call_id: UUID
    number: str
    answered_at: datetime
    """When the call's clock began."""
    answered_ms: int
    """From dialling to being answered."""
    ended_by: str
    """caller or system."""
    exchanges: tuple[Exchange, ...]
    utterances: tuple[tuple[float, float], ...]
    """First and last sound of each thing the system said, in seconds."""
    spoken: NDArray[np.int16]
    """What the caller sent, shape (n,), 8000 Hz."""
    heard: NDArray[np.int16]
    """What the caller received, on the same clock."""
    late_frames: int
    """Frames of the caller's own that this process sent too late."""
    late_heard: int = 0
    """Frames that arrived more than LATE_S after their turn."""

    def utterance(self, index: int) -> NDArray[np.int16]:
        """The sound of one thing the system said."""
        start_s, end_s = self.utterances[index]
        return self.heard[max(0, round((start_s - 0.1) * RATE)) : round((end_s + 0.1) * RATE)]

    def stereo(self) -> NDArray[np.int16]:
        """Both sides, shape (n, 2): left the caller, right the system."""
        sound = np.zeros((max(len(self.spoken), len(self.heard)), 2), np.int16)
        sound[: len(self.spoken), 0] = self.spoken
        sound[: len(self.heard), 1] = self.heard
        return sound


class Simulator:
    """Places any number of calls at once. Use as an asynchronous context manager."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._waiting: dict[UUID, asyncio.Future[Line]] = {}
        self._over: dict[UUID, asyncio.Event] = {}

    async def __aenter__(self) -> Self:
        """Raises SimulatorError when the system is not up."""
        port = self._settings.asterisk.ami_port
        self._ami = Ami("127.0.0.1", port, AMI_USER, self._settings.secrets.ami)
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(self._ami)
            try:
                await self._ami.wait_connected(CONNECT_S)
            except AmiError as error:
                raise SimulatorError(
                    f"no Asterisk to call ({error}); start the system first: ./yihu up -d"
                ) from error
            self._server: AudioSocketServer = await serve(
                "127.0.0.1", 0, self._arrived, lambda uuid: uuid in self._waiting
            )
            stack.push_async_callback(self._server.close)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._stack.aclose()

    async def call(
        self,
        script: Sequence[Step] | AsyncIterable[Step],
        number: str = DEFAULT_NUMBER,
        *,
        call_id: UUID | None = None,
        patience_s: float = PATIENCE_S,
        farewell_s: float = FAREWELL_S,
        leave: asyncio.Event | None = None,
    ) -> CallReport:
        """Dials, carries the script out, hangs up.

        A script whose steps depend on what is heard is an AsyncIterable; it is asked for the next
        step as soon as one is done.
        `call_id` names the call for the agent and the store; a new one is made without it.
        The caller hangs up before the script's end when `leave` is set.
        Raises SimulatorError when nobody answered, ValueError on a number that is not one.
        """
        if not NUMBER.fullmatch(number):
            raise ValueError(f"{number!r} is not a telephone number")
        call_id = call_id or uuid4()
        near = uuid4()
        loop = asyncio.get_running_loop()
        arrival: asyncio.Future[Line] = loop.create_future()
        self._waiting[near] = arrival
        over = self._over[near] = asyncio.Event()
        dialled = loop.time()
        try:
            line = await self._dial(call_id, near, number, arrival)
            caller = _Caller(line, partial(self._press, call_id), patience_s, farewell_s)
            answered_at = datetime.now(UTC)
            answered_ms = round((loop.time() - dialled) * 1000)
            ended_by = await caller.carry_out(script, leave or asyncio.Event())
        finally:
            del self._waiting[near], self._over[near]
            over.set()
        return CallReport(
            call_id=call_id,
            number=number,
            answered_at=answered_at,
            answered_ms=answered_ms,
            ended_by=ended_by,
            exchanges=caller.exchanges(),
            utterances=tuple((u.start_s, u.end_s) for u in caller.ear.utterances),
            spoken=caller.spoken.samples(),
            heard=caller.heard.samples(),
            late_frames=caller.playout.late_frames,
            late_heard=caller.late_heard,
        )

    async def _arrived(self, line: Line) -> None:
        over = self._over[line.uuid]
        self._waiting[line.uuid].set_result(line)
        await over.wait()

    async def _dial(
        self, call_id: UUID, near: UUID, number: str, arrival: asyncio.Future[Line]
    ) -> Line:
        """The line, once somebody has answered."""
        with self._ami.events("OriginateResponse") as answers:
            refusal = asyncio.create_task(_refused(answers, _channel(call_id)), name="dialling")
            try:
                await self._ami.action(
                    "Originate",
                    Channel=f"PJSIP/{EXTENSION}@simulator",
                    ChannelId=_channel(call_id),
                    CallerID=number,
                    Codecs="alaw",
                    Application="AudioSocket",
                    Data=f"{near},127.0.0.1:{self._server.port}",
                    Timeout=f"{RING_S * 1000:.0f}",
                    Async="true",
                    variables={
                        "PJSIP_HEADER(add,X-Yihu-Simulator)": self._settings.secrets.simulator,
                        "PJSIP_HEADER(add,X-Yihu-Call)": str(call_id),
                    },
                )
                either: set[asyncio.Future[Any]] = {arrival, refusal}
                await asyncio.wait(either, timeout=RING_S, return_when=asyncio.FIRST_COMPLETED)
                if arrival.done():
                    return arrival.result()
                reason = refusal.result() if refusal.done() else f"no answer in {RING_S:g} s"
                raise SimulatorError(f"the call did not come about: {reason}")
            except AmiError as error:
                raise SimulatorError(f"the call could not be placed: {error}") from error
            finally:
                refusal.cancel()

    async def _press(self, call_id: UUID, key: str) -> None:
        """Presses a key on the caller's telephone: it crosses SIP as an RFC 4733 event."""
        await self._ami.action(
            "PlayDTMF", Channel=_channel(call_id), Digit=key, Duration=str(KEY_MS)
        )


async def _refused(answers: AmiEvents, channel: str) -> str:
    """Returns why the call failed; goes on for ever if it does not."""
    async for event in answers:
        if event["Uniqueid"] == channel and event["Response"] == "Failure":
            return REASONS.get(event["Reason"], f"Asterisk's reason {event['Reason']}")
    raise AssertionError("events do not end")


def _channel(call_id: UUID) -> str:
    """Unique id of the caller's own channel."""
    return f"sim-{call_id}"


async def _each(script: Sequence[Step] | AsyncIterable[Step]) -> AsyncIterator[Step]:
    if isinstance(script, AsyncIterable):
        async for step in script:
            yield step
    else:
        for step in script:
            yield step


class _Caller:
    """One call's ear, mouth and script. All times are seconds since it was answered."""

    def __init__(
        self,
        line: Line,
        press: Callable[[str], Awaitable[None]],
        patience_s: float,
        farewell_s: float,
    ) -> None:
        self.ear = Ear()
        self.spoken = Track()
        self.heard = Track()
        self._line = line
        self._press = press
        self._patience_s = patience_s
        self._farewell_s = farewell_s
        self._steps: list[Exchange] = []
        self._since_s = 0.0
        """When the caller last said something: what the system says from then on is new."""
        self.late_heard = 0
        self._arrived_s: float | None = None
        """When the last frame came."""
        self._sent_s: list[float] = []
        """When each frame of what is being said was sent."""
        self._waited_for: tuple[Callable[[], bool], asyncio.Future[None]] | None = None
        """What `_until` waits for; looked at with every frame that is sent, since the task would
        have to be woken for it 50 times a second."""
        self._loop = asyncio.get_running_loop()
        self._began = self._loop.time()
        self.playout = Playout(self._send, lead_s=0.0)

    async def carry_out(
        self, script: Sequence[Step] | AsyncIterable[Step], leave: asyncio.Event
    ) -> str:
        """Returns who hung up."""
        listening = asyncio.create_task(self._listen(), name="caller listens")
        acting = asyncio.create_task(self._act(script), name="caller acts")
        leaving = asyncio.create_task(leave.wait(), name="caller may leave")
        tasks: list[asyncio.Task[Any]] = [listening, acting, leaving]
        self.playout.start()
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            ended_by = "system" if listening.done() else "caller"
            if acting.done():
                acting.result()
        finally:
            self.playout.stop()
            self._line.hang_up()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        return ended_by

    def exchanges(self) -> tuple[Exchange, ...]:
        """The steps that were carried out, each with the answer that came before the next."""
        found = []
        for index, step in enumerate(self._steps):
            answer = self.ear.since(step.end_s)
            later = self._steps[index + 1 :]
            if answer is not None and not (later and answer.start_s > later[0].start_s):
                step = replace(step, answer_s=answer.start_s)
            found.append(step)
        return tuple(found)

    async def _listen(self) -> None:
        async for frame in self._line:
            if isinstance(frame, Audio):
                now_s = self._now_s()
                if self._arrived_s is not None:
                    self.late_heard += now_s - self._arrived_s > FRAME_S + LATE_S
                self._arrived_s = now_s
                self.heard.add(frame.data, now_s)
                self.ear.hear(np.frombuffer(frame.data, "<i2"), now_s)

    async def _act(self, script: Sequence[Step] | AsyncIterable[Step]) -> None:
        async for step in _each(script):
            if isinstance(step, Leave):
                if step.into_ms is not None:
                    await self._turn(step.into_ms)
                return
            await self._do(step)
            if isinstance(step, Speak) and step.understood is not None:
                for _ in range(TRIES - 1):
                    if await step.understood():
                        break
                    await self._do(replace(step, into_ms=None))
        await self._until(lambda: self._spoken_to() and self._silent(self._farewell_s))

    async def _do(self, step: Speak | Press) -> None:
        """Carries a step out when its turn has come."""
        await self._turn(step.into_ms)
        start_s = self._now_s()
        stopped_ms = None
        match step:
            case Speak():
                end_s = await self._say(step.samples)
                label = step.label
                if step.into_ms is not None:
                    stopped_ms = max(0, round((self.ear.last_loud_s - start_s) * 1000))
            case Press(keys):
                end_s = await self._press_all(keys)
                label = keys
        self._steps.append(Exchange(label, start_s, end_s, None, stopped_ms))
        self._since_s = end_s

    async def _turn(self, into_ms: int | None) -> None:
        """Waits until the caller wants to do something."""
        if into_ms is None:
            await self._until(lambda: self._spoken_to() and self._silent(REPLY_S))
            return

        def far_enough() -> bool:
            utterance = self.ear.since(self._since_s)
            return utterance is not None and self._now_s() - utterance.start_s >= into_ms / 1000

        await self._until(far_enough)

    async def _say(self, samples: NDArray[np.int16]) -> float:
        """Returns when the last speech sample was sent."""
        self.ear.expect_answer()
        self._sent_s.clear()
        await self.playout.play(samples)
        end = speech_edges(to_samples(samples), margin_ms=0, below_peak_db=SPEECH_RANGE_DB)[1]
        # A telephone sends a frame when its last sample has been spoken. Speech ended somewhere
        # in that frame; its beginning counts, so that no waiting time comes out too short.
        return self._sent_s[(end - 1) // FRAME_SAMPLES] - FRAME_S

    async def _press_all(self, keys: str) -> float:
        """Returns when the last key was pressed."""
        self.ear.expect_answer()
        pressed_s = self._now_s()
        for index, key in enumerate(keys):
            if index:
                await asyncio.sleep(KEY_GAP_S)
            pressed_s = self._now_s()
            await self._press(key)
            await asyncio.sleep(KEY_MS / 1000)
        return pressed_s

    def _spoken_to(self) -> bool:
        return self.ear.since(self._since_s) is not None

    def _silent(self, seconds: float) -> bool:
        return self.ear.silent_for_s(self._now_s()) >= seconds

    async def _until(self, true: Callable[[], bool]) -> None:
        """Returns when it is true or the caller's patience is at an end."""
        if true():
            return
        came: asyncio.Future[None] = self._loop.create_future()
        self._waited_for = (true, came)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._patience_s):
                await came
        self._waited_for = None

    def _send(self, data: bytes) -> None:
        now_s = self._now_s()
        if data is not SILENCE:
            self._sent_s.append(now_s)
        self.spoken.add(data, now_s)
        self._line.send(Audio(data))
        if self._waited_for is not None:
            true, came = self._waited_for
            if not came.done() and true():
                came.set_result(None)

    def _now_s(self) -> float:
        return self._loop.time() - self._began
