"""Has the agent overhear those who wait for an operator: 回电 said while waiting is 1 pressed.

Each has a Local channel that spies on theirs (dialplans/overheard.conf). Its name is made of
theirs, so that whoever is overheard already can be told from Asterisk alone, also after a restart.
An operator who answers is not overheard, and without us, or without the agent, the keys still do
the same.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NoReturn
from uuid import NAMESPACE_OID, UUID, uuid5

import aiohttp
import structlog

from ivr.config import Settings
from ivr.telephony.ami import Ami, AmiError
from ivr.telephony.members import QUEUE
from store.models import QueueEnd

EVENTS = ("FullyBooted", "QueueCallerJoin", "QueueCallerLeave", "UserEvent")
WISHES = {"callback": QueueEnd.CALLBACK, "emergency": QueueEnd.EMERGENCY}
"""What the agent may have heard -> how their wait ends."""
LOOK_S = 5.0
"""How often it is seen to that everybody who waits is overheard, though nothing has happened."""
APART_S = 1.0
"""So long apart are two looks, however much happens: in a rush somebody comes or goes all the time,
and to look is work for Asterisk. Who is overheard is asked at every LOOK_S only, since it names all
channels there are, and remembered in between."""
AGAIN_S = 1.0
CONNECTED_S = 60.0
CHANNEL = "Local/s@overheard"
ANSWER_MS = 5000

log = structlog.get_logger()


def name_of(uniqueid: str) -> UUID:
    """Of the channel and the connection on which somebody is overheard."""
    return uuid5(NAMESPACE_OID, f"yihu overheard {uniqueid}")


async def keep_overhearing(
    ami: Ami, may: Callable[[UUID], Awaitable[bool]], withdrawn: dict[str, QueueEnd]
) -> NoReturn:
    """Until cancelled; what fails is tried again.

    may: asks the agent whether it has room. withdrawn: gets the unique ids of those whom we take
    out of the queue, for Asterisk's event of it is the one of somebody who has hung up.
    """
    loop = asyncio.get_running_loop()
    while True:
        with ami.events(*EVENTS) as events:
            try:
                await ami.wait_connected(CONNECTED_S)
                looked_at = look_at = loop.time()
                asked_at, overheard = looked_at - LOOK_S, set[str]()
                while True:
                    try:
                        async with asyncio.timeout_at(look_at):
                            event = await anext(events)
                    except TimeoutError:
                        looked_at = loop.time()
                        if looked_at - asked_at >= LOOK_S:
                            asked_at, overheard = looked_at, await _overheard(ami)
                        await _bring_in_line(ami, may, overheard)
                        look_at = looked_at + LOOK_S
                        continue
                    if event["Event"] != "UserEvent":
                        look_at = min(look_at, looked_at + APART_S)
                    elif event["UserEvent"] == "YihuWish":
                        await _grant(ami, event, withdrawn)
            except (AmiError, KeyError) as error:
                if ami.connected:
                    log.warning("not everybody who waits is overheard", reason=str(error))
        await asyncio.sleep(AGAIN_S)


async def _overheard(ami: Ami) -> set[str]:
    """Names of all who are. Raises AmiError."""
    channels = await ami.listed("CoreShowChannels")
    return {
        one["Uniqueid"]
        for one in channels
        if one["Channel"].startswith(CHANNEL) and one["Channel"].endswith(";1")
    }


async def _bring_in_line(
    ami: Ami, may: Callable[[UUID], Awaitable[bool]], overheard: set[str]
) -> None:
    """Overhears who waits, and nobody else; `overheard` is kept up to date. Raises AmiError."""
    listed = await ami.listed("QueueStatus", Queue=QUEUE)
    waiting = {
        str(name_of(one["Uniqueid"])): (one["Channel"], one["Uniqueid"])
        for one in listed
        if one["Event"] == "QueueEntry"
    }
    for name in overheard - waiting.keys():
        overheard.discard(name)
        with contextlib.suppress(AmiError):  # it is gone already
            await ami.action("Hangup", Channel=name)
    for name, (channel, uniqueid) in waiting.items():
        if name in overheard:
            continue
        if not await may(UUID(name)):
            break
        overheard.add(name)
        await _overhear(ami, name, channel, uniqueid)


async def _overhear(ami: Ami, name: str, channel: str, uniqueid: str) -> None:
    try:
        await ami.action(
            "Originate",
            Channel=f"{CHANNEL}/n",
            ChannelId=name,
            OtherChannelId=f"{name}-2",
            Application="ChanSpy",
            # q: no beep; o: what they say and not what they hear; E, S: ends with their call.
            Data=f"{channel},qoES",
            Timeout=str(ANSWER_MS),
            Async="true",
            variables={
                "__OVERHEARD": name,
                "__OVERHEARD_CHANNEL": channel,
                "__OVERHEARD_UNIQUEID": uniqueid,
            },
        )
    except AmiError as error:
        log.info("somebody who waits is not overheard", reason=str(error))


async def _grant(ami: Ami, event: Mapping[str, Any], withdrawn: dict[str, QueueEnd]) -> None:
    """They leave the queue for what they have asked for, unless they have just been answered."""
    wish, uniqueid = event["Value"], event["Waits"]
    withdrawn[uniqueid] = WISHES[wish]
    try:
        await ami.action(
            "QueueWithdrawCaller", Queue=QUEUE, Caller=event["Caller"], WithdrawInfo=wish
        )
        log.info("wish of somebody who waits", wish=wish)
    except AmiError as error:
        withdrawn.pop(uniqueid, None)
        log.info("wish too late", wish=wish, reason=str(error))


def agent_may(settings: Settings, http: aiohttp.ClientSession) -> Callable[[UUID], Awaitable[bool]]:
    """Asks the agent whether it would overhear one more."""
    agent = settings.agent
    url = f"http://{agent.host}:{agent.http_port}/asterisk/overhear"

    async def ask(name: UUID) -> bool:
        try:
            async with http.post(
                url,
                data={"uuid": str(name)},
                headers={"X-Yihu-Secret": settings.secrets.http},
                timeout=aiohttp.ClientTimeout(total=2),
            ) as response:
                return response.status == 200 and await response.text() == "yes"
        except (aiohttp.ClientError, TimeoutError):
            return False

    return ask
