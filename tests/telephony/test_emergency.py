"""Help is called at once, wherever the caller is and whatever else is going on or down."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from uuid import UUID, uuid4

import numpy as np
import pytest
import pytest_asyncio
from call_fixtures import sounds_like
from conftest import Site, free_ports
from phone import Phone, Ring
from sqlmodel import select
from stand_in import CALL_S, Centre, agent, dial, event_of, hang_up_all, press

from audio.engines import make_recogniser
from ivr.caller.script import Press
from ivr.caller.simulator import Simulator
from ivr.telephony.ami import Ami
from store.models import Alarm, Duty

ELDER, OTHERS = "13900000009", ("13900000001", "13900000002", "13900000003")
ONCALL = "13711111111"
SPOKEN = 1000
"""Samples above this are speech and no silence of the line."""


class Alarmed(Centre):
    """The first operator is on duty, the second is not."""

    def __init__(self, site: Site) -> None:
        super().__init__(site)
        self.set(0, Duty.ON)

    async def alarm(self, call_id: UUID, *, answered: bool = False) -> Alarm:
        """The alarm of this call, once it is in the store."""

        def find() -> Alarm | None:
            with self.store.read() as session:
                return session.exec(select(Alarm).where(Alarm.call_id == call_id)).one_or_none()

        async with asyncio.timeout(CALL_S):
            while True:
                alarm = await asyncio.to_thread(find)
                if alarm is not None and (alarm.answered_at is not None or not answered):
                    return alarm
                await asyncio.sleep(0.1)

    async def fill_queue(self, ami: Ami, phone: Phone) -> None:
        """The operator on duty talks, and more callers wait."""
        with ami.events("QueueCallerJoin") as joined:
            for number in OTHERS:
                await dial(self.site, ami, number)
                await event_of(joined, "QueueCallerJoin", CallerIDNum=number)
        await (await phone.rings()).answer()


@pytest.fixture(scope="module")
def far_end() -> int:
    """Port of the telephones outside, behind the trunk."""
    return free_ports(socket.SOCK_DGRAM, 1, 19000, 20000)


@pytest.fixture(scope="module")
def centre(make_site: Callable[..., Site], far_end: int) -> Iterator[Alarmed]:
    site = make_site(
        YIHU_EMERGENCY__ONCALL=f'["{ONCALL}"]', YIHU_OUTBOUND__GATEWAY=f"127.0.0.1:{far_end}"
    )
    site.start_asterisk()
    made = Alarmed(site)
    with made.at_work():
        yield made


@pytest_asyncio.fixture
async def ami(centre: Alarmed) -> AsyncIterator[Ami]:
    async with centre.site.ami() as manager:
        await manager.wait_connected(CALL_S)
        yield manager
        await hang_up_all(manager)


async def test_9_in_the_queue_rings_every_operator_though_the_queue_is_full(
    centre: Alarmed, ami: Ami
) -> None:
    call_id = uuid4()
    async with agent(centre.site, "queue"), centre.phones() as phones:
        await centre.fill_queue(ami, phones[0])
        with ami.events("QueueCallerJoin", "MusicOnHoldStart") as events:
            caller = await dial(centre.site, ami, ELDER, **{"X-Yihu-Call": str(call_id)})
            await event_of(events, "QueueCallerJoin", CallerIDNum=ELDER)
            # Music once more: their place has been said.
            for _ in range(2):
                await event_of(events, "MusicOnHoldStart", CallerIDNum=ELDER)
            await press(ami, caller, "9")
            rings = [await phone.rings() for phone in phones]
            assert [(ring.caller, ring.name) for ring in rings] == [(ELDER, "SOS")] * 2
            await rings[1].answer()
            await asyncio.wait_for(rings[0].over.wait(), CALL_S)
            alarm = await centre.alarm(call_id, answered=True)
    assert (alarm.phone, alarm.answered_by) == (ELDER, phones[1].user)


async def test_9_while_the_place_is_said_is_asked_for_again_and_rings_the_operators(
    centre: Alarmed, ami: Ami
) -> None:
    async with agent(centre.site, "queue"), centre.phones() as phones:
        await centre.fill_queue(ami, phones[0])
        with ami.events("QueueCallerJoin", "QueueCallerLeave") as events:
            caller = await dial(centre.site, ami, ELDER)
            await event_of(events, "QueueCallerJoin", CallerIDNum=ELDER)
            await press(ami, caller, "9")
            await event_of(events, "QueueCallerLeave", CallerIDNum=ELDER)
            await press(ami, caller, "9")
            for phone in phones:
                assert (await phone.rings()).name == "SOS"


@pytest.mark.parametrize("admit", ["error", "callback"])
async def test_9_in_what_is_said_before_the_queue_rings_the_operators(
    centre: Alarmed, ami: Ami, admit: str
) -> None:
    """In the apology for an agent that has failed, and in the promise of a call-back."""
    leave = asyncio.Event()
    async with (
        agent(centre.site, admit),
        centre.phones() as phones,
        Simulator(centre.site.settings) as simulator,
    ):
        script = [Press("9", into_ms=200)]
        call = asyncio.create_task(simulator.call(script, ELDER, farewell_s=CALL_S, leave=leave))
        for phone in phones:
            assert (await phone.rings()).name == "SOS"
        leave.set()
        await call


async def test_operator_who_hangs_up_at_once_is_rung_again_with_all_others(
    centre: Alarmed, ami: Ami
) -> None:
    async with agent(centre.site, "agent", "emergency"), centre.phones() as phones:
        await dial(centre.site, ami, ELDER)
        rings = [await phone.rings() for phone in phones]
        await rings[0].answer()
        await rings[0].hang_up()
        for phone in phones:
            assert (await phone.rings()).name == "SOS"


async def test_what_the_agent_takes_for_an_emergency_rings_the_operators(
    centre: Alarmed, ami: Ami
) -> None:
    async with agent(centre.site, "agent", "emergency"), centre.phones() as phones:
        await dial(centre.site, ami, ELDER)
        for phone in phones:
            assert (await phone.rings()).name == "SOS"


async def test_caller_is_kept_company_until_there_is_a_telephone_to_ring(
    make_site: Callable[..., Site],
) -> None:
    """No telephone is registered when the call comes, and nothing but Asterisk runs."""
    site = make_site()
    await asyncio.to_thread(site.start_asterisk)
    secret = site.settings.secrets.operator
    leave = asyncio.Event()
    async with (
        Phone(site.settings, "operator", secret) as phone,
        Simulator(site.settings) as simulator,
    ):
        async with agent(site, "agent", "emergency") as asked:
            call = asyncio.create_task(simulator.call([], ELDER, farewell_s=CALL_S, leave=leave))
            async with asyncio.timeout(CALL_S):
                while not asked or asked[-1][0] != "next":  # noqa: ASYNC110
                    await asyncio.sleep(0.1)
        assert await phone.register() == 200
        assert (await phone.rings()).name == "SOS"
        leave.set()
        report = await call
    chosen = site.settings.recogniser
    listener = make_recogniser(chosen.engine, chosen.model, site.settings.models)
    assert sounds_like(listener, report.utterance(0), "正在叫人来帮您")


async def test_number_on_call_rings_too_and_a_mailbox_does_not_take_the_call(
    centre: Alarmed, ami: Ami, far_end: int
) -> None:
    first, second = uuid4(), uuid4()
    async with (
        agent(centre.site, "agent", "emergency"),
        centre.phones() as phones,
        Phone(centre.site.settings, "outside", "", port=far_end) as outside,
    ):
        caller = await dial(centre.site, ami, ELDER, **{"X-Yihu-Call": str(first)})
        desk = await phones[0].rings()
        mobile = await answered(outside)  # and nothing is pressed: a mailbox
        assert mobile.called == ONCALL
        assert not desk.over.is_set()
        await desk.answer()
        assert (await centre.alarm(first, answered=True)).answered_by == phones[0].user
        await asyncio.wait_for(mobile.over.wait(), CALL_S)
        await ami.action("Hangup", Channel=caller)

        await dial(centre.site, ami, ELDER, **{"X-Yihu-Call": str(second)})
        pressing = asyncio.create_task(press_1(outside))
        try:
            assert (await centre.alarm(second, answered=True)).answered_by == ONCALL
        finally:
            pressing.cancel()
            await asyncio.gather(pressing, return_exceptions=True)


async def test_alarm_is_recorded_though_outreach_was_dead(centre: Alarmed, ami: Ami) -> None:
    call_id = uuid4()
    async with agent(centre.site, "agent", "emergency"), centre.phones() as phones:
        centre.kill_outreach()
        await dial(centre.site, ami, ELDER, **{"X-Yihu-Call": str(call_id)})
        await (await phones[0].rings()).answer()
        centre.start_outreach()
        alarm = await centre.alarm(call_id, answered=True)
    assert (alarm.phone, alarm.answered_by) == (ELDER, phones[0].user)
    assert alarm.answered_at is not None
    assert alarm.raised_at <= alarm.answered_at


async def answered(outside: Phone) -> Ring:
    """The telephone outside has been answered, and says what it is about.

    A call that its caller has given up may ring there too, where nobody has answered its INVITE.
    """
    async with asyncio.timeout(2 * CALL_S):
        while True:
            ring = await outside.rings()
            await ring.answer()
            while not ring.over.is_set():
                if (np.abs(ring.heard()) > SPOKEN).any():
                    return ring
                await asyncio.sleep(0.1)


async def press_1(outside: Phone) -> None:
    """Somebody takes every call there."""
    while True:
        (await answered(outside)).press("1")
