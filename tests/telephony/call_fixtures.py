"""A caller for tests: talks to the running site, and can look into its store and listen again."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import cached_property
from typing import TYPE_CHECKING
from uuid import UUID

import aiohttp
import numpy as np
import pytest
import pytest_asyncio
from numpy.typing import NDArray
from pypinyin import lazy_pinyin

from audio.engines import make_recogniser
from audio.recogniser import Recogniser
from audio.sound import to_samples
from ivr.caller.script import Speak, Step
from ivr.caller.simulator import CallReport, Simulator
from ivr.caller.voice import caller_voice
from ivr.config import Settings
from ivr.telephony.ami import AmiEvents
from store.calls import find_call, newest_calls, turns_of
from store.database import Store
from store.models import Call, Turn, WorkOrder
from store.orders import orders_of

if TYPE_CHECKING:
    from conftest import Site  # which imports this file

KNOWN_NUMBERS = ("051265123456", "051265123457")
"""Of elders whose address is known, so that it is not asked for."""
PATIENCE_S = 20.0

_numbers = itertools.count(1)


class Queue:
    """The operators' queue as the manager interface reports it."""

    def __init__(self, events: AmiEvents) -> None:
        self._events = events

    async def joined(self, *numbers: str, within_s: float = 60.0) -> bool:
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
        self.voice: Callable[[str], NDArray[np.int16]] = caller_voice(site.settings)

    async def calls(
        self,
        *script: str | Step,
        number: str = KNOWN_NUMBERS[0],
        call_id: UUID | None = None,
        leave: asyncio.Event | None = None,
    ) -> CallReport:
        """Places a call; texts are spoken by the synthesiser."""
        steps = [
            Speak(await asyncio.to_thread(self.voice, step), step)
            if isinstance(step, str)
            else step
            for step in script
        ]
        return await self.simulator.call(
            steps, number, call_id=call_id, patience_s=PATIENCE_S, leave=leave
        )

    def new_number(self) -> str:
        """Of somebody who is not registered and has not called before."""
        return f"1390000{next(_numbers):04}"

    # --- what the caller heard ---

    @cached_property
    def _recogniser(self) -> Recogniser:
        chosen = self.settings.recogniser
        return make_recogniser(chosen.engine, chosen.model, self.settings.models)

    def answer(self, report: CallReport, index: int) -> NDArray[np.int16]:
        """What the system said after the caller's step of this number."""
        answer_s = report.exchanges[index].answer_s
        assert answer_s is not None
        starts = [start_s for start_s, _ in report.utterances]
        return report.utterance(starts.index(answer_s))

    def sounds_like(self, sound: NDArray[np.int16], text: str) -> bool:
        """Whether a listener (the recogniser) hears these syllables in it, tones aside."""
        wanted = " ".join(lazy_pinyin(text))
        heard = self._recogniser.recognise(to_samples(sound))
        return any(wanted in " ".join(lazy_pinyin(hypothesis.text)) for hypothesis in heard)

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
        async with asyncio.timeout(10):
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
        async with asyncio.timeout(10):
            while True:
                if await self.calls_in_progress() == 0:
                    return
                await asyncio.sleep(0.1)

    @asynccontextmanager
    async def queue(self) -> AsyncIterator[Queue]:
        """The operators' queue from now on."""
        async with self.site.ami() as ami:
            await ami.wait_connected(5)
            with ami.events("QueueCallerJoin") as events:
                yield Queue(events)


@pytest.fixture(scope="session")
def answering_site(site: Site) -> Site:
    """The running site, which knows two elders."""
    for name, number in zip(("王秀英", "李建国"), KNOWN_NUMBERS, strict=True):
        done = site.yihu(
            "elders", "add", "--phone", number, "--name", name, "--address", "干将路12号"
        )
        assert done.returncode == 0, done.stderr
    return site


@pytest_asyncio.fixture
async def caller(answering_site: Site) -> AsyncIterator[Caller]:
    store = Store(answering_site.settings.database)
    async with Simulator(answering_site.settings) as simulator:
        yield Caller(answering_site, simulator, store)
    store.close()
