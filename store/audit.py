"""Who looked at or changed a person's data.

Nothing here is ever changed or taken away, except for what names somebody who has been erased.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from sqlmodel import col, select

from store.database import Store
from store.models import Audit, Operator


class Action(StrEnum):
    LOOK = "look"
    SEARCH = "search"
    LISTEN = "listen"
    CHANGE = "change"
    EXPORT = "export"
    """All of one person's data was handed out."""
    ERASE = "erase"
    """A person was taken out of the store."""
    LOGIN = "login"
    LOGIN_REFUSED = "login_refused"
    LOGOUT = "logout"
    REFUSED = "refused"
    """Somebody asked for what their role does not allow."""


class Audited(NamedTuple):
    audit: Audit
    by: str
    """Display name; empty for the system and the command line."""


def record(
    store: Store,
    operator_id: int | None,
    action: str,
    subject_kind: str,
    subject_id: str,
    at: datetime,
    detail: str = "",
) -> None:
    """Raises StoreError: what cannot be audited is not done."""
    with store.write() as session:
        session.add(
            Audit(
                at=at,
                operator_id=operator_id,
                action=action,
                subject_kind=subject_kind,
                subject_id=subject_id,
                detail=detail,
            )
        )


def newest(store: Store, limit: int, before: int | None = None) -> list[Audited]:
    """Newest first, those with a smaller id than `before`. Raises StoreError."""
    rows = (
        select(Audit, Operator.display_name)
        .outerjoin(Operator, col(Operator.id) == col(Audit.operator_id))
        .order_by(col(Audit.id).desc())
        .limit(limit)
    )
    if before is not None:
        rows = rows.where(col(Audit.id) < before)
    with store.read() as session:
        return [Audited(audit, by or "") for audit, by in session.exec(rows)]
