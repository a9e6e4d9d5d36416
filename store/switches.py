"""What a person has switched off for the whole site.

Whoever calls or writes by itself asks `paused` in the transaction in which it claims what it is
about to do: nothing is claimed any more once `switch` has returned.
"""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, bindparam, exists
from sqlalchemy import select as columns
from sqlmodel import Session, col, select

from store.audit import Action
from store.database import Store, looking
from store.models import Audit, Operator, Switch

OUTGOING = "outgoing"
"""Every call and message that the house begins; who calls in is served as ever."""


class Switched(NamedTuple):
    off: bool
    at: datetime
    by: str
    """Display name; empty for the command line."""
    reason: str


def paused(where: Store | Session | Connection, name: str = OUTGOING) -> bool:
    """Whether it is switched off. Raises StoreError."""
    with looking(where) as connection:
        return bool(connection.execute(_OFF, {"name": name}).scalar_one_or_none())


IS_PAUSED = exists().where(col(Switch.name) == OUTGOING, col(Switch.off))
"""The same inside a statement that claims."""
_OFF = columns(col(Switch.off)).where(col(Switch.name) == bindparam("name"))


def switch(
    store: Store,
    name: str,
    off: bool,
    at: datetime,
    operator_id: int | None = None,
    reason: str = "",
) -> bool:
    """Off or on again, audited; False if it was so already, which changes nothing.

    Raises StoreError.
    """
    with store.write() as session:
        found = session.exec(
            select(Switch).where(Switch.name == name).with_for_update()
        ).one_or_none()
        if (found is not None and found.off) == off:
            return False
        found = found or Switch(name=name, at=at)
        found.off, found.at, found.operator_id, found.reason = off, at, operator_id, reason
        session.add(found)
        detail = f"{'off' if off else 'on'}: {reason}" if reason else "off" if off else "on"
        session.add(
            Audit(
                at=at,
                operator_id=operator_id,
                action=Action.CHANGE,
                subject_kind="switch",
                subject_id=name,
                detail=detail,
            )
        )
        return True


def last_switched(store: Store, name: str = OUTGOING) -> Switched | None:
    """How it stands, and whose doing that is; None if nobody ever touched it. Raises StoreError."""
    rows = (
        select(Switch, Operator.display_name)
        .outerjoin(Operator, col(Operator.id) == col(Switch.operator_id))
        .where(Switch.name == name)
    )
    with store.read() as session:
        row = session.exec(rows).one_or_none()
    if row is None:
        return None
    found, by = row
    return Switched(found.off, found.at, by or "", found.reason)
