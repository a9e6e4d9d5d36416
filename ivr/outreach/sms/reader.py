"""Reads what was written to us, does what it says, and answers: all of it or nothing of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import NoReturn

import structlog

from ivr.config import Settings
from ivr.outreach.sms.answering import answered
from ivr.outreach.sms.wording import Answers
from ivr.understanding.written import Written
from store import inbox, messages
from store.database import Store, StoreError
from store.privacy import mask_phone

LOOK_S = 5.0
"""How often it is looked for what came in while nobody told us."""
AT_ONCE = 50

log = structlog.get_logger()


class Reader:
    def __init__(
        self,
        store: Store,
        settings: Settings,
        written: Written,
        answers_wait: Callable[[], None] = lambda: None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """`answers_wait` is called when there is something to send."""
        self._store = store
        self._zone = settings.zone
        self._written = written
        self._answers = Answers(settings.sms.site, settings.sms.phone)
        self._answers_wait = answers_wait
        self._now = now
        self.wake = asyncio.Event()
        """Set when a message has come in."""

    async def run(self) -> NoReturn:
        """Until cancelled."""
        while True:
            try:
                while await self.step():
                    pass
            except StoreError as error:
                log.warning("messages wait to be read", reason=str(error))
            try:
                async with asyncio.timeout(LOOK_S):
                    await self.wake.wait()
            except TimeoutError:
                pass
            self.wake.clear()

    async def step(self) -> int:
        """Reads what there is, oldest first, and says how many that were. Raises StoreError."""
        ids = await asyncio.to_thread(messages.unread, self._store, AT_ONCE)
        for id in ids:
            await asyncio.to_thread(self._read, id)
            self._answers_wait()
        return len(ids)

    def _read(self, id: int) -> None:
        """Raises StoreError, and the message is read again later."""
        at = self._now()
        with self._store.write() as session:
            row = inbox.taken(session, id)
            if row is None:
                return
            known = inbox.known_of(session, row.phone, at, self._zone)
            reply = self._written.read(row.text)
            done = answered(reply, known, self._answers)
            if done.stops:
                messages.stop(session, row.phone, at)
            if done.starts:
                messages.start(session, row.phone)
            if done.alarms:
                inbox.alarmed(session, row, at)
            if done.about is not None and done.rates and done.score is not None:
                inbox.rated(session, row, done.about, done.score, reply.said, at)
            if done.about is not None and done.complains:
                inbox.complained(session, done.about, row.text.strip(), at)
            inbox.read(session, row, at, done.kind, done.detail, done.about, done.score)
            if done.answer:
                inbox.answer(session, row, done.answer, at)
        log.info("read", id=id, phone=mask_phone(row.phone), kind=done.kind, detail=done.detail)
