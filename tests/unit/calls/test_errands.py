"""Calls that we place, and our questions in calls of theirs, from first word to store."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

from conftest import Caller, World
from sqlmodel import select

from audio.sound import read_wav
from store import calls, complaints, follow_ups, order_life, orders
from store.elders import Registration, register
from store.models import (
    Channel,
    FollowUp,
    FollowUpEnd,
    FollowUpState,
    Next,
    OrderStatus,
    Outcome,
    Purpose,
    Rating,
    WorkOrder,
)
from store.order_steps import NOBODY

PHONE = "13812345678"


def booked(world: World, now: datetime) -> WorkOrder:
    register(world.store, Registration(PHONE, "王秀英", "苏州市姑苏区平江路1号"))
    call = calls.begin_call(world.store, uuid4(), PHONE, now).id
    calls.end_call(world.store, call, Outcome.ORDERED, Next.HANGUP, now)
    order = WorkOrder(
        call_id=call,
        code="bathing",
        phone=PHONE,
        scheduled_for=now + timedelta(hours=30),
        price_fen=1,
        pay_fen=1,
        created_at=now,
    )
    return orders.book(world.store, order)


def completed(world: World) -> int:
    now = world.site.now()
    order = booked(world, now)
    assert order.id is not None
    order_life.complete(world.store, order.id, NOBODY, now)
    return order.id


def dialled(world: World) -> UUID:
    """The attempt to reach the only one who is owed a call."""
    now = world.site.now()
    [due] = follow_ups.due(world.store, now, 2)
    with world.store.write() as session:
        [row] = follow_ups.claim(session, [due.id], "me", now)
        assert row.attempt_id is not None
        follow_ups.reached(session, row.attempt_id, now)
        return row.attempt_id


async def answers(world: World) -> Caller:
    """We have called, and they have heard why."""
    caller = await world.call(PHONE, dialled(world))
    await caller.hears_all()
    return caller


def follow_up(world: World) -> FollowUp:
    [row] = follow_ups.newest_follow_ups(world.store)
    return row.follow_up


def rating(world: World) -> Rating:
    with world.store.read() as session:
        return session.exec(select(Rating)).one()


def status(world: World, order: int) -> OrderStatus:
    opened = orders.open_order(world.store, order)
    assert opened is not None
    return opened.order.status


async def test_elder_is_asked_how_it_was_and_the_order_is_closed(world: World) -> None:
    order = completed(world)
    elder = await answers(world)
    elder.say("很满意")
    assert await elder.is_let_go() == "hangup"
    assert (rating(world).score, rating(world).channel) == (5, Channel.VOICE)
    assert rating(world).call_id == elder.uuid
    assert status(world, order) is OrderStatus.CLOSED
    assert elder.record.outcome is Outcome.FOLLOWED_UP
    start, *_ = elder.turns
    assert "王" in start.said and start.said.endswith("您满意吗？")


async def test_a_key_is_an_answer(world: World) -> None:
    completed(world)
    elder = await answers(world)
    elder.press("4")
    assert await elder.is_let_go() == "hangup"
    assert (rating(world).score, rating(world).channel) == (4, Channel.KEYPAD)


async def test_what_was_wrong_is_kept_in_words_and_sound(world: World) -> None:
    order = completed(world)
    elder = await answers(world)
    elder.say("不满意")
    await elder.hears()
    [complaint] = complaints.open_complaints(world.store)
    assert (complaint.order_id, complaint.score, complaint.recorded) == (order, 1, False)
    await elder.hears_all()
    elder.say("今天天气好", ms=1000, then_ms=500)
    assert await elder.is_let_go() == "hangup"
    [complaint] = complaints.open_complaints(world.store)
    assert "今天天气好" in complaint.said
    found = complaints.find_complaint(world.store, complaint.id)
    assert found is not None and found.note is not None
    assert len(read_wav(Path(found.note))) > 4000
    assert status(world, order) is OrderStatus.FOLLOWED_UP


async def test_who_hangs_up_after_a_bad_word_has_complained(world: World) -> None:
    completed(world)
    elder = await answers(world)
    elder.say("不满意")
    await elder.hears()
    await elder.hang_up()
    assert len(complaints.open_complaints(world.store)) == 1


async def test_a_stranger_is_not_called_again(world: World) -> None:
    completed(world)
    elder = await answers(world)
    elder.say("打错了")
    assert await elder.is_let_go() == "hangup"
    row = follow_up(world)
    assert (row.state, row.end) == (FollowUpState.GIVEN_UP, FollowUpEnd.WRONG_PERSON)


async def test_who_says_nothing_is_called_another_time(world: World) -> None:
    completed(world)
    elder = await answers(world)
    assert await elder.is_let_go() == "hangup"
    row = follow_up(world)
    assert row.state is FollowUpState.WAITING and row.due_at > world.site.now()


async def test_a_planned_service_is_moved(world: World) -> None:
    now = world.site.now()
    order = booked(world, now)
    assert order.id is not None
    with world.store.write() as session:
        follow_ups.plan(
            session, "plan:1", Purpose.PLAN, PHONE, at=now, due_at=now, order_id=order.id
        )
    elder = await answers(world)
    elder.say("明天九点")
    assert await elder.is_let_go() == "hangup"
    assert follow_up(world).end is FollowUpEnd.MOVED
    opened = orders.open_order(world.store, order.id)
    assert opened is not None and opened.order.scheduled_for is not None
    assert opened.order.scheduled_for.astimezone(world.settings.zone).hour == 9


async def test_who_calls_in_is_asked_before_we_say_goodbye(world: World) -> None:
    order = completed(world)
    caller = await world.call(PHONE)
    await caller.hears_all()
    caller.say("明天九点来打扫")
    await caller.hears_all()
    caller.say("对")
    await caller.hears_all()
    caller.say("不用了")
    await caller.hears_all()
    assert "您满意吗" in caller.turns[-1].said
    caller.say("很满意")
    assert await caller.is_let_go() == "hangup"
    assert rating(world).call_id == caller.uuid
    assert status(world, order) is OrderStatus.CLOSED
    assert caller.record.outcome is Outcome.ORDERED
