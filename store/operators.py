"""Operators: who they are, their telephones, and whether they are on duty."""

from __future__ import annotations

from datetime import datetime

from sqlmodel import Session, col, delete, select

from store.database import Store, StoreError
from store.models import Duty, LoginSession, Operator, OperatorDuty, Role

FIRST_EXTENSION = 101
"""op101, op102, ...: the user names of the operators' telephones."""


def add(
    store: Store,
    name: str,
    display_name: str,
    role: Role,
    password_hash: str,
    sip_secret: str,
) -> Operator:
    """Enters an operator with the next free extension. Raises Conflict when the name is taken."""
    with store.write() as session:
        taken = [int(one.removeprefix("op")) for one in session.exec(select(Operator.extension))]
        operator = Operator(
            name=name,
            display_name=display_name,
            role=role,
            password_hash=password_hash,
            sip_secret=sip_secret,
            extension=f"op{max(taken, default=FIRST_EXTENSION - 1) + 1}",
        )
        session.add(operator)
        session.flush()
        return operator


def find(store: Store, name: str) -> Operator | None:
    """By what they log in with. Raises StoreError."""
    with store.read() as session:
        return session.exec(select(Operator).where(Operator.name == name)).one_or_none()


def everyone(store: Store) -> list[Operator]:
    """All operators, also those who have left, by extension. Raises StoreError."""
    with store.read() as session:
        return list(session.exec(select(Operator).order_by(col(Operator.id))))


def change_password(store: Store, name: str, password_hash: str) -> Operator:
    """Whoever was logged in with the old one is not any more. Raises StoreError."""
    with store.write() as session:
        operator = _known(session, name)
        operator.password_hash = password_hash
        _log_out(session, operator)
        return operator


def rehash(store: Store, operator_id: int, password_hash: str) -> None:
    """The same password in a newer notation: nobody is logged out. Raises StoreError."""
    with store.write() as session:
        session.get_one(Operator, operator_id).password_hash = password_hash


def set_active(store: Store, name: str, active: bool, at: datetime) -> Operator:
    """Lets somebody in again, or shuts them out at once and takes them off duty.

    Raises StoreError.
    """
    with store.write() as session:
        operator = _known(session, name)
        operator.active = active
        if not active:
            _log_out(session, operator)
            _set_duty(session, operator, Duty.OFF, "", at)
        return operator


def set_duty(store: Store, operator_id: int, duty: Duty, reason: str, at: datetime) -> Operator:
    """On duty, paused for a reason, or off. What is so already is not entered again.

    Raises StoreError.
    """
    with store.write() as session:
        operator = session.get_one(Operator, operator_id)
        _set_duty(session, operator, duty, reason if duty is Duty.PAUSED else "", at)
        return operator


def set_language(store: Store, operator_id: int, language: str) -> None:
    """Raises StoreError."""
    with store.write() as session:
        session.get_one(Operator, operator_id).language = language


def duties(store: Store, operator_id: int, since: datetime) -> list[OperatorDuty]:
    """What somebody was on since then, newest first. Raises StoreError."""
    rows = (
        select(OperatorDuty)
        .where(OperatorDuty.operator_id == operator_id, OperatorDuty.at >= since)
        .order_by(col(OperatorDuty.id).desc())
    )
    with store.read() as session:
        return list(session.exec(rows))


def _set_duty(session: Session, operator: Operator, duty: Duty, reason: str, at: datetime) -> None:
    if (operator.duty, operator.duty_reason) == (duty, reason):
        return
    operator.duty, operator.duty_reason, operator.duty_since = duty, reason, at
    session.add(OperatorDuty(operator_id=_id(operator), at=at, duty=duty, reason=reason))


def _known(session: Session, name: str) -> Operator:
    operator = session.exec(select(Operator).where(Operator.name == name)).one_or_none()
    if operator is None:
        raise StoreError(f"there is no operator {name!r}; `yihu operator list` shows all")
    return operator


def _log_out(session: Session, operator: Operator) -> None:
    session.exec(delete(LoginSession).where(col(LoginSession.operator_id) == operator.id))


def _id(operator: Operator) -> int:
    if operator.id is None:
        raise ValueError(f"{operator.name} is not in the store yet")
    return operator.id
