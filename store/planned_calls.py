"""Calls planned many at a time: greetings, and whether a planned service is still wanted."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import insert
from sqlmodel import Session, SQLModel, col, select

from store.database import Store
from store.follow_ups import settle, unanswered
from store.models import (
    FollowUp,
    FollowUpEnd,
    FollowUpEvent,
    FollowUpEventKind,
    FollowUpState,
)

AT_ONCE = 500
"""Calls expired in one transaction: others who write wait for no more of them."""


def plan_calls(session: Session, calls: Iterable[FollowUp]) -> None:
    """Enters new follow-ups, none of whose keys is there yet, and that they were planned."""
    new = rows(calls)
    if not new:
        return
    connection = session.connection()
    saved = connection.execute(
        insert(FollowUp).returning(col(FollowUp.id), col(FollowUp.created_at)), new
    )
    events = [
        FollowUpEvent(follow_up_id=id or 0, at=at, kind=FollowUpEventKind.PLANNED)
        for id, at in saved
    ]
    connection.execute(insert(FollowUpEvent), rows(events))


def expire(store: Store, at: datetime) -> int:
    """Gives up calls that are useless now and messages that nobody answered; returns how many.

    Raises StoreError.
    """
    late = (
        select(FollowUp.id, FollowUp.tries)
        .where(FollowUp.state == FollowUpState.WAITING, col(FollowUp.expires_at) <= at)
        .order_by(col(FollowUp.id))
        .limit(AT_ONCE)
    )
    closed = 0
    while True:
        with store.write() as session:
            expired = session.exec(late).all()
            for id, tries in expired:
                end = FollowUpEnd.NO_ANSWER if tries else FollowUpEnd.EXPIRED
                settle(session, id or 0, end, at, "too late to call")
            silent = unanswered(session, at, AT_ONCE)
            for row in silent:
                settle(session, row.id or 0, FollowUpEnd.NO_ANSWER, at, "no answer to the message")
        closed += len(expired) + len(silent)
        if len(expired) < AT_ONCE and len(silent) < AT_ONCE:
            return closed


def rows(new: Iterable[SQLModel]) -> list[dict[str, Any]]:
    """For a statement that inserts many at once, which is several times as fast as the session."""
    return [one.model_dump(exclude={"id"}) for one in new]
