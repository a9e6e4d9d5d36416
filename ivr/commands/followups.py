"""`yihu followups`, `yihu ratings`: calls that we owe after a booking, and what elders said."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Annotated
from zoneinfo import ZoneInfo

import typer

from ivr.commands.opened import opened_store
from ivr.config import load_settings
from store.follow_ups import events_of, newest_follow_ups, newest_ratings
from store.models import OPEN_FOLLOW_UPS

followups = typer.Typer(help="Calls owed after a booking.", no_args_is_help=True)
ratings = typer.Typer(help="What elders said of services.", no_args_is_help=True)

Limit = Annotated[int | None, typer.Option(min=1, help="Only so many.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON document.")]


def add_to(parent: typer.Typer) -> None:
    parent.add_typer(followups, name="followups")
    parent.add_typer(ratings, name="ratings")


@followups.command("list")
def list_follow_ups(
    limit: Limit = None,
    only_open: Annotated[
        bool, typer.Option("--open", help="Only those that are still owed.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Shows follow-ups, newest first."""
    settings = load_settings()
    zone = settings.zone
    with opened_store(settings) as store:
        rows = newest_follow_ups(store, limit, OPEN_FOLLOW_UPS if only_open else ())
        ids = [row.follow_up.id for row in rows if row.follow_up.id is not None]
        events = events_of(store, ids) if as_json else {}
    if as_json:
        documents = [
            {
                "id": row.id,
                "purpose": row.purpose,
                "order_id": row.order_id,
                "phone": row.phone,
                "name": name,
                "state": row.state,
                "end": row.end,
                "created_at": _at(row.created_at, zone),
                "due_at": _at(row.due_at, zone),
                "expires_at": _at(row.expires_at, zone),
                "tries": row.tries,
                "call_id": str(row.reached_call_id) if row.reached_call_id else None,
                "closed_at": _at(row.closed_at, zone),
                "detail": row.detail,
                "events": [
                    {"at": _at(event.at, zone), "kind": event.kind, "detail": event.detail}
                    for event in events.get(row.id or 0, ())
                ],
            }
            for row, name in rows
        ]
        print(json.dumps(documents, ensure_ascii=False))
        return
    for row, name in rows:
        print(
            f"{row.id:6} {row.due_at.astimezone(zone):%Y-%m-%d %H:%M} {row.phone:12} "
            f"{row.purpose:8} {row.state:9} {row.tries} tries  {name or '-'}"
            f"{', ' if row.detail else ''}{row.detail}"
        )


@ratings.command("list")
def list_ratings(limit: Limit = None, as_json: AsJson = False) -> None:
    """Shows ratings, newest first."""
    settings = load_settings()
    with opened_store(settings) as store:
        rows = newest_ratings(store, limit)
    if as_json:
        documents = [
            {
                "id": row.id,
                "order_id": row.order_id,
                "code": order.code,
                "phone": order.phone,
                "name": name,
                "score": row.score,
                "channel": row.channel,
                "said": row.said,
                "call_id": str(row.call_id) if row.call_id else None,
                "at": _at(row.at, settings.zone),
            }
            for row, order, name in rows
        ]
        print(json.dumps(documents, ensure_ascii=False))
        return
    for row, order, name in rows:
        print(
            f"{row.id:6} {row.at.astimezone(settings.zone):%Y-%m-%d %H:%M} {row.score} "
            f"{row.channel:8} order {row.order_id} {order.code:16} {name or '-'} {row.said}"
        )


def _at(time: datetime | None, zone: ZoneInfo) -> str | None:
    return time.astimezone(zone).isoformat() if time else None
