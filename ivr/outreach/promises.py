"""Calls that are owed, whatever for: call-backs that people have asked for, and follow-ups.

Both are kept in the store in the same way, and claimed, dialled and asked after in the same way
(ivr.outreach.attempts); what differs is here. Everything blocks: asyncio goes through to_thread.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta
from typing import NamedTuple, Protocol
from uuid import UUID

import structlog
from sqlalchemy import Connection

from ivr.catalog import Item
from ivr.config import Settings
from ivr.outreach.next_step import Miss, Tick, another_try, in_writing
from ivr.outreach.schedule import retry_at
from ivr.outreach.sms.wording import rating_request
from store import callbacks, follow_ups
from store.database import Store
from store.follow_ups import Claim, Due, InVain, Next
from store.models import Purpose

FINAL = (Miss.FORBIDDEN,)
"""After these nobody is called back any more."""
log = structlog.get_logger()


class Ended(NamedTuple):
    """An attempt that is over."""

    attempt: UUID
    at: datetime
    miss: Miss | None
    """None: somebody of us has spoken with them."""
    why: str = ""
    """In words that are kept; empty: they were there, and hung up."""


class Promises(Protocol):
    """All methods raise StoreError; an attempt that is not (or no longer) theirs is passed over."""

    def look(self, by: str, at: datetime, lease: timedelta) -> list[UUID]:
        """Says that process `by` still looks after its claims, takes over those of processes that
        have said nothing for as long as `lease`, and gives the attempts that are then its own."""
        ...

    def attempts(self) -> set[UUID]:
        """All that are claimed by anybody."""
        ...

    def reached(self, attempt: UUID, at: datetime) -> None:
        """They have answered."""
        ...

    def ended(self, ended: Iterable[Ended]) -> bool:
        """These are over, and what comes next is decided. False: nothing is written down yet;
        whoever decides on the next calls takes it along."""
        ...

    def release(self, attempt: UUID, at: datetime, why: str, wait_s: float) -> None:
        """Nobody's telephone rang: it is tried again after `wait_s`."""
        ...


class OwedCallbacks:
    def __init__(self, store: Store, settings: Settings) -> None:
        self._store = store
        self._settings = settings

    def look(self, by: str, at: datetime, lease: timedelta) -> list[UUID]:
        for closed in callbacks.close_served(self._store, at):
            log.info("called again and was served", id=closed.id)
        if not callbacks.claimed(self._store):
            return []
        callbacks.renew(self._store, by, at)
        taken = callbacks.take_over(self._store, by, at, at - lease)
        if taken:
            log.info("call-backs of a process that died", taken=len(taken))
        claims = callbacks.claimed(self._store, by)
        return [row.attempt_id for row in claims if row.attempt_id]

    def attempts(self) -> set[UUID]:
        return {row.attempt_id for row in callbacks.claimed(self._store) if row.attempt_id}

    def reached(self, attempt: UUID, at: datetime) -> None:
        if row := callbacks.reached(self._store, attempt, at):
            log.info("reached", id=row.id)

    def ended(self, ended: Iterable[Ended]) -> bool:
        for one in ended:
            if one.miss is not None:
                self._missed(one.attempt, one.miss, one.why, one.at)
            elif row := callbacks.done(self._store, one.attempt, one.at):
                log.info("called back", id=row.id)
        return True

    def _missed(self, attempt: UUID, miss: Miss, why: str, at: datetime) -> None:
        row = callbacks.of_attempt(self._store, attempt)
        if row is None:
            return
        why = why or "hung up before anybody spoke with them"
        again = None
        if miss not in FINAL:
            own, zone = self._settings.callback, self._settings.zone
            again = retry_at(row.tries, at, row.asked_at, zone, own)
        row = callbacks.missed(self._store, attempt, at, why, again)
        if row is not None:
            log.info("not reached", id=row.id, why=why, tries=row.tries, again=str(again))

    def release(self, attempt: UUID, at: datetime, why: str, wait_s: float) -> None:
        callbacks.release(self._store, attempt, at, why, at + timedelta(seconds=wait_s))


class OwedFollowUps:
    def __init__(self, store: Store, settings: Settings, catalog: Mapping[str, Item]) -> None:
        self._store = store
        self._settings = settings
        self._catalog = catalog

    def keep(self, tick: Tick, ended: Collection[Ended], by: str, at: datetime) -> list[Claim]:
        """Writes down what came of calls and what was decided, all of it or nothing, and gives
        those to dial now."""
        with self._store.lean() as connection:
            missed = self._missed(connection, ended) if ended else []
            follow_ups.put_off(connection, [(due.id, later) for due, later in tick.put_off])
            for due, end in tick.give_up:
                follow_ups.settle(connection, due.id, end, at)
            for due in tick.write:
                next = self._in_writing(connection, Miss.REFUSED, due, at)
                follow_ups.passed_over(connection, due.id, at, "wants no calls", next)
            claims = follow_ups.claim(connection, [due.id for due in tick.dial], by, at)
        for one, _, why, next in missed:
            log.info("not reached", follow_up=one.id, why=why, next=type(next).__name__)
        return claims

    def ended(self, ended: Iterable[Ended]) -> bool:
        """Left to `keep`: there are thousands a day, and nobody waits for it."""
        return False

    def _missed(self, connection: Connection, ended: Collection[Ended]) -> list[InVain]:
        """What they said the agent has written down; where it has not, nothing was settled."""
        on_the_line = follow_ups.of_attempts(connection, [one.attempt for one in ended])
        if not on_the_line:
            return []
        dialled = follow_ups.dialled(connection, [one.due.id for one in on_the_line.values()])
        missed = []
        for attempt, at, how, why in ended:
            if one := on_the_line.pop(attempt, None):
                miss = how or Miss.CUT_OFF
                next = self._after(connection, miss, one.due, dialled[one.due.id], at)
                missed.append(InVain(one.open, at, why or miss, next))
        follow_ups.missed(connection, missed)
        return missed

    def pass_over(self, id: int, at: datetime, how: Miss, said: str) -> None:
        """Nothing was asked, for a reason that they have told."""
        with self._store.lean() as connection:
            due = follow_ups.of_id(connection, id)
            if due is not None:
                dialled = follow_ups.dialled(connection, [id])[id]
                next = self._after(connection, how, due, dialled, at)
                follow_ups.passed_over(connection, id, at, f"{how}: {said}", next)

    def look(self, by: str, at: datetime, lease: timedelta) -> list[UUID]:
        if not follow_ups.claimed(self._store):
            return []
        with self._store.lean() as connection:
            claims = follow_ups.renew(connection, by, at)
            taken = follow_ups.take_over(connection, by, at, at - lease)
        if taken:
            log.info("follow-ups of a process that died", taken=len(taken))
        return [claim.attempt_id for claim in (*claims, *taken)]

    def attempts(self) -> set[UUID]:
        return {claim.attempt_id for claim in follow_ups.claimed(self._store)}

    def reached(self, attempt: UUID, at: datetime) -> None:
        with self._store.lean() as connection:
            id = follow_ups.reached(connection, attempt, at)
        if id is not None:
            log.info("reached", follow_up=id)

    def release(self, attempt: UUID, at: datetime, why: str, wait_s: float) -> None:
        with self._store.lean() as connection:
            follow_ups.release(connection, attempt, at, why, at + timedelta(seconds=wait_s))

    def _after(
        self,
        connection: Connection,
        how: Miss,
        due: Due,
        dialled: Collection[datetime],
        at: datetime,
    ) -> Next:
        own, zone = self._settings.follow_up, self._settings.zone
        again = another_try(how, due, dialled, at, own, zone)
        return again or self._in_writing(connection, how, due, at)

    def _in_writing(self, connection: Connection, how: Miss, due: Due, at: datetime) -> Next:
        """What is done about somebody who is not called again."""
        if due.purpose is not Purpose.RATING:
            return in_writing(how, due, "", "", at, self._settings.follow_up)
        written = follow_ups.written(connection, due.id)
        code = written.code
        text = rating_request(
            elder_name=written.elder_name,
            service=self._catalog[code].name if code in self._catalog else "服务",
            day=written.served_at.astimezone(self._settings.zone).date(),
            site=self._settings.sms.site,
        )
        return in_writing(how, due, written.phone, text, at, self._settings.follow_up)
