"""The manager connection to a real Asterisk."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from conftest import Site

from ivr.telephony import ami as module
from ivr.telephony.ami import AmiError


async def test_silent_connection_outlives_the_connect_timeout(
    asterisk: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CONNECT_SECONDS", 0.5)
    async with asterisk.ami() as ami:
        await ami.wait_connected(30)
        with ami.events("UserEvent") as events:
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(anext(events), 1.0)
            await ami.action("UserEvent", UserEvent="Still", There="yes")
            event = await asyncio.wait_for(anext(events), 30)
    assert event["There"] == "yes"


async def test_asterisk_says_why_it_refuses(asterisk: Site) -> None:
    async with asterisk.ami() as ami:
        await ami.wait_connected(30)
        with pytest.raises(AmiError, match="No such channel"):
            await ami.action("Hangup", Channel="PJSIP/nobody-1")
        answer = await ami.action("Command", Command="core show version")
    assert answer["Output"].startswith("Asterisk ")


async def test_connection_comes_back_after_asterisk_restarts(
    make_site: Callable[..., Site],
) -> None:
    own = make_site()
    await asyncio.to_thread(own.start_asterisk)
    ami = own.ami()
    with ami.events("FullyBooted") as booted:
        async with ami:
            await asyncio.wait_for(anext(booted), 30)
            await asyncio.to_thread(own.down)
            await asyncio.to_thread(own.start_asterisk)
            await asyncio.wait_for(anext(booted), 30)
            assert ami.connected
