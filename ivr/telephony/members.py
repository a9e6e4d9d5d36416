"""Operators' telephones and their places in the queue, as the store says.

The store is the truth: whoever is active has a SIP account and is rung in an emergency, whoever is
on duty is in the queue. Asterisk is brought to the same whenever the store changes, Asterisk has
been away, and from time to time in case somebody has changed it by hand.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

import structlog

from ivr.config import Settings
from ivr.telephony import pbx
from ivr.telephony.ami import Ami, AmiError, AmiEvents
from store import operators
from store.database import Store, StoreError
from store.models import Duty, Operator

QUEUE = "operators"
LOOK_S = 1.0
"""How often the store is asked."""
CONNECTED_S = 60.0
COMPARE_S = 5.0
"""How often Asterisk is asked though nothing has changed."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Member:
    """Somebody's place in the queue."""

    paused: bool
    reason: str = ""
    """Why paused."""


Action = tuple[str, dict[str, Any]]
"""Name and fields of an action of the manager interface."""


async def keep_members(store: Store, ami: Ami, settings: Settings) -> NoReturn:
    """Until cancelled; what fails is tried again."""
    accounts: list[tuple[str, str]] | None = None
    wanted: dict[str, Member] | None = None
    unread = True
    compared = 0.0
    with ami.events("FullyBooted") as booted:
        while True:
            try:
                await ami.wait_connected(CONNECTED_S)
                everyone = await asyncio.to_thread(operators.everyone, store)
                active = [one for one in everyone if one.active]
                if accounts != (now := [(one.extension, one.sip_secret) for one in active]):
                    await _give_accounts(ami, settings, active, unread=unread)
                    accounts, wanted, unread = now, None, False
                duties = members(active)
                if wanted != duties or time.monotonic() - compared > COMPARE_S:
                    await _bring_in_line(ami, active, duties)
                    wanted, compared = duties, time.monotonic()
            except (AmiError, StoreError, OSError, pbx.PbxError) as error:
                log.warning("operators' places are not up to date", reason=str(error))
                wanted = None
            if await _booted(booted):
                accounts = wanted = None


def members(active: Iterable[Operator]) -> dict[str, Member]:
    """Who should be in the queue, by Asterisk's name of their telephone."""
    return {
        interface(one): Member(one.duty is Duty.PAUSED, " ".join(one.duty_reason.split()))
        for one in active
        if one.duty is not Duty.OFF
    }


def interface(operator: Operator) -> str:
    return f"PJSIP/{operator.extension}"


def changes(wanted: Mapping[str, Member], present: Mapping[str, Member]) -> list[Action]:
    """What brings the queue to what is wanted; nothing if it is so already."""
    actions: list[Action] = []
    for name in present.keys() - wanted.keys():
        actions.append(("QueueRemove", {"Queue": QUEUE, "Interface": name}))
    for name, member in wanted.items():
        place = {"Queue": QUEUE, "Interface": name}
        paused = "true" if member.paused else "false"
        if name not in present:
            called = {"MemberName": name.removeprefix("PJSIP/"), "StateInterface": name}
            actions.append(("QueueAdd", {**place, **called, "Paused": paused}))
        if member != present.get(name, Member(member.paused)):
            actions.append(("QueuePause", {**place, "Paused": paused, "Reason": member.reason}))
    return actions


async def _give_accounts(
    ami: Ami, settings: Settings, active: Sequence[Operator], *, unread: bool
) -> None:
    """Writes the telephones' SIP accounts and has Asterisk read what has changed.

    unread: Asterisk may not have read what is there already.
    """
    place = pbx.find_place(settings)
    if place is None:
        raise pbx.PbxError("Asterisk has gone")
    etc = place.host(place.etc)
    if await asyncio.to_thread(pbx.write_operators, place, etc, active) or unread:
        await ami.action("Command", Command="module reload res_pjsip.so")
        log.info("operators' telephones", accounts=len(active))


async def _bring_in_line(
    ami: Ami, active: Sequence[Operator], wanted: Mapping[str, Member]
) -> None:
    phones = "&".join(interface(one) for one in active)
    await ami.action("DBPut", Family="yihu", Key="phones", Val=phones)
    for name, fields in changes(wanted, await _present(ami)):
        await ami.action(name, **fields)
        log.info("queue", action=name, member=fields["Interface"])


async def _present(ami: Ami) -> dict[str, Member]:
    """Who is in the queue by our doing; members of the configuration stay as they are."""
    listed = await ami.listed("QueueStatus", Queue=QUEUE)
    return {
        event["Location"]: Member(event["Paused"] == "1", event.get("PausedReason", ""))
        for event in listed
        if event["Event"] == "QueueMember" and event["Membership"] == "dynamic"
    }


async def _booted(events: AmiEvents) -> bool:
    """Waits until the store is to be asked again; True at once after a new connection."""
    try:
        async with asyncio.timeout(LOOK_S):
            await anext(events)
            return True
    except TimeoutError:
        return False
