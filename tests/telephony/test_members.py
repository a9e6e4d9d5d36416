"""Operators' telephones and their places in the queue follow the store."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest
from conftest import Site
from phone import Phone
from stand_in import CALL_S

from ivr.telephony.ami import Ami, AmiError
from store import operators
from store.database import Store, open_store
from store.models import Duty, Operator, Role

SECRETS = ("first secret", "second secret")


class Centre:
    """A site with outreach, its store and two operators."""

    def __init__(self, site: Site, store: Store) -> None:
        self.site = site
        self.store = store
        self.operators = [
            operators.add(store, name, name, Role.OPERATOR, "no log-in", secret)
            for name, secret in zip(("wang", "li"), SECRETS, strict=True)
        ]
        self.outreach: subprocess.Popen[bytes] | None = None

    def phone(self, index: int) -> Phone:
        operator = self.operators[index]
        return Phone(self.site.settings, operator.extension, operator.sip_secret)

    def set(self, index: int, duty: Duty, reason: str = "") -> Operator:
        id = self.operators[index].id
        assert id is not None
        return operators.set_duty(self.store, id, duty, reason, datetime.now(UTC))

    def start_outreach(self) -> None:
        self.outreach = self.site.start_outreach()

    def kill_outreach(self) -> None:
        if self.outreach is not None:
            self.outreach.kill()
            self.outreach.wait()
            self.outreach = None


@pytest.fixture(scope="module")
def centre(make_site: Callable[..., Site]) -> Iterator[Centre]:
    site = make_site()
    site.start_asterisk()
    store = open_store(site.settings.database)
    made = Centre(site, store)
    made.start_outreach()
    yield made
    made.kill_outreach()
    store.close()


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
