"""What is known of a number that has written to us, and what is kept of what it wrote."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID, uuid5
from zoneinfo import ZoneInfo

from sqlmodel import Session, col, func, select

from store import complaints, follow_ups, messages
from store.models import (
    OPEN_FOLLOW_UPS,
    Alarm,
    Channel,
    Elder,
    FollowUp,
    Rating,
    Service,
    SmsIn,
    SmsKind,
    SmsOut,
    SmsPurpose,
    SmsState,
    SmsStop,
    WorkOrder,
)

ANSWERED_WITHIN = timedelta(days=30)
"""What was asked longer ago is not meant by a digit any more."""
A_DAY = timedelta(days=1)
ASKED = (SmsState.SENDING, SmsState.SENT, SmsState.DELIVERED, SmsState.UNCERTAIN)
"""Messages that whoever answers may have got."""
_ALARMS = UUID("6f1d2f0e-30a5-4f0c-8a6e-6f5f0a3f9d11")
"""Namespace of the names that alarms by message have in place of a call's."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A rating that a number was asked for by message."""

    follow_up_id: int | None
    order_id: int
    elder_name: str
    """Empty if not known."""
    service: str
    day: date
    """Of the service, the site's day."""
    open: bool
    """The answer is still waited for."""
    score: int | None
    """What was answered, in whatever way; None: nothing yet."""


@dataclass(frozen=True, slots=True)
class Known:
    """Of a number."""

    asked: tuple[Asked, ...]
    """Latest first."""
    stopped: bool
    """Wants no messages of our own accord."""
    takes_sms: bool
    """An answer can reach it."""
    answers: int
    """Sent to it within a day."""


def taken(session: Session, id: int) -> SmsIn | None:
    """A message to be read in the caller's transaction; None if somebody has read it."""
    row = session.get(SmsIn, id, with_for_update=True)
    return row if row is not None and row.handled_at is None else None


def known_of(session: Session, phone: str, at: datetime, zone: ZoneInfo) -> Known:
    rows = session.exec(
        select(WorkOrder, FollowUp, Rating, Service.name)
        .join(SmsOut, col(WorkOrder.id) == col(SmsOut.order_id))
        .join(Service, col(Service.code) == col(WorkOrder.code))
        .outerjoin(FollowUp, col(FollowUp.id) == col(SmsOut.follow_up_id))
        .outerjoin(Rating, col(Rating.order_id) == col(WorkOrder.id))
        .where(
            col(SmsOut.phone) == phone,
            col(SmsOut.purpose) == SmsPurpose.RATING,
            col(SmsOut.state).in_(ASKED),
            col(SmsOut.created_at) > at - ANSWERED_WITHIN,
        )
        .order_by(func.coalesce(SmsOut.sent_at, SmsOut.created_at).desc(), col(SmsOut.id).desc())
    )
    asked = []
    for order, follow_up, rating, service in rows:
        assert order.id is not None
        elder = session.get(Elder, order.elder_id) if order.elder_id else None
        asked.append(
            Asked(
                follow_up.id if follow_up else None,
                order.id,
                elder.name if elder else "",
                service,
                follow_ups.served_at(order).astimezone(zone).date(),
                follow_up is not None and follow_up.state in OPEN_FOLLOW_UPS,
                rating.score if rating else None,
            )
        )
    answers = select(func.count(col(SmsOut.id))).where(
        SmsOut.phone == phone,
        SmsOut.purpose == SmsPurpose.REPLY,
        SmsOut.created_at > at - A_DAY,
    )
    return Known(
        tuple(asked),
        session.get(SmsStop, phone) is not None,
        messages.takes_sms(phone),
        session.exec(answers).one(),
    )


def read(
    session: Session,
    row: SmsIn,
    at: datetime,
    kind: SmsKind,
    detail: str,
    about: Asked | None,
    score: int | None,
) -> None:
    """Keeps what it was taken for."""
    row.handled_at, row.kind, row.detail, row.score = at, kind, detail, score
    row.follow_up_id = about.follow_up_id if about else None


def rated(session: Session, row: SmsIn, about: Asked, score: int, said: str, at: datetime) -> None:
    """The order gets the score, as if it had been told in a call. Raises StoreError."""
    follow_ups.rate(
        session,
        order_id=about.order_id,
        score=score,
        channel=Channel.SMS,
        at=at,
        said=said,
        sms_id=row.id,
    )


def complained(session: Session, about: Asked, said: str, at: datetime) -> None:
    """Words that come after a low score."""
    score = about.score or follow_ups.LOW_SCORE
    complaints.raise_complaint(session, about.order_id, score, at, said)


def alarmed(session: Session, row: SmsIn, at: datetime) -> None:
    """Somebody calls for help in writing: the operators see it as any other alarm."""
    session.add(Alarm(call_id=uuid5(_ALARMS, str(row.id)), phone=row.phone, raised_at=at))


def answer(session: Session, row: SmsIn, text: str, at: datetime) -> None:
    """Queues our answer, once a message."""
    messages.queue_sms(
        session,
        key=f"reply:{row.id}",
        phone=row.phone,
        text=text,
        purpose=SmsPurpose.REPLY,
        at=at,
    )
