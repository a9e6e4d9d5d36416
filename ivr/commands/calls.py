"""`yihu calls`: the calls in the store."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from ivr.commands.opened import opened_store
from ivr.config import load_settings
from store.calls import newest_calls

app = typer.Typer(help="Calls.", no_args_is_help=True)


def add_to(parent: typer.Typer) -> None:
    parent.add_typer(app, name="calls")


@app.command("list")
def list_calls(
    limit: Annotated[int | None, typer.Option(min=1, help="Only so many.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """Shows calls, newest first."""
    settings = load_settings()
    with opened_store(settings) as store:
        rows = newest_calls(store, limit)
    if as_json:
        documents = [
            {
                "call_id": str(call.id),
                "phone": call.phone,
                "name": name,
                "started_at": call.started_at.astimezone(settings.zone).isoformat(),
                "ended_at": call.ended_at.astimezone(settings.zone).isoformat()
                if call.ended_at
                else None,
                "outcome": call.outcome,
                "reason": call.reason,
                "dialect": call.dialect or None,
                "orders": orders,
                "summary": call.summary,
            }
            for call, name, orders in rows
        ]
        print(json.dumps(documents, ensure_ascii=False))
        return
    for call, name, orders in rows:
        lasted = f"{(call.ended_at - call.started_at).seconds} s" if call.ended_at else "-"
        print(
            f"{call.started_at.astimezone(settings.zone):%Y-%m-%d %H:%M:%S} "
            f"{call.phone or 'withheld':12} {lasted:>6} {call.outcome or 'under way':10} "
            f"{orders} ordered  {name or '-'}  {call.id}"
        )
