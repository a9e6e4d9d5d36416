"""What the dialplan has written into Asterisk's own database, for us to take into the store.

The dialplan needs nobody for it, so it counts whatever else is down.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from typing import NamedTuple

from ivr.telephony.ami import Ami, AmiError

_LINE = re.compile(r"^/(?P<family>[^/\s]+)/(?P<key>\S+?)\s*: (?P<value>.*?)\s*$")
"""A line of `database show`."""


class Kept(NamedTuple):
    family: str
    key: str
    value: str


async def show(ami: Ami, family: str, key: str = "") -> list[Kept]:
    """What is kept in a family, or under one key of it. Raises AmiError."""
    answer = await ami.action("Command", Command=f"database show {family} {key}".rstrip())
    return [kept for kept in lines(answer.get("Output", "")) if kept.family == family]


async def forget(ami: Ami, family: str, key: str) -> None:
    """The store has it: it need not be kept any more."""
    with contextlib.suppress(AmiError):  # it is gone already, or taken again with the others
        await ami.action("DBDel", Family=family, Key=key)


def lines(shown: str) -> Iterator[Kept]:
    """The entries in what `database show` prints."""
    for line in shown.splitlines():
        if match := _LINE.match(line):
            yield Kept(match["family"], match["key"], match["value"])
