"""Days of the week as people write them, kept as ISO digits: "2" is every Tuesday. Pure."""

from __future__ import annotations

import re
import unicodedata

EVERY_DAY = "1234567"
CHINESE = "一二三四五六日"
ENGLISH = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

_WORDS = {"daily": EVERY_DAY, "每天": EVERY_DAY, "天天": EVERY_DAY}
_CHARACTERS = {
    **{digit: digit for digit in EVERY_DAY},
    **dict(zip(CHINESE, EVERY_DAY, strict=True)),
    "天": "7",
}
_NAMES = {
    name: digit
    for digit, short, rest in zip(
        EVERY_DAY, ENGLISH, ("day", "sday", "nesday", "rsday", "day", "urday", "day"), strict=True
    )
    for name in (short, short + rest)
}
_BETWEEN = re.compile(r"每?(?:星期|礼拜|周)|[\s,、;+]+")


def weekdays(text: str) -> str:
    """135, 周一三五, mon,wed,fri, 每天 or daily as digits in their order. Raises ValueError."""
    plain = unicodedata.normalize("NFKC", text).strip().lower()
    if plain in _WORDS:
        return _WORDS[plain]
    found: set[str] = set()
    for word in filter(None, _BETWEEN.split(plain)):
        days = {_NAMES.get(word)} if word in _NAMES else {_CHARACTERS.get(char) for char in word}
        found |= {day or "" for day in days}
    if not found or "" in found:
        raise ValueError(
            f"{text.strip()!r} names no days of the week: write 135, mon,wed,fri, 周一三五 or daily"
        )
    return "".join(sorted(found))
