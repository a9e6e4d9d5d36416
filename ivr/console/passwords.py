"""Passwords as Argon2 hashes, with the parameters of RFC 9106 for machines with little memory."""

from __future__ import annotations

import secrets
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

SHORTEST = 10
LONGEST = 200
ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"
"""What cannot be mistaken for something else when read from paper."""

_hasher = PasswordHasher()


class PasswordError(ValueError):
    """Says what is wrong with a new password."""


def hash_password(password: str) -> str:
    """Takes tens of milliseconds and 64 MiB on purpose. Raises PasswordError."""
    if not SHORTEST <= len(password) <= LONGEST:
        raise PasswordError(f"a password has {SHORTEST} to {LONGEST} characters")
    return _hasher.hash(password)


def verify(password_hash: str | None, password: str) -> bool:
    """Whether it is the password; None, for a name nobody has, takes as long and is False."""
    try:
        right = _hasher.verify(password_hash or _nobodys(), password[: LONGEST + 1])
    except (VerificationError, InvalidHashError):
        return False
    return right and password_hash is not None


@cache
def _nobodys() -> str:
    """Compared with for unknown names, so that they take as long as known ones."""
    return _hasher.hash(secrets.token_urlsafe())


def outdated(password_hash: str) -> bool:
    """Whether it was made with weaker parameters than today's."""
    return _hasher.check_needs_rehash(password_hash)


def make_password() -> str:
    """Three groups of five, easily read and typed: 75 bits."""
    letters = "".join(secrets.choice(ALPHABET) for _ in range(15))
    return "-".join(letters[i : i + 5] for i in range(0, 15, 5))
