"""The store knows whose telephone rings for whom, at every moment."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from uuid import UUID, uuid4

import pytest
from conftest import Site
from stand_in import CALL_S, Centre, agent, dial

from store import handovers, operator_calls
from store.handovers import Place
from store.models import Duty

ELDER = "13900000009"


class Ringing(Centre):
    """Both operators are on duty."""

    def __init__(self, site: Site) -> None:
        super().__init__(site)
        for index in range(2):
            self.set(index, Duty.ON)

    async def until(self, call_id: UUID, place: Place, *extensions: str) -> None:
        """The store says that the caller is there, with just these operators' telephones."""
        found = None
        try:
            async with asyncio.timeout(CALL_S):
                while True:
                    found = await asyncio.to_thread(handovers.whereabouts, self.store, call_id)
                    if found.place is place and set(found.extensions) == set(extensions):
                        return
                    await asyncio.sleep(0.05)
        except TimeoutError:
            raise AssertionError(f"{found} instead of {place} {extensions}") from None


@pytest.fixture(scope="module")
def centre(make_site: Callable[..., Site]) -> Iterator[Ringing]:
    site = make_site()
    site.start_asterisk()
    made = Ringing(site)
    with made.at_work():
        yield made


async def test_telephones_ring_until_one_is_picked_up_and_talk_until_it_is_hung_up(
    centre: Ringing,
) -> None:
    call = uuid4()
    async with agent(centre.site, "queue"), centre.site.ami() as ami, centre.phones() as phones:
        await ami.wait_connected(CALL_S)
        await dial(centre.site, ami, ELDER, **{"X-Yihu-Call": str(call)})
        rings = [await phone.rings() for phone in phones]
        await centre.until(call, Place.RINGING, *(phone.user for phone in phones))
        arrived = await asyncio.to_thread(handovers.arrived, centre.store, call)
        assert arrived is not None and arrived.phone == ELDER

        await rings[1].answer()
        await centre.until(call, Place.TALKING, phones[1].user)
        await rings[0].over.wait()

        await rings[1].hang_up()
        await centre.until(call, Place.OVER)
        where = await asyncio.to_thread(handovers.whereabouts, centre.store, call)
        assert where.by == "li"


async def test_nobody_is_shown_a_caller_who_has_hung_up(centre: Ringing) -> None:
    call = uuid4()
    async with agent(centre.site, "queue"), centre.site.ami() as ami, centre.phones() as phones:
        await ami.wait_connected(CALL_S)
        channel = await dial(centre.site, ami, ELDER, **{"X-Yihu-Call": str(call)})
        await centre.until(call, Place.RINGING, *(phone.user for phone in phones))
        await ami.action("Hangup", Channel=channel)
        await centre.until(call, Place.OVER)
        assert await asyncio.to_thread(operator_calls.present, centre.store) == []


async def test_what_rings_is_known_again_after_outreach_was_away(centre: Ringing) -> None:
    before, call = uuid4(), uuid4()
    async with agent(centre.site, "queue"), centre.site.ami() as ami, centre.phones() as phones:
        await ami.wait_connected(CALL_S)
        channel = await dial(centre.site, ami, ELDER, **{"X-Yihu-Call": str(before)})
        extensions = [phone.user for phone in phones]
        await centre.until(before, Place.RINGING, *extensions)

        centre.kill_outreach()
        await ami.action("Hangup", Channel=channel)  # nobody is there to hear of it
        for phone in phones:
            await (await phone.rings()).over.wait()
        await dial(centre.site, ami, ELDER, **{"X-Yihu-Call": str(call)})
        ring = await phones[0].rings()
        await ring.answer()
        stale = await asyncio.to_thread(operator_calls.present, centre.store)
        assert {one.call_id for one in stale} == {before}
        centre.start_outreach()
        await centre.until(call, Place.TALKING, extensions[0])
        await centre.until(before, Place.OVER)
        kept = await asyncio.to_thread(operator_calls.present, centre.store)
        assert [one.call_id for one in kept] == [call]
        await ring.hang_up()
        await centre.until(call, Place.OVER)
