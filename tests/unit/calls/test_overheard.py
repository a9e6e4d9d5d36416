"""Somebody who waits for an operator says something, and is overheard."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest_asyncio
from conftest import PATIENCE_S, Caller, World

from ivr.calls.overheard import LONGEST_S, overhear
from ivr.telephony import audiosocket
from ivr.telephony.audiosocket import CallId
from ivr.telephony.wishes import Wish, Wishes


class Waiting:
    def __init__(self, world: World, wishes: Wishes, caller: Caller) -> None:
        self.ears = world.ears
        self.wishes = wishes
        self.caller = caller

    async def says(self, sentence: str) -> None:
        """Again and again until the recogniser has been asked what it was."""
        asked = len(self.ears.asked)
        async with asyncio.timeout(PATIENCE_S):
            while len(self.ears.asked) == asked:
                self.caller.say(sentence)
                await asyncio.sleep(0.2)

    async def insists(self, sentence: str) -> Wish:
        """Says it again and again, as people do, until the agent lets go of the connection."""
        letting_go = asyncio.create_task(self.caller.is_let_go())
        while not letting_go.done():
            self.caller.say(sentence)
            await asyncio.wait({letting_go}, timeout=0.5)
        return self.wishes.wish(self.caller.uuid)


@pytest_asyncio.fixture
async def waiting(world: World) -> AsyncIterator[Waiting]:
    wishes, uuid = Wishes(asyncio.get_running_loop().time), uuid4()
    assert wishes.expect(uuid, busy=False)
    await world.server.close()
    world.server = await audiosocket.serve(
        "127.0.0.1", 0, lambda line: overhear(world.site, line, wishes), wishes.arrive
    )
    reader, writer = await asyncio.open_connection("127.0.0.1", world.server.port)
    caller = Caller(world, uuid, reader, writer)
    caller.send(CallId(uuid))
    yield Waiting(world, wishes, caller)
    left = [task.get_name() for task in asyncio.all_tasks() if "overheard" in task.get_name()]
    await caller.hang_up()
    assert not left or not world.server.tasks


async def test_one_who_says_so_is_called_back(waiting: Waiting) -> None:
    assert await waiting.insists("回电") is Wish.CALLBACK


async def test_one_who_needs_help_gets_it_at_once(waiting: Waiting) -> None:
    assert await waiting.insists("救命") is Wish.EMERGENCY


async def test_talk_in_the_room_changes_nothing_and_what_is_said_after_it_counts(
    waiting: Waiting,
) -> None:
    await waiting.says("今天天气好")
    assert await waiting.insists("回电") is Wish.CALLBACK


async def test_announcement_that_comes_back_from_the_line_is_too_long_for_a_wish(
    waiting: Waiting,
) -> None:
    waiting.caller.say("回电", round(LONGEST_S * 1000) + 500)
    await waiting.says("今天天气好")
    assert max(waiting.ears.asked) < LONGEST_S * 8000


async def test_recogniser_that_fails_leaves_them_waiting(waiting: Waiting) -> None:
    waiting.ears.broken = True
    await waiting.says("回电")
    await waiting.says("回电")
    waiting.ears.broken = False
    assert await waiting.insists("回电") is Wish.CALLBACK


async def test_one_who_is_answered_is_overheard_no_more(waiting: Waiting) -> None:
    await waiting.caller.hang_up()
    assert waiting.wishes.wish(waiting.caller.uuid) is Wish.NONE
    assert waiting.wishes.expect(waiting.caller.uuid, busy=False), "and may be overheard again"
