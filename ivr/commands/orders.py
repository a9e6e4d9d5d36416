"""`yihu orders`: the work orders in the store."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import typer

from ivr.commands.opened import opened_store
from ivr.config import load_settings
from store.models import WorkOrder
from store.orders import newest_orders

app = typer.Typer(help="Work orders.", no_args_is_help=True)


def add_to(parent: typer.Typer) -> None:
    parent.add_typer(app, name="orders")


def order_document(order: WorkOrder, elder_name: str, zone: ZoneInfo) -> dict[str, Any]:
    """An order as the command line gives it, its times in the site's zone."""

    def told(at: datetime | None) -> str | None:
        return at.astimezone(zone).isoformat() if at else None

    return {
        "id": order.id,
        "code": order.code,
        "phone": order.phone,
        "name": elder_name,
        "address": order.address,
        "scheduled_for": told(order.scheduled_for),
        "said_time": order.said_time,
        "status": order.status,
        "price_fen": order.price_fen,
        "pay_fen": order.pay_fen,
        "created_at": told(order.created_at),
        "started_at": told(order.started_at),
        "completed_at": told(order.completed_at),
        "district": order.district or None,
        "provider_id": order.provider_id,
        "worker_id": order.worker_id,
        "call_id": str(order.call_id) if order.call_id else None,
        "note": order.note,
    }


@app.command("list")
def list_orders(
    limit: Annotated[int | None, typer.Option(min=1, help="Only so many.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """Shows work orders, newest first."""
    settings = load_settings()
    with opened_store(settings) as store:
        rows = newest_orders(store, limit)
    if as_json:
        documents = [order_document(row.order, row.elder_name, settings.zone) for row in rows]
        print(json.dumps(documents, ensure_ascii=False))
        return
    for order, name in rows:
        at = order.scheduled_for
        when = f"{at.astimezone(settings.zone):%Y-%m-%d %H:%M}" if at else "-"
        pays = f"{order.pay_fen / 100:.2f}/{order.price_fen / 100:.2f}"
        where = order.address or ("voice note" if order.note else "-")
        print(
            f"{order.id:6} {when:16} {order.code:18} {order.phone or 'withheld':12} {pays:>13} "
            f"{order.status:11} {name or '-'}, {where}"
        )
