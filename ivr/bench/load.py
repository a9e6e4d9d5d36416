"""Places the calls of a load test, so many at once, and watches the machine meanwhile."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from uuid import UUID, uuid4

import aiohttp
import numpy as np
from numpy.typing import NDArray

from ivr import supervisor
from ivr.bench.machine import cpu_seconds, rss_mb, stolen_s
from ivr.bench.people import Leaves, Line, Manner, Person, person
from ivr.bench.told import Told
from ivr.caller.ear import RATE
from ivr.caller.script import Leave, Speak, Step
from ivr.caller.simulator import CallReport, Simulator, SimulatorError
from ivr.config import Settings
from store.database import Store

ANSWER_S = 20.0
"""How long a caller waits to be told something before they speak all the same."""
QUEUE_S = 60.0
"""The same for somebody who has been told to wait for an operator: they hold on for a while."""
SAMPLE_S = 1.0
APART_S = 0.5
"""Between two calls of the same line."""
PATIENCE_S = 40.0
FAREWELL_S = 4.0

Sound = NDArray[np.int16]


@dataclass(frozen=True, slots=True)
class Sounds:
    """What the callers say it with."""

    texts: dict[str, Sound]
    """By what is said; shape (n,), 8000 Hz."""
    recordings: tuple[Sound, ...] = ()

    def of(self, line: Line) -> Sound:
        if line.recording is not None:
            return self.recordings[line.recording]
        sound = self.texts[line.text]
        if not line.pause_ms:
            return sound
        middle = len(sound) // 2
        quiet = np.zeros(line.pause_ms * RATE // 1000, np.int16)
        return np.concatenate([sound[:middle], quiet, sound[middle:]])


@dataclass(frozen=True, slots=True)
class Placed:
    """One call of the load."""

    call_id: UUID
    manner: Manner
    began_s: float
    """On the load's clock."""
    report: CallReport | None
    """None where it could not be placed."""
    refused: str = ""
    """Why it could not."""


@dataclass(frozen=True, slots=True)
class Sample:
    """The machine at one moment; CPU in percent of one core since the sample before."""

    at_s: float
    calls: int
    limit: float
    """Calls that the agent takes at once, as it says itself."""
    cpu: dict[str, float]
    """Of agent, asterisk and callers."""
    agent_rss_mb: float
    stolen: float
    """What other machines of the same host took, in percent of one core."""


@dataclass(slots=True)
class Load:
    placed: list[Placed] = field(default_factory=list)
    samples: list[Sample] = field(default_factory=list)
    steady_from_s: float = 0.0
    steady_to_s: float = 0.0


async def run(
    settings: Settings,
    store: Store,
    sounds: Sounds,
    *,
    concurrency: int,
    seconds: float,
    ramp_s: float,
    seed: int,
    say: Callable[[str], None],
) -> Load:
    """Ramps up to `concurrency` calls at once, keeps so many for `seconds`, and lets them end.

    Raises SimulatorError when the system is not up.
    """
    load = Load(steady_from_s=ramp_s, steady_to_s=ramp_s + seconds)
    began = time.monotonic()
    present: set[UUID] = set()
    indexes = iter(range(10**9))
    told = Told(store)

    def now_s() -> float:
        return time.monotonic() - began

    async def line(number: int, simulator: Simulator) -> None:
        await asyncio.sleep(ramp_s * number / concurrency)
        while now_s() < load.steady_to_s:
            somebody = person(seed, next(indexes), len(sounds.recordings))
            load.placed.append(await _call(simulator, told, sounds, somebody, present, now_s()))
            await asyncio.sleep(APART_S)

    async with (
        Simulator(settings) as simulator,
        aiohttp.ClientSession() as http,
        asyncio.TaskGroup() as aside,
    ):
        watching = aside.create_task(_watch(settings, http, present, now_s, load, say))
        looking = aside.create_task(told.run(), name="what callers are told")
        async with asyncio.TaskGroup() as group:
            for number in range(concurrency):
                group.create_task(line(number, simulator), name=f"line {number}")
        watching.cancel()
        looking.cancel()
    return load


async def _call(
    simulator: Simulator,
    told: Told,
    sounds: Sounds,
    somebody: Person,
    present: set[UUID],
    began_s: float,
) -> Placed:
    call_id = uuid4()
    present.add(call_id)
    try:
        report = await simulator.call(
            _script(told, sounds, somebody, call_id),
            somebody.number,
            call_id=call_id,
            patience_s=PATIENCE_S,
            farewell_s=FAREWELL_S,
        )
        return Placed(call_id, somebody.manner, began_s, report)
    except SimulatorError as error:
        return Placed(call_id, somebody.manner, began_s, None, str(error))
    finally:
        present.discard(call_id)


async def _script(
    told: Told, sounds: Sounds, somebody: Person, call_id: UUID
) -> AsyncIterator[Step]:
    """What somebody says, as the call goes on."""
    known = 0
    while True:
        try:
            known, said = await told.after(call_id, known, ANSWER_S if known else QUEUE_S)
        except TimeoutError:  # not with the agent (any more): in a queue, for all they can tell
            yield Leave()
            return
        try:
            line = somebody.next(said)
        except Leaves:
            yield Leave(into_ms=800)
            return
        if line is None:
            return
        yield Speak(sounds.of(line), line.text, line.into_ms)


# --- the machine ---


async def _watch(
    settings: Settings,
    http: aiohttp.ClientSession,
    present: set[UUID],
    now_s: Callable[[], float],
    load: Load,
    say: Callable[[str], None],
) -> None:
    before: dict[str, float] = {}
    at_s = now_s()
    said_s = 0.0
    while True:
        await asyncio.sleep(SAMPLE_S)
        pids = _processes(settings)
        seconds = {name: cpu_seconds(pid) for name, pid in pids.items()} | {"stolen": stolen_s()}
        passed, at_s = now_s() - at_s, now_s()
        cpu = {name: 100 * (seconds[name] - before.get(name, seconds[name])) / passed
               for name in seconds}  # fmt: skip
        before = seconds
        limit = await _limit(settings, http)
        rss = rss_mb(pids["agent"]) if "agent" in pids else 0.0
        stolen = cpu.pop("stolen")
        load.samples.append(Sample(at_s, len(present), limit, cpu, rss, stolen))
        if at_s - said_s > 15:
            said_s = at_s
            say(f"{at_s:.0f} s: {len(present)} calls, {len(load.placed)} over")


def _processes(settings: Settings) -> dict[str, int]:
    children = supervisor.read_state(settings).children
    found = {name: one["pid"] for name, one in children.items() if name in ("agent", "asterisk")}
    return found | {"callers": os.getpid()}


async def _limit(settings: Settings, http: aiohttp.ClientSession) -> float:
    agent = settings.agent
    url = f"http://{agent.host}:{agent.http_port}/metrics"
    try:
        async with http.get(url, timeout=aiohttp.ClientTimeout(total=2)) as response:
            for row in (await response.text()).splitlines():
                if row.startswith("yihu_calls_limit "):
                    return float(row.split()[1])
    except (aiohttp.ClientError, TimeoutError):
        pass
    return float("nan")


def said_by(voice: Callable[[str], Sound], wanted: Sequence[str]) -> dict[str, Sound]:
    """What the callers may say, spoken once. Raises SynthesiserError."""
    return {text: voice(text) for text in wanted}
