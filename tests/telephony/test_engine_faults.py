"""What a caller experiences when the recogniser fails or hangs, and when the clock jumps.

The agent is the real one, with the real engine in a wrapper that does as a file says.
"""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio
from call_fixtures import (
    KNOWN_NUMBERS,
    SOON_S,
    Caller,
    caller_of,
    introduce_elders,
    reaches_operators,
)
from conftest import Site, free_ports
from phone import Phone
from stand_in import CALL_S, agent
from test_calling_back import QUICK, World

from ivr.supervisor import READY_SECONDS, wait_ready
from store.database import open_store
from store.models import CallbackState, Outcome

pytestmark = pytest.mark.faults
AGENT = """
import pathlib, select, sys
from ivr import agent

mode = pathlib.Path(sys.argv.pop())
load = agent.RecogniserApart

class Moody:
    def __init__(self, engine):
        self.engine, self.name, self.version = engine, engine.name, engine.version

    def recognise(self, samples, **more):
        while (now := mode.read_text()) == "hang":
            select.select([], [], [], 0.1)  # libfaketime breaks time.sleep
        if now == "fail":
            raise RuntimeError("out of memory")
        return self.engine.recognise(samples, **more)

agent.RecogniserApart = lambda chosen, settings: Moody(load(chosen, settings))
sys.exit(agent.main())
"""
ORDER = ("我想请人来给我理发", "明天上午九点", "对的，没错", "不用了")
"""Said once each: the clock of the store is not the caller's here."""
FAKETIME = next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"), None)


@dataclass(slots=True)
class Moods:
    """An agent that is not itself."""

    site: Site
    engine: Path
    """ok, fail or hang."""
    clock: Path
    """How far off its clock is, as libfaketime reads it: +86400."""


def moved_by(clock: Path) -> dict[str, str]:
    """Environment of a process whose wall clock is as far off as the file says."""
    if FAKETIME is None:
        return {}
    return {
        "LD_PRELOAD": str(FAKETIME),
        "FAKETIME_TIMESTAMP_FILE": str(clock),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "DONT_FAKE_MONOTONIC": "1",
    }


def far_off(at: datetime | None) -> bool:
    """Whether it was taken from a clock that had jumped."""
    return at is not None and abs((at - datetime.now(UTC)).total_seconds()) > 3600


@pytest.fixture(scope="module")
def moods(
    make_site: Callable[..., Site], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Moods]:
    site = make_site()
    folder = tmp_path_factory.mktemp("moods")
    moods = Moods(site, folder / "engine", folder / "clock")
    moods.engine.write_text("ok")
    moods.clock.write_text("+0")
    site.start_asterisk()
    introduce_elders(site)
    environment = {**os.environ, **site.env, **moved_by(moods.clock)}
    with (site.settings.run_dir / "agent.log").open("ab") as out:
        process = subprocess.Popen(
            [sys.executable, "-c", AGENT, str(moods.engine)],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
        )
    try:
        asyncio.run(asyncio.wait_for(wait_ready(site.settings), READY_SECONDS))
        yield moods
    finally:
        process.kill()
        process.wait()


@pytest_asyncio.fixture
async def caller(moods: Moods) -> AsyncIterator[Caller]:
    moods.engine.write_text("ok")
    async with caller_of(moods.site) as somebody:
        yield somebody


async def ordered(caller: Caller, number: str) -> list[str]:
    report = await caller.calls(*ORDER, number=number)
    assert (await caller.ended_call(report)).outcome is Outcome.ORDERED
    return [row.code for row in caller.orders(report)]


async def test_who_is_not_understood_because_the_engine_fails_gets_a_human(
    caller: Caller, moods: Moods
) -> None:
    moods.engine.write_text("fail")
    assert await reaches_operators(caller, ORDER[0], ORDER[0], ORDER[0])
    moods.engine.write_text("ok")
    assert await ordered(caller, KNOWN_NUMBERS[0]) == ["haircut"]


async def test_who_gets_no_answer_because_the_engine_hangs_gets_a_human(
    caller: Caller, moods: Moods
) -> None:
    moods.engine.write_text("hang")
    assert await reaches_operators(caller, ORDER[0], ORDER[0], ORDER[0])
    own = caller.settings.agent
    async with (
        aiohttp.ClientSession() as http,
        http.get(f"http://{own.host}:{own.http_port}/readyz") as response,
    ):
        assert "recogniser does not answer" in await response.text()
    moods.engine.write_text("ok")
    assert await ordered(caller, KNOWN_NUMBERS[1]) == ["haircut"]


@pytest.mark.skipif(FAKETIME is None, reason="libfaketime is not installed")
@pytest.mark.parametrize("jump", ["+86400", "-7200"])
async def test_order_is_made_though_the_clock_jumps_in_the_middle_of_the_call(
    caller: Caller, moods: Moods, jump: str
) -> None:
    number = KNOWN_NUMBERS[2]
    before = len(caller.calls_from(number))
    call = asyncio.create_task(caller.calls(*ORDER, number=number))
    async with asyncio.timeout(2 * SOON_S):
        while not (  # noqa: ASYNC110
            len(rows := caller.calls_from(number)) > before
            and any(row.summary.get("service") and row.ended_at is None for row in rows)
        ):
            await asyncio.sleep(0.1)
    moods.clock.write_text(jump)
    report = await call
    row = await caller.ended_call(report)
    moods.clock.write_text("+0")
    assert row.outcome is Outcome.ORDERED
    assert far_off(row.ended_at)
    assert [order.code for order in caller.orders(report)] == ["haircut"]


@pytest.mark.skipif(FAKETIME is None, reason="libfaketime is not installed")
@pytest.mark.parametrize("jump", ["+86400", "-7200"])
async def test_who_is_owed_a_call_is_called_once_though_the_clock_jumps_while_it_rings(
    make_site: Callable[..., Site], tmp_path: Path, jump: str
) -> None:
    """Outreach is the real one; only its clock is off."""
    clock = tmp_path / "clock"
    clock.write_text("+0")
    port = free_ports(socket.SOCK_DGRAM, 1, 19000, 20000)
    site = make_site(YIHU_OUTBOUND__GATEWAY=f"127.0.0.1:{port}", **QUICK)
    await asyncio.to_thread(site.start_asterisk)
    site.env |= moved_by(clock)
    store = open_store(site.settings.database)
    outreach = site.start_outreach()
    try:
        async with (
            site.ami() as ami,
            Phone(site.settings, "elder", "", port=port) as elder,
            Phone(site.settings, "operator", site.settings.secrets.operator) as operator,
            agent(site, "agent", "hangup"),
        ):
            await ami.wait_connected(CALL_S)
            world = World(site, store, ami, elder, operator)
            world.asks(world.number())
            ring = await elder.rings(CALL_S)
            clock.write_text(jump)
            await world.until(lambda: far_off(world.rows()[0].claimed_at))
            await ring.answer()
            await world.until(lambda: world.state() is CallbackState.DONE)
            assert world.rows()[0].tries == 1
            assert elder.silent
    finally:
        outreach.terminate()
        outreach.wait(30)
        store.close()
