"""Telephone numbers, written in as few ways as possible, so that a caller is found again.

A few patterns and no library: numbers come from one country's exchanges, and what a library for
the whole world adds (its tables weigh megabytes) is the carriers and regions of other countries.
"""

from __future__ import annotations

import re
import unicodedata

_PUNCTUATION = re.compile(r"[\s().·\-‐-―−]+")
_COUNTRY = re.compile(r"(?:\+|00)86(?=\d)|^86(?=1[3-9]\d{9}$)")
_MOBILE = re.compile(r"0?(1[3-9]\d{9})")
_LANDLINE = re.compile(r"0(?:10|2\d|[3-9]\d{2})[2-8]\d{6,7}")
_LANDLINE_ABROAD = re.compile(r"(?:10|2\d|[3-9]\d{2})[2-8]\d{6,7}")
_LOCAL = re.compile(r"[2-8]\d{6,7}")
_EXTENSION = re.compile(r"\d{3,6}")
_ABROAD = re.compile(r"\+\d{7,15}")
_DIALLED = re.compile(r"\+?\d{2,20}")


class PhoneError(ValueError):
    """Not a telephone number; the message shows it and says what one looks like."""


def normalise(text: str) -> str:
    """A number as the store keeps it: 13812345678, 051265123456, 65123456, 1001, +85223456789.

    Spaces, dashes, brackets, full-width digits, +86 and the 0 that exchanges put before mobile
    numbers go away. Raises PhoneError.
    """
    plain = _plain(text)
    bare = _COUNTRY.sub("", plain)
    if match := _MOBILE.fullmatch(bare):
        return match[1]
    if bare != plain and _LANDLINE_ABROAD.fullmatch(bare):
        return f"0{bare}"  # +86 512 65123456
    for pattern in (_LANDLINE, _LOCAL, _EXTENSION, _ABROAD):
        if pattern.fullmatch(bare):
            return bare
    raise PhoneError(
        f"{text.strip()!r} is not a telephone number: a mobile has 11 digits, a landline its area"
        " code (0512-65123456)"
    )


def of_caller(text: str) -> str:
    """The number an exchange sends, as the store keeps it; empty if it is withheld or none."""
    try:
        return normalise(text)
    except PhoneError:
        plain = _plain(text)
        return plain if _DIALLED.fullmatch(plain) else ""


def digits(text: str) -> str:
    """What is left of a part of a number without spaces, dashes and brackets."""
    return "".join(c for c in _plain(text) if c in "0123456789")


def _plain(text: str) -> str:
    return _PUNCTUATION.sub("", unicodedata.normalize("NFKC", text))
