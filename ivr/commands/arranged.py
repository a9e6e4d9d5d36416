"""What the commands have in common that arrange something for an elder on certain days."""

from __future__ import annotations

from datetime import time
from typing import Annotated

import typer

from ivr.weekdays import weekdays
from store.database import Store
from store.elders import who_calls_from
from store.models import Elder
from store.phones import PhoneError, normalise

PhoneOption = Annotated[str, typer.Option(help="Number of the elder, which is called.")]
NameOption = Annotated[
    str | None, typer.Option(help="Whose, where several elders share the number.")
]
DaysOption = Annotated[str, typer.Option(help="135, mon,wed,fri, 周一三五 or daily.")]
AtOption = Annotated[str, typer.Option(help="Time of the site's day, such as 09:30.")]


def days_of(text: str) -> str:
    try:
        return weekdays(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


def clock_of(text: str) -> time:
    try:
        clock = time.fromisoformat(text.strip())
    except ValueError:
        clock = None
    if clock is None or clock.tzinfo is not None or clock.second or clock.microsecond:
        raise typer.BadParameter(f"{text!r} is not a time of day: write 09:30")
    return clock


def number_of(text: str) -> str:
    try:
        return normalise(text)
    except PhoneError as error:
        raise typer.BadParameter(str(error)) from error


def elder_of(store: Store, phone: str, name: str | None) -> Elder:
    """The one registered elder with this number, and of this name if it is given."""
    there = [row.elder for row in who_calls_from(store, phone)]
    found = [elder for elder in there if name is None or elder.name == name]
    if len(found) == 1:
        return found[0]
    names = ", ".join(elder.name for elder in there)
    if not there:
        raise typer.BadParameter(f"nobody is registered with {phone}: run `yihu elders add` first")
    if not found:
        raise typer.BadParameter(f"{phone} is the number of {names}, not of {name}")
    raise typer.BadParameter(f"{phone} is the number of {names}: say which with --name")
