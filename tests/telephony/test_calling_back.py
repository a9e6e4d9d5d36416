"""Whoever could not be helped at once is called back: once, by whoever was asked for."""

from __future__ import annotations

import asyncio
import itertools
import json
import random
import socket
import subprocess
from collections import Counter
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
import pytest_asyncio
from call_fixtures import caller_of
from conftest import Site, free_ports
from phone import Phone, Ring
from sqlmodel import col, delete, select
from stand_in import CALL_S, agent, dial, event_of, hang_up_all, press

from ivr.caller.script import Leave
from ivr.outreach.queue_log import read
from ivr.outreach.queue_watch import keep_rotated, watch_queue
from ivr.telephony import astdb, pbx
from ivr.telephony.ami import Ami
from store import callbacks
from store.database import Store, open_store
from store.models import (
    OPEN_CALLBACKS,
    Callback,
    CallbackEvent,
    CallbackEventKind,
    CallbackState,
    Cause,
    Outcome,
    QueueEnd,
    QueueVisit,
    Wants,
)
from store.queue_visits import talking, waiting

_numbers = itertools.count(1)
NOT_ALLOWED = ("0085212345678", "+85212345678", "110", "16812345")
AT_ONCE = 2
PREFIX = "9"
ASTDB_S = 1.0
"""Asterisk writes its database to disk this often."""
SEED = 20261122
KILLS = 4
QUICK = {
    "YIHU_CALLBACK__HOURS_FROM": "00:00",
    "YIHU_CALLBACK__HOURS_TO": "23:59:59",
    "YIHU_CALLBACK__RETRY_FIRST_S": "1",
    "YIHU_CALLBACK__AFTER_HANGUP_S": "0",
    "YIHU_OUTBOUND__MAX_CALLS": str(AT_ONCE),
    "YIHU_OUTBOUND__PREFIX": PREFIX,
}


class World:
    """A site's Asterisk and its store, the elder's telephone at the far end of the trunk, and an
    operator's."""

    def __init__(self, site: Site, store: Store, ami: Ami, elder: Phone, operator: Phone) -> None:
        self.site = site
        self.store = store
        self.ami = ami
        self.elder = elder
        self.operator = operator
        self.numbers: list[str] = []
        """Of this test."""

    def number(self) -> str:
        """Of somebody who has not called before."""
        self.numbers.append(f"1390000{next(_numbers):04}")
        return self.numbers[-1]

    async def until(self, found: Callable[[], object]) -> None:
        """For what another process writes into the store and tells nobody."""
        async with asyncio.timeout(2 * CALL_S):
            while not await asyncio.to_thread(found):  # noqa: ASYNC110
                await asyncio.sleep(0.1)

    async def pause(self, paused: bool) -> None:
        """The operator."""
        await self.ami.action(
            "QueuePause", Interface="PJSIP/operator", Paused="true" if paused else "false"
        )

    def rows(self) -> list[Callback]:
        """Of this test, oldest first."""
        rows = [row.callback for row in reversed(callbacks.newest_callbacks(self.store))]
        return [row for row in rows if row.phone in self.numbers]

    @property
    def queue_log(self) -> Path:
        place = pbx.find_place(self.site.settings)
        assert place is not None
        return place.host(place.log) / "queue_log"

    def state(self) -> CallbackState:
        return self.rows()[-1].state

    def kinds(self) -> list[CallbackEventKind]:
        [row] = self.rows()
        assert row.id is not None
        return [event.kind for event in callbacks.events_of(self.store, [row.id])[row.id]]

    async def waits_in_queue(self, number: str) -> str:
        """Somebody calls and stands in the queue; gives their channel."""
        channel = await dial(self.site, self.ami, number)
        await self.until(lambda: [one for one in waiting(self.store) if one.phone == number])
        return channel

    def asks(self, number: str, wants: Wants = Wants.AGENT) -> None:
        now = datetime.now(UTC)
        callbacks.ask(self.store, number, cause=Cause.ASKED, wants=wants, at=now, call_id=uuid4())

    def visits(self) -> list[QueueVisit]:
        """Of this test, oldest first."""
        rows = select(QueueVisit).where(col(QueueVisit.phone).in_(self.numbers))
        with self.store.read() as session:
            return list(session.exec(rows.order_by(col(QueueVisit.id))))


@pytest.fixture(scope="module")
def far_end() -> int:
    """Port of the elder's telephone."""
    return free_ports(socket.SOCK_DGRAM, 1, 19000, 20000)


@pytest.fixture(scope="module")
def own_asterisk(make_site: Callable[..., Site], far_end: int) -> Site:
    made = make_site(YIHU_OUTBOUND__GATEWAY=f"127.0.0.1:{far_end}", **QUICK)
    made.start_asterisk()
    return made


@pytest_asyncio.fixture
async def world(own_asterisk: Site, far_end: int) -> AsyncIterator[World]:
    site = own_asterisk
    store = open_store(site.settings.database)
    async with (
        site.ami() as ami,
        Phone(site.settings, "elder", "", port=far_end) as elder,
        Phone(site.settings, "operator", site.settings.secrets.operator) as operator,
    ):
        await ami.wait_connected(CALL_S)
        yield World(site, store, ami, elder, operator)
        await hang_up_all(ami)
    with store.write() as session:  # what a test leaves open is nobody else's business
        session.exec(delete(CallbackEvent))
        session.exec(delete(Callback))
        for visit in session.exec(select(QueueVisit).where(col(QueueVisit.left_at).is_(None))):
            visit.how, visit.left_at = QueueEnd.FAILED, datetime.now(UTC)
    store.close()


async def test_caller_who_hangs_up_while_waiting_is_called_back_and_reaches_an_operator(
    world: World, outreach: subprocess.Popen[bytes]
) -> None:
    elder = world.number()
    channel = await world.waits_in_queue(elder)
    await world.ami.action("Hangup", Channel=channel)
    await world.until(world.rows)
    assert await world.operator.register() == 200

    at_home = await world.elder.rings(CALL_S)
    assert at_home.called == PREFIX + elder
    await at_home.answer()
    at_desk = await world.operator.rings(CALL_S)
    assert at_desk.caller == elder
    await at_desk.answer()
    await world.until(lambda: world.state() is CallbackState.REACHED)
    await at_desk.hang_up()
    await world.until(lambda: world.state() is CallbackState.DONE)

    [row] = world.rows()
    assert (row.cause, row.wants, row.tries) == (Cause.ABANDONED, Wants.OPERATOR, 1)
    assert row.reached_call_id is not None


async def test_one_who_is_busy_is_called_again(
    world: World, outreach: subprocess.Popen[bytes]
) -> None:
    elder = world.number()
    async with agent(world.site, "agent", "hangup"):
        world.asks(elder)
        (await world.elder.rings(CALL_S)).reject()
        await (await world.elder.rings(CALL_S)).answer()
        await world.until(lambda: world.state() is CallbackState.DONE)
    assert world.kinds() == [
        CallbackEventKind.ASKED,
        CallbackEventKind.DIALLED,
        CallbackEventKind.NOT_REACHED,
        CallbackEventKind.DIALLED,
        CallbackEventKind.REACHED,
        CallbackEventKind.DONE,
    ]


async def test_one_who_wants_the_agent_gets_the_agent(
    world: World, outreach: subprocess.Popen[bytes]
) -> None:
    elder = world.number()
    async with agent(world.site, "agent", "hangup") as asked:
        world.asks(elder, wants=Wants.AGENT)
        await (await world.elder.rings(CALL_S)).answer()
        await world.until(lambda: world.state() is CallbackState.DONE)
    [row] = world.rows()
    admitted = [form for question, form in asked if question == "admit"]
    assert [(form["caller"], form["uuid"]) for form in admitted] == [
        (elder, str(row.reached_call_id))
    ]
    assert world.visits() == []


async def test_nobody_is_called_for_the_agent_while_it_has_no_room(
    world: World, outreach: subprocess.Popen[bytes]
) -> None:
    elders = [world.number() for _ in range(5)]
    async with agent(world.site, "agent", "hangup", room="0"):
        world.asks(elders[0], Wants.AGENT)
        assert await world.operator.register() == 200
        world.asks(elders[1], Wants.OPERATOR)
        ring = await world.elder.rings(CALL_S)
        assert ring.called == PREFIX + elders[1]
        assert [row.state for row in world.rows()] == [
            CallbackState.WAITING,
            CallbackState.DIALLING,
        ]
        ring.reject()


async def test_one_who_hangs_up_again_while_waiting_is_called_again_by_the_same_call_back(
    world: World, outreach: subprocess.Popen[bytes]
) -> None:
    elder = world.number()
    assert await world.operator.register() == 200
    world.asks(elder, wants=Wants.OPERATOR)
    at_home = await world.elder.rings(CALL_S)
    await at_home.answer()
    at_desk = await world.operator.rings(CALL_S)
    await at_home.hang_up()
    await at_desk.over.wait()
    await (await world.elder.rings(CALL_S)).answer()
    at_desk = await world.operator.rings(CALL_S)
    await at_desk.answer()
    await at_desk.hang_up()
    await world.until(lambda: world.state() is CallbackState.DONE)
    assert len(world.rows()) == 1
    assert [visit.how for visit in world.visits()] == [QueueEnd.ABANDONED, QueueEnd.ANSWERED]


async def test_one_who_has_called_again_and_was_served_is_not_called_back(
    world: World, outreach: subprocess.Popen[bytes]
) -> None:
    elder = world.number()
    assert await world.operator.register() == 200
    await world.pause(True)
    channel = await world.waits_in_queue(elder)
    await world.ami.action("Hangup", Channel=channel)
    await world.until(world.rows)
    await world.waits_in_queue(elder)
    await world.pause(False)
    at_desk = await world.operator.rings(CALL_S)
    await at_desk.answer()
    await world.until(lambda: world.state() is CallbackState.DONE)
    await at_desk.hang_up()
    assert world.elder.silent
    assert CallbackEventKind.DIALLED not in world.kinds()


async def test_one_who_hung_up_while_outreach_was_dead_is_called_back(world: World) -> None:
    elders = [world.number() for _ in range(5)]
    first = world.site.start_outreach()
    try:
        channels = [await world.waits_in_queue(number) for number in elders[:2]]
    finally:
        first.kill()
        first.wait(30)
    waits = {visit.phone: visit.uniqueid for visit in world.visits()}
    with world.ami.events("QueueCallerJoin", "Hangup") as events:
        unseen = await dial(world.site, world.ami, elders[2])
        joined = await event_of(events, "QueueCallerJoin", CallerIDNum=elders[2])
        for channel, end in ((channels[0], waits[elders[0]]), (unseen, joined["Uniqueid"])):
            await world.ami.action("Hangup", Channel=channel)
            await event_of(events, "Hangup", Uniqueid=end)
    second = world.site.start_outreach()
    try:
        await world.until(lambda: len(world.rows()) == 2)
        assert {row.phone for row in world.rows()} == {elders[0], elders[2]}
        assert [visit.phone for visit in waiting(world.store)] == [elders[1]]
    finally:
        second.terminate()
        second.wait(30)


async def test_one_who_began_to_wait_in_the_second_before_outreach_connected_is_seen(
    world: World,
) -> None:
    elder = world.number()
    with world.ami.events("QueueCallerJoin") as events:
        await dial(world.site, world.ami, elder)
        await event_of(events, "QueueCallerJoin", CallerIDNum=elder)
    async with world.site.ami() as ami:
        watch = asyncio.create_task(
            watch_queue(world.store, ami, world.queue_log, timedelta(), withdrawn={})
        )
        try:
            await world.until(lambda: [one.phone for one in waiting(world.store)] == [elder])
        finally:
            watch.cancel()
            await asyncio.wait([watch])


async def test_one_who_hangs_up_while_their_place_is_said_is_called_back(
    world: World, outreach: subprocess.Popen[bytes]
) -> None:
    """Asterisk takes that for a key, and was once kept busy by it for as long as it ran."""
    first, second = world.number(), world.number()
    await world.waits_in_queue(first)
    names = ("QueueCallerJoin", "MusicOnHoldStop", "QueueCallerAbandon", "Hangup")
    with world.ami.events(*names) as events:
        channel = await dial(world.site, world.ami, second)
        joined = await event_of(events, "QueueCallerJoin", CallerIDNum=second)
        await event_of(events, "MusicOnHoldStop", Uniqueid=joined["Uniqueid"])
        await world.ami.action("Hangup", Channel=channel)
        async with asyncio.timeout(CALL_S):
            async for event in events:
                assert event["Event"] != "QueueCallerAbandon", "they were not hearing their place"
                if event["Event"] == "Hangup" and event["Uniqueid"] == joined["Uniqueid"]:
                    break
    await world.until(world.rows)
    assert [(row.phone, row.cause) for row in world.rows()] == [(second, Cause.ABANDONED)]
    assert [visit.how for visit in world.visits()] == [None, QueueEnd.ABANDONED]


@pytest.mark.parametrize("seed", [SEED, SEED + 1])
async def test_no_call_back_is_lost_or_doubled_when_outreach_is_killed_while_it_dials(
    world: World, seed: int
) -> None:
    elders = [world.number() for _ in range(8)]
    moments = random.Random(seed)
    answered: Counter[str] = Counter()
    ringing: set[asyncio.Task[None]] = set()
    dead: set[str] = set()

    def claims() -> set[str]:
        """Processes that are dialling."""
        return {row.claimed_by for row in world.rows() if row.state is CallbackState.DIALLING}

    def done() -> bool:
        return all(row.state is CallbackState.DONE for row in world.rows())

    async def answers(ring: Ring) -> None:
        await asyncio.sleep(moments.uniform(0, 2))
        if not ring.over.is_set():
            answered[ring.called.removeprefix(PREFIX)] += 1
            await ring.answer()

    async def picks_up() -> None:
        while True:
            ring = await world.elder.rings(10 * CALL_S)
            ringing.add(asyncio.create_task(answers(ring)))

    async with agent(world.site, "agent", "hangup"):
        for number in elders:
            world.asks(number)
        home = asyncio.create_task(picks_up())
        process = world.site.start_outreach()
        try:
            while len(dead) < KILLS and not done():
                await world.until(lambda: claims() - dead or done())
                dead.update(claims())
                await asyncio.sleep(moments.uniform(0, 2))
                process.kill()
                process.wait(30)
                process = world.site.start_outreach()
            await world.until(done)
        finally:
            process.terminate()
            process.wait(30)
            home.cancel()
            await asyncio.gather(home, *ringing, return_exceptions=True)
    assert dead
    assert {number: answered[number] for number in elders} == dict.fromkeys(elders, 1)
    assert len(world.rows()) == len(elders)


async def test_next_one_is_not_called_before_the_operator_is_free_again(
    world: World, outreach: subprocess.Popen[bytes]
) -> None:
    assert await world.operator.register() == 200
    first, second = world.number(), world.number()
    for number in (first, second):
        world.asks(number, Wants.OPERATOR)
    at_home = await world.elder.rings(CALL_S)
    assert at_home.called == PREFIX + first
    await at_home.answer()
    at_desk = await world.operator.rings(CALL_S)
    await world.until(lambda: waiting(world.store))
    await at_desk.answer()
    await world.until(lambda: talking(world.store))
    assert world.elder.silent
    await at_desk.hang_up()
    assert (await world.elder.rings(CALL_S)).called == PREFIX + second


async def test_operator_who_calls_back_by_hand_is_rung_first_and_then_the_elder(
    world: World, outreach: subprocess.Popen[bytes]
) -> None:
    elder, now = world.number(), datetime.now(UTC)
    tomorrow = now + timedelta(days=1)
    owed = callbacks.ask(
        world.store, elder, cause=Cause.ASKED, wants=Wants.AGENT, at=now, due_at=tomorrow
    )
    assert owed is not None and owed.id is not None
    assert await world.operator.register() == 200
    for answers in (False, True):
        at = datetime.now(UTC)
        assert callbacks.call_by_hand(world.store, owed.id, "operator", at, "wang calls")
        at_desk = await world.operator.rings(CALL_S)
        assert at_desk.caller == elder
        assert world.elder.silent, "the operator comes first"
        await at_desk.answer()
        at_home = await world.elder.rings(CALL_S)
        assert at_home.called == PREFIX + elder
        if not answers:
            at_home.reject()
            await world.until(lambda: world.state() is CallbackState.NO_ANSWER)
            assert world.rows()[0].by_hand == "", "it is nobody's any more"
            callbacks.put_off(world.store, owed.id, tomorrow)
            await at_desk.over.wait()
    await at_home.answer()
    await world.until(lambda: world.state() is CallbackState.REACHED)
    await at_desk.hang_up()
    await world.until(lambda: world.state() is CallbackState.DONE)


async def test_try_that_the_gateway_did_not_make_does_not_count(
    world: World, outreach: subprocess.Popen[bytes]
) -> None:
    elder = world.number()
    async with agent(world.site, "agent", "hangup"):
        world.asks(elder)
        ring = await world.elder.rings(CALL_S)
        world.elder.respond(ring, 503, "Service Unavailable")
        await world.until(lambda: CallbackEventKind.RELEASED in world.kinds())
    [row] = world.rows()
    assert (row.state, row.tries) == (CallbackState.WAITING, 0)
    assert "gateway" in row.detail


async def test_waits_in_the_store_are_those_of_asterisks_own_record(
    world: World, outreach: subprocess.Popen[bytes]
) -> None:
    began = datetime.now(UTC) - timedelta(seconds=1)
    answered, hung_up, pressed_1, pressed_9 = (world.number() for _ in range(4))
    assert await world.operator.register() == 200
    await world.waits_in_queue(answered)
    at_desk = await world.operator.rings(CALL_S)
    await at_desk.answer()
    await world.until(lambda: world.visits()[-1].how is QueueEnd.ANSWERED)
    await world.pause(True)
    await at_desk.hang_up()
    for number, end in ((hung_up, None), (pressed_1, "1"), (pressed_9, "9")):
        channel = await world.waits_in_queue(number)
        if end is None:
            await world.ami.action("Hangup", Channel=channel)
        else:
            await press(world.ami, channel, end)
        await world.until(lambda: world.visits()[-1].left_at is not None)

    record = world.queue_log.read_text().splitlines()
    logged = [one for one in read(record, "operators", began) if one.phone in world.numbers]
    assert [(one.phone, one.how) for one in logged] == [
        (answered, QueueEnd.ANSWERED),
        (hung_up, QueueEnd.ABANDONED),
        (pressed_1, QueueEnd.CALLBACK),
        (pressed_9, QueueEnd.EMERGENCY),
    ]
    assert [
        (one.uniqueid, one.phone, one.call_id, one.how, one.answered_by) for one in world.visits()
    ] == [(one.uniqueid, one.phone, one.call_id, one.how, one.answered_by) for one in logged]
    assert all(one.call_id is not None for one in logged)


async def test_what_a_dead_process_left_in_asterisks_database_goes(
    world: World, own_asterisk: Site
) -> None:
    family, key = "yihu-outbound", str(uuid4())
    await world.ami.action("DBPut", Family=family, Key=key, Val="served")
    process = own_asterisk.start_outreach()
    try:
        async with asyncio.timeout(CALL_S):
            while True:
                answer = await world.ami.action("Command", Command=f"database get {family} {key}")
                if "served" not in answer["Output"]:
                    break
                await asyncio.sleep(0.1)
    finally:
        process.terminate()
        process.wait(30)


async def test_no_more_are_called_at_once_than_the_settings_say(
    world: World, outreach: subprocess.Popen[bytes]
) -> None:
    elders = [world.number() for _ in range(5)]
    async with agent(world.site, "agent", "hangup"):
        for number in elders[:3]:
            world.asks(number)
        rings = [await world.elder.rings(CALL_S) for _ in range(AT_ONCE)]
        assert [row.state for row in world.rows()] == [
            CallbackState.DIALLING,
            CallbackState.DIALLING,
            CallbackState.WAITING,
        ]
        rings[0].reject()
        third = await world.elder.rings(CALL_S)
        while third.called != PREFIX + elders[2]:  # the first is tried again, and soon no more
            assert third.called == PREFIX + elders[0]
            third.reject()
            third = await world.elder.rings(CALL_S)
        for ring in (rings[1], third):
            ring.reject()


async def test_asterisk_itself_refuses_one_call_out_too_many(world: World) -> None:
    elders = [world.number() for _ in range(5)]
    for number in elders[:AT_ONCE]:
        await _out(world, number)
    rings = [await world.elder.rings(CALL_S) for _ in range(AT_ONCE)]
    with world.ami.events("OriginateResponse") as answers:
        await _out(world, elders[AT_ONCE])
        response = await asyncio.wait_for(anext(answers), CALL_S)
    assert response["Response"] == "Failure"
    assert world.elder.silent
    for ring in rings:
        ring.reject()


@pytest.mark.parametrize("number", NOT_ALLOWED)
async def test_number_outside_the_patterns_is_refused_by_asterisk(
    world: World, number: str
) -> None:
    with world.ami.events("OriginateResponse") as answers:
        await _out(world, number)
        response = await asyncio.wait_for(anext(answers), CALL_S)
    assert response["Response"] == "Failure"
    assert world.elder.silent


async def test_call_back_to_a_number_outside_the_patterns_is_given_up(
    world: World, outreach: subprocess.Popen[bytes]
) -> None:
    async with agent(world.site, "agent", "hangup"):
        world.numbers.append(NOT_ALLOWED[0])
        world.asks(NOT_ALLOWED[0])
        await world.until(lambda: world.state() is CallbackState.GIVEN_UP)
    [row] = world.rows()
    assert "outbound.numbers" in row.detail
    assert world.elder.silent


async def _out(world: World, number: str) -> None:
    await world.ami.action(
        "Originate",
        Channel=f"Local/{number}@outbound/n",
        Application="Wait",
        Data="60",
        Async="true",
    )


async def test_one_who_hung_up_unseen_is_called_back_although_the_queue_log_was_put_aside(
    world: World,
) -> None:
    log = world.queue_log
    rotating = asyncio.create_task(keep_rotated(world.ami, log, most_bytes=0))
    try:
        with world.ami.events("QueueCallerJoin", "QueueCallerAbandon") as events:
            elder = world.number()
            channel = await dial(world.site, world.ami, elder)
            await event_of(events, "QueueCallerJoin", CallerIDNum=elder)
            await world.ami.action("Hangup", Channel=channel)
            await event_of(events, "QueueCallerAbandon")
        rotating.cancel()
        before = log.stat().st_ino
        rotating = asyncio.create_task(keep_rotated(world.ami, log, most_bytes=0))
        await world.until(lambda: log.stat().st_ino != before)
    finally:
        rotating.cancel()
        await asyncio.gather(rotating, return_exceptions=True)
    assert elder not in log.read_text()
    process = world.site.start_outreach()
    try:
        await world.until(world.rows)
        assert [row.cause for row in world.rows()] == [Cause.ABANDONED]
    finally:
        process.terminate()
        process.wait(30)


async def test_one_who_was_talking_to_the_agent_when_asterisk_died_is_called_back_by_it(
    make_site: Callable[..., Site],
) -> None:
    """And whoever had hung up before is not."""
    port = free_ports(socket.SOCK_DGRAM, 1, 19000, 20000)
    site = make_site(YIHU_OUTBOUND__GATEWAY=f"127.0.0.1:{port}", **QUICK)
    await asyncio.to_thread(site.up)
    async with caller_of(site) as caller, Phone(site.settings, "elder", "", port=port) as elder:
        hung_up, cut_off = caller.new_number(), caller.new_number()
        await caller.calls(Leave(into_ms=500), number=hung_up)
        talking = asyncio.create_task(caller.calls(number=cut_off, farewell_s=CALL_S))
        async with site.ami() as ami:
            await ami.wait_connected(CALL_S)
            async with asyncio.timeout(CALL_S):
                while cut_off not in await talking_to_agent(ami):  # noqa: ASYNC110
                    await asyncio.sleep(0.1)
            await asyncio.sleep(2 * ASTDB_S)  # until it is on disk
            site.kill("asterisk")
            at_home = await elder.rings(2 * CALL_S)
            assert at_home.called == PREFIX + cut_off
            await at_home.answer()
            async with asyncio.timeout(CALL_S):
                while len(caller.calls_from(cut_off)) < 2:  # noqa: ASYNC110
                    await asyncio.sleep(0.1)
            await at_home.hang_up()
            talking.cancel()
            await asyncio.gather(talking, return_exceptions=True)
            async with asyncio.timeout(CALL_S):
                await ami.wait_connected(CALL_S)
                while await talking_to_agent(ami):  # noqa: ASYNC110
                    await asyncio.sleep(0.1)
        [row] = [one.callback for one in callbacks.newest_callbacks(caller.store)]
        assert (row.phone, row.cause, row.wants) == (cut_off, Cause.CUT_OFF, Wants.AGENT)


async def talking_to_agent(ami: Ami) -> str:
    """Whom Asterisk has written down as talking with the agent."""
    return " ".join(one.value for one in await astdb.show(ami, "yihu-talking"))


async def test_who_waited_when_asterisk_was_killed_is_called_back_also_if_it_is_killed_again(
    make_site: Callable[..., Site], far_end: int
) -> None:
    site = make_site(YIHU_OUTBOUND__GATEWAY=f"127.0.0.1:{far_end}", **QUICK)
    await asyncio.to_thread(site.start_asterisk)
    store = open_store(site.settings.database)
    process = site.start_outreach()
    try:
        async with (
            site.ami() as ami,
            Phone(site.settings, "elder", "", port=far_end) as elder,
            Phone(site.settings, "operator", site.settings.secrets.operator) as operator,
        ):
            await ami.wait_connected(CALL_S)
            world = World(site, store, ami, elder, operator)
            number = world.number()
            await world.waits_in_queue(number)
            await asyncio.to_thread(site.kill_asterisk)
            await asyncio.to_thread(site.start_asterisk)
            await world.until(world.rows)
            assert [visit.how for visit in world.visits()] == [QueueEnd.FAILED]
            assert await operator.register() == 200
            assert (await elder.rings(2 * CALL_S)).called == PREFIX + number

            await asyncio.to_thread(site.kill_asterisk)  # while the telephone rings
            await asyncio.to_thread(site.start_asterisk)
            assert await operator.register() == 200
            at_home = await elder.rings(2 * CALL_S)
            assert at_home.called == PREFIX + number
            await at_home.answer()
            at_desk = await operator.rings()
            await at_desk.answer()
            await at_desk.hang_up()
            await world.until(lambda: world.state() is CallbackState.DONE)
            assert len(world.rows()) == 1
    finally:
        process.terminate()
        process.wait(30)
        store.close()


async def test_caller_for_whom_there_was_no_line_is_called_back_by_the_agent(
    make_site: Callable[..., Site],
) -> None:
    """The whole site: its only line is taken, nobody is on duty."""
    port = free_ports(socket.SOCK_DGRAM, 1, 19000, 20000)
    site = make_site(YIHU_OUTBOUND__GATEWAY=f"127.0.0.1:{port}", YIHU_AGENT__MAX_CALLS="1", **QUICK)
    await asyncio.to_thread(site.up)
    async with (
        caller_of(site) as caller,
        Phone(site.settings, "elder", "", port=port) as elder,
    ):
        first, second = caller.new_number(), caller.new_number()
        leave = asyncio.Event()
        talking = asyncio.create_task(caller.calls(number=first, leave=leave, farewell_s=CALL_S))
        async with asyncio.timeout(CALL_S):
            while not caller.calls_from(first):  # noqa: ASYNC110
                await asyncio.sleep(0.1)
        turned_away = await caller.calls(number=second)
        assert turned_away.ended_by == "system"
        row = caller.call(turned_away)
        assert row is not None and row.outcome is Outcome.CALLBACK
        assert elder.silent
        leave.set()
        await talking

        at_home = await elder.rings(CALL_S)
        assert at_home.called == PREFIX + second
        await at_home.answer()
        async with asyncio.timeout(CALL_S):
            while len(caller.calls_from(second)) < 2:  # noqa: ASYNC110
                await asyncio.sleep(0.1)
        await at_home.hang_up()
        async with asyncio.timeout(CALL_S):
            while callbacks.newest_callbacks(caller.store, states=OPEN_CALLBACKS):  # noqa: ASYNC110
                await asyncio.sleep(0.1)
    listed = json.loads(site.yihu("callbacks", "list", "--json").stdout)
    assert [(one["phone"], one["cause"], one["state"]) for one in listed] == [
        (second, "admission", "done")
    ]
