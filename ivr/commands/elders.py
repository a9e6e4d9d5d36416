"""`yihu elders`: who the callers are."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from ivr.commands import persons
from ivr.commands.opened import opened_store
from ivr.commands.tables import LineError, given, read_table, take_in
from ivr.config import ROOT, load_settings
from ivr.orders.places import read_place
from ivr.understanding.dialects import dialect_names
from store.elders import Change, Registered, Registration, newest_elders, register
from store.models import Elder, SupportClass
from store.phones import PhoneError, normalise

T = TypeVar("T")

NEEDED = ("phone", "name", "address")
OPTIONAL = ("class", "dialect", "high_risk", "district", "latitude", "longitude")
CLASSES = {
    **{code.value: code for code in SupportClass},
    "援助": SupportClass.AIDED,
    "补助": SupportClass.SUBSIDISED,
    "自助": SupportClass.SELF_PAYING,
}
FLAGS = dict.fromkeys(("1", "yes", "true", "是"), True) | dict.fromkeys(
    ("0", "no", "false", "否"), False
)

app = typer.Typer(help="Registered elders.", no_args_is_help=True)


def add_to(parent: typer.Typer) -> None:
    persons.add_to(app)
    parent.add_typer(app, name="elders")


@app.command()
def add(
    phone: Annotated[str, typer.Option(help="Number the elder calls from.")],
    name: Annotated[str, typer.Option(help="Full name, the surname first.")],
    address: Annotated[str, typer.Option(help="Where services are delivered.")],
    support_class: Annotated[
        SupportClass | None, typer.Option("--class", help="What the state pays.")
    ] = None,
    dialect: Annotated[str | None, typer.Option(help="Folder name below grammars/.")] = None,
    high_risk: Annotated[
        bool | None, typer.Option("--high-risk/--no-high-risk", help="Lives alone, or is ill.")
    ] = None,
    district: Annotated[str | None, typer.Option(help="Of the town.")] = None,
    latitude: Annotated[str | None, typer.Option(help="Of the home, degrees north.")] = None,
    longitude: Annotated[str | None, typer.Option(help="Of the home, degrees east.")] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Take the number from whoever had it.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """Registers an elder, or brings one up to date; what is not given stays as it is.

    The same name on a known number is the same elder; another name is a second one on that line,
    such as a couple's, unless --replace.
    """
    try:
        new = Registration(
            _phone(phone),
            given(name, "--name"),
            given(address, "--address"),
            support_class,
            _dialect(dialect) if dialect else None,
            high_risk,
            district,
            _place(latitude or "", longitude or ""),
        )
    except LineError as error:
        raise typer.BadParameter(str(error)) from error
    with opened_store(load_settings()) as store:
        done = register(store, new, replace=replace)
    print(f"yihu: {new.phone} {_told(done)}", file=sys.stderr)
    if as_json:
        document = _document(done.elder, (new.phone,))
        print(json.dumps({**document, "change": done.change}, ensure_ascii=False))


@app.command("import")
def import_file(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, metavar="FILE.csv")],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """Registers the elders of a table (CSV in UTF-8 or GB 18030).

    Its first line names the columns: phone, name, address, and if wanted class (aided, subsidised,
    self_paying), dialect, high_risk (yes, no), district, latitude, longitude (degrees). An empty
    field leaves what is known as it is.
    A line that is wrong is named, the others go in.
    """
    lines = read_table(file, NEEDED, OPTIONAL, _registration)
    with opened_store(load_settings()) as store:

        def take(line: int, entry: Registration) -> Change:
            done = register(store, entry)
            if done.shares_with and done.change is not Change.UNCHANGED:
                print(f"{file}:{line}: {_told(done)}", file=sys.stderr)
            return done.change

        take_in(file, lines, take, as_json)


@app.command("list")
def list_elders(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """Shows registered elders, newest first."""
    with opened_store(load_settings()) as store:
        rows = newest_elders(store)
    if as_json:
        print(json.dumps([_document(*row) for row in rows], ensure_ascii=False))
        return
    for elder, phones in rows:
        risk = ", high risk" if elder.high_risk else ""
        print(
            f"{elder.id:6} {' '.join(phones):12} {elder.support_class:12}"
            f" {elder.dialect or '-':10} {elder.name}, {elder.address}{risk}"
        )


def _document(elder: Elder, phones: tuple[str, ...]) -> dict[str, Any]:
    return {
        "id": elder.id,
        "phones": phones,
        "name": elder.name,
        "address": elder.address,
        "class": elder.support_class,
        "dialect": elder.dialect or None,
        "high_risk": elder.high_risk,
        "district": elder.district or None,
        "latitude": elder.latitude,
        "longitude": elder.longitude,
    }


def _told(done: Registered) -> str:
    line = f"{done.change}: {done.elder.name}"
    if done.shares_with:
        others = ", ".join(done.shares_with)
        line += f" (shares the number with {others}; --replace takes it from them)"
    return line


def _registration(fields: dict[str, str]) -> Registration:
    support_class, dialect, risk, district, *place = (fields[name] for name in OPTIONAL)
    return Registration(
        _phone(fields["phone"]),
        given(fields["name"], "name"),
        given(fields["address"], "address"),
        _one_of(CLASSES, support_class, "class") if support_class else None,
        _dialect(dialect) if dialect else None,
        _one_of(FLAGS, risk.lower(), "high_risk") if risk else None,
        district or None,
        _place(*place),
    )


def _phone(text: str) -> str:
    try:
        return normalise(text)
    except PhoneError as error:
        raise LineError(str(error)) from error


def _place(latitude: str, longitude: str) -> tuple[float, float] | None:
    try:
        return read_place(latitude, longitude)
    except ValueError as error:
        raise LineError(str(error)) from error


def _dialect(name: str) -> str:
    known = {one: one for one in dialect_names(ROOT / "grammars")}
    return _one_of(known, name, "dialect")


def _one_of(known: dict[str, T], text: str, name: str) -> T:
    if text not in known:
        raise LineError(f"{name} {text!r} is none of {', '.join(known)}")
    return known[text]
