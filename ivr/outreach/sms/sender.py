"""Hands messages to the gateway: claimed in the store before, told to the store afterwards.

While the gateway is down nothing is claimed but one message now and then, to see whether it is up
again: whatever breaks in the middle leaves few messages of which nobody knows whether they went.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import NoReturn

import structlog

from ivr.config import Settings, SmsSettings
from ivr.outreach.attempts import process_name
from ivr.outreach.sms.gateway import Answer, Gateway, NotTaken, Taken, Unknown
from ivr.outreach.sms.parts import coded
from store import messages
from store.database import Store, StoreError
from store.messages import UNASKED
from store.models import SmsOut, SmsPurpose
from store.privacy import mask_phone

TICK_S = 1.0
LEASE_S = 60.0
"""Longer than any gateway is waited for: who has not told what came of a message by now is dead."""

log = structlog.get_logger()


class Sender:
    def __init__(
        self,
        store: Store,
        gateway: Gateway,
        settings: Settings,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._store = store
        self._gateway = gateway
        self._settings = settings
        self._now = now
        self._me = process_name()
        self._down = 0
        """How often in a row the gateway was not there."""
        self._rests_until: datetime | None = None
        self.wake = asyncio.Event()
        """Set when there may be something to send sooner than the next tick."""

    async def run(self) -> NoReturn:
        """Until cancelled, and then until what is being handed over is."""
        while True:
            try:
                handing = asyncio.create_task(self.step(), name="sms step")
                try:
                    await asyncio.shield(handing)
                except asyncio.CancelledError:
                    await asyncio.wait([handing])
                    raise
            except StoreError as error:
                log.warning("messages wait", reason=str(error))
            try:
                async with asyncio.timeout(TICK_S):
                    await self.wake.wait()
            except TimeoutError:
                pass
            self.wake.clear()

    async def step(self) -> int:
        """Hands over what is due now, and says how many messages those were. Raises StoreError."""
        now, own = self._now(), self._settings.sms
        silent_since = now - timedelta(seconds=LEASE_S)
        for lost in await asyncio.to_thread(
            messages.recover, self._store, silent_since, self._gateway.repeatable
        ):
            log.warning("nobody knows whether it was sent", id=lost.id, state=lost.state)
        if self._rests_until is not None and now < self._rests_until:
            return 0
        limit = 1 if self._down else own.at_once
        rows = await asyncio.to_thread(
            messages.claim, self._store, self._me, now, limit, self._purposes(now)
        )
        async with asyncio.TaskGroup() as group:
            for row in rows:
                group.create_task(self._hand_over(row), name=f"sms {row.id}")
        if rows and not self._down:
            self.wake.set()  # there may be more
        return len(rows)

    def _purposes(self, now: datetime) -> list[SmsPurpose]:
        """What may be sent at this time of the day."""
        own, clock = self._settings.sms, now.astimezone(self._settings.zone).time()
        awake = own.hours_from <= clock < own.hours_to
        return [purpose for purpose in SmsPurpose if awake or purpose not in UNASKED]

    async def _hand_over(self, row: SmsOut) -> None:
        answer = await self._gateway.send(row)
        now = self._now()
        self._note(answer, now)
        try:
            await self._enter(row, answer, now)
        except StoreError as error:  # its claim runs out, and a report may still settle it
            log.error("not entered what came of it", id=row.id, reason=str(error))

    async def _enter(self, row: SmsOut, answer: Answer, now: datetime) -> None:
        """Raises StoreError."""
        assert row.id is not None
        own = self._settings.sms
        told = log.bind(id=row.id, phone=mask_phone(row.phone), tries=row.tries)
        match answer:
            case Taken(gateway_id):
                parts = coded(row.text).parts
                await asyncio.to_thread(messages.sent, self._store, row.id, now, gateway_id, parts)
                told.info("sent", parts=parts)
            case Unknown(why) if not self._gateway.repeatable:
                await asyncio.to_thread(messages.not_known, self._store, row.id, self._me, why)
                told.warning("nobody knows whether it was sent", reason=why)
            case Unknown(why) | NotTaken(why):
                again = not isinstance(answer, NotTaken) or answer.again
                counts = isinstance(answer, NotTaken) and not answer.gateway_down
                at = retry_at(row, now, own) if again else None
                if counts and row.tries >= own.tries:
                    at = None
                await asyncio.to_thread(
                    messages.not_sent, self._store, row.id, self._me, why, at, counts
                )
                told.warning("not sent", reason=why, again=at is not None)

    def _note(self, answer: Answer, now: datetime) -> None:
        """How the gateway is doing."""
        own = self._settings.sms
        if isinstance(answer, Unknown) or (isinstance(answer, NotTaken) and answer.gateway_down):
            rest_s = min(own.retry_most_s, own.retry_first_s * 2 ** min(self._down, 20))
            self._down += 1
            self._rests_until = now + timedelta(seconds=rest_s)
        else:
            self._down, self._rests_until = 0, None


def retry_at(row: SmsOut, now: datetime, own: SmsSettings) -> datetime | None:
    """When a message is handed over again that was not taken; None if it is too late then."""
    wait_s = min(own.retry_most_s, own.retry_first_s * 2 ** min(max(0, row.tries - 1), 20))
    at = now + timedelta(seconds=wait_s)
    return at if at < row.created_at + timedelta(hours=own.late_hours) else None
