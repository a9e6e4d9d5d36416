"""Who is logged in to the console, and who has been guessing.

A session's token is known to the browser only; here is its hash, so whoever reads the store cannot
use it.
"""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlmodel import col, delete, func, select, text

from store.database import Store
from store.models import Duty, LoginFailure, LoginSession, Operator

WINDOW = timedelta(minutes=15)
"""How long a failure counts."""
TRIES = 5
"""Failures of one name from one address after which both have to wait."""
TRIES_OF_NAME = 20
"""The same from all addresses together, which slows down guessing from many."""
TRIES_OF_ADDRESS = 20
"""The same for all names together, which slows down trying one password on everybody."""
SEEN_EVERY = timedelta(minutes=1)
"""A session's last sign of life is written down this often at most."""


class Opened(NamedTuple):
    token: str
    """For the browser's cookie; kept nowhere else."""
    session: LoginSession


class LoggedIn(NamedTuple):
    session: LoginSession
    operator: Operator


def reserve_try(store: Store, name: str, address: str, at: datetime) -> int | None:
    """Enters a failure before the password is looked at; None if there have been too many.

    Counted first, guesses that come at the same moment are counted as well. Raises StoreError.
    """
    with store.write() as session:
        if store.url.get_backend_name() == "postgresql":  # SQLite has one writer at a time anyway
            session.connection().execute(text("LOCK TABLE login_failure IN EXCLUSIVE MODE"))
        session.exec(delete(LoginFailure).where(col(LoginFailure.at) < at - WINDOW))
        of_name = col(LoginFailure.name) == name
        from_address = col(LoginFailure.address) == address
        for condition, most in (
            (of_name & from_address, TRIES),
            (of_name, TRIES_OF_NAME),
            (from_address, TRIES_OF_ADDRESS),
        ):
            if session.exec(select(func.count()).where(condition)).one() >= most:
                return None
        failure = LoginFailure(name=name, address=address, at=at)
        session.add(failure)
        session.flush()
        return failure.id


def forgive_try(store: Store, tried: int) -> None:
    """The password was right: it was no failure. Raises StoreError."""
    with store.write() as session:
        session.exec(delete(LoginFailure).where(col(LoginFailure.id) == tried))


def open_session(store: Store, operator_id: int, at: datetime, lasts: timedelta) -> Opened:
    """Raises StoreError."""
    token = secrets.token_urlsafe(32)
    with store.write() as session:
        session.exec(delete(LoginSession).where(col(LoginSession.expires_at) < at))
        opened = LoginSession(
            id=_hash(token),
            operator_id=operator_id,
            csrf=secrets.token_urlsafe(32),
            created_at=at,
            seen_at=at,
            expires_at=at + lasts,
        )
        session.add(opened)
        return Opened(token, opened)


def find_session(store: Store, token: str, at: datetime, idle: timedelta) -> LoggedIn | None:
    """Whose token it is; None if it is none, or has expired.

    It also expires when nothing is done for as long as `idle`, unless its owner is on duty: they
    wait for calls and need the screen when one comes. Raises StoreError.
    """
    with store.read() as session:
        row = session.exec(
            select(LoginSession, Operator)
            .join(Operator)
            .where(LoginSession.id == _hash(token), LoginSession.expires_at > at, Operator.active)
        ).one_or_none()
    if row is None:
        return None
    found, operator = row
    if operator.duty is Duty.OFF and at - found.seen_at > idle:
        return None
    return LoggedIn(found, operator)


def seen(store: Store, session_id: str, at: datetime) -> None:
    """Its owner has just done something. Raises StoreError."""
    with store.write() as session:
        found = session.get(LoginSession, session_id)
        if found is not None and at - found.seen_at > SEEN_EVERY:
            found.seen_at = at


def close_session(store: Store, session_id: str) -> None:
    """Raises StoreError."""
    with store.write() as session:
        session.exec(delete(LoginSession).where(col(LoginSession.id) == session_id))


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
