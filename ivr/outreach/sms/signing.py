"""Signed requests, both ways, as https://www.standardwebhooks.com has them. Pure.

The signature is over the request's id, its time and its body, so that none of them can be changed;
what was signed long ago is not taken, and whoever keeps what an id stands for takes it once.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from datetime import datetime

from ivr.outreach.sms.gateway import Unsigned

ID, TIMESTAMP, SIGNATURE = "webhook-id", "webhook-timestamp", "webhook-signature"
VERSION = "v1"


def signed(secret: str, id: str, at: datetime, body: bytes) -> dict[str, str]:
    """Headers that show who sends this body, and when."""
    timestamp = str(int(at.timestamp()))
    return {
        ID: id,
        TIMESTAMP: timestamp,
        SIGNATURE: f"{VERSION},{_signature(secret, id, timestamp, body)}",
    }


def check(
    secret: str, headers: Mapping[str, str], body: bytes, now: datetime, tolerance_s: float
) -> str:
    """The id of a request that is signed and not too old. Raises Unsigned.

    There may be several signatures, with spaces between them, while a secret is changed.
    """
    id, timestamp = headers.get(ID, ""), headers.get(TIMESTAMP, "")
    if not id or not timestamp.isascii() or not timestamp.isdigit() or len(timestamp) > 12:
        raise Unsigned(f"{ID} or {TIMESTAMP} is missing or is none")
    expected = f"{VERSION},{_signature(secret, id, timestamp, body)}".encode()
    given = headers.get(SIGNATURE, "").split()
    if not any(hmac.compare_digest(one.encode(), expected) for one in given):
        raise Unsigned(f"wrong or no {SIGNATURE}")
    if abs(now.timestamp() - int(timestamp)) > tolerance_s:
        raise Unsigned(f"signed more than {tolerance_s:.0f} s ago, or by a clock that is off")
    return id


def _signature(secret: str, id: str, timestamp: str, body: bytes) -> str:
    content = b".".join((id.encode(), timestamp.encode(), body))
    return base64.b64encode(hmac.new(secret.encode(), content, hashlib.sha256).digest()).decode()
