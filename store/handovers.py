"""A call between the agent and an operator: whose it is, and where the caller is now."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlmodel import Session, col, select

from store.database import Store
from store.models import Alarm, Call, Callback, Operator, OperatorCall, QueueVisit


class Place(StrEnum):
    """Where a caller is."""

    AGENT = "agent"
    WAITING = "waiting"
    RINGING = "ringing"
    """An operator's telephone rings."""
    TALKING = "talking"
    OVER = "over"


@dataclass(frozen=True, slots=True)
class Whereabouts:
    place: Place
    since: datetime | None
    extensions: tuple[str, ...] = ()
    """Operators' telephones that ring, or talk."""
    by: str = ""
    """Display names of the operators who talk, or have talked; empty if nobody has."""


@dataclass(frozen=True, slots=True)
class Arrived:
    """A call that may have got no further than the queue."""

    phone: str
    """Empty if withheld."""
    began_at: datetime


def arrived(store: Store, call_id: UUID) -> Arrived | None:
    """None if nobody knows of the call. Raises StoreError."""
    with store.read() as session:
        if (call := session.get(Call, call_id)) is not None:
            return Arrived(call.phone, call.started_at)
        if (visit := _visit(session, call_id)) is not None:
            return Arrived(visit.phone, visit.joined_at)
        called = select(Callback).where(Callback.attempt_id == call_id)
        if (owed := session.exec(called).first()) is not None:  # an operator calls by hand
            return Arrived(owed.phone, owed.claimed_at or owed.asked_at)
        alarm = session.exec(select(Alarm).where(Alarm.call_id == call_id)).one_or_none()
        return Arrived(alarm.phone, alarm.raised_at) if alarm else None


def whereabouts(store: Store, call_id: UUID) -> Whereabouts:
    """Raises StoreError."""
    with store.read() as session:
        telephones = session.exec(
            select(OperatorCall)
            .where(OperatorCall.call_id == call_id)
            .order_by(col(OperatorCall.rang_at), col(OperatorCall.uniqueid))
        ).all()
        names = dict(session.exec(select(Operator.extension, Operator.display_name)).all())
        talking = [one for one in telephones if one.answered_at is not None]
        if talking:
            by = ", ".join(names.get(one.extension, one.extension) for one in talking)
            extensions = tuple(one.extension for one in talking)
            return Whereabouts(Place.TALKING, talking[0].answered_at, extensions, by)
        if telephones:
            extensions = tuple(one.extension for one in telephones)
            return Whereabouts(Place.RINGING, telephones[0].rang_at, extensions)
        visit = _visit(session, call_id)
        if visit is not None and visit.left_at is None:
            return Whereabouts(Place.WAITING, visit.joined_at)
        if visit is not None:
            by = names.get(visit.answered_by, visit.answered_by)
            return Whereabouts(Place.OVER, visit.talk_ended_at or visit.left_at, by=by)
        call = session.get(Call, call_id)
        if call is not None and call.ended_at is None:
            return Whereabouts(Place.AGENT, call.started_at)
        return Whereabouts(Place.OVER, call.ended_at if call else None)


def _visit(session: Session, call_id: UUID) -> QueueVisit | None:
    """The last of the call."""
    rows = select(QueueVisit).where(QueueVisit.call_id == call_id)
    return session.exec(rows.order_by(col(QueueVisit.joined_at).desc())).first()
