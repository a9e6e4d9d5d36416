"""What the dialplan hears from the agent."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from uuid import UUID, uuid4

import pytest
from aiohttp.test_utils import TestClient, TestServer

from ivr.telephony import admission as admissions
from ivr.telephony.admission import Admission, Admit
from ivr.telephony.capacity import FEWEST, Capacity
from ivr.telephony.http import Overflow, make_app
from ivr.telephony.wishes import Wish, Wishes
from store.models import Next

SECRET = {"X-Yihu-Secret": "s3cret"}


class Site:
    def __init__(self) -> None:
        self.now = 0.0
        self.capacity = Capacity(2, 1.0, lambda: self.now)
        self.admission = Admission(self.capacity, lambda: self.now)
        self.wishes = Wishes(lambda: self.now, most=2)
        self.turned_away = Admit.QUEUE
        self.asked: list[tuple[UUID, str]] = []
        self.missing: list[str] = []
        self.client: TestClient

    async def what_is_missing(self) -> list[str]:
        return self.missing

    async def priority(self, caller: str) -> int:
        return 10 if caller == "05129" else 0

    async def turn_away(self, call: UUID, caller: str) -> Admit:
        self.asked.append((call, caller))
        return self.turned_away

    async def ask(
        self, path: str, uuid: UUID | str, caller: str = "0512", headers=SECRET, **fields: str
    ) -> str:
        data = {"uuid": str(uuid), "caller": caller, **fields}
        answer = await self.client.post(f"/asterisk/{path}", data=data, headers=headers)
        return await answer.text() if answer.status == 200 else str(answer.status)


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    site = Site()
    overflow = Overflow(site.priority, site.turn_away)
    app = make_app(site.admission, overflow, site.wishes, "s3cret", site.what_is_missing)
    async with TestClient(TestServer(app)) as site.client:
        yield site


async def test_an_admitted_call_may_connect_once(site: Site) -> None:
    call = uuid4()
    assert await site.ask("admit", call, caller="+86 512-6512'; DROP") == "agent"
    assert site.admission.caller(call) == "+865126512"
    assert site.admission.arrive(call)
    assert not site.admission.arrive(call)
    assert not site.admission.arrive(uuid4())


async def test_callers_beyond_capacity_go_to_the_queue_until_one_leaves(site: Site) -> None:
    first, second, third = uuid4(), uuid4(), uuid4()
    assert [await site.ask("admit", call) for call in (first, second, third)] == [
        "agent",
        "agent",
        "queue",
    ]
    assert await site.ask("admit", first) == "agent", "asking again takes no second place"
    site.admission.arrive(first)
    site.admission.leave(first, Next.HANGUP)
    assert await site.ask("admit", third) == "agent"


async def test_a_call_that_never_connects_frees_its_place(site: Site) -> None:
    call = uuid4()
    await site.ask("admit", call)
    site.now = 31
    assert site.admission.present == 0
    assert not site.admission.arrive(call)


async def test_while_shutting_down_callers_go_to_the_queue(site: Site) -> None:
    site.admission.open = False
    assert await site.ask("admit", uuid4()) == "queue"


async def test_who_cannot_be_let_in_may_be_called_back_but_not_whom_we_have_called(
    site: Site,
) -> None:
    site.admission.open = False
    site.turned_away = Admit.CALLBACK
    call = uuid4()
    assert await site.ask("admit", call) == "callback"
    assert await site.ask("admit", uuid4(), called_back="1") == "queue"
    assert site.asked == [(call, "0512")]


async def test_callers_are_let_in_as_the_recogniser_keeps_up(site: Site) -> None:
    first = uuid4()
    assert await site.ask("admit", first) == "agent"
    site.admission.arrive(first)
    assert await site.ask("room", uuid4()) == "1"
    for _ in range(FEWEST):
        site.capacity.heard(3.0)
    assert await site.ask("room", uuid4()) == "0"
    assert await site.ask("admit", uuid4()) == "queue"
    assert await site.ask("admit", first) == "agent", "who is there stays"


async def test_queue_is_told_who_is_in_front(site: Site) -> None:
    assert await site.ask("priority", uuid4(), caller="05129") == "10"
    assert await site.ask("priority", uuid4()) == "0"


@pytest.mark.parametrize("path", ["admit", "next", "priority", "room"])
async def test_who_does_not_know_the_secret_is_told_nothing(site: Site, path: str) -> None:
    assert await site.ask(path, uuid4(), headers={}) == "403"
    assert await site.ask(path, uuid4(), headers={"X-Yihu-Secret": "wröng"}) == "403"


@pytest.mark.parametrize("path", ["admit", "next", "priority"])
async def test_question_about_no_call_is_refused(site: Site, path: str) -> None:
    assert await site.ask(path, "no-uuid") == "400"


async def test_where_a_call_goes_when_the_agent_lets_go(site: Site) -> None:
    for where in Next:
        call = uuid4()
        await site.ask("admit", call)
        site.admission.arrive(call)
        site.admission.leave(call, where)
        assert await site.ask("next", call) == where
        assert await site.ask("next", call) == where


async def test_a_call_nobody_knows_goes_to_a_human(site: Site) -> None:
    assert await site.ask("next", uuid4()) == "operator"


async def test_a_call_still_finishing_is_waited_for(site: Site) -> None:
    call = uuid4()
    await site.ask("admit", call)
    site.admission.arrive(call)
    asking = asyncio.create_task(site.ask("next", call))
    await asyncio.sleep(0)
    site.admission.leave(call, Next.HANGUP)
    assert await asking == "hangup"


async def test_a_call_that_does_not_finish_goes_to_a_human(site: Site, monkeypatch) -> None:
    monkeypatch.setattr(admissions, "NEXT_WAIT_S", 0.01)
    call = uuid4()
    await site.ask("admit", call)
    assert await site.ask("next", call) == "operator"


async def test_readiness_says_what_is_missing(site: Site) -> None:
    assert (await site.client.get("/healthz")).status == 200
    assert (await site.client.get("/readyz")).status == 200
    site.missing = ["the store cannot be written"]
    answer = await site.client.get("/readyz")
    assert answer.status == 503
    assert await answer.text() == "the store cannot be written"
    assert (await site.client.get("/metrics")).status == 200


async def test_who_waits_is_overheard_once_and_asked_what_they_want(site: Site) -> None:
    one, another, third = uuid4(), uuid4(), uuid4()
    assert not site.wishes.arrive(one)
    assert [await site.ask("overhear", each) for each in (one, another, third)] == [
        "yes",
        "yes",
        "no",
    ]
    assert site.wishes.arrive(one) and not site.wishes.arrive(one)
    assert await site.ask("wish", one) == ""
    site.wishes.end(one, Wish.CALLBACK)
    assert await site.ask("wish", one) == "callback"
    assert await site.ask("wish", one, headers={}) == "403"
    assert await site.ask("overhear", third) == "yes"


async def test_one_who_was_expected_and_did_not_come_leaves_room_for_another(site: Site) -> None:
    assert [await site.ask("overhear", uuid4()) for _ in range(3)] == ["yes", "yes", "no"]
    site.now += 60
    assert await site.ask("overhear", uuid4()) == "yes"


async def test_shutdown_waits_for_calls_and_until_the_dialplan_knows_where_they_go(
    site: Site,
) -> None:
    call = uuid4()
    await site.ask("admit", call)
    assert site.admission.arrive(call)
    site.admission.open = False
    drained = asyncio.create_task(site.admission.drained())
    await asyncio.sleep(0)
    site.admission.leave(call, Next.HANGUP)
    assert not drained.done()
    assert await site.ask("next", call) == "hangup"
    await asyncio.wait_for(drained, 10)


async def test_shutdown_does_not_wait_for_who_never_comes_or_is_never_asked_for(site: Site) -> None:
    hung_up, never_came = uuid4(), uuid4()
    await site.ask("admit", hung_up)
    await site.ask("admit", never_came)
    site.admission.arrive(hung_up)
    site.admission.leave(hung_up, Next.HANGUP)
    drained = asyncio.create_task(site.admission.drained())
    await asyncio.sleep(0)
    assert not drained.done()
    site.now += admissions.CONNECT_S + 1
    await asyncio.wait_for(drained, 10)
