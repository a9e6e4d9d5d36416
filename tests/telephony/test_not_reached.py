"""Elders whom we call and do not reach: each is called, written to or left in peace as is right."""

from __future__ import annotations

import asyncio
import random
import socket
import subprocess
from collections import Counter
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
import pytest_asyncio
from conftest import Site, free_ports
from elders_asked import World, asked_at
from phone import Ring
from sqlmodel import delete
from stand_in import CALL_S, dial, event_of, hang_up_all

from store import orders, switches
from store.models import (
    FollowUp,
    FollowUpEnd,
    FollowUpEvent,
    FollowUpEventKind,
    FollowUpState,
    OrderStatus,
    SmsOut,
)

LINES, SPARE = 3, 1
KILLS = 3
MACHINE = (8000 * np.sin(np.arange(8 * 8000) * 2 * np.pi * 300 / 8000)).astype(np.int16)
"""Talks on for eight seconds."""
HELLO = MACHINE[: 8000 // 2]


@pytest.fixture(scope="module")
def far_end() -> int:
    return free_ports(socket.SOCK_DGRAM, 1, 19000, 20000)


@pytest.fixture(scope="module")
def own_asterisk(make_site: Callable[..., Site], far_end: int) -> Site:
    made = make_site(
        YIHU_OUTBOUND__GATEWAY=f"127.0.0.1:{far_end}",
        YIHU_OUTBOUND__USER="yihu-line",
        YIHU_OUTBOUND__LINES=str(LINES),
        YIHU_OUTBOUND__SPARE_LINES=str(SPARE),
        YIHU_FOLLOW_UP__HOURS_FROM="00:00",
        YIHU_FOLLOW_UP__HOURS_TO="23:59:59",
        YIHU_FOLLOW_UP__AFTER_MINUTES="0",
        YIHU_FOLLOW_UP__RING_S="5",
    )
    made.start_asterisk()
    return made


@pytest_asyncio.fixture
async def world(own_asterisk: Site, far_end: int) -> AsyncIterator[World]:
    async with asked_at(own_asterisk, far_end) as world:
        yield world
        await hang_up_all(world.ami)
        with world.store.write() as session:  # what a test leaves open is nobody else's business
            session.exec(delete(SmsOut))
            session.exec(delete(FollowUpEvent))
            session.exec(delete(FollowUp))


def hours_until(row: FollowUp) -> float:
    return (row.due_at - datetime.now(UTC)) / timedelta(hours=1)


async def test_one_who_does_not_answer_is_called_again_hours_later(
    world: World, outreach: subprocess.Popen[bytes]
) -> None:
    id = world.completes()
    ring = await world.home.rings(CALL_S)
    await asyncio.wait_for(ring.over.wait(), CALL_S)
    row = await world.missed(id)
    assert (row.state, row.detail, row.tries) == (FollowUpState.WAITING, "no answer", 1)
    assert 2 < hours_until(row) < 4
    assert ring.caller == "yihu-line"  # the setting outbound.user


async def test_one_who_is_busy_is_called_again_soon(
    world: World, outreach: subprocess.Popen[bytes]
) -> None:
    id = world.completes()
    (await world.home.rings(CALL_S)).reject()
    row = await world.missed(id)
    assert (row.state, row.detail) == (FollowUpState.WAITING, "busy")
    assert hours_until(row) < 1.1


async def test_one_who_refuses_the_call_is_written_to_and_not_called_again(
    world: World, outreach: subprocess.Popen[bytes]
) -> None:
    id = world.completes()
    (await world.home.rings(CALL_S)).reject(603, "Decline")
    row = await world.missed(id)
    assert row.state is FollowUpState.MESSAGED
    [message] = world.messages(id)
    assert message.phone == row.phone


async def test_a_gateway_that_does_not_know_us_is_no_try(
    world: World, outreach: subprocess.Popen[bytes]
) -> None:
    id = world.completes()
    (await world.home.rings(CALL_S)).reject(403, "Forbidden")
    await world.until(lambda: FollowUpEventKind.RELEASED in world.kinds(id))
    assert world.row(id).tries == 0


async def test_third_try_that_nobody_answers_ends_with_a_message(
    world: World, outreach: subprocess.Popen[bytes]
) -> None:
    switches.switch(world.store, switches.OUTGOING, True, datetime.now(UTC))
    id = world.completes()
    with world.store.write() as session:
        session.get_one(FollowUp, id).tries = 2
    switches.switch(world.store, switches.OUTGOING, False, datetime.now(UTC))
    await world.home.rings(CALL_S)
    row = await world.missed(id)
    assert (row.state, row.tries) == (FollowUpState.MESSAGED, 3)
    assert len(world.messages(id)) == 1


async def test_a_landline_that_does_not_exist_is_given_up(
    world: World, outreach: subprocess.Popen[bytes]
) -> None:
    id = world.completes("051265990001")
    (await world.home.rings(CALL_S)).reject(404, "Not Found")
    row = await world.missed(id)
    assert (row.state, row.end) == (FollowUpState.GIVEN_UP, FollowUpEnd.BAD_NUMBER)
    assert row.order_id is not None
    opened = orders.open_order(world.store, row.order_id)
    assert opened is not None and opened.order.status is OrderStatus.CLOSED


async def test_an_answering_machine_is_not_talked_to(
    world: World, outreach: subprocess.Popen[bytes]
) -> None:
    id = world.completes()
    ring = await world.home.rings(CALL_S)
    await ring.answer()
    ring.says(MACHINE)
    await asyncio.wait_for(ring.over.wait(), CALL_S)
    row = await world.missed(id)
    assert (row.state, row.detail) == (FollowUpState.WAITING, "machine")
    assert FollowUpEventKind.REACHED not in world.kinds(id)


@pytest.mark.parametrize("hello", [HELLO, MACHINE[:0]], ids=["says hello", "says nothing"])
async def test_a_person_is_talked_to(
    world: World, outreach: subprocess.Popen[bytes], hello: np.ndarray
) -> None:
    id = world.completes()
    ring = await world.home.rings(CALL_S)
    await ring.answer()
    ring.says(hello)
    await world.until(lambda: FollowUpEventKind.REACHED in world.kinds(id))


@pytest.mark.faults
async def test_one_beside_a_loud_television_presses_1(
    world: World, outreach: subprocess.Popen[bytes]
) -> None:
    id = world.completes()
    ring = await world.home.rings(CALL_S)
    await ring.answer()
    for _ in range(5):
        ring.says(MACHINE)
    await world.until(lambda: speech_in(ring) > 1.0)  # is asked to press
    ring.press("1")
    await world.until(lambda: FollowUpEventKind.REACHED in world.kinds(id))


def speech_in(ring: Ring) -> float:
    """Seconds of sound heard."""
    heard = ring.heard().astype(np.float32)
    frames = heard[: len(heard) // 160 * 160].reshape(-1, 160)
    return float((np.sqrt((frames**2).mean(axis=1)) > 300).sum()) * 0.02


async def test_one_who_hangs_up_before_saying_anything_is_called_another_time(
    world: World, outreach: subprocess.Popen[bytes]
) -> None:
    id = world.completes()
    ring = await world.home.rings(CALL_S)
    await ring.answer()
    await ring.hang_up()
    row = await world.missed(id)
    assert (row.state, row.detail) == (FollowUpState.WAITING, "cut off")


async def test_a_line_is_always_left_for_callers(
    world: World, outreach: subprocess.Popen[bytes]
) -> None:
    """Of three lines one is spare: with a caller on one of them, one telephone rings."""
    with world.ami.events("Newstate") as events:
        await dial(world.site, world.ami, "13900000001")
        await event_of(events, "Newstate", ChannelStateDesc="Up")
    ids = [world.completes() for _ in range(3)]
    ring = await world.home.rings(CALL_S)
    first = next(id for id in ids if world.row(id).phone == ring.called)
    ring.reject()
    await world.missed(first)
    second = await world.home.rings(CALL_S)  # only now
    assert second.called != ring.called
    ways = [world.row(id).state for id in ids]
    assert ways.count(FollowUpState.DIALLING) == 1


async def test_nobody_is_called_while_everything_is_paused(
    world: World, outreach: subprocess.Popen[bytes]
) -> None:
    paused = await asyncio.to_thread(world.site.yihu, "outreach", "pause")
    assert paused.returncode == 0, paused.stderr
    id = world.completes()
    await asyncio.sleep(3)  # three ticks of the dialler
    assert world.home.silent and world.row(id).tries == 0
    resumed = await asyncio.to_thread(world.site.yihu, "outreach", "resume")
    assert resumed.returncode == 0, resumed.stderr
    (await world.home.rings(CALL_S)).reject()


@pytest.mark.faults
@pytest.mark.parametrize("seed", [20261122])
async def test_nobody_is_forgotten_or_called_twice_when_outreach_is_killed_while_it_dials(
    world: World, seed: int
) -> None:
    chance = random.Random(seed)
    ids = [world.completes() for _ in range(4)]
    rung: list[str] = []

    async def busy_homes() -> None:
        while True:
            ring = await world.home.rings(4 * CALL_S)
            rung.append(ring.called)
            ring.reject()

    homes = asyncio.create_task(busy_homes())
    try:
        for _ in range(KILLS):
            process = world.site.start_outreach()
            await asyncio.sleep(chance.uniform(1.0, 6.0))
            process.kill()
            process.wait()
        process = world.site.start_outreach()
        try:
            for id in ids:
                await world.missed(id)
        finally:
            process.terminate()
            process.wait(30)
    finally:
        homes.cancel()
        await asyncio.gather(homes, return_exceptions=True)
    assert Counter(rung) == Counter(world.row(id).phone for id in ids)
    assert [world.row(id).tries for id in ids] == [1, 1, 1, 1]
