"""A caller for tests: talks to the running site, and can look into its store and listen again."""

from __future__ import annotations

import asyncio
import itertools
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from functools import cached_property
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import aiohttp
import numpy as np
import pytest
import pytest_asyncio
from numpy.typing import NDArray
from pypinyin import lazy_pinyin

from audio.engines import make_recogniser
from audio.recogniser import Recogniser
from audio.sound import to_samples
from ivr.caller.ear import RATE
from ivr.caller.script import Speak, Step
from ivr.caller.simulator import FAREWELL_S, CallReport, Exchange, Simulator
from ivr.caller.voice import caller_voice
from ivr.config import Settings
from ivr.supervisor import wait_ready
from ivr.telephony.ami import AmiEvents
from ivr.understanding.dialects import MANDARIN
from store.calls import find_call, newest_calls, turns_of
from store.database import Store
from store.models import Call, Turn, WorkOrder
from store.orders import orders_of

if TYPE_CHECKING:
    from conftest import Site  # which imports this file

KNOWN_NUMBERS = tuple(f"05126512345{digit}" for digit in range(5))
"""Of elders whose address is known, so that it is not asked for."""
PATIENCE_S = 20.0
SOON_S = 60.0
"""For what happens at once when the machine is idle, and must happen however busy it is."""
ANSWERED_S = 15.0
"""An answer has begun by then: 8 s for one that was not heard at all, and some for the machine."""

_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Say:
    """Says something, and says it again when the system asks instead of understanding it.

    Recognition is never certain, and what is tested is what comes of a call. How much is
    understood at once is measured by `yihu eval`.
    """

    text: str
    until: str
    """Regular expression: found in the system's answer when it has understood."""
    into_ms: int | None = None
    """See Speak."""
    gain: float = 1.0
    """So many times as loud as the voice, and clipped to what the line can carry."""


HAIRCUT = Say("我想请人来给我理发", until="理发.*什么时候")
AT_NINE = Say("明天上午九点", until="明天.*上午九点.*对吗")
YES = Say("对的，没错", until="订好了")


@dataclass(slots=True)
class Placed:
    """A call that a test has placed."""

    call_id: UUID
    number: str
    dialled_at: datetime
    report: CallReport | None = None
    """None while it lasts, and where the test broke it off."""


class Queue:
    """The operators' queue as the manager interface reports it."""

    def __init__(self, events: AmiEvents) -> None:
        self._events = events

    async def joined(self, *numbers: str, within_s: float = 2 * SOON_S) -> bool:
        """Waits until every one of these callers stands in the queue."""
        missing = set(numbers)
        try:
            async with asyncio.timeout(within_s):
                async for event in self._events:
                    missing.discard(event["CallerIDNum"])
                    if not missing:
                        return True
        except TimeoutError:
            pass
        return False


class Caller:
    def __init__(self, site: Site, simulator: Simulator, store: Store) -> None:
        self.site = site
        self.settings: Settings = site.settings
        self.simulator = simulator
        self.store = store
        self._voices: dict[str, Callable[[str], NDArray[np.int16]]] = {}
        self.placed: list[Placed] = []

    async def calls(
        self,
        *script: str | Say | Step,
        number: str = KNOWN_NUMBERS[0],
        dialect: str = MANDARIN,
        leave: asyncio.Event | None = None,
        farewell_s: float = FAREWELL_S,
    ) -> CallReport:
        """Places a call; texts are spoken by the synthesiser, with the sounds of a dialect.

        `leave` and `farewell_s` as in Simulator.call.
        """
        call_id = uuid4()
        steps = [await self._step(step, call_id, dialect) for step in script]
        placed = Placed(call_id, number, datetime.now(UTC))
        self.placed.append(placed)
        placed.report = await self.simulator.call(
            steps,
            number,
            call_id=call_id,
            patience_s=PATIENCE_S,
            leave=leave,
            farewell_s=farewell_s,
        )
        return placed.report

    async def _step(self, step: str | Say | Step, call_id: UUID, dialect: str) -> Step:
        if isinstance(step, str):
            return Speak(await asyncio.to_thread(self.speech, step, dialect), step)
        if isinstance(step, Say):
            spoken = await asyncio.to_thread(self.speech, step.text, dialect)
            sound = (spoken * step.gain).clip(-32768, 32767).astype(np.int16)
            return Speak(sound, step.text, step.into_ms, self._answers(call_id, step.until))
        return step

    def speech(self, text: str, dialect: str = MANDARIN) -> NDArray[np.int16]:
        if dialect not in self._voices:
            self._voices[dialect] = caller_voice(self.settings, dialect)
        return self._voices[dialect](text)

    def _answers(self, call_id: UUID, until: str) -> Callable[[], Awaitable[bool]]:
        async def understood() -> bool:
            """Waits for the answer to what has just been said."""
            said_at = datetime.now(UTC)
            try:
                async with asyncio.timeout(ANSWERED_S):
                    while True:
                        turns = await asyncio.to_thread(turns_of, self.store, call_id)
                        answers = [turn.said for turn in turns if turn.started_at > said_at]
                        if answers:
                            return any(re.search(until, said) for said in answers)
                        await asyncio.sleep(0.1)
            except TimeoutError:
                return False

        return understood

    def new_number(self) -> str:
        """Of somebody who is not registered and has not called before."""
        return f"1390000{next(_numbers):04}"

    # --- what the caller heard ---

    @cached_property
    def _recogniser(self) -> Recogniser:
        chosen = self.settings.recogniser
        return make_recogniser(chosen.engine, chosen.model, self.settings.models)

    def answer(self, report: CallReport, exchange: Exchange) -> NDArray[np.int16]:
        """What the system said after this step of the caller's and before the next."""
        assert exchange.answer_s is not None
        later = (e.start_s for e in report.exchanges if e.start_s > exchange.answer_s)
        end_s = next(later, len(report.heard) / RATE)
        return report.heard[round((exchange.answer_s - 0.1) * RATE) : round(end_s * RATE)]

    def sounds_like(self, sound: NDArray[np.int16], text: str) -> bool:
        """Whether a listener (the recogniser) hears these syllables in it, tones aside."""
        return sounds_like(self._recogniser, sound, text)

    # --- what the site knows ---

    def orders(self, report: CallReport) -> list[WorkOrder]:
        return orders_of(self.store, report.call_id)

    def turns(self, report: CallReport) -> list[Turn]:
        """What the caller did and was answered, without the greeting."""
        turns = turns_of(self.store, report.call_id)
        return [turn for turn in turns if turn.kind != "start"]

    def call(self, report: CallReport) -> Call | None:
        return find_call(self.store, report.call_id)

    def calls_from(self, number: str) -> list[Call]:
        return [row.call for row in newest_calls(self.store) if row.call.phone == number]

    async def ended_call(self, report: CallReport) -> Call:
        """The call's row once the agent has closed it."""
        async with asyncio.timeout(SOON_S):
            while True:
                row = self.call(report)
                if row is not None and row.ended_at is not None:
                    return row
                await asyncio.sleep(0.1)

    async def calls_in_progress(self) -> float:
        """The agent's own count."""
        agent = self.settings.agent
        async with (
            aiohttp.ClientSession() as http,
            http.get(f"http://{agent.host}:{agent.http_port}/metrics") as response,
        ):
            for line in (await response.text()).splitlines():
                if line.startswith("yihu_calls_in_progress "):
                    return float(line.split()[1])
        raise AssertionError("the agent does not count its calls")

    async def no_call_in_progress(self) -> None:
        async with asyncio.timeout(SOON_S):
            while True:
                if await self.calls_in_progress() == 0:
                    return
                await asyncio.sleep(0.1)

    @asynccontextmanager
    async def queue(self) -> AsyncIterator[Queue]:
        """The operators' queue from now on."""
        async with self.site.ami() as ami:
            await ami.wait_connected(SOON_S)
            with ami.events("QueueCallerJoin") as events:
                yield Queue(events)

    # --- what went on, for whoever has to find out why a test failed ---

    def story(self) -> str:
        """Every call of this test as the caller and the store remember it, seconds after dialling.

        The caller's times are those of the sound; the store writes a turn when its answer begins.
        """
        return "\n".join(line for placed in self.placed for line in self._told(placed))

    def _told(self, placed: Placed) -> list[str]:
        report, row = placed.report, find_call(self.store, placed.call_id)
        happened: list[tuple[float, str]] = []
        if report is not None:
            answered_s = (report.answered_at - placed.dialled_at).total_seconds()
            happened.append((answered_s, "answered"))
            happened += [
                (answered_s + e.start_s, f"caller: {e.label}, for {e.end_s - e.start_s:.1f} s")
                for e in report.exchanges
            ]
            happened += [
                (answered_s + start_s, f"caller hears the system for {end_s - start_s:.1f} s")
                for start_s, end_s in report.utterances
            ]
        for turn in turns_of(self.store, placed.call_id):
            code, confidence = turn.meaning.get("code"), turn.meaning.get("confidence")
            meant = f" = {code} ({confidence})" if turn.meaning else ""
            stages = " ".join(f"{stage} {ms:.0f}" for stage, ms in turn.stages_ms.items())
            at_s = (turn.started_at - placed.dialled_at).total_seconds()
            happened.append(
                (at_s, f"agent: {turn.kind} {turn.heard!r}{meant}, says {turn.said!r} [{stages}]")
            )
        how = "the agent never saw it (it was not there, or did not admit the call)"
        if row is not None:
            orders = [order.code for order in orders_of(self.store, placed.call_id)]
            how = f"{row.outcome or 'not closed'} {row.reason} next {row.next}, orders {orders}"
        end = "broken off by the test"
        if report is not None:
            end = f"ended by {report.ended_by}, {report.late_frames} frames of the caller's late"
        return [
            f"{placed.dialled_at:%H:%M:%S} {placed.call_id} from {placed.number}: {how}; {end}",
            *(f"  {at_s:6.1f}  {what}" for at_s, what in sorted(happened)),
        ]


async def when_said(caller: Caller, number: str, within_s: float = 2 * SOON_S) -> None:
    """Returns when the agent has understood what the number wants."""
    async with asyncio.timeout(within_s):
        while not any(row.summary.get("service") for row in caller.calls_from(number)):  # noqa: ASYNC110
            await asyncio.sleep(0.1)


async def reaches_operators(
    caller: Caller, *script: str | Say | Step, number: str = "", within_s: float = 2 * SOON_S
) -> bool:
    """Whether the call came to stand in the operators' queue; the caller hangs up there."""
    number = number or caller.new_number()
    async with caller.queue() as queue:
        call = asyncio.create_task(caller.calls(*script, number=number, farewell_s=4 * SOON_S))
        try:
            return await queue.joined(number, within_s=within_s)
        finally:
            call.cancel()
            await asyncio.gather(call, return_exceptions=True)


def sounds_like(listener: Recogniser, sound: NDArray[np.int16], text: str) -> bool:
    """Whether a listener hears these syllables in it, tones aside."""
    wanted = " ".join(lazy_pinyin(text))
    heard = listener.recognise(to_samples(sound))
    return any(wanted in " ".join(lazy_pinyin(hypothesis.text)) for hypothesis in heard)


def tomorrow_at_nine(caller: Caller) -> datetime:
    zone = caller.settings.zone
    return datetime.combine(datetime.now(zone).date() + timedelta(days=1), time(9), zone)


def introduce_elders(site: Site) -> None:
    """The site gets to know some elders and where they live."""
    rows = [f"{number},王秀英,干将路12号" for number in KNOWN_NUMBERS]
    path = site.settings.data_dir / "elders.csv"
    path.write_text("\n".join(["phone,name,address", *rows]))
    done = site.yihu("elders", "import", str(path))
    assert done.returncode == 0, done.stderr


@asynccontextmanager
async def caller_of(site: Site) -> AsyncIterator[Caller]:
    """Somebody who can telephone this site, once it can be called."""
    await asyncio.wait_for(wait_ready(site.settings), SOON_S)
    store = Store(site.settings.database)
    async with Simulator(site.settings) as simulator:
        yield Caller(site, simulator, store)
    store.close()


@pytest.fixture(scope="session")
def answering_site(site: Site) -> Site:
    """The running site, which knows some elders."""
    introduce_elders(site)
    return site


@pytest_asyncio.fixture
async def caller(answering_site: Site) -> AsyncIterator[Caller]:
    async with caller_of(answering_site) as somebody:
        yield somebody
