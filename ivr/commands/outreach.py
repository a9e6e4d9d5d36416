"""`yihu outreach`: stops and resumes everything that the house begins: calls and messages."""

from __future__ import annotations

import asyncio
import json
import sys
from datetime import UTC, datetime
from typing import Annotated

import typer

from ivr.commands.opened import opened_store
from ivr.config import Settings, load_settings
from ivr.telephony import pbx
from ivr.telephony.ami import Ami, AmiError
from store import callbacks, follow_ups, switches
from store.database import Store
from store.models import CallbackState, FollowUpState

CONNECTED_S = 5.0

app = typer.Typer(help="Calls and messages that the house begins.", no_args_is_help=True)


def add_to(parent: typer.Typer) -> None:
    parent.add_typer(app, name="outreach")


@app.command()
def pause(
    reason: Annotated[str, typer.Option(help="Shown to everybody, and kept in the audit.")] = "",
    now: Annotated[
        bool, typer.Option("--now", help="Also hang up on telephones that ring.")
    ] = False,
) -> None:
    """Begins no call and no message any more; who talks with us is not cut off."""
    settings = load_settings()
    with opened_store(settings) as store:
        changed = switches.switch(store, switches.OUTGOING, True, datetime.now(UTC), reason=reason)
        ringing = _ringing(store) if now else []
    print("paused" if changed else "it was paused already")
    if not ringing:
        return
    try:
        hung_up = asyncio.run(_hang_up(settings, ringing))
    except AmiError as error:
        print(f"yihu: telephones may still ring: {error}", file=sys.stderr)
        raise typer.Exit(1) from None
    print(f"{hung_up} telephones do not ring any more")


@app.command()
def resume(reason: Annotated[str, typer.Option(help="Kept in the audit.")] = "") -> None:
    """Goes on with what is owed."""
    with opened_store(load_settings()) as store:
        changed = switches.switch(store, switches.OUTGOING, False, datetime.now(UTC), reason=reason)
    print("resumed" if changed else "it was not paused")


@app.command()
def status(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """Whether it is paused, by whom and why, and what is under way."""
    settings = load_settings()
    with opened_store(settings) as store:
        last = switches.last_switched(store)
        out = len(callbacks.claimed(store)) + len(follow_ups.claimed(store))
        owed = follow_ups.how_many_due(store, datetime.now(UTC))
    paused = last is not None and last.off
    since = last.at.astimezone(settings.zone).isoformat() if last else None
    if as_json:
        document = {
            "paused": paused,
            "since": since,
            "by": last.by if last else "",
            "reason": last.reason if last else "",
            "calls": out,
            "due": owed,
        }
        print(json.dumps(document, ensure_ascii=False))
        return
    who = f" since {since} by {last.by or 'the command line'}" if last and paused else ""
    why = f": {last.reason}" if last and paused and last.reason else ""
    print(f"{'paused' if paused else 'running'}{who}{why}")
    print(f"{out} calls under way, {owed} follow-ups due")


def _ringing(store: Store) -> list[str]:
    """Names of the channels whose telephone rings."""
    back = [row for row in callbacks.claimed(store) if row.state is CallbackState.DIALLING]
    own = [row for row in follow_ups.claimed(store) if row.state is FollowUpState.DIALLING]
    attempts = [row.attempt_id for row in back] + [row.attempt_id for row in own]
    return [str(attempt) for attempt in attempts if attempt]


async def _hang_up(settings: Settings, channels: list[str]) -> int:
    """How many were there. Raises AmiError."""
    manager = Ami("127.0.0.1", settings.asterisk.ami_port, pbx.AMI_USER, settings.secrets.ami)
    found = 0
    async with manager as ami:
        await ami.wait_connected(CONNECTED_S)
        for channel in channels:
            try:
                await ami.action("Hangup", Channel=channel)
                found += 1
            except AmiError as error:
                if "No such channel" not in str(error):
                    raise
    return found
