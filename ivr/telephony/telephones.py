"""Whose telephone rings for which call, kept in the store while it lasts.

It does not matter who makes them ring: the queue, an emergency that rings all, a call-back. What
was missed while the manager connection was down is asked for when it is back.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple, NoReturn
from uuid import UUID

import structlog

from ivr.telephony.ami import Ami, AmiError, AmiEvents
from store import operator_calls
from store.database import Store, StoreError

CHANNEL = re.compile(r"PJSIP/(op[0-9]+)-[0-9a-f]+")
"""An operator's telephone; its user name is their extension."""
RINGING, UP = "5", "6"
"""Asterisk's ChannelState."""
CALL = "CALL_UUID"
"""The variable that the dialplan gives the caller's channel, and those dialled for it."""
AGAIN_S = 1.0
EVENTS = ("Newstate", "Hangup", "CoreShowChannel", "CoreShowChannelsComplete", "FullyBooted")

log = structlog.get_logger()


class Telephone(NamedTuple):
    """An operator's side of a call."""

    uniqueid: str
    call_id: UUID
    extension: str
    answered: bool


def telephone(event: Mapping[str, Any]) -> Telephone | None:
    """What an event says of an operator's telephone; None for all else."""
    channel = CHANNEL.fullmatch(event.get("Channel", ""))
    variables = event.get("ChanVariable", {})
    if channel is None or event.get("ChannelState") not in (RINGING, UP) or CALL not in variables:
        return None
    try:
        call = UUID(variables[CALL])
    except ValueError:  # a telephone that dials by itself has none
        return None
    return Telephone(event["Uniqueid"], call, channel[1], event["ChannelState"] == UP)


async def keep_telephones(store: Store, ami: Ami) -> NoReturn:
    """Until cancelled; what fails is begun again with what Asterisk says then."""
    while True:
        with ami.events(*EVENTS) as events:
            try:
                await _follow(store, ami, events)
            except (AmiError, StoreError) as error:
                log.error("operators' telephones are not followed", error=str(error))
        await asyncio.sleep(AGAIN_S)


async def _follow(store: Store, ami: Ami, events: AmiEvents) -> NoReturn:
    present: set[str] = set()
    """Of the telephones that are listed, or have begun to ring since."""
    if ami.connected:
        await ami.action("CoreShowChannels")
    async for event in events:
        match event["Event"]:
            case "FullyBooted":  # a new connection
                present.clear()
                await ami.action("CoreShowChannels")
            case "CoreShowChannelsComplete":
                await asyncio.to_thread(operator_calls.end_others, store, present)
            case "Hangup":
                if CHANNEL.fullmatch(event["Channel"]):
                    present.discard(event["Uniqueid"])
                    await asyncio.to_thread(operator_calls.ends, store, event["Uniqueid"])
            case _:
                if found := telephone(event):
                    present.add(found.uniqueid)
                    await _kept(store, found)
    raise AmiError("no more events")


async def _kept(store: Store, found: Telephone) -> None:
    keep = operator_calls.answers if found.answered else operator_calls.rings
    at = datetime.now(UTC)
    await asyncio.to_thread(keep, store, found.uniqueid, found.call_id, found.extension, at)
