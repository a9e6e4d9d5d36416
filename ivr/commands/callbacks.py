"""`yihu callbacks`: people who are owed a call, and what became of those who were."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Annotated
from zoneinfo import ZoneInfo

import typer

from ivr.commands.opened import opened_store
from ivr.config import load_settings
from store.callbacks import events_of, newest_callbacks
from store.models import OPEN_CALLBACKS

app = typer.Typer(help="Call-backs.", no_args_is_help=True)


def add_to(parent: typer.Typer) -> None:
    parent.add_typer(app, name="callbacks")


@app.command("list")
def list_callbacks(
    limit: Annotated[int | None, typer.Option(min=1, help="Only so many.")] = None,
    only_open: Annotated[
        bool, typer.Option("--open", help="Only people who are still owed a call.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """Shows call-backs, newest first."""
    settings = load_settings()
    with opened_store(settings) as store:
        rows = newest_callbacks(store, limit, OPEN_CALLBACKS if only_open else ())
        ids = [row.callback.id for row in rows if row.callback.id is not None]
        events = events_of(store, ids) if as_json else {}
    if as_json:
        documents = [
            {
                "id": row.id,
                "phone": row.phone,
                "name": name,
                "cause": row.cause,
                "wants": row.wants,
                "state": row.state,
                "priority": row.priority,
                "queued_at": _at(row.queued_at, settings.zone),
                "due_at": _at(row.due_at, settings.zone),
                "tries": row.tries,
                "call_id": str(row.call_id) if row.call_id else None,
                "reached_call_id": str(row.reached_call_id) if row.reached_call_id else None,
                "closed_at": _at(row.closed_at, settings.zone),
                "detail": row.detail,
                "events": [
                    {
                        "at": _at(event.at, settings.zone),
                        "kind": event.kind,
                        "detail": event.detail,
                    }
                    for event in events.get(row.id or 0, ())
                ],
            }
            for row, name in rows
        ]
        print(json.dumps(documents, ensure_ascii=False))
        return
    for row, name in rows:
        print(
            f"{row.id:6} {row.queued_at.astimezone(settings.zone):%Y-%m-%d %H:%M} {row.phone:12} "
            f"{row.state:9} {row.tries} tries  {row.cause:9} wants {row.wants:8} {name or '-'}"
            f"{', ' if row.detail else ''}{row.detail}"
        )


def _at(time: datetime | None, zone: ZoneInfo) -> str | None:
    return time.astimezone(zone).isoformat() if time else None
