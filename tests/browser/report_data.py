"""Two months of orders of a centre, for reports to show: the same each time."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

from store import complaints
from store.database import Store
from store.models import (
    Channel,
    Elder,
    FollowUp,
    FollowUpEnd,
    FollowUpState,
    OrderStatus,
    Phone,
    Provider,
    Purpose,
    Rating,
    SmsIn,
    SmsKind,
    SmsOut,
    SmsPurpose,
    SmsState,
    Worker,
    WorkOrder,
)

PROVIDERS = {
    "平江家政服务中心": (400, (1, 1, 4, 24, 70)),
    "沧浪助老服务社": (220, (2, 4, 14, 45, 35)),
    "吴中区春晖居家养老服务有限公司": (130, (6, 9, 20, 35, 30)),
    "相城康宁护理": (60, (1, 2, 7, 30, 60)),
    "新来的小店": (3, (0, 0, 0, 0, 1)),
}
"""Name -> how many orders, and how often each score, 1 first."""
SAID = ("迟到了一个多小时，也没有打电话来", "没有擦干净就走了", "说好两个人来，只来了一个")


def fill(store: Store, now: datetime | None = None) -> None:
    """Orders of the last 60 days, and what came of them."""
    now, chance = now or datetime.now(UTC), random.Random(1)
    with store.write() as session:
        elders = [
            Elder(name=name, address=f"姑苏区平江路{n}号", district="姑苏区")
            for n, name in enumerate(("王秀英", "李桂芳", "张国强", "陈阿大"))
        ]
        session.add_all(elders)
        session.flush()
        for n, elder in enumerate(elders):
            session.add(Phone(number=f"05126512340{n}", elder_id=elder.id or 0))
        for n, (name, (orders, scores)) in enumerate(PROVIDERS.items()):
            provider = Provider(name=name, phone=f"1381234567{n}", latitude=31.3, longitude=120.6)
            session.add(provider)
            session.flush()
            workers = [
                Worker(provider_id=provider.id or 0, name=f"{surname}师傅") for surname in "张李王"
            ]
            session.add_all(workers)
            session.flush()
            for number in range(orders):
                planned = now - timedelta(days=chance.randrange(1, 60), hours=chance.randrange(8))
                late = timedelta(minutes=chance.choice((-5, 0, 0, 5, 10, 25)))
                cancelled = chance.random() < 0.04
                elder = chance.choice(elders)
                order = WorkOrder(
                    code=chance.choice(("bathing", "cleaning", "meal_delivery", "home_nursing")),
                    elder_id=elder.id,
                    phone="051265123400",
                    address=elder.address,
                    scheduled_for=planned,
                    status=OrderStatus.CANCELLED if cancelled else OrderStatus.CLOSED,
                    price_fen=3500,
                    pay_fen=3500,
                    created_at=planned - timedelta(days=1),
                    provider_id=provider.id,
                    worker_id=chance.choice(workers).id,
                    district=chance.choice(("姑苏区", "吴中区", "相城区")),
                    started_at=None if cancelled else planned + late,
                    completed_at=None if cancelled else planned + timedelta(hours=2),
                )
                session.add(order)
                session.flush()
                if not cancelled:
                    asked = planned + timedelta(hours=4)
                    sms = chance.random() < 0.3
                    follow_up = FollowUp(
                        key=f"rating:{order.id}",
                        purpose=Purpose.RATING,
                        order_id=order.id,
                        elder_id=elder.id,
                        phone="051265123400",
                        created_at=planned,
                        due_at=asked,
                        state=FollowUpState.DONE,
                        tries=3 if sms else 1,
                        closed_at=asked,
                        end=FollowUpEnd.RATED,
                    )
                    session.add(follow_up)
                    session.flush()
                    if sms:
                        session.add(_message(order.id, follow_up.id, asked, number))
                    if number % 10 < 6 or orders < 10:
                        score = chance.choices((1, 2, 3, 4, 5), scores)[0]
                        channel = Channel.SMS if sms else Channel.VOICE
                        session.add(
                            Rating(
                                order_id=order.id or 0,
                                follow_up_id=follow_up.id,
                                score=score,
                                channel=channel,
                                at=asked,
                            )
                        )
                        if score < 3:
                            found = complaints.raise_complaint(
                                session, order.id or 0, score, asked, chance.choice(SAID)
                            )
                            if number % 4:
                                found.closed_at = asked + timedelta(hours=chance.randrange(2, 72))
                                found.remedy = "已上门道歉，重新做了一遍"


def _message(order_id: int | None, follow_up_id: int | None, at: datetime, n: int) -> SmsOut:
    return SmsOut(
        key=f"rating:{order_id}",
        phone="13812345678",
        text="【一呼】王秀英您好，前天的助浴服务您满意吗？请回复1到5分，5分最满意。退订回TD",
        purpose=SmsPurpose.RATING,
        follow_up_id=follow_up_id,
        order_id=order_id,
        state=(SmsState.DELIVERED, SmsState.DELIVERED, SmsState.FAILED, SmsState.SENT)[n % 4],
        created_at=at,
        due_at=at,
        detail="gateway: no route" if n % 4 == 2 else "",
    )


def answers(store: Store, at: datetime) -> None:
    """Messages to us."""
    with store.write() as session:
        for n, (text, kind, score) in enumerate(
            (
                ("五分！师傅人很好", SmsKind.RATING, 5),
                ("退订", SmsKind.STOP, None),
                ("你们是谁", SmsKind.OTHER, None),
            )
        ):
            session.add(
                SmsIn(
                    gateway="kannel",
                    gateway_id=str(n),
                    phone="13812345678",
                    text=text,
                    received_at=at,
                    handled_at=at,
                    kind=kind,
                    score=score,
                )
            )
