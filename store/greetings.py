"""Elders who live alone and are called on certain days to hear how they are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from typing import NamedTuple

from sqlalchemy import String, cast, literal
from sqlmodel import Session, col, select

from store.database import Store
from store.follow_ups import settle
from store.models import Elder, FollowUp, FollowUpEnd, FollowUpState, GreetingPlan, Purpose
from store.planned_calls import Planned, plan_calls

AT_ONCE = 500
"""Greetings planned in one transaction: others who write wait for no more of them."""


class Greeted(NamedTuple):
    plan: GreetingPlan
    elder: Elder


@dataclass(frozen=True, slots=True)
class Window:
    """When somebody is to be called."""

    call_at: datetime
    call_until: datetime


def put(store: Store, new: GreetingPlan) -> GreetingPlan:
    """An elder is greeted like this from now on; whatever was arranged before is replaced.

    Raises StoreError.
    """
    with store.write() as session:
        same = select(GreetingPlan).where(GreetingPlan.elder_id == new.elder_id)
        plan = session.exec(same).one_or_none()
        if plan is None:
            session.add(new)
            session.flush()
            return new
        plan.phone, plan.weekdays, plan.at, plan.active = new.phone, new.weekdays, new.at, True
        return plan


def stop(store: Store, id: int, at: datetime) -> GreetingPlan | None:
    """No more greetings are planned, and one that is planned is not made.

    None if there is no such plan in force. Raises StoreError.
    """
    with store.write() as session:
        plan = session.get(GreetingPlan, id, with_for_update=True)
        if plan is None or not plan.active:
            return None
        plan.active = False
        planned = select(FollowUp.id).where(
            FollowUp.elder_id == plan.elder_id,
            FollowUp.purpose == Purpose.GREETING,
            FollowUp.state == FollowUpState.WAITING,
        )
        for waiting in session.exec(planned).all():
            settle(session, waiting or 0, FollowUpEnd.CANCELLED, at, "greetings were stopped")
        return plan


def listed(store: Store, *, stopped: bool = False) -> list[Greeted]:
    """Those in force, by elder; with those that are stopped, if wanted. Raises StoreError."""
    rows = select(GreetingPlan, Elder).join(Elder).order_by(col(Elder.name), col(GreetingPlan.id))
    if not stopped:
        rows = rows.where(GreetingPlan.active)
    with store.read() as session:
        return [Greeted(*row) for row in session.exec(rows)]


def plan_day(
    store: Store, day: date, at: datetime, window: Callable[[Greeted], Window | None]
) -> int:
    """Plans the greetings of `day`, the site's, that are not planned yet; returns how many.

    `window` says when somebody is called, None if they are not. Raises StoreError.
    """
    made, last = 0, 0
    while True:
        with store.write() as session:
            found = _unplanned(session, day, last)
            if not found:
                return made
            calls = [
                Planned(
                    key=f"greeting:{one.plan.id}:{day}",
                    purpose=Purpose.GREETING,
                    phone=one.plan.phone,
                    elder_id=one.plan.elder_id,
                    order_id=None,
                    due_at=when.call_at,
                    expires_at=when.call_until,
                )
                for one in found
                if (when := window(one))
            ]
            plan_calls(session, calls, at)
        made += len(calls)
        last = found[-1].plan.id or 0


def _unplanned(session: Session, day: date, after: int) -> list[Greeted]:
    """The next few, by id."""
    key = literal("greeting:") + cast(col(GreetingPlan.id), String) + literal(f":{day}")
    rows = (
        select(GreetingPlan, Elder)
        .join(Elder)
        .outerjoin(FollowUp, col(FollowUp.key) == key)
        .where(
            col(FollowUp.id).is_(None),
            col(GreetingPlan.id) > after,
            GreetingPlan.active,
            col(GreetingPlan.weekdays).contains(str(day.isoweekday())),
        )
        .order_by(col(GreetingPlan.id))
        .limit(AT_ONCE)
    )
    return [Greeted(*row) for row in session.exec(rows)]
