"""A caller with a script: real sockets and a real store; stand-ins for ears, voice and grammar.

What the caller says is a tone whose pitch says which of the known sentences it is.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import numpy as np
import pytest

from audio.phones import Sounds
from audio.recogniser import Hypothesis, Samples
from audio.synthesiser import Speech, SynthesiserError
from ivr.calls.call import Site, answer_call
from ivr.calls.recognition import Recognition
from ivr.calls.speech import SpeechMaker
from ivr.catalog import load_catalog, services
from ivr.config import Settings, TurnSettings
from ivr.dialogue.prompts import load_prompts
from ivr.telephony import audiosocket
from ivr.telephony.admission import Admission
from ivr.telephony.audiosocket import Audio, AudioSocketServer, CallId, Frame
from ivr.telephony.capacity import Capacity
from ivr.understanding.meaning import Act, Candidate, Kind, Meaning, State
from ivr.understanding.when import When
from store.calls import find_call, turns_of
from store.database import Store, open_store
from store.models import Call, Turn, WorkOrder
from store.orders import orders_of
from store.services import sync

SILENCE = np.zeros(160, np.int16)
PATIENCE_S = 20.0


def service(code: str, **more: object) -> Meaning:
    return Meaning(Kind.SERVICE, code, 0.95, candidates=(Candidate(code, 0.95),), **more)  # type: ignore[arg-type]


def act(act: Act) -> Meaning:
    return Meaning(Kind.ACT, act, 0.95)


TOMORROW = When(
    day=(datetime.now() + timedelta(days=1)).date(), clock=datetime(2000, 1, 1, 9).time()
)
SENTENCES: dict[str, Meaning] = {
    "明天九点来打扫": service("cleaning", when=TOMORROW),
    "对": act(Act.YES),
    "不对": act(Act.NO),
    "我要打扬": Meaning(Kind.OOS),
    "明天九点汏浴": service("bathing", dialect="suzhou", when=TOMORROW),
    "转人工": act(Act.OPERATOR),
    "救命": service("emergency"),
    "不用了": act(Act.NO),
    "平江路一号": Meaning(Kind.OOS),
    "今天天气好": Meaning(Kind.OOS),
    "那个": Meaning(Kind.OOS),
    "回电": act(Act.CALLBACK),
    "很满意": Meaning(Kind.RATING, confidence=0.95, rating=5),
    "不满意": Meaning(Kind.RATING, confidence=0.95, rating=1),
    "打错了": Meaning(Kind.OOS),
    "明天九点": Meaning(Kind.TIME, confidence=0.95, when=TOMORROW),
}


def pitch(sentence: str) -> int:
    return 1000 + 150 * list(SENTENCES).index(sentence)


class Ears:
    """A recogniser that knows the sentences by their pitch; can be made to fail or hang."""

    version = "1"

    def __init__(self, name: str) -> None:
        self.name = name
        self.broken = False
        self.go = threading.Event()
        self.go.set()
        self.asked: list[int] = []

    def recognise(
        self, samples: Samples, *, question: str = "", n_best: int = 5
    ) -> list[Hypothesis]:
        self.asked.append(len(samples))
        self.go.wait(PATIENCE_S)
        if self.broken:
            raise RuntimeError("engine broken")
        spectrum = np.abs(np.fft.rfft(samples))
        if spectrum.max(initial=0) < 50:
            return []
        hz = spectrum.argmax() * 8000 / len(samples)
        said = min(SENTENCES, key=lambda s: abs(pitch(s) - hz))
        return [Hypothesis(said, -0.1, Sounds(("_",), np.zeros((1, 1), np.float32)))]


class Vad:
    def __call__(self, window: Samples) -> float:
        return 0.95 if float(np.sqrt(np.mean(window**2))) > 0.02 else 0.01


class Voice:
    """A cache in which every piece is 60 ms of a quiet tone; can lack pieces or fail."""

    def __init__(self) -> None:
        self.missing = False
        self.broken = False
        self.made: list[tuple[str, float]] = []

    def get(self, text: str, *, speed: float) -> Speech | None:
        return None if self.missing else self._tone()

    def make(self, text: str, *, speed: float) -> Speech:
        if self.broken:
            raise SynthesiserError("no voice")
        self.made.append((text, speed))
        return self._tone()

    def _tone(self) -> Speech:
        return (900 * np.sin(np.arange(480) * 2 * np.pi * 300 / 8000) + 1).astype(np.int16)

    def rest(self) -> None:
        pass


def understand(
    hypotheses: Sequence[Hypothesis], state: State, now: datetime, dialect: str
) -> Meaning:
    return replace(SENTENCES[hypotheses[0].text], text=hypotheses[0].text)


class World:
    """One agent's worth of parts, and a way to call it."""

    def __init__(self, folder: Path) -> None:
        self.settings = Settings(
            data_dir=folder,
            turn=TurnSettings(
                end_silence_ms=128,
                unfinished_silence_ms=256,
                speculate_ms=64,
                preroll_ms=64,
                answer_timeout_ms=1500,
            ),
        )
        self.ears = Ears("pitch")
        self.suzhou_ears = Ears("suzhou")
        """Hear callers who are known to speak that dialect."""
        self.voice = Voice()
        self.store: Store = open_store(self.settings.database)
        clock = asyncio.get_running_loop().time
        self.admission = Admission(Capacity(4, 1.0, clock), clock)
        self.recognition = Recognition(self.ears, timeout_s=2.0)
        self.suzhou_recognition = Recognition(self.suzhou_ears, timeout_s=0.2)
        self.speech = SpeechMaker(self.voice, 0.85)
        catalog = load_catalog()
        sync(self.store, services(catalog))
        self.site = Site(
            settings=self.settings,
            store=self.store,
            admission=self.admission,
            recognition=self.recognition,
            speech=self.speech,
            make_vad=Vad,
            understand=understand,
            frames=frozenset(),
            catalog=catalog,
            prompts=load_prompts(),
            dialect_recognition={"suzhou": self.suzhou_recognition},
        )
        self.server: AudioSocketServer

    async def start(self) -> None:
        self.recognition.start()
        self.suzhou_recognition.start()
        self.speech.start()
        self.server = await audiosocket.serve(
            "127.0.0.1", 0, lambda line: answer_call(self.site, line), self.admission.arrive
        )

    async def close(self) -> None:
        self.ears.go.set()
        self.suzhou_ears.go.set()
        await self.server.close()
        await self.speech.close()
        await self.recognition.close()
        await self.suzhou_recognition.close()
        self.store.close()

    async def call(self, number: str = "13812345678", uuid: UUID | None = None) -> Caller:
        """`uuid`: of a call that we have placed."""
        uuid = uuid or uuid4()
        self.admission.admit(uuid, number)
        reader, writer = await asyncio.open_connection("127.0.0.1", self.server.port)
        caller = Caller(self, uuid, reader, writer)
        caller.send(CallId(uuid))
        return caller

    async def over(self) -> None:
        """Returns once every call's task has ended."""
        tasks = self.server.tasks
        if tasks:
            await asyncio.wait(tasks, timeout=PATIENCE_S)
        assert not self.server.tasks


class Caller:
    """The far end of one call."""

    def __init__(
        self,
        world: World,
        uuid: UUID,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        self._world = world
        self.uuid = uuid
        self._reader = reader
        self._writer = writer
        self.frames: list[Frame] = []

    def send(self, *frames: Frame) -> None:
        for frame in frames:
            self._writer.write(frame.to_bytes())

    def press(self, key: str) -> None:
        self.send(audiosocket.Digit(key))

    def say(self, sentence: str, ms: int = 400, *, then_ms: int = 300) -> None:
        """A sentence and the silence after it, all at once: turns count frames, not time."""
        tone = 8000 * np.sin(np.arange(ms * 8) * 2 * np.pi * pitch(sentence) / 8000)
        self.sound(tone.astype(np.int16))
        self.sound(np.zeros(then_ms * 8, np.int16))

    async def says_over_the_prompt(self, sentence: str, ms: int = 600) -> None:
        """At the pace of the line, since it is compared with what we hear meanwhile."""
        tone = 8000 * np.sin(np.arange(ms * 8) * 2 * np.pi * pitch(sentence) / 8000)
        await self.sounds(np.concatenate([tone, np.zeros(300 * 8)]).astype(np.int16))

    async def sounds(self, samples: Speech) -> None:
        """At the pace of the line, so that the agent is done with it when it is over."""
        for start in range(0, len(samples), 160):
            self.send(Audio(samples[start : start + 160].tobytes()))
            await self._read()

    def sound(self, samples: Speech) -> None:
        for start in range(0, len(samples), 160):
            self.send(Audio(samples[start : start + 160].tobytes()))

    async def hears(self) -> None:
        """Returns at the first sound of a prompt."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                frame = await self._read()
                if isinstance(frame, Audio) and any(frame.data):
                    return

    async def hears_all(self) -> None:
        """Returns when a prompt has been heard to its end (longer than any pause in it)."""
        await self.hears()
        silent = 0
        async with asyncio.timeout(PATIENCE_S):
            while silent < 20:
                frame = await self._read()
                silent = 0 if isinstance(frame, Audio) and any(frame.data) else silent + 1

    async def _read(self) -> Frame:
        frame = await audiosocket.read_frame(self._reader)
        if frame is None:
            raise EOFError("the agent has let go of the call")
        self.frames.append(frame)
        return frame

    async def is_let_go(self) -> str:
        """Waits until the agent ends the call, and asks where it goes."""
        await self.hears_the_end()
        await self._world.over()
        return await self._world.admission.next(self.uuid)

    async def hears_the_end(self) -> None:
        """Waits until the agent ends the call."""
        async with asyncio.timeout(PATIENCE_S):
            while not isinstance(await self._read(), audiosocket.Hangup):
                pass
        self._writer.close()

    async def hang_up(self) -> None:
        """The caller is gone; returns once the agent has noticed."""
        self._writer.close()
        await self._world.over()

    @property
    def orders(self) -> list[WorkOrder]:
        return orders_of(self._world.store, self.uuid)

    @property
    def turns(self) -> list[Turn]:
        return turns_of(self._world.store, self.uuid)

    @property
    def record(self) -> Call:
        call = find_call(self._world.store, self.uuid)
        assert call is not None
        return call


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    world = World(tmp_path)
    await world.start()
    yield world
    await world.close()
    left = [task.get_name() for task in asyncio.all_tasks() if "call" in task.get_name()]
    assert not left, "a call leaves no task behind"
