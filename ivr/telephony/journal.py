"""What the dialplan has promised by itself is taken into the store.

A caller who waits presses 1, or somebody needs help: that must count whatever else is down, so the
dialplan keeps it in Asterisk's own database and says so with an event. Here it goes into the store
and only then out of that database. Taking an entry twice changes nothing.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NoReturn
from uuid import UUID

import structlog

from ivr.telephony import astdb
from ivr.telephony.ami import Ami, AmiError
from ivr.telephony.astdb import Kept
from store import alarms, callbacks, orders, phones
from store.database import Store, StoreError
from store.models import Cause, Wants

FAMILIES = {
    "YihuCallback": "yihu-callback",
    "YihuAlarm": "yihu-alarm",
    "YihuAnswered": "yihu-answered",
}
"""Event of the dialplan -> family of Asterisk's database that keeps the same entry."""
TALKING = "yihu-talking"
"""Family of those who talk with the agent; of no event, for nobody needs to hear of it."""
AGAIN_S = 1.0
CONNECTED_S = 60.0
ANSWERED_BY = re.compile(r"PJSIP/(?P<extension>.+)-[0-9a-f]+|Local/(?P<number>[^@]+)@.*")
"""Name of the channel of who has answered an emergency."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that the dialplan has written down."""

    family: str
    call_id: UUID
    fields: tuple[str, ...]
    """callback: number, when they began to wait, priority; alarm: number, when; answered: channel,
    when; talking: number, since when, priority, channel. Times are seconds since 1970."""

    @classmethod
    def parse(cls, family: str, key: str, value: str) -> Entry:
        """Raises ValueError."""
        return cls(family, UUID(key), tuple(value.split("|")))


async def keep_journal(store: Store, ami: Ami) -> NoReturn:
    """Until cancelled; what fails is tried again, from what Asterisk has kept."""
    while True:
        with ami.events("UserEvent", "FullyBooted") as events:
            try:
                await ami.wait_connected(CONNECTED_S)
                await _take_kept(store, ami)
                async for event in events:
                    if event["Event"] == "FullyBooted":  # a new connection
                        await _take_kept(store, ami)
                    elif entry := told(event):
                        await _take(store, ami, entry)
            except (AmiError, StoreError) as error:
                log.error("the dialplan's journal is not taken", error=str(error))
        await asyncio.sleep(AGAIN_S)


def told(event: Mapping[str, Any]) -> Entry | None:
    """The entry that an event of the dialplan tells of; None for others' events."""
    family = FAMILIES.get(event.get("UserEvent", ""))
    if family is None:
        return None
    try:
        return Entry.parse(family, event["Call"], event["Value"])
    except (KeyError, ValueError):
        log.error("an event of the dialplan cannot be read", family=family)
        return None


def entry_of(kept: Kept) -> Entry | None:
    """What the dialplan has kept; None where it cannot be read."""
    try:
        return Entry.parse(*kept)
    except ValueError:
        log.error("an entry of the journal cannot be read", family=kept.family)
        return None


async def _take_kept(store: Store, ami: Ami) -> None:
    for family in FAMILIES.values():
        for kept in await astdb.show(ami, family):
            if entry := entry_of(kept):
                await _take(store, ami, entry)
    for entry in await _cut_off(ami):
        await _take(store, ami, entry)


async def _cut_off(ami: Ami) -> list[Entry]:
    """Who talked with the agent and has no channel any more: Asterisk died.

    Whoever hangs up is taken out of the database before their channel goes, so it is looked at
    again: what is there still will not go by itself.
    """
    before = await _talking(ami)
    if not before:
        return []
    channels = {one["Uniqueid"] for one in await ami.listed("CoreShowChannels")}
    gone = [entry for entry in before if entry.fields[-1] not in channels]
    after = await _talking(ami) if gone else []
    return [entry for entry in gone if entry in after]


async def _talking(ami: Ami) -> list[Entry]:
    found = [entry_of(kept) for kept in await astdb.show(ami, TALKING)]
    return [entry for entry in found if entry is not None]


async def _take(store: Store, ami: Ami, entry: Entry) -> None:
    try:
        await asyncio.to_thread(write, store, entry)
    except ValueError:  # not to be understood later either, but a person may look at it
        log.error("an entry of the journal makes no sense", family=entry.family)
        return
    log.info("journal", kind=entry.family, call=str(entry.call_id))
    await astdb.forget(ami, entry.family, str(entry.call_id))


def write(store: Store, entry: Entry) -> None:
    """Puts an entry into the store. Raises StoreError, and ValueError where it has other fields."""
    match (entry.family, entry.fields):
        case ("yihu-callback", (number, joined, priority)):
            callbacks.ask(
                store,
                phones.of_caller(number),
                cause=Cause.ASKED,
                wants=Wants.OPERATOR,
                at=datetime.now(UTC),
                priority=int(priority or "0"),
                queued_at=_time(joined),
                call_id=entry.call_id,
            )
        case ("yihu-talking", (number, _, priority, _)):
            if not orders.orders_of(store, entry.call_id):
                callbacks.ask(
                    store,
                    phones.of_caller(number),
                    cause=Cause.CUT_OFF,
                    wants=Wants.AGENT,
                    at=datetime.now(UTC),
                    priority=int(priority or "0"),
                    call_id=entry.call_id,
                )
        case ("yihu-alarm", (number, at)):
            alarms.raise_alarm(store, entry.call_id, phones.of_caller(number), _time(at))
        case ("yihu-answered", (channel, at)):
            by = ANSWERED_BY.fullmatch(channel)
            who = (by["extension"] or by["number"]) if by else channel
            alarms.answer_alarm(store, entry.call_id, who, _time(at))
        case _:
            raise ValueError(f"{entry.family} with {len(entry.fields)} fields")


def _time(seconds: str) -> datetime:
    return datetime.fromtimestamp(int(seconds), UTC)
