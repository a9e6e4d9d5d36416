"""`yihu api-key`: which other systems may use the HTTP API."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from typing import Annotated

import typer

from ivr.commands.opened import opened_store
from ivr.config import load_settings
from store import api_keys, audit, providers
from store.audit import Action
from store.database import Conflict

app = typer.Typer(help="Keys of other systems for the HTTP API.", no_args_is_help=True)


def add_to(parent: typer.Typer) -> None:
    parent.add_typer(app, name="api-key")


@app.command()
def add(
    name: Annotated[str, typer.Argument(help="Of the system that gets it.")],
    provider: Annotated[
        str | None,
        typer.Option(help="Name of the provider whose orders alone it opens; without it all."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """Makes a key and shows it, this once."""
    now = datetime.now(UTC)
    if not name.strip():
        raise typer.BadParameter("the name is empty")
    with opened_store(load_settings()) as store:
        found = providers.find(store, provider) if provider else None
        if provider and found is None:
            raise typer.BadParameter(f"there is no provider {provider!r}: see yihu providers list")
        try:
            key, row = api_keys.issue(store, name.strip(), found.id if found else None, now)
        except Conflict as error:
            raise typer.BadParameter(f"there is a key {name!r} already, or was one") from error
        audit.record(store, None, Action.CHANGE, "api_key", row.name, now, "added")
    if as_json:
        document = {"name": row.name, "provider": provider, "key": key}
        print(json.dumps(document, ensure_ascii=False))
        return
    print(key)
    print("yihu: keep it now, it is not shown again", file=sys.stderr)


@app.command("list")
def list_keys(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """Shows whose keys there are, newest first; the keys themselves nobody can show."""
    settings = load_settings()
    with opened_store(settings) as store:
        rows = api_keys.listed(store)
    if as_json:
        documents = [
            {
                "name": key.name,
                "provider": provider or None,
                "created_at": key.created_at.astimezone(settings.zone).isoformat(),
                "revoked_at": key.revoked_at.astimezone(settings.zone).isoformat()
                if key.revoked_at
                else None,
            }
            for key, provider in rows
        ]
        print(json.dumps(documents, ensure_ascii=False))
        return
    for key, provider in rows:
        made = f"{key.created_at.astimezone(settings.zone):%Y-%m-%d %H:%M}"
        print(
            f"{made} {'revoked' if key.revoked_at else 'valid':8} {key.name}, {provider or 'all'}"
        )


@app.command()
def revoke(name: Annotated[str, typer.Argument()]) -> None:
    """A key opens nothing any more, from the next request on."""
    now = datetime.now(UTC)
    with opened_store(load_settings()) as store:
        if not api_keys.revoke(store, name, now):
            print(f"yihu: there is no key {name!r}", file=sys.stderr)
            raise typer.Exit(1)
        audit.record(store, None, Action.CHANGE, "api_key", name, now, "revoked")
    print(f"yihu: {name} opens nothing any more", file=sys.stderr)
