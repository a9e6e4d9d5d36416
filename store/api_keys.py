"""Keys that let other systems use the HTTP API. Only their hashes are kept."""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime
from typing import NamedTuple

from sqlmodel import col, select

from store.database import Store
from store.models import ApiKey, Provider

PREFIX = "yihu_"
"""Whoever finds a key somewhere knows what it opens."""


class ListedKey(NamedTuple):
    key: ApiKey
    provider: str
    """Name of the provider whose key it is; empty for the centre's own systems."""


def issue(store: Store, name: str, provider_id: int | None, at: datetime) -> tuple[str, ApiKey]:
    """A new key, shown this once. Raises Conflict where the name is taken, StoreError."""
    key = PREFIX + secrets.token_urlsafe(32)
    row = ApiKey(name=name, key_hash=_hash(key), provider_id=provider_id, created_at=at)
    with store.write() as session:
        session.add(row)
    return key, row


def find(store: Store, key: str) -> ApiKey | None:
    """Raises StoreError."""
    valid = select(ApiKey).where(ApiKey.key_hash == _hash(key), col(ApiKey.revoked_at).is_(None))
    with store.read() as session:
        return session.exec(valid).one_or_none()


def revoke(store: Store, name: str, at: datetime) -> bool:
    """It opens nothing any more; False if there is none of that name. Raises StoreError."""
    with store.write() as session:
        row = session.exec(select(ApiKey).where(ApiKey.name == name)).one_or_none()
        if row is None:
            return False
        row.revoked_at = row.revoked_at or at
        return True


def listed(store: Store) -> list[ListedKey]:
    """Newest first. Raises StoreError."""
    rows = (
        select(ApiKey, Provider.name)
        .outerjoin(Provider, col(Provider.id) == col(ApiKey.provider_id))
        .order_by(col(ApiKey.id).desc())
    )
    with store.read() as session:
        return [ListedKey(key, provider or "") for key, provider in session.exec(rows)]


def _hash(key: str) -> str:
    # a fast hash will do: nobody guesses 256 random bits
    return hashlib.sha256(key.encode()).hexdigest()
