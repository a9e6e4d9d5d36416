"""`yihu operator`: who may log in to the console, and their telephones."""

from __future__ import annotations

import json
import re
import secrets
import sys
from datetime import UTC, datetime
from typing import Annotated, Any, NoReturn

import typer

from ivr.commands.opened import opened_store
from ivr.config import Settings, load_settings
from ivr.console import passwords
from ivr.console.passwords import PasswordError
from store import audit, operators
from store.audit import Action
from store.database import Conflict, Store
from store.models import Operator, Role

NAME = re.compile(r"[a-z0-9][a-z0-9._-]{1,31}")

app = typer.Typer(help="Operators: their log-in and their telephone.", no_args_is_help=True)

Json = Annotated[bool, typer.Option("--json", help="One JSON document.")]
Name = Annotated[str, typer.Argument(help="What they log in with, such as wang.fang.")]
Generate = Annotated[
    bool, typer.Option("--generate", help="Make the password instead of asking for it.")
]


def add_to(parent: typer.Typer) -> None:
    parent.add_typer(app, name="operator")


@app.command()
def add(
    name: Name,
    role: Annotated[
        Role, typer.Option(help="operator: calls and orders; supervisor: figures too; admin: all.")
    ] = Role.OPERATOR,
    display: Annotated[str, typer.Option(help="Name that others see.", show_default="NAME")] = "",
    generate: Generate = False,
    as_json: Json = False,
) -> None:
    """Lets somebody log in, and prints the settings of their telephone (any SIP telephone).

    The password is asked for, or made where there is no terminal to ask at.
    """
    if not NAME.fullmatch(name):
        raise typer.BadParameter("NAME has 2 to 32 small letters, digits, dots or dashes")
    settings = load_settings()
    with opened_store(settings) as store:
        if operators.find(store, name) is not None:
            _fail(f"there is an operator {name!r} already")
        password, shown = _password(generate)
        try:
            operator = operators.add(
                store, name, display.strip() or name, role, _hash(password),
                secrets.token_urlsafe(18),
            )  # fmt: skip
        except Conflict:
            _fail(f"there is an operator {name!r} already")
        _note(store, operator, f"added as {role}")
    if as_json:
        document = {**_document(operator), "telephone": telephone(settings, operator)}
        if shown:
            document["password"] = password
        print(json.dumps(document, ensure_ascii=False))
        return
    print(f"{operator.display_name} ({operator.role}) logs in at {settings.console.url}")
    print(f"  name       {operator.name}")
    if shown:
        print(f"  password   {password}")
    print("Telephone:")
    for what, value in telephone(settings, operator).items():
        print(f"  {what:10} {value}")
    if settings.sip.host.startswith("127."):
        print("  A telephone on another machine needs sip.host to be an address of this one.")


@app.command("list")
def list_operators(as_json: Json = False) -> None:
    """Shows operators, also those who may not log in any more."""
    with opened_store(load_settings()) as store:
        rows = operators.everyone(store)
    if as_json:
        print(json.dumps([_document(operator) for operator in rows], ensure_ascii=False))
        return
    for one in rows:
        state = one.duty if one.active else "shut out"
        print(f"{one.name:16} {one.role:10} {one.extension:7} {state:8} {one.display_name}")


@app.command()
def passwd(name: Name, generate: Generate = False, as_json: Json = False) -> None:
    """Gives a new password; whoever is logged in with the old one is not any more."""
    with opened_store(load_settings()) as store:
        _known(store, name)
        password, shown = _password(generate)
        operator = operators.change_password(store, name, _hash(password))
        _note(store, operator, "new password")
    if as_json:
        document = {**_document(operator), **({"password": password} if shown else {})}
        print(json.dumps(document, ensure_ascii=False))
    elif shown:
        print(password)


@app.command()
def disable(name: Name) -> None:
    """Shuts somebody out at once: log-ins, telephone and queue. Their history stays."""
    _set_active(name, False)


@app.command()
def enable(name: Name) -> None:
    """Lets somebody in again."""
    _set_active(name, True)


def telephone(settings: Settings, operator: Operator) -> dict[str, Any]:
    """What is typed into their telephone."""
    return {
        "server": settings.sip.host,
        "port": settings.sip.port,
        "transport": "UDP",
        "user": operator.extension,
        "secret": operator.sip_secret,
    }


def _set_active(name: str, active: bool) -> None:
    with opened_store(load_settings()) as store:
        _known(store, name)
        operator = operators.set_active(store, name, active, datetime.now(UTC))
        _note(store, operator, "let in" if active else "shut out")


def _known(store: Store, name: str) -> None:
    if operators.find(store, name) is None:
        _fail(f"there is no operator {name!r}; `yihu operator list` shows all")


def _password(generate: bool) -> tuple[str, bool]:
    """A password, and whether it was made here and has to be shown."""
    if not generate and asked_at_a_terminal():
        typed = typer.prompt(
            "password (empty: make one)", default="", hide_input=True, show_default=False, err=True
        )
        if typed:
            again = typer.prompt("again", hide_input=True, err=True)
            if again != typed:
                _fail("these were two different passwords")
            return typed, False
    return passwords.make_password(), True


def asked_at_a_terminal() -> bool:
    """Whether there is somebody who can type a password."""
    return sys.stdin.isatty()


def _hash(password: str) -> str:
    try:
        return passwords.hash_password(password)
    except PasswordError as error:
        _fail(str(error))


def _note(store: Store, operator: Operator, detail: str) -> None:
    now = datetime.now(UTC)
    audit.record(store, None, Action.CHANGE, "operator", str(operator.id), now, detail)


def _document(operator: Operator) -> dict[str, Any]:
    return {
        "id": operator.id,
        "name": operator.name,
        "display_name": operator.display_name,
        "role": operator.role,
        "extension": operator.extension,
        "active": operator.active,
        "duty": operator.duty,
        "duty_reason": operator.duty_reason or None,
    }


def _fail(why: str) -> NoReturn:
    print(f"yihu operator: {why}", file=sys.stderr)
    raise typer.Exit(1)
