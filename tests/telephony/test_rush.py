"""More callers at once than there are lines and operators: nobody is busy, nobody is forgotten."""

from __future__ import annotations

import asyncio
import contextlib
import csv
import os
import socket
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import pytest
from conftest import Site, free_ports
from phone import Phone
from sqlmodel import select

from ivr.caller.simulator import CallReport, Simulator, SimulatorError
from ivr.outreach.queue_log import extension_of, read
from ivr.telephony import pbx
from ivr.telephony.ami import AmiError
from store import callbacks, calls, operators
from store.database import Store, open_store
from store.models import CallbackState, Cause, Duty, QueueEnd, QueueVisit, Role

CALLERS = int(os.environ.get("YIHU_RUSH", "20"))
"""At once. A machine that is busy with other things cannot simulate many more."""
LINES = CALLERS // 4
APART_S = 1.0
"""Between one caller and the next: the first still waits when the last comes."""
RUSH_S = 90.0 + 30.0 * CALLERS
"""A busy machine takes its time."""
STALLED_FRAMES = 100
"""Of 20 ms, too late at the caller's own end: Asterisk ends a line that has stalled for 2 s."""
TALK_S = 8.0
KILL_APART_S = 4.0
MEMBERS_BACK_S = 10.0


class CallRecord(NamedTuple):
    """A line of Asterisk's own call records: one for each telephone that a call has rung."""

    number: str
    channel: str
    far: str
    """Channel of the telephone that was rung; empty if none was."""
    answered: bool
    uniqueid: str


def log_folder(site: Site) -> Path:
    place = pbx.find_place(site.settings)
    assert place is not None
    return place.host(place.log)


async def keep_call_records(site: Site) -> None:
    """Asterisk writes them from now on; a site does without."""
    place = pbx.find_place(site.settings)
    assert place is not None
    folder = log_folder(site) / "cdr-csv"
    folder.mkdir(exist_ok=True)
    if place.owner:
        os.chown(folder, *place.owner)
    (place.host(place.etc) / "cdr.conf").write_text(
        "[general]\nenable = yes\nunanswered = yes\n[csv]\nloguniqueid = yes\n"
    )
    async with site.ami() as ami:
        await ami.wait_connected(RUSH_S)
        await ami.action("Command", Command="module reload cdr")
        await ami.action("ModuleLoad", Module="cdr_csv.so", LoadType="load")
        answer = await ami.action("Command", Command="cdr show status")
        assert "csv" in str(answer["Output"]).split(), answer


def records(site: Site) -> list[CallRecord]:
    with (log_folder(site) / "cdr-csv" / "Master.csv").open(newline="") as file:
        return [
            CallRecord(row[1], row[5], row[6], row[14] == "ANSWERED", row[16])
            for row in csv.reader(file)
        ]


def agrees_with_call_records(centre: Centre, found: list[CallRecord], numbers: set[str]) -> None:
    """The store knows of every call that Asterisk has had, and how each has ended."""
    inbound = [one for one in found if one.channel.startswith("PJSIP/simulator-in-")]
    assert {one.number for one in inbound if one.answered} == numbers, "all were answered"
    assert [one.number for one in inbound if not one.answered and not one.far] == []
    known = {row.call.phone for row in calls.newest_calls(centre.store)}
    assert numbers <= known | {visit.phone for visit in centre.visits()}

    talks = {
        one.uniqueid: extension_of(one.far)
        for one in found
        if one.answered and one.far.startswith("PJSIP/op")
    }
    assert talks == {
        visit.uniqueid: visit.answered_by
        for visit in centre.visits()
        if visit.how is QueueEnd.ANSWERED
    }
    assert set(centre.called_at_home) == {
        row.callback.phone
        for row in callbacks.newest_callbacks(centre.store)
        if row.callback.reached_call_id is not None
    }


class Centre:
    """A site with two operators on duty, and the telephones of its callers at home."""

    def __init__(self, site: Site, store: Store) -> None:
        self.site = site
        self.store = store
        self.called_at_home: Counter[str] = Counter()
        self.desks: list[Phone] = []
        self._talks: set[asyncio.Task[None]] = set()

    async def operates(self, phone: Phone) -> None:
        """Takes every call and is brief."""
        while True:
            ring = await phone.rings(RUSH_S)
            if not ring.over.is_set():
                await ring.answer()
                await asyncio.sleep(TALK_S)
                if not ring.over.is_set():
                    await ring.hang_up()

    async def picks_up(self, phone: Phone) -> None:
        """At home, for everybody."""
        while True:
            ring = await phone.rings(RUSH_S)
            if not ring.over.is_set():
                self.called_at_home[ring.called] += 1
                self._talks.add(asyncio.create_task(ring.answer()))

    def visits(self) -> list[QueueVisit]:
        with self.store.read() as session:
            return list(session.exec(select(QueueVisit)))

    def unserved(self, numbers: set[str]) -> set[str]:
        answered = {one.phone for one in self.visits() if one.how is QueueEnd.ANSWERED}
        done = {
            row.callback.phone
            for row in callbacks.newest_callbacks(self.store, states=(CallbackState.DONE,))
        }
        return numbers - answered - done


@asynccontextmanager
async def working_centre(make_site: Callable[..., Site]) -> AsyncIterator[Centre]:
    port = free_ports(socket.SOCK_DGRAM, 1, 19000, 20000)
    site = make_site(
        YIHU_OUTBOUND__GATEWAY=f"127.0.0.1:{port}",
        YIHU_AGENT__MAX_CALLS=str(LINES),
        YIHU_QUEUE__WAITING_PER_OPERATOR="2",
        YIHU_CALLBACK__HOURS_FROM="00:00",
        YIHU_CALLBACK__HOURS_TO="23:59:59",
    )
    await asyncio.to_thread(site.up)
    store = open_store(site.settings.database)
    staff = [
        operators.add(store, name, name, Role.OPERATOR, "no log-in", f"{name}'s secret")
        for name in ("wang", "li")
    ]
    for one in staff:
        assert one.id is not None
        operators.set_duty(store, one.id, Duty.ON, "", datetime.now(UTC))
    centre = Centre(site, store)
    desks = centre.desks = [Phone(site.settings, one.extension, one.sip_secret) for one in staff]
    await keep_call_records(site)
    async with desks[0], desks[1], Phone(site.settings, "home", "", port=port) as home:
        for desk in desks:
            async with asyncio.timeout(60):  # outreach makes the account first
                while await desk.register() != 200:  # noqa: ASYNC110
                    await asyncio.sleep(0.2)
        working = [
            asyncio.create_task(centre.operates(desks[0])),
            asyncio.create_task(centre.operates(desks[1])),
            asyncio.create_task(centre.picks_up(home)),
        ]
        try:
            yield centre
        finally:
            for task in working:
                task.cancel()
            await asyncio.gather(*working, return_exceptions=True)
            store.close()


@pytest.mark.faults
async def test_everybody_is_served_or_called_back_when_all_call_at_once(
    make_site: Callable[..., Site],
) -> None:
    numbers = [f"1390001{index:04}" for index in range(CALLERS)]
    async with working_centre(make_site) as centre, Simulator(centre.site.settings) as simulator:

        async def dials(index: int) -> CallReport:
            await asyncio.sleep(index * APART_S)
            return await simulator.call([], numbers[index], patience_s=RUSH_S, farewell_s=RUSH_S)

        async with asyncio.timeout(RUSH_S), asyncio.TaskGroup() as group:
            reports = [group.create_task(dials(index)) for index in range(CALLERS)]
        async with asyncio.timeout(RUSH_S):
            while await asyncio.to_thread(centre.unserved, set(numbers)):  # noqa: ASYNC110
                await asyncio.sleep(0.5)
            while callbacks.claimed(centre.store):  # noqa: ASYNC110
                await asyncio.sleep(0.5)

        for report in (task.result() for task in reports):  # who hears busy raises SimulatorError
            stalled = report.late_frames > STALLED_FRAMES  # their own end, for want of a processor
            assert report.utterances or stalled, f"{report.number} heard nothing"
            assert report.ended_by == "system"
        rows = [row.callback for row in callbacks.newest_callbacks(centre.store)]
        assert rows, "there was no rush"
        assert max(Counter(row.phone for row in rows).values()) == 1
        assert set(centre.called_at_home) <= {row.phone for row in rows}

        record = (log_folder(centre.site) / "queue_log").read_text().splitlines()
        logged = read(record, "operators", datetime.fromtimestamp(0, UTC))
        told = {one.uniqueid: one for one in logged}
        assert len(told) == len(logged) == len(centre.visits())
        for visit in centre.visits():
            one = told[visit.uniqueid]
            assert (visit.phone, visit.call_id, visit.how, visit.answered_by) == (
                one.phone,
                one.call_id,
                one.how,
                one.answered_by,
            )
        agrees_with_call_records(centre, records(centre.site), set(numbers))


@pytest.mark.faults
async def test_nobody_who_waits_is_forgotten_when_everything_is_killed_in_the_rush(
    make_site: Callable[..., Site],
) -> None:
    numbers = [f"1390002{index:04}" for index in range(CALLERS)]
    async with working_centre(make_site) as centre, Simulator(centre.site.settings) as simulator:
        site = centre.site

        async def dials(index: int) -> None:
            await asyncio.sleep(index * APART_S)
            with contextlib.suppress(SimulatorError):  # who calls while Asterisk is dead
                await simulator.call([], numbers[index], patience_s=RUSH_S, farewell_s=RUSH_S)

        rush = asyncio.gather(*(dials(index) for index in range(CALLERS)))
        try:
            for name in ("agent", "console", "outreach", "asterisk"):
                await asyncio.sleep(KILL_APART_S)
                site.kill(name)
            async with asyncio.timeout(RUSH_S), site.ami() as ami:
                await ami.wait_connected(RUSH_S)
                back_at = asyncio.get_running_loop().time()
                while True:
                    with contextlib.suppress(AmiError):  # its queues are not loaded yet
                        listed = await ami.listed("QueueStatus", Queue="operators")
                        if sum(one.get("Membership") == "dynamic" for one in listed) == 2:
                            break
                    await asyncio.sleep(0.1)
                assert asyncio.get_running_loop().time() - back_at < MEMBERS_BACK_S
                for desk in centre.desks:
                    assert await desk.register() == 200
            waited = {one.phone for one in centre.visits()}
            assert waited
            async with asyncio.timeout(RUSH_S):
                while await asyncio.to_thread(centre.unserved, waited):  # noqa: ASYNC110
                    await asyncio.sleep(0.5)
                while callbacks.claimed(centre.store):  # noqa: ASYNC110
                    await asyncio.sleep(0.5)
        finally:
            rush.cancel()
            await asyncio.gather(rush, return_exceptions=True)
        rows = [row.callback for row in callbacks.newest_callbacks(centre.store)]
        assert any(row.cause is Cause.ABANDONED for row in rows), "nobody was cut off"
        assert max(Counter(row.phone for row in rows).values()) == 1
        assert max(centre.called_at_home.values()) == 1
