"""Text messages: what we owe to whom, what came of it, what was written to us, who wants none.

A process claims a message before it hands it to the gateway, and says afterwards what the gateway
answered. Who has died in between cannot be asked: such a message is only sent again where the
gateway knows it by its reference; else it is uncertain, and never sent twice by itself.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from datetime import datetime
from enum import StrEnum
from uuid import UUID, uuid4

from sqlalchemy import Connection, bindparam, case, insert
from sqlalchemy import select as columns
from sqlmodel import Session, col, select

from store.database import Conflict, Store, connection_of, defaults
from store.models import Phone, SmsIn, SmsOut, SmsPurpose, SmsState, SmsStop
from store.switches import paused

UNASKED = (SmsPurpose.RATING, SmsPurpose.NOTICE)
"""What goes to elders of our own accord, and so not to who wants no messages."""
ON_THE_WAY = (SmsState.SENDING, SmsState.UNCERTAIN)
STOPPED = "wants no messages"
NO_MOBILE = "not a mobile: it can get no messages"
LOST_CLAIM = "yihu ended while handing it to the gateway, which may have it or not"
_MOBILE = re.compile(r"1[3-9]\d{9}|\+\d{7,15}")


class Report(StrEnum):
    """What a gateway tells of a message that it was given."""

    ACCEPTED = "accepted"
    """It is on its way, so the gateway has it."""
    DELIVERED = "delivered"
    FAILED = "failed"


# --- what we owe ---


def takes_sms(phone: str) -> bool:
    """Whether a number, as store.phones gives it, can get a message: mobiles, and those abroad."""
    return _MOBILE.fullmatch(phone) is not None


def number_for(where: Session | Connection, phone: str, elder_id: int | None) -> str | None:
    """Where a message to an elder goes: `phone` itself, or a mobile registered for them (their
    own, or their family's). None if there is none, or if who has it wants no messages."""
    connection = connection_of(where)
    if _may_get_sms(connection, phone):
        return phone
    if elder_id is None:
        return None
    own = connection.execute(_OWN_NUMBERS, {"elder": elder_id}).scalars().all()
    return next((number for number in own if _may_get_sms(connection, number)), None)


def _may_get_sms(connection: Connection, number: str) -> bool:
    return takes_sms(number) and not _stopped(connection, number)


def _stopped(connection: Connection, number: str) -> bool:
    return connection.execute(_STOPPED, {"phone": number}).first() is not None


_STOPPED = columns(col(SmsStop.phone)).where(col(SmsStop.phone) == bindparam("phone"))
_OWN_NUMBERS = (
    columns(col(Phone.number))
    .where(col(Phone.elder_id) == bindparam("elder"))
    .order_by(col(Phone.number))
)


def queue_sms(
    where: Session | Connection,
    *,
    key: str,
    phone: str,
    text: str,
    purpose: SmsPurpose,
    at: datetime,
    follow_up_id: int | None = None,
    order_id: int | None = None,
    due_at: datetime | None = None,
) -> int | None:
    """Puts a message on its way in the caller's transaction, once a key, and gives its id.

    `key` such as rating:17; if there is one already, it stays as it is. Not to be sent before
    `due_at`. None: nothing of our own accord (UNASKED) goes to who wants no messages. One to a
    landline has failed at once, so that somebody sees it.
    """
    connection = connection_of(where)
    known = connection.execute(_KNOWN, {"key": key}).scalar_one_or_none()
    if known is not None:
        return known
    if not phone or not text:
        raise ValueError(f"the message {key} has no number or no text")
    if purpose in UNASKED and _stopped(connection, phone):
        return None
    row = {
        "key": key,
        "phone": phone,
        "text": text,
        "purpose": purpose,
        "follow_up_id": follow_up_id,
        "order_id": order_id,
        "created_at": at,
        "due_at": due_at or at,
        "reference": uuid4(),
    }
    if not takes_sms(phone):
        row.update(state=SmsState.FAILED, detail=NO_MOBILE)
    primary = connection.execute(_NEW, {**_BLANK, **row}).inserted_primary_key
    assert primary is not None
    return int(primary[0])


_KNOWN = columns(col(SmsOut.id)).where(col(SmsOut.key) == bindparam("key"))
_NEW = insert(SmsOut)
_BLANK = defaults(SmsOut)


# --- handing over ---


def claim(
    store: Store, by: str, at: datetime, limit: int, purposes: Collection[SmsPurpose]
) -> list[SmsOut]:
    """Takes messages that are due to hand them over now, answers first.

    While outgoing is switched off only answers go. Raises StoreError.
    """
    due = (
        select(SmsOut)
        .where(SmsOut.state == SmsState.QUEUED, SmsOut.due_at <= at)
        .order_by(
            case((col(SmsOut.purpose) == SmsPurpose.REPLY, 0), else_=1),
            col(SmsOut.due_at),
            col(SmsOut.id),
        )
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    claimed = []
    with store.write() as session:
        now = [one for one in purposes if one is SmsPurpose.REPLY or not paused(session)]
        for row in session.exec(due.where(col(SmsOut.purpose).in_(now))):
            if row.purpose in UNASKED and session.get(SmsStop, row.phone) is not None:
                row.state, row.detail = SmsState.FAILED, STOPPED
                continue
            row.state = SmsState.SENDING
            row.claimed_by, row.claimed_at = by, at
            row.tries += 1
            claimed.append(row)
    return claimed


def sent(store: Store, id: int, at: datetime, gateway_id: str, parts: int) -> None:
    """The gateway has taken it and calls it `gateway_id`. Raises StoreError."""
    with store.write() as session:
        row = session.get(SmsOut, id, with_for_update=True)
        if row is None:
            return
        row.gateway_id, row.parts = gateway_id or row.gateway_id, parts
        row.sent_at = row.sent_at or at
        if row.state in ON_THE_WAY:
            row.state, row.detail = SmsState.SENT, ""


def not_sent(
    store: Store, id: int, by: str, why: str, retry_at: datetime | None, counts: bool = True
) -> None:
    """The gateway surely has not taken it: handed over again at `retry_at`, or given up without.

    `counts`: it was this message that it did not take. Nothing changes if `by` has lost its claim.
    Raises StoreError.
    """
    with store.write() as session:
        if row := _claimed(session, id, by):
            row.tries -= not counts
            row.detail = why
            if retry_at is None:
                row.state = SmsState.FAILED
            else:
                row.state, row.due_at = SmsState.QUEUED, retry_at


def not_known(store: Store, id: int, by: str, why: str) -> None:
    """The gateway may have taken it. As in `not_sent`. Raises StoreError."""
    with store.write() as session:
        if row := _claimed(session, id, by):
            row.state, row.detail = SmsState.UNCERTAIN, why


def recover(store: Store, silent_since: datetime, repeatable: bool) -> list[SmsOut]:
    """Looks after what was claimed before `silent_since` and never told of: who claimed it died.

    `repeatable`: the gateway takes each reference once, so it can be asked again. Raises
    StoreError.
    """
    with store.write() as session:
        lost = list(
            session.exec(
                select(SmsOut)
                .where(SmsOut.state == SmsState.SENDING, col(SmsOut.claimed_at) < silent_since)
                .with_for_update(skip_locked=True)
            )
        )
        for row in lost:
            row.state = SmsState.QUEUED if repeatable else SmsState.UNCERTAIN
            row.detail = LOST_CLAIM
        return lost


def report(
    store: Store,
    reference: UUID,
    told: Report,
    at: datetime,
    detail: str = "",
    gateway_id: str = "",
) -> SmsOut | None:
    """The gateway tells of a message. None if there is none of that reference. Raises StoreError.

    Reports come twice, late and out of order: what was delivered stays so.
    """
    with store.write() as session:
        row = session.exec(
            select(SmsOut).where(SmsOut.reference == reference).with_for_update()
        ).one_or_none()
        if row is None or row.state is SmsState.DELIVERED:
            return row
        row.sent_at = row.sent_at or at
        row.gateway_id = row.gateway_id or gateway_id
        if told is Report.ACCEPTED:
            if row.state in (*ON_THE_WAY, SmsState.QUEUED):
                row.state, row.detail = SmsState.SENT, detail
        elif told is Report.DELIVERED:
            row.state, row.reported_at, row.detail = SmsState.DELIVERED, at, detail
        else:
            row.state, row.reported_at, row.detail = SmsState.FAILED, at, detail
        return row


def send_again(store: Store, id: int, at: datetime) -> SmsOut | None:
    """A person has decided that it is to be sent, though it failed or may have been sent.

    None if it is neither failed nor uncertain. Raises StoreError.
    """
    with store.write() as session:
        row = session.get(SmsOut, id, with_for_update=True)
        if row is None or row.state not in (SmsState.FAILED, SmsState.UNCERTAIN):
            return None
        row.state, row.due_at, row.tries, row.detail = SmsState.QUEUED, at, 0, "sent again by hand"
        return row


# --- what is written to us ---


def receive(
    store: Store, gateway: str, gateway_id: str, phone: str, text: str, at: datetime
) -> SmsIn | None:
    """Keeps a message to us. None if the gateway has given us that one before.

    Raises StoreError.
    """
    try:
        with store.write() as session:
            known = select(SmsIn.id).where(SmsIn.gateway == gateway, SmsIn.gateway_id == gateway_id)
            if session.exec(known).one_or_none() is not None:
                return None
            row = SmsIn(
                gateway=gateway, gateway_id=gateway_id, phone=phone, text=text, received_at=at
            )
            session.add(row)
            session.flush()
            return row
    except Conflict:  # on PostgreSQL another process may have been faster since we looked
        return None


def unread(store: Store, limit: int) -> list[int]:
    """Ids of messages to us that nobody has read, oldest first. Raises StoreError."""
    rows = (
        select(SmsIn.id).where(col(SmsIn.handled_at).is_(None)).order_by(col(SmsIn.id)).limit(limit)
    )
    with store.read() as session:
        return [id for id in session.exec(rows) if id is not None]


# --- who wants none ---


def stop(session: Session, phone: str, at: datetime) -> None:
    """Nothing of our own accord is sent to that number any more, nor what waits for it now."""
    if session.get(SmsStop, phone, with_for_update=True) is None:
        session.add(SmsStop(phone=phone, at=at))
    waiting = select(SmsOut).where(
        SmsOut.phone == phone,
        SmsOut.state == SmsState.QUEUED,
        col(SmsOut.purpose).in_(UNASKED),
    )
    for row in session.exec(waiting.with_for_update()):
        row.state, row.detail = SmsState.FAILED, STOPPED


def start(session: Session, phone: str) -> bool:
    """They want messages again. False if they never wanted none."""
    row = session.get(SmsStop, phone)
    if row is not None:
        session.delete(row)
    return row is not None


# --- looking ---


def newest_out(
    store: Store, limit: int | None = None, states: Collection[SmsState] = ()
) -> list[SmsOut]:
    """Messages of ours, newest first; of some states only, if given. Raises StoreError."""
    rows = select(SmsOut).order_by(col(SmsOut.id).desc()).limit(limit)
    if states:
        rows = rows.where(col(SmsOut.state).in_(states))
    with store.read() as session:
        return list(session.exec(rows))


def newest_in(store: Store, limit: int | None = None) -> list[SmsIn]:
    """Messages to us, newest first. Raises StoreError."""
    with store.read() as session:
        return list(session.exec(select(SmsIn).order_by(col(SmsIn.id).desc()).limit(limit)))


# --- inside ---


def _claimed(session: Session, id: int, by: str) -> SmsOut | None:
    row = session.get(SmsOut, id, with_for_update=True)
    if row is None or row.state is not SmsState.SENDING or row.claimed_by != by:
        return None
    return row
