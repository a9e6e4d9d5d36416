from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from ivr.outreach.sms.gateway import Unsigned
from ivr.outreach.sms.signing import ID, SIGNATURE, TIMESTAMP, check, signed

SECRET, BODY = "whsec of both", b'{"type": "message.received"}'
NOW = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)


def refused(headers: dict[str, str], body: bytes = BODY, seconds: float = 0) -> bool:
    try:
        check(SECRET, headers, body, NOW + timedelta(seconds=seconds), 300)
    except Unsigned:
        return True
    return False


def test_signature_is_that_of_the_standard() -> None:
    """Computed apart: openssl dgst -sha256 -hmac "whsec of both" over m1.1795339800.{...}."""
    assert signed(SECRET, "m1", NOW, BODY) == {
        ID: "m1",
        TIMESTAMP: "1795339800",
        SIGNATURE: "v1,lpRTY1/ZsDhjv5SC8DgA036YJqek/O/0Lh1B7ZvR4HY=",
    }


def test_what_is_signed_is_taken() -> None:
    assert check(SECRET, signed(SECRET, "m1", NOW, BODY), BODY, NOW, 300) == "m1"


def test_second_signature_is_taken_while_a_secret_is_changed() -> None:
    headers = signed(SECRET, "m1", NOW, BODY)
    other = signed("another", "m1", NOW, BODY)[SIGNATURE]
    assert not refused(headers | {SIGNATURE: f"{other} {headers[SIGNATURE]}"})


@pytest.mark.parametrize(
    "change",
    [
        {ID: "m2"},
        {TIMESTAMP: "1795339801"},
        {TIMESTAMP: "soon"},
        {TIMESTAMP: "９"},
        {TIMESTAMP: "9" * 40},
        {SIGNATURE: ""},
        {SIGNATURE: "v1,"},
        {SIGNATURE: "v1,ü"},
        {ID: ""},
    ],
)
def test_what_was_changed_on_the_way_is_refused(change: dict[str, str]) -> None:
    assert refused(signed(SECRET, "m1", NOW, BODY) | change)


def test_changed_body_is_refused() -> None:
    assert refused(signed(SECRET, "m1", NOW, BODY), BODY + b" ")


def test_what_was_signed_long_ago_is_refused() -> None:
    headers = signed(SECRET, "m1", NOW, BODY)
    assert not refused(headers, seconds=299)
    assert refused(headers, seconds=301)
    assert refused(headers, seconds=-301)
