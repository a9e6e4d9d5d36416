"""`yihu greetings`: elders who live alone and are called to hear how they are."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from ivr.commands.arranged import (
    AtOption,
    DaysOption,
    NameOption,
    PhoneOption,
    clock_of,
    days_of,
    elder_of,
    number_of,
)
from ivr.commands.opened import opened_store
from ivr.config import load_settings
from ivr.outreach.planning import plan
from store import greetings
from store.models import GreetingPlan

app = typer.Typer(help="Greeting calls.", no_args_is_help=True)


def add_to(parent: typer.Typer) -> None:
    parent.add_typer(app, name="greetings")


@app.command()
def add(
    phone: PhoneOption,
    days: DaysOption,
    at: AtOption,
    name: NameOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """Has an elder greeted on these days, instead of what was arranged for them before.

    Who does not answer twice is on the operators' board. A greeting that is planned for today
    already stays as it is.
    """
    settings = load_settings()
    number, weekdays, clock = number_of(phone), days_of(days), clock_of(at)
    with opened_store(settings) as store:
        elder = elder_of(store, number, name)
        assert elder.id is not None
        new = GreetingPlan(elder_id=elder.id, phone=number, weekdays=weekdays, at=clock)
        added = greetings.put(store, new)
        plan(store, settings, datetime.now(UTC))
    print(f"yihu: {elder.name} is greeted", file=sys.stderr)
    if elder.calls_refused:
        print(f"yihu: not yet: {elder.name} wants no such calls", file=sys.stderr)
    if as_json:
        print(json.dumps(_document(added, elder.name), ensure_ascii=False))


@app.command("list")
def list_greetings(
    everything: Annotated[bool, typer.Option("--all", help="Also those stopped.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """Shows who is greeted, and when."""
    with opened_store(load_settings()) as store:
        rows = greetings.listed(store, stopped=everything)
    if as_json:
        documents = [_document(plan, elder.name) for plan, elder in rows]
        print(json.dumps(documents, ensure_ascii=False))
        return
    for one, elder in rows:
        stopped = "" if one.active else ", stopped"
        print(f"{one.id:6} {one.weekdays:7} {one.at:%H:%M} {one.phone:12} {elder.name}{stopped}")


@app.command()
def stop(id: Annotated[int, typer.Argument(help="As `greetings list` shows it.")]) -> None:
    """Ends the greetings of an elder."""
    with opened_store(load_settings()) as store:
        stopped = greetings.stop(store, id, datetime.now(UTC))
    if stopped is None:
        print(f"yihu: there are no greetings {id} in force", file=sys.stderr)
        raise typer.Exit(1)
    print("yihu: stopped", file=sys.stderr)


def _document(row: GreetingPlan, name: str) -> dict[str, Any]:
    return {
        "id": row.id,
        "name": name,
        "phone": row.phone,
        "weekdays": row.weekdays,
        "at": f"{row.at:%H:%M}",
        "active": row.active,
    }
