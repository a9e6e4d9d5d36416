"""Elders of a store whose services are done, and who are asked by message how they were."""

from __future__ import annotations

from datetime import UTC, date, datetime
from uuid import uuid4

import yaml
from sqlmodel import col, select

from ivr.config import ROOT
from ivr.outreach.sms.wording import rating_request
from store import calls, elders, follow_ups, messages, services
from store.database import Store
from store.models import (
    Complaint,
    FollowUp,
    FollowUpState,
    OrderStatus,
    Service,
    SmsOut,
    SmsPurpose,
    SmsState,
    WorkOrder,
)

BATHING = Service(code="bathing", name="助浴", unit="hour", price_fen=3500)
DAY = date(2026, 11, 22)
SETTLED = (SmsState.DELIVERED, SmsState.UNCERTAIN, SmsState.FAILED)


def written_forms() -> list[tuple[str, str]]:
    """What people write, and what it means: the test sentences of all dialects."""
    files = sorted((ROOT / "grammars").glob("*/tests/written.yaml"))
    return [
        (code, text)
        for file in files
        for code, texts in yaml.safe_load(file.read_text(encoding="utf-8")).items()
        for text in texts
    ]


class People:
    def __init__(self, store: Store) -> None:
        self.store = store
        services.sync(store, [BATHING.model_copy()])

    def ask(self, phone: str, elder: str = "", at: datetime | None = None) -> int:
        """An order that is done, and whose elder is asked by message; gives the order's id."""
        now = at or datetime.now(UTC)
        elder_id = None
        if elder:
            new = elders.Registration(phone, elder, f"{elder}家")
            elder_id = elders.register(self.store, new).elder.id
        call = calls.begin_call(self.store, uuid4(), phone, now)
        with self.store.write() as session:
            order = WorkOrder(
                call_id=call.id,
                code="bathing",
                phone=phone,
                elder_id=elder_id,
                status=OrderStatus.COMPLETED,
                scheduled_for=datetime(DAY.year, DAY.month, DAY.day, 4, tzinfo=UTC),
                started_at=datetime(DAY.year, DAY.month, DAY.day, 4, tzinfo=UTC),
                completed_at=now,
                price_fen=3500,
                pay_fen=3500,
                created_at=now,
            )
            session.add(order)
            session.flush()
            asked = follow_ups.plan_rating(session, order, now)
            row = session.get_one(FollowUp, asked)
            row.state = FollowUpState.MESSAGED
            text = rating_request(elder_name=elder, service="助浴", day=DAY, site="一呼")
            messages.queue_sms(
                session,
                key=row.key,
                phone=phone,
                text=text,
                purpose=SmsPurpose.RATING,
                at=now,
                follow_up_id=row.id,
                order_id=order.id,
            )
            assert order.id is not None
            return order.id

    def scores(self, *orders: int) -> dict[int, int]:
        """The ratings of these orders; of those that have none, nothing."""
        rated = {row.order.id or 0: row.rating for row in follow_ups.newest_ratings(self.store)}
        return {id: rated[id].score for id in orders if id in rated}

    def complaints(self, *orders: int) -> list[Complaint]:
        rows = select(Complaint).where(col(Complaint.order_id).in_(orders))
        with self.store.read() as session:
            return list(session.exec(rows))

    def order(self, id: int) -> WorkOrder:
        with self.store.read() as session:
            found = session.get(WorkOrder, id)
        assert found is not None
        return found

    def follow_up(self, order: int) -> FollowUp:
        with self.store.read() as session:
            return session.exec(select(FollowUp).where(FollowUp.order_id == order)).one()

    def out(self, prefix: str = "", states: tuple[SmsState, ...] = ()) -> list[SmsOut]:
        """Messages to numbers that begin so, newest first."""
        rows = messages.newest_out(self.store, states=states)
        return [row for row in rows if row.phone.startswith(prefix)]
