"""Which numbers may be called: the setting outbound.numbers, read as Asterisk reads it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache

DIGITS = {"X": "[0-9]", "Z": "[1-9]", "N": "[2-9]"}


def may_be_called(number: str, patterns: Iterable[str]) -> bool:
    """Whether a call-back to this number can be promised: Asterisk refuses all others."""
    return any(_compiled(pattern).fullmatch(number) for pattern in patterns)


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    parts = re.findall(r"\[[^\]]*\]|.", pattern)
    return re.compile("".join(DIGITS.get(part, part) for part in parts), re.ASCII)
