"""`yihu sms`: messages out of the house and into it, and who wants none."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import typer

from ivr.commands.opened import opened_store
from ivr.config import load_settings
from ivr.outreach.sms import kannel
from store import audit, messages
from store.models import SmsIn, SmsOut, SmsState
from store.phones import PhoneError, normalise

app = typer.Typer(help="Text messages.", no_args_is_help=True)


def add_to(parent: typer.Typer) -> None:
    parent.add_typer(app, name="sms")


def document(row: SmsOut | SmsIn, zone: ZoneInfo) -> dict[str, Any]:
    """A message as the command line gives it, its times in the site's zone."""

    def local(at: datetime | None) -> str | None:
        return at.astimezone(zone).isoformat() if at else None

    if isinstance(row, SmsIn):
        return {
            "direction": "in",
            "id": row.id,
            "at": local(row.received_at),
            "phone": row.phone,
            "text": row.text,
            "gateway": row.gateway,
            "gateway_id": row.gateway_id,
            "handled_at": local(row.handled_at),
            "kind": row.kind,
            "score": row.score,
            "follow_up_id": row.follow_up_id,
            "detail": row.detail,
        }
    return {
        "direction": "out",
        "id": row.id,
        "at": local(row.created_at),
        "phone": row.phone,
        "text": row.text,
        "key": row.key,
        "purpose": row.purpose,
        "state": row.state,
        "due_at": local(row.due_at),
        "tries": row.tries,
        "parts": row.parts,
        "reference": str(row.reference),
        "gateway_id": row.gateway_id,
        "sent_at": local(row.sent_at),
        "reported_at": local(row.reported_at),
        "follow_up_id": row.follow_up_id,
        "order_id": row.order_id,
        "detail": row.detail,
    }


def _at(row: SmsOut | SmsIn) -> datetime:
    return row.received_at if isinstance(row, SmsIn) else row.created_at


@app.command("list")
def list_messages(
    limit: Annotated[int | None, typer.Option(min=1, help="Only so many.")] = None,
    state: Annotated[
        SmsState | None, typer.Option(help="Only messages of ours in this state.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """Shows messages out and in, newest first."""
    settings = load_settings()
    with opened_store(settings) as store:
        rows: list[SmsOut | SmsIn] = [*messages.newest_out(store, limit, [state] if state else [])]
        if state is None:
            rows += messages.newest_in(store, limit)
    rows = sorted(rows, key=_at, reverse=True)[:limit]
    if as_json:
        print(json.dumps([document(row, settings.zone) for row in rows], ensure_ascii=False))
        return
    for row in rows:
        when = f"{_at(row).astimezone(settings.zone):%Y-%m-%d %H:%M}"
        way, what = ("in ", row.kind or "unread") if isinstance(row, SmsIn) else ("out", row.state)
        detail = f" ({row.detail})" if row.detail else ""
        print(f"{row.id:6} {when} {way} {row.phone:12} {what:9} {row.text}{detail}")


@app.command("again")
def send_again(id: Annotated[int, typer.Argument(help="Of a message of ours.")]) -> None:
    """Sends a message again that has failed, or of which nobody knows whether it was sent."""
    now = datetime.now(UTC)
    with opened_store(load_settings()) as store:
        if messages.send_again(store, id, now) is None:
            print(f"yihu sms: {id} is no message that failed or is uncertain", file=sys.stderr)
            raise typer.Exit(1)
        audit.record(store, None, audit.Action.CHANGE, "sms", str(id), now, "sent again")


@app.command("stop")
def stop(
    phone: Annotated[str, typer.Argument(help="The number that wants none.")],
    undo: Annotated[bool, typer.Option("--undo", help="It wants messages again.")] = False,
) -> None:
    """Writes to a number no more of our own accord, as if it had written 退订."""
    now = datetime.now(UTC)
    try:
        number = normalise(phone)
    except PhoneError as error:
        print(f"yihu sms: {error}", file=sys.stderr)
        raise typer.Exit(2) from error
    with opened_store(load_settings()) as store:
        with store.write() as session:
            if undo:
                messages.start(session, number)
            else:
                messages.stop(session, number, now)
        audit.record(
            store, None, audit.Action.CHANGE, "sms_stop", number, now, "undone" if undo else ""
        )


@app.command("kannel")
def kannel_configuration() -> None:
    """Prints the part of Kannel's configuration that belongs to this site, with its secrets."""
    print(kannel.configuration(load_settings()))
