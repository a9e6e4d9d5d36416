"""`yihu providers`: the businesses that do the services, and who works for them."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from ivr.catalog import load_catalog, services
from ivr.commands.opened import opened_store
from ivr.commands.tables import LineError, given, read_table, take_in
from ivr.config import load_settings
from ivr.orders.places import read_place
from store import providers
from store.elders import Change
from store.models import Provider
from store.phones import PhoneError, normalise
from store.providers import Entry, ListedProvider
from store.services import sync

NEEDED = ("name", "phone", "latitude", "longitude", "services")
OPTIONAL = ("district", "radius_km", "orders_a_day", "workers")

app = typer.Typer(help="Providers of services.", no_args_is_help=True)


def add_to(parent: typer.Typer) -> None:
    parent.add_typer(app, name="providers")


@app.command()
def add(
    name: Annotated[str, typer.Option(help="Of the business.")],
    phone: Annotated[str, typer.Option(help="Gets the text messages.")],
    latitude: Annotated[str, typer.Option(help="Of where its workers set out, degrees north.")],
    longitude: Annotated[str, typer.Option(help="Degrees east.")],
    offers: Annotated[str, typer.Option("--services", help="Codes or names, with commas.")],
    district: Annotated[str, typer.Option(help="Of the town.")] = "",
    radius_km: Annotated[str, typer.Option(help="How far away it serves; 5 by default.")] = "",
    orders_a_day: Annotated[str, typer.Option(help="As many as it can do; 20 by default.")] = "",
    workers: Annotated[str, typer.Option(help="Their names, with commas.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """Registers a provider, or brings the one of that name up to date."""
    fields = {
        "name": name, "phone": phone, "latitude": latitude, "longitude": longitude,
        "services": offers, "district": district, "radius_km": radius_km,
        "orders_a_day": orders_a_day, "workers": workers,
    }  # fmt: skip
    try:
        entry, names = _entry(fields)
    except LineError as error:
        raise typer.BadParameter(str(error)) from error
    with opened_store(load_settings()) as store:
        sync(store, services(load_catalog()))
        provider, change = providers.register(store, entry)
        for worker in names:
            providers.add_worker(store, provider.id or 0, worker, "")
        listed = providers.find_listed(store, provider.id or 0)
    assert listed is not None
    print(f"yihu: {change}: {provider.name}", file=sys.stderr)
    if as_json:
        print(json.dumps({**_document(listed), "change": change}, ensure_ascii=False))


@app.command("import")
def import_file(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, metavar="FILE.csv")],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """Registers the providers of a table (CSV in UTF-8 or GB 18030).

    Its first line names the columns: name, phone, latitude, longitude (degrees), services (codes or
    names), and if wanted district, radius_km, orders_a_day, workers (names). Several services or
    workers have commas, semicolons or blanks between them. A line that is wrong is named, the
    others go in.
    """
    lines = read_table(file, NEEDED, OPTIONAL, _entry)
    with opened_store(load_settings()) as store:
        sync(store, services(load_catalog()))

        def take(_: int, read: tuple[Entry, list[str]]) -> Change:
            entry, names = read
            provider, change = providers.register(store, entry)
            for worker in names:
                providers.add_worker(store, provider.id or 0, worker, "")
            return change

        take_in(file, lines, take, as_json)


@app.command("list")
def list_providers(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """Shows providers by name, those that take no orders any more last."""
    with opened_store(load_settings()) as store:
        rows = providers.listed(store)
    if as_json:
        print(json.dumps([_document(row) for row in rows], ensure_ascii=False))
        return
    for row in rows:
        one: Provider = row.provider
        print(
            f"{one.id:6} {one.phone:12} {'' if one.active else 'stopped '}{one.name},"
            f" {one.district or '-'}, {one.radius_km:g} km, {one.orders_a_day} orders a day,"
            f" {row.unfinished} now: {' '.join(row.codes) or 'no services'}"
        )


def _document(row: ListedProvider) -> dict[str, Any]:
    one = row.provider
    return {
        "id": one.id,
        "name": one.name,
        "phone": one.phone,
        "district": one.district or None,
        "latitude": one.latitude,
        "longitude": one.longitude,
        "radius_km": one.radius_km,
        "orders_a_day": one.orders_a_day,
        "active": one.active,
        "services": list(row.codes),
        "workers": [{"id": worker.id, "name": worker.name} for worker in row.workers],
        "unfinished": row.unfinished,
    }


def _entry(fields: dict[str, str]) -> tuple[Entry, list[str]]:
    """A provider and its workers' names. Raises LineError."""
    try:
        phone = normalise(fields["phone"])
        place = read_place(fields["latitude"], fields["longitude"])
    except (PhoneError, ValueError) as error:
        raise LineError(str(error)) from error
    if place is None:
        raise LineError("latitude and longitude are empty")
    codes = frozenset(_code(word) for word in _words(given(fields["services"], "services")))
    radius_km = _number(fields["radius_km"] or "5", "radius_km")
    orders_a_day = _number(fields["orders_a_day"] or "20", "orders_a_day")
    entry = Entry(
        given(fields["name"], "name"), phone, *place, codes, fields["district"].strip(),
        radius_km, int(orders_a_day),
    )  # fmt: skip
    return entry, _words(fields["workers"])


def _words(text: str) -> list[str]:
    return [word for word in re.split(r"[\s,，;；、]+", text) if word]


def _code(word: str) -> str:
    catalog = load_catalog()
    named = {item.name: code for code, item in catalog.items()}
    code = named.get(word, word)
    if code not in catalog:
        raise LineError(f"service {word!r} is none of {', '.join(catalog)}, nor one of their names")
    return code


def _number(text: str, name: str) -> float:
    try:
        number = float(text)
    except ValueError as error:
        raise LineError(f"{name} {text!r} is not a number") from error
    if not 0 <= number < 10_000:
        raise LineError(f"{name} {text!r} is not between 0 and 10000")
    return number
