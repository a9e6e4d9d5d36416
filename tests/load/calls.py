"""How a real agent serves many callers at once: waiting times, late frames, stages, processor time.

    .venv/bin/python tests/load/calls.py ../shared/speech/dev --calls 30 --seconds 120

The agent is a process of its own with the site's models and prompts and an empty store; callers
are on its AudioSocket, each on a clock of their own, and say the folder's sentences: a need, a
time, a yes, and so on until the agent lets go of them or they have said enough. Asterisk has no
part in it. What a caller measures is what arrives here.
"""

from __future__ import annotations

import argparse
import asyncio
import csv
import json
import os
import random
import signal
import socket
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import aiohttp
import numpy as np

from audio.sound import frame_levels, read_wav, to_speech
from ivr.bench.machine import cpu_seconds, family, spent_s
from ivr.config import AgentSettings, Settings, load_settings
from ivr.telephony.audiosocket import (
    FRAME_BYTES,
    FRAME_MS,
    Audio,
    CallId,
    FrameError,
    Hangup,
    read_frame,
)
from ivr.telephony.http import SECRET_HEADER
from store.calls import newest_calls, turns_of
from store.database import open_store
from store.elders import Registration, register

FRAME_S = FRAME_MS / 1000
SILENCE = bytes(FRAME_BYTES)
OVER_S = 0.9
"""The agent has spoken when it is silent for so long; the pauses in a prompt are shorter."""
THINKS_S = (0.3, 1.5)
"""How long callers take to begin an answer."""
SAYS = ("service", "time", "act:yes", "act:yes", "act:yes", "service")
"""What a caller says, one after the other."""
NEXT_CALL_S = 1.0
STARTS_S = 90.0
NAME, ADDRESS = "王阿姨", "平江路一号"


@dataclass(slots=True)
class Measured:
    """By all callers, in seconds."""

    answers: list[float] = field(default_factory=list)
    """From the end of an utterance to the first sound of the answer."""
    late: list[float] = field(default_factory=list)
    """Of each frame that the far end had to wait for, how long."""
    frames: int = 0
    unanswered: int = 0
    admitted: Counter[str] = field(default_factory=Counter)
    ended: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class Saying:
    """One recording, in frames."""

    frames: tuple[bytes, ...]
    spoken: int
    """Frames up to the end of the speech."""


def saying(path: Path) -> Saying:
    samples = read_wav(path)
    levels = frame_levels(samples)
    spoken = int(np.flatnonzero(levels > levels.max() - 30)[-1]) + 1
    data = to_speech(samples).astype("<i2").tobytes()
    whole = len(data) // FRAME_BYTES * FRAME_BYTES
    frames = tuple(data[at : at + FRAME_BYTES] for at in range(0, whole, FRAME_BYTES))
    return Saying(frames, min(spoken, len(frames)))


def sayings(folder: Path) -> dict[str, list[Saying]]:
    """By what is said: service, time, act:yes."""
    found: dict[str, list[Saying]] = {what: [] for what in SAYS}
    with (folder / "manifest.tsv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file, delimiter="\t"):
            expected = row["expected"]
            what = (
                "service" if ":" not in expected and expected not in ("oos", "time") else expected
            )
            if row["file"] and expected != "emergency" and what in found:
                found[what].append(saying(folder / row["file"]))
    return found


class Caller:
    """One call, from its connection to its end."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        script: Sequence[Saying],
        chance: random.Random,
        measured: Measured,
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._script = list(script)
        self._chance = chance
        self._measured = measured
        self._loop = asyncio.get_running_loop()
        self._to_say: list[bytes] = []
        self._ends_in: int | None = None
        """Frames of what is being said until its speech ends."""
        self._ended_at: float | None = None
        """When the caller's speech ended; None where no answer is waited for."""
        self._last_sound_at: float | None = None
        self._speaks_at: float | None = None
        self._due: float | None = None

    async def run(self) -> str:
        """How the call ended."""
        speaking = asyncio.create_task(self._speak())
        try:
            return await self._hear()
        finally:
            speaking.cancel()
            await asyncio.gather(speaking, return_exceptions=True)
            self._measured.unanswered += self._ended_at is not None
            self._writer.close()

    async def _hear(self) -> str:
        while True:
            try:
                frame = await read_frame(self._reader)
            except (FrameError, OSError) as error:
                return type(error).__name__
            match frame:
                case Audio(data):
                    self._arrived(data)
                case Hangup():
                    return "let go by the agent"
                case None:
                    return "cut" if self._script else "hung up"

    def _arrived(self, data: bytes) -> None:
        now = self._loop.time()
        self._measured.frames += 1
        if self._due is None or now - self._due > FRAME_S:
            if self._due is not None:
                self._measured.late.append(now - self._due)
            self._due = now
        self._due += FRAME_S
        if data == SILENCE:
            return
        self._last_sound_at = now
        self._speaks_at = None
        if self._ended_at is not None:
            self._measured.answers.append(now - self._ended_at)
            self._ended_at = None

    async def _speak(self) -> None:
        """Sends a frame every 20 ms, on this caller's own beat."""
        await asyncio.sleep(self._chance.uniform(0, FRAME_S))
        due = self._loop.time()
        while True:
            self._writer.write(Audio(self._next()).to_bytes())
            due += FRAME_S
            await asyncio.sleep(max(0.0, due - self._loop.time()))

    def _next(self) -> bytes:
        now = self._loop.time()
        if self._to_say:
            if self._ends_in is not None:
                self._ends_in -= 1
                if self._ends_in < 0:
                    self._ends_in, self._ended_at = None, now
            return self._to_say.pop()
        if self._ended_at is None and self._last_sound_at is not None:
            if now - self._last_sound_at > OVER_S and self._speaks_at is None:
                self._speaks_at = now + self._chance.uniform(*THINKS_S)
            if self._speaks_at is not None and now > self._speaks_at:
                self._begin()
        return SILENCE

    def _begin(self) -> None:
        self._speaks_at = self._last_sound_at = None
        if not self._script:
            self._writer.write(Hangup().to_bytes())
            return
        said = self._script.pop(0)
        self._to_say = [*reversed(said.frames)]
        self._ends_in = said.spoken


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@asynccontextmanager
async def agent(settings: Settings):  # type: ignore[no-untyped-def]
    """The agent's process, ready."""
    environment = {
        **os.environ,
        "YIHU_DATA_DIR": str(settings.data_dir),
        "YIHU_MODELS_DIR": str(settings.models),
        "YIHU_AGENT__AUDIOSOCKET_PORT": str(settings.agent.audiosocket_port),
        "YIHU_AGENT__HTTP_PORT": str(settings.agent.http_port),
        "YIHU_AGENT__MAX_CALLS": str(settings.agent.max_calls),
    }
    with (settings.data_dir / "agent.log").open("wb") as out:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "ivr.agent", env=environment, stdout=out, stderr=out
        )
        try:
            async with asyncio.timeout(STARTS_S), aiohttp.ClientSession() as http:
                while True:
                    try:
                        url = f"http://127.0.0.1:{settings.agent.http_port}/readyz"
                        async with http.get(url) as answer:
                            if answer.status == 200:
                                break
                    except aiohttp.ClientConnectionError:
                        assert process.returncode is None, "the agent does not start"
                    await asyncio.sleep(0.2)
            yield process.pid
        finally:
            if process.returncode is None:
                process.send_signal(signal.SIGTERM)
            await process.wait()


def processor_s(pid: int) -> dict[str, float]:
    """Processor time of the agent so far, its event loop's apart."""
    loop = (Path("/proc") / str(pid) / "task" / str(pid) / "stat").read_text()
    return {"all": cpu_seconds(pid), "event_loop": spent_s(loop)}


def memory_mb(pid: int) -> dict[str, int]:
    """Of the agent and its processes; what they share counts for each."""
    found = {"now": 0, "most": 0}
    for one in family(pid):
        lines = (Path("/proc") / str(one) / "status").read_text().splitlines()
        values = dict(line.split(":", 1) for line in lines)
        for name, key in (("now", "VmRSS"), ("most", "VmHWM")):
            found[name] += int(values[key].split()[0]) // 1024
    return found


def spread(values: Sequence[float]) -> dict[str, float]:
    if not values:
        return {}
    p50, p95 = np.percentile(values, (50, 95))
    return {"n": len(values), "p50": round(p50), "p95": round(p95), "most": round(max(values))}


async def call_on_and_on(
    settings: Settings,
    index: int,
    said: dict[str, list[Saying]],
    until: float,
    http: aiohttp.ClientSession,
    measured: Measured,
) -> None:
    chance = random.Random(index)
    loop = asyncio.get_running_loop()
    agent_settings = settings.agent
    while loop.time() < until:
        uuid: UUID = uuid4()
        fields = {"uuid": str(uuid), "caller": f"5555{index:04d}"}
        url = f"http://127.0.0.1:{agent_settings.http_port}/asterisk/admit"
        async with http.post(url, data=fields) as answer:
            where = await answer.text()
        measured.admitted[where] += 1
        if where == "agent":
            reader, writer = await asyncio.open_connection(
                "127.0.0.1", agent_settings.audiosocket_port
            )
            writer.write(CallId(uuid).to_bytes())
            script = [chance.choice(said[what]) for what in SAYS]
            caller = Caller(reader, writer, script, chance, measured)
            try:
                async with asyncio.timeout(max(1.0, until - loop.time())):
                    measured.ended[await caller.run()] += 1
            except TimeoutError:
                measured.ended["still there at the end"] += 1
        await asyncio.sleep(NEXT_CALL_S)


async def load(options: argparse.Namespace) -> dict[str, Any]:
    said = sayings(options.speech)
    here = load_settings()
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(
            data_dir=Path(folder),
            models_dir=here.models,
            agent=AgentSettings(
                max_calls=options.max_calls or options.calls,
                audiosocket_port=_free_port(),
                http_port=_free_port(),
            ),
        )
        store = open_store(settings.database)
        for index in range(options.calls):
            register(store, Registration(f"5555{index:04d}", NAME, ADDRESS))
        measured = Measured()
        async with (
            agent(settings) as pid,
            aiohttp.ClientSession(headers={SECRET_HEADER: settings.secrets.http}) as http,
        ):
            before, own_before, began = processor_s(pid), time.process_time(), time.monotonic()
            loop = asyncio.get_running_loop()
            until = loop.time() + options.seconds
            callers = []
            for index in range(options.calls):
                work = call_on_and_on(settings, index, said, until, http, measured)
                callers.append(asyncio.create_task(work))
                await asyncio.sleep(options.ramp / options.calls)
            await asyncio.gather(*callers)
            took_s = time.monotonic() - began
            after, memory = processor_s(pid), memory_mb(pid)
            own_s = time.process_time() - own_before
            async with http.get(f"http://127.0.0.1:{settings.agent.http_port}/metrics") as answer:
                metrics = dict(
                    line.rsplit(" ", 1)
                    for line in (await answer.text()).splitlines()
                    if not line.startswith("#")
                )
        calls = [listed.call for listed in newest_calls(store)]
        turns = [turn for call in calls for turn in turns_of(store, call.id)]
        store.close()
        failed = sum("error" in line for line in (Path(folder) / "agent.log").open())
    stages: dict[str, list[float]] = {}
    for turn in turns:
        for name, ms in turn.stages_ms.items():
            stages.setdefault(name, []).append(ms)
    spoken = sum("recognise" in turn.stages_ms for turn in turns)
    return {
        "calls": options.calls,
        "seconds": round(took_s),
        "answers_ms": spread([1000 * s for s in measured.answers]),
        "unanswered": measured.unanswered,
        "stages_ms": {name: spread(ms) for name, ms in sorted(stages.items())},
        "turns": spoken,
        "turns_a_second": round(spoken / took_s, 2),
        "frames": measured.frames,
        "frames_late_over_20_ms": len(measured.late),
        "frames_late_over_40_ms": sum(late > 0.04 for late in measured.late),
        "latest_ms": round(1000 * max(measured.late, default=0)),
        "late_frames_by_the_agent": float(metrics.get("yihu_late_frames_total", 0)),
        "recognitions": float(metrics.get("yihu_recognition_seconds_count", 0)),
        "processor": {
            **{name: round((after[name] - before[name]) / took_s, 3) for name in after},
            "callers": round(own_s / took_s, 3),
        },
        "memory_mb": memory,
        "admitted": dict(measured.admitted),
        "ended": dict(measured.ended),
        "outcomes": dict(Counter(str(call.outcome) for call in calls)),
        "errors_logged": failed,
        "load_average": os.getloadavg(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("speech", type=Path, help="folder with a manifest.tsv")
    parser.add_argument("--calls", type=int, default=30)
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--ramp", type=float, default=10, help="seconds until all are there")
    parser.add_argument("--max-calls", type=int, default=0, help="the agent's limit; 0: all calls")
    print(json.dumps(asyncio.run(load(parser.parse_args())), indent=1))


if __name__ == "__main__":
    main()
