"""Operators' telephones and their places in the queue follow the store."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest
from conftest import Site
from phone import Phone
from stand_in import CALL_S, Centre

from ivr.telephony.ami import Ami, AmiError
from store import operators
from store.models import Duty, Role


@pytest.fixture(scope="module")
def centre(make_site: Callable[..., Site]) -> Iterator[Centre]:
    site = make_site()
    site.start_asterisk()
    made = Centre(site)
    with made.at_work():
        yield made


async def queue_is(ami: Ami, wanted: dict[str, str]) -> None:
    """Waits until the queue has these members: extension to `ready`, or why paused."""
    present: dict[str, str] = {}
    try:
        async with asyncio.timeout(CALL_S):
            while True:
                try:
                    listed = await ami.listed("QueueStatus", Queue="operators")
                except AmiError:  # Asterisk is away
                    await asyncio.sleep(0.2)
                    continue
                present = {
                    event["Name"]: event["PausedReason"] if event["Paused"] == "1" else "ready"
                    for event in listed
                    if event["Event"] == "QueueMember" and event["Membership"] == "dynamic"
                }
                if present == wanted:
                    return
                await asyncio.sleep(0.2)
    except TimeoutError:
        raise AssertionError(f"{present} instead of {wanted}") from None


async def test_operator_on_duty_is_in_the_queue_and_off_duty_is_not(centre: Centre) -> None:
    first, second = (one.extension for one in centre.operators)
    async with centre.site.ami() as ami:
        await ami.wait_connected(CALL_S)
        centre.set(0, Duty.ON)
        centre.set(1, Duty.ON)
        await queue_is(ami, {first: "ready", second: "ready"})
        centre.set(0, Duty.PAUSED, "吃饭")
        await queue_is(ami, {first: "吃饭", second: "ready"})
        centre.set(0, Duty.ON)
        centre.set(1, Duty.OFF)
        await queue_is(ami, {first: "ready"})


async def test_operators_are_back_on_duty_after_asterisk_and_outreach_were_away(
    centre: Centre,
) -> None:
    first, second = (one.extension for one in centre.operators)
    async with centre.site.ami() as ami:
        await ami.wait_connected(CALL_S)
        centre.set(0, Duty.ON)
        await queue_is(ami, {first: "ready"})

        await asyncio.to_thread(centre.site.kill_asterisk)
        centre.set(1, Duty.PAUSED, "茶歇")  # nobody is there to hear of it
        await asyncio.to_thread(centre.site.start_asterisk)
        await queue_is(ami, {first: "ready", second: "茶歇"})

        centre.kill_outreach()
        centre.set(0, Duty.OFF)
        await asyncio.to_thread(centre.site.kill_asterisk)
        await asyncio.to_thread(centre.site.start_asterisk)
        centre.start_outreach()
        await queue_is(ami, {second: "茶歇"})


async def test_new_operators_telephone_works_without_a_restart(centre: Centre) -> None:
    new = await asyncio.to_thread(
        operators.add, centre.store, "zhao", "赵", Role.OPERATOR, "no log-in", "third secret"
    )
    async with Phone(centre.site.settings, new.extension, "third secret") as phone:
        async with asyncio.timeout(CALL_S):
            while await phone.register() != 200:  # noqa: ASYNC110
                await asyncio.sleep(0.2)
    await asyncio.to_thread(operators.set_active, centre.store, "zhao", False, datetime.now(UTC))
    async with (
        Phone(centre.site.settings, new.extension, "third secret") as phone,
        asyncio.timeout(CALL_S),
    ):
        while await phone.register() == 200:  # noqa: ASYNC110
            await asyncio.sleep(0.2)
