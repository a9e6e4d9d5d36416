"""How much is open at this moment, for monitoring."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, func
from sqlmodel import Session, col, select

from store.database import Store
from store.models import (
    OPEN_CALLBACKS,
    OPEN_FOLLOW_UPS,
    Alarm,
    Call,
    Callback,
    CareAlert,
    Complaint,
    Duty,
    FollowUp,
    Operator,
    OrderStatus,
    Purpose,
    QueueVisit,
    SmsIn,
    SmsOut,
    SmsState,
    WorkOrder,
)
from store.switches import paused

OPEN_ORDERS = (
    OrderStatus.CREATED,
    OrderStatus.DISPATCHED,
    OrderStatus.ACCEPTED,
    OrderStatus.IN_SERVICE,
    OrderStatus.COMPLETED,
    OrderStatus.FOLLOWED_UP,
)
C = TypeVar("C", bound=StrEnum)
OPEN_SMS = (SmsState.QUEUED, SmsState.SENDING, SmsState.UNCERTAIN)


@dataclass(frozen=True, slots=True)
class Workload:
    calls: int
    """With the agent."""
    waiting: int
    """In the operators' queue."""
    longest_wait_s: float
    """Of those."""
    callbacks: int
    alarms: int
    care_alerts: int
    complaints: int
    orders: dict[OrderStatus, int]
    follow_ups: dict[Purpose, int]
    sms: dict[SmsState, int]
    sms_unread: int
    operators: dict[Duty, int]
    paused: bool
    """Whether all calls and messages out are switched off."""


def workload(store: Store, now: datetime) -> Workload:
    """Raises StoreError."""
    with store.read() as session:
        waiting = col(QueueVisit.left_at).is_(None) & col(QueueVisit.how).is_(None)
        since = session.exec(select(func.min(QueueVisit.joined_at)).where(waiting)).one()
        return Workload(
            calls=_count(session, col(Call.ended_at).is_(None)),
            waiting=_count(session, waiting),
            longest_wait_s=max(0.0, (now - since).total_seconds()) if since else 0.0,
            callbacks=_count(session, col(Callback.state).in_(OPEN_CALLBACKS)),
            alarms=_count(session, col(Alarm.closed_at).is_(None)),
            care_alerts=_count(session, col(CareAlert.closed_at).is_(None)),
            complaints=_count(session, col(Complaint.closed_at).is_(None)),
            orders=_by(session, WorkOrder.status, OPEN_ORDERS),
            follow_ups=_by(
                session, FollowUp.purpose, tuple(Purpose), col(FollowUp.state).in_(OPEN_FOLLOW_UPS)
            ),
            sms=_by(session, SmsOut.state, OPEN_SMS),
            sms_unread=_count(session, col(SmsIn.handled_at).is_(None)),
            operators=_by(session, Operator.duty, tuple(Duty), col(Operator.active).is_(True)),
            paused=paused(session),
        )


def _count(session: Session, which: ColumnElement[bool]) -> int:
    return session.exec(select(func.count()).where(which)).one()


def _by(
    session: Session, column: C, codes: tuple[C, ...], *which: ColumnElement[bool]
) -> dict[C, int]:
    """How many of each code, also of those that there are none of."""
    counted = session.exec(
        select(column, func.count()).where(col(column).in_(codes), *which).group_by(col(column))
    )
    found: dict[Any, int] = dict(counted.all())
    return {code: found.get(code, 0) for code in codes}
