"""Calls planned many at a time: greetings, and whether a planned service is still wanted."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import insert
from sqlmodel import Session, col

from store.database import Store, defaults
from store.follow_ups import overdue, settle, unanswered
from store.models import (
    FollowUp,
    FollowUpEnd,
    FollowUpEvent,
    FollowUpEventKind,
    Purpose,
)

AT_ONCE = 500
"""Calls expired in one transaction: others who write wait for no more of them."""


class Planned(NamedTuple):
    """A call to be entered; see FollowUp."""

    key: str
    purpose: Purpose
    phone: str
    elder_id: int
    order_id: int | None
    due_at: datetime
    expires_at: datetime | None


def plan_calls(session: Session, calls: Iterable[Planned], at: datetime) -> None:
    """Enters new follow-ups, none of whose keys is there yet, and that they were planned."""
    new = [{**_CALL, **call._asdict(), "created_at": at} for call in calls]
    if not new:
        return
    connection = session.connection()
    saved = connection.execute(insert(FollowUp).returning(col(FollowUp.id)), new)
    events = [{**_PLANNED, "follow_up_id": id, "at": at} for id in saved.scalars()]
    connection.execute(insert(FollowUpEvent), events)


_CALL = defaults(FollowUp)
_PLANNED = {**defaults(FollowUpEvent), "kind": FollowUpEventKind.PLANNED}


def expire(store: Store, at: datetime) -> int:
    """Gives up calls that are useless now and messages that nobody answered; returns how many.

    Raises StoreError.
    """
    closed = 0
    while True:
        with store.lean() as connection:
            expired = overdue(connection, at, AT_ONCE)
            for id, tries in expired:
                end = FollowUpEnd.NO_ANSWER if tries else FollowUpEnd.EXPIRED
                settle(connection, id, end, at, "too late to call")
            silent = unanswered(connection, at, AT_ONCE)
            for id in silent:
                settle(connection, id, FollowUpEnd.NO_ANSWER, at, "no answer to the message")
        closed += len(expired) + len(silent)
        if len(expired) < AT_ONCE and len(silent) < AT_ONCE:
            return closed
