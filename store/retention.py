"""What people have said and written is kept for a while; what came of it stays."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, update
from sqlmodel import SQLModel, col, delete, exists, select

from store.database import Store
from store.models import (
    UNFINISHED,
    Call,
    Complaint,
    Correction,
    SmsIn,
    SmsOut,
    SmsState,
    Turn,
    WorkOrder,
)

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


def notes_needed(store: Store) -> set[str]:
    """Paths of the voice notes of orders that are not done and complaints that are not closed.

    Raises StoreError.
    """
    with store.read() as session:
        return {
            path
            for noted in _NOTED
            for path in session.exec(select(noted.path).where(noted.needed))
            if path
        }


def forget_notes(store: Store, before: datetime, gone: Callable[[str], bool]) -> int:
    """Orders and complaints from before lose the voice notes that are `gone`; says how many did.

    Raises StoreError.
    """
    forgotten = 0
    for noted in _NOTED:
        old = select(noted.path).where(noted.path.is_not(None), ~noted.needed, noted.at < before)
        with store.write() as session:
            paths = [path for path in session.exec(old) if path and gone(path)]
            forget = update(noted.table).where(noted.path.in_(paths))
            session.exec(forget.values({noted.path: None}))
        forgotten += len(paths)
    return forgotten


class _Noted(NamedTuple):
    """What has voice notes."""

    table: type[SQLModel]
    path: Any
    """A column, as is the next."""
    at: Any
    needed: ColumnElement[bool]
    """While this holds."""


_NOTED = (
    _Noted(
        WorkOrder,
        col(WorkOrder.note),
        col(WorkOrder.created_at),
        col(WorkOrder.status).in_(UNFINISHED),
    ),
    _Noted(Complaint, col(Complaint.note), col(Complaint.at), col(Complaint.closed_at).is_(None)),
)
