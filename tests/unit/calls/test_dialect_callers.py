"""Callers whose dialect is known, or becomes known: whole calls over real sockets."""

from __future__ import annotations

from conftest import Caller, World

from store.corrections import corrections
from store.elders import Registration, register
from store.models import Known, Review


async def orders_a_bath(caller: Caller) -> None:
    await caller.hears_all()
    caller.say("明天九点汏浴")
    await caller.hears_all()
    caller.say("对")
    await caller.hears_all()
    await caller.hang_up()


def in_suzhou(world: World) -> None:
    register(world.store, Registration("13812345678", "王秀英", "平江路1号", dialect="suzhou"))


async def test_a_call_teaches_what_was_misheard_and_which_dialect_is_spoken(world: World) -> None:
    caller = await world.call()
    await caller.hears_all()
    caller.say("我要打扬")
    await orders_a_bath(caller)
    [learned] = corrections(world.store, Review.PENDING)
    assert (learned.call_id, learned.turn, learned.heard) == (caller.uuid, 1, "我要打扬")
    assert (learned.taken_for, learned.code, learned.known) == ("", "bathing", Known.CONFIRMED)
    assert (learned.dialect, learned.engine, learned.engine_version) == ("suzhou", "pitch", "1")
    assert learned.hypotheses[0]["text"] == "我要打扬"
    assert caller.record.dialect == "suzhou"
    again = await world.call()
    await orders_a_bath(again)
    assert again.record.summary["dialect"] == "suzhou"
    assert {turn.engine for turn in again.turns if turn.heard} == {"suzhou"}


async def test_the_dialect_given_at_registration_stays(world: World) -> None:
    register(world.store, Registration("13812345678", "王秀英", "平江路1号", dialect="lanzhou"))
    await orders_a_bath(await world.call())
    caller = await world.call()
    await caller.hears()
    await caller.hang_up()
    assert caller.record.summary["dialect"] == "lanzhou"


async def test_a_caller_is_understood_when_the_engine_of_the_dialect_fails(world: World) -> None:
    in_suzhou(world)
    world.suzhou_ears.broken = True
    caller = await world.call()
    await orders_a_bath(caller)
    assert [order.code for order in caller.orders] == ["bathing"]
    assert world.suzhou_ears.asked, "it is asked first"
    assert {turn.engine for turn in caller.turns if turn.heard} == {"pitch"}


async def test_a_caller_is_understood_when_the_engine_of_the_dialect_hangs(world: World) -> None:
    in_suzhou(world)
    world.suzhou_ears.go.clear()
    caller = await world.call()
    await orders_a_bath(caller)
    assert [order.code for order in caller.orders] == ["bathing"]
    assert len(world.suzhou_ears.asked) == 1, "an engine that hangs is not waited for twice"
    assert {turn.engine for turn in caller.turns if turn.heard} == {"pitch"}
