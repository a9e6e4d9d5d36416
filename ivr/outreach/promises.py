"""Calls that are owed, whatever for: call-backs that people have asked for, and follow-ups.

Both are kept in the store in the same way, and claimed, dialled and asked after in the same way
(ivr.outreach.attempts); what differs is here. Everything blocks: asyncio goes through to_thread.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Protocol
from uuid import UUID

import structlog

from ivr.catalog import Item
from ivr.config import Settings
from ivr.outreach.next_step import Miss, Tick, after_miss
from ivr.outreach.schedule import retry_at
from ivr.outreach.sms.wording import rating_request
from store import callbacks, follow_ups
from store.database import Store
from store.follow_ups import Attempted, Next
from store.models import FollowUp

FINAL = (Miss.FORBIDDEN,)
"""After these nobody is called back any more."""
log = structlog.get_logger()


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

    def over(self, attempt: UUID, at: datetime, served: bool) -> None:
        """The call has ended; `served`: somebody of us has spoken with them."""
        ...

    def missed(self, attempt: UUID, at: datetime, how: Miss, why: str) -> None: ...

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

    def over(self, attempt: UUID, at: datetime, served: bool) -> None:
        if not served:
            self.missed(attempt, at, Miss.CUT_OFF, "hung up before anybody spoke with them")
        elif row := callbacks.done(self._store, attempt, at):
            log.info("called back", id=row.id)

    def missed(self, attempt: UUID, at: datetime, how: Miss, why: str) -> None:
        row = callbacks.of_attempt(self._store, attempt)
        if row is None:
            return
        again = None
        if how not in FINAL:
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

    def keep(self, tick: Tick, by: str, at: datetime) -> list[FollowUp]:
        """Writes down what was decided, all of it or nothing, and gives those to dial now."""
        if tick == Tick():
            return []
        with self._store.write() as session:
            follow_ups.put_off(session, [(_id(row), later) for row, later in tick.put_off])
            for row, end in tick.give_up:
                follow_ups.settle(session, _id(row), end, at)
            for row in tick.write:
                tried = follow_ups.with_tries(session, row)
                next = self._after(Miss.REFUSED, tried, at)
                follow_ups.passed_over(session, _id(row), at, "wants no calls", next)
            return follow_ups.claim(session, [_id(row) for row in tick.dial], by, at)

    def pass_over(self, id: int, at: datetime, how: Miss, said: str) -> None:
        """Nothing was asked, for a reason that they have told."""
        with self._store.write() as session:
            row = session.get(FollowUp, id, with_for_update=True)
            if row is not None:
                next = self._after(how, follow_ups.with_tries(session, row), at)
                follow_ups.passed_over(session, id, at, f"{how}: {said}", next)

    def look(self, by: str, at: datetime, lease: timedelta) -> list[UUID]:
        if not follow_ups.claimed(self._store):
            return []
        with self._store.write() as session:
            follow_ups.renew(session, by, at)
            taken = follow_ups.take_over(session, by, at, at - lease)
        if taken:
            log.info("follow-ups of a process that died", taken=len(taken))
        claims = follow_ups.claimed(self._store, by)
        return [row.attempt_id for row in claims if row.attempt_id]

    def attempts(self) -> set[UUID]:
        return {row.attempt_id for row in follow_ups.claimed(self._store) if row.attempt_id}

    def reached(self, attempt: UUID, at: datetime) -> None:
        with self._store.write() as session:
            id = follow_ups.reached(session, attempt, at)
        if id is not None:
            log.info("reached", follow_up=id)

    def over(self, attempt: UUID, at: datetime, served: bool) -> None:
        """What they said the agent has written down; where it has not, nothing was settled."""
        if follow_ups.on_the_line(self._store, attempt):
            self.missed(attempt, at, Miss.CUT_OFF, Miss.CUT_OFF)

    def missed(self, attempt: UUID, at: datetime, how: Miss, why: str) -> None:
        with self._store.write() as session:
            tried = follow_ups.of_attempt(session, attempt)
            if tried is None:
                return
            next = self._after(how, tried, at)
            row = follow_ups.missed(session, attempt, at, why, next)
        if row is not None:
            log.info("not reached", follow_up=row.id, why=why, tries=row.tries, state=row.state)

    def release(self, attempt: UUID, at: datetime, why: str, wait_s: float) -> None:
        with self._store.write() as session:
            follow_ups.release(session, attempt, at, why, at + timedelta(seconds=wait_s))

    def _after(self, how: Miss, tried: Attempted, at: datetime) -> Next:
        own, zone = self._settings.follow_up, self._settings.zone
        return after_miss(how, tried, at, self._request(tried), own, zone)

    def _request(self, tried: Attempted) -> str:
        """What to write to somebody who was not reached."""
        served_at = tried.served_at or tried.follow_up.created_at
        return rating_request(
            elder_name=tried.elder_name,
            service=self._catalog[tried.code].name if tried.code in self._catalog else "服务",
            day=served_at.astimezone(self._settings.zone).date(),
            site=self._settings.sms.site,
        )


def _id(row: FollowUp) -> int:
    assert row.id is not None
    return row.id
