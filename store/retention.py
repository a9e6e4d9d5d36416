"""What people have said and written is kept for a while; what came of it stays."""

from __future__ import annotations

from datetime import datetime

from sqlmodel import col, delete, exists, select

from store.database import Store
from store.models import Call, Correction, SmsIn, SmsOut, SmsState, Turn

AT_ONCE = 500
"""Calls in one transaction: whoever waits for the store is not made to wait for all of them."""
ON_ITS_WAY = (SmsState.QUEUED, SmsState.SENDING)


def forget_words(store: Store, before: datetime) -> int:
    """Forgets what was said in calls that began before, and written in messages that old; says in
    how many. Raises StoreError."""
    forgotten = 0
    while some := _forget_some_calls(store, before):
        forgotten += some
    return forgotten + _forget_messages(store, before)


def _forget_some_calls(store: Store, before: datetime) -> int:
    with store.write() as session:
        calls = session.exec(
            select(Call)
            .where(Call.started_at < before, col(Call.ended_at).is_not(None))
            .where(exists().where(col(Turn.call_id) == col(Call.id)))
            .limit(AT_ONCE)
        ).all()
        ids = [call.id for call in calls]
        for call in calls:
            call.summary = {}
        for table in (Turn, Correction):
            session.exec(delete(table).where(col(table.call_id).in_(ids)))
        return len(calls)


def _forget_messages(store: Store, before: datetime) -> int:
    with store.write() as session:
        read = session.exec(
            select(SmsIn).where(
                SmsIn.received_at < before, SmsIn.text != "", col(SmsIn.handled_at).is_not(None)
            )
        ).all()
        written = session.exec(
            select(SmsOut).where(
                SmsOut.created_at < before, SmsOut.text != "", col(SmsOut.state).not_in(ON_ITS_WAY)
            )
        ).all()
        for message in (*read, *written):
            message.text = ""
        return len(read) + len(written)
