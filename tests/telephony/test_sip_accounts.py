"""Only telephones that prove who they are get in, and only from where they may."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from conftest import Site
from phone import Phone

from ivr.telephony.ami import Ami


@pytest.fixture(scope="module")
def strict(make_site: Callable[..., Site]) -> Site:
    """One whose callers come from another machine: on this one everybody is a stranger."""
    site = make_site(YIHU_SIP__TRUNKS='["192.0.2.1"]')
    site.start_asterisk()
    return site


async def channels(ami: Ami) -> list[str]:
    """Of calls that have come in by SIP."""
    listed = await ami.listed("CoreShowChannels")
    return [event["Channel"] for event in listed if event["Event"] == "CoreShowChannel"]


async def test_operators_telephone_registers_and_rings(strict: Site) -> None:
    async with (
        Phone(strict.settings, "operator", strict.settings.secrets.operator) as phone,
        strict.ami() as ami,
    ):
        assert await phone.register() == 200
        await ami.wait_connected(30)
        await ami.action(
            "Originate",
            Channel="PJSIP/operator",
            CallerID="13900000000",
            Application="Wait",
            Data="1",
            Async="true",
        )
        ring = await phone.rings()
        assert ring.caller == "13900000000"
        await ring.answer()
        await asyncio.wait_for(ring.over.wait(), 30)


@pytest.mark.parametrize("user", ["operator", "op101", "stranger", "trunk", "simulator"])
async def test_telephone_with_a_guessed_password_is_refused(strict: Site, user: str) -> None:
    async with Phone(strict.settings, user, "guess") as phone, strict.ami() as ami:
        await ami.wait_connected(30)
        assert await phone.register() in (401, 403)
        assert await phone.calls("1000") in (401, 403)
        assert await channels(ami) == []


async def test_operators_telephone_cannot_call_out(strict: Site) -> None:
    secret = strict.settings.secrets.operator
    async with Phone(strict.settings, "operator", secret) as phone:
        assert await phone.register() == 200
        for number in ("1000", "13900000000", "0085212345678", "call", "s"):
            assert await phone.calls(number) in (403, 404, 484, 603)


async def test_strangers_are_callers_only_where_the_settings_say_so(
    make_site: Callable[..., Site],
) -> None:
    site = make_site(YIHU_SIP__TRUNKS='["192.0.2.1"]', YIHU_SIP__ANONYMOUS="true")
    await asyncio.to_thread(site.start_asterisk)
    async with Phone(site.settings, "stranger", "") as phone:
        assert await phone.calls("1000") == 200
        assert await phone.register() in (401, 403, 404)
