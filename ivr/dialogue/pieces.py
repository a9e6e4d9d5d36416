"""Every phrase that is known before a call, in the order in which to synthesise them."""

from __future__ import annotations

from collections.abc import Mapping

from ivr.dialogue import spoken
from ivr.dialogue.prompts import Prompts
from ivr.dialogue.state import Caller, Item
from ivr.dialogue.step import Piece


def fixed_pieces(catalog: Mapping[str, Item], prompts: Prompts) -> list[str]:
    """Texts of all pieces but surnames and addresses, what a first call needs first."""
    rows = [part.text for row in prompts.rows.values() for part in row if isinstance(part, Piece)]
    services = [item.spoken for item in catalog.values()]
    short = [item.short for item in catalog.values()]
    hours = [spoken.hour(value, minute) for minute in spoken.QUARTERS for value in range(1, 13)]
    minutes = [spoken.minutes(value) for value in range(5, 60, 5) if value not in spoken.QUARTERS]
    days = [*spoken.DAYS, *spoken.WEEKDAYS, *spoken.PARTS.values(), spoken.AS_SOON_AS_POSSIBLE]
    times = [*days, *hours, *minutes]
    return list(
        dict.fromkeys([*rows, *services, *times, *short, *spoken.months(), *spoken.dates()])
    )


def caller_pieces(caller: Caller) -> list[str]:
    """Texts of the pieces that only this caller hears, to be made as soon as the call comes in."""
    name = [spoken.caller(caller.surname)] if caller.surname else []
    return name + ([spoken.address(caller.address)] if caller.address else [])
