"""`yihu standing`: services at the same time on the same days of every week."""

from __future__ import annotations

import json
import sys
from datetime import UTC, date, datetime
from typing import Annotated, Any

import typer

from ivr.catalog import CatalogError, load_catalog
from ivr.catalog import services as catalog_services
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
from store import services, standing
from store.models import StandingOrder

app = typer.Typer(help="Standing orders.", no_args_is_help=True)


def add_to(parent: typer.Typer) -> None:
    parent.add_typer(app, name="standing")


@app.command()
def add(
    phone: PhoneOption,
    service: Annotated[str, typer.Option(help="Code of grammars/catalog.yaml.")],
    days: DaysOption,
    at: AtOption,
    name: NameOption = None,
    address: Annotated[str | None, typer.Option(help="If not the elder's own.")] = None,
    begin: Annotated[
        str | None, typer.Option("--from", help="First day, such as 2026-12-01; else today.")
    ] = None,
    end: Annotated[str | None, typer.Option("--until", help="Last day.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """Has a service come every week; the same again changes nothing.

    The orders of today and the next days are made at once, further ones by the outreach process.
    """
    settings = load_settings()
    now = datetime.now(UTC)
    number, weekdays, clock = number_of(phone), days_of(days), clock_of(at)
    starts_on = _day(begin) or now.astimezone(settings.zone).date()
    ends_on = _day(end)
    if ends_on is not None and ends_on < starts_on:
        raise typer.BadParameter(f"the last day {ends_on} is before the first, {starts_on}")
    try:
        catalog = load_catalog()
    except CatalogError as error:
        print(f"yihu: {error}", file=sys.stderr)
        raise typer.Exit(1) from error
    if service not in catalog:
        raise typer.BadParameter(f"{service!r} is none of {', '.join(catalog)}")
    with opened_store(settings) as store:
        elder = elder_of(store, number, name)
        assert elder.id is not None
        services.sync(store, catalog_services(catalog))
        new = StandingOrder(
            elder_id=elder.id,
            phone=number,
            code=service,
            weekdays=weekdays,
            at=clock,
            address=address,
            starts_on=starts_on,
            ends_on=ends_on,
        )
        added = standing.add(store, new)
        plan(store, settings, now)
    print(f"yihu: standing order {added.id} for {elder.name}", file=sys.stderr)
    if as_json:
        print(json.dumps(_document(added, elder.name), ensure_ascii=False))


@app.command("list")
def list_standing(
    everything: Annotated[bool, typer.Option("--all", help="Also those stopped.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """Shows standing orders by elder."""
    with opened_store(load_settings()) as store:
        rows = standing.listed(store, stopped=everything)
    if as_json:
        documents = [_document(row.standing, row.elder_name) for row in rows]
        print(json.dumps(documents, ensure_ascii=False))
        return
    for one, elder_name, service_name in rows:
        until = f" until {one.ends_on}" if one.ends_on else ""
        stopped = "" if one.active else ", stopped"
        print(
            f"{one.id:6} {one.weekdays:7} {one.at:%H:%M} {one.phone:12} {service_name}"
            f" from {one.starts_on}{until}  {elder_name}{stopped}"
        )


@app.command()
def stop(id: Annotated[int, typer.Argument(help="As `standing list` shows it.")]) -> None:
    """Ends a standing order, and cancels what is planned of it that no provider has yet."""
    settings = load_settings()
    with opened_store(settings) as store:
        stopped = standing.stop(store, id, datetime.now(UTC))
    if stopped is None:
        print(f"yihu: there is no standing order {id} in force", file=sys.stderr)
        raise typer.Exit(1)
    print(f"yihu: stopped, {_orders(stopped.cancelled)} cancelled", file=sys.stderr)
    if stopped.left:
        print(
            f"yihu: a provider has {_orders(stopped.left)} already: cancel on the order's page",
            file=sys.stderr,
        )


def _orders(ids: list[int]) -> str:
    return f"{len(ids)} orders ({', '.join(map(str, ids))})" if ids else "no orders"


def _day(text: str | None) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError as error:
        raise typer.BadParameter(f"{text!r} is not a day: write 2026-12-01") from error


def _document(row: StandingOrder, name: str) -> dict[str, Any]:
    return {
        "id": row.id,
        "name": name,
        "phone": row.phone,
        "code": row.code,
        "weekdays": row.weekdays,
        "at": f"{row.at:%H:%M}",
        "address": row.address,
        "provider_id": row.provider_id,
        "starts_on": row.starts_on.isoformat(),
        "ends_on": row.ends_on.isoformat() if row.ends_on else None,
        "active": row.active,
    }
