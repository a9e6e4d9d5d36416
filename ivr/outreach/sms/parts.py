"""How a text is coded for a handset, and how many messages that makes. Pure.

3GPP TS 23.038: text in the GSM alphabet takes 7 bits a character (14 for the extension), 160 in one
message; any other makes the whole text UCS-2, 70 in one. Of longer texts each part gives some room
to the header by which the handset puts them together: 153 and 67.
"""

from __future__ import annotations

from dataclasses import dataclass

_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENSION = frozenset("\f^{}\\[~]|€")
_ONE, _EACH = {False: 160, True: 70}, {False: 153, True: 67}


@dataclass(frozen=True, slots=True)
class Coded:
    ucs2: bool
    parts: int


def coded(text: str) -> Coded:
    ucs2 = not all(c in _BASIC or c in _EXTENSION for c in text)
    # what takes two units is never cut in half, so a part may have to leave the last one free
    widths = [2 if (ord(c) > 0xFFFF if ucs2 else c in _EXTENSION) else 1 for c in text]
    if sum(widths) <= _ONE[ucs2]:
        return Coded(ucs2, 1)
    parts, room = 1, _EACH[ucs2]
    for width in widths:
        if width > room:
            parts, room = parts + 1, _EACH[ucs2]
        room -= width
    return Coded(ucs2, parts)
