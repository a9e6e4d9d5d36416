"""An order as a call makes it."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

from store.models import Service, WorkOrder

NOW = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
BATHING = Service(code="bathing", name="助浴", unit="hour", price_fen=3500)


def order(call_id: UUID, number: int = 1) -> WorkOrder:
    return WorkOrder(
        call_id=call_id,
        number=number,
        code="bathing",
        phone="13812345678",
        scheduled_for=NOW,
        price_fen=3500,
        pay_fen=3500,
        created_at=NOW,
    )
