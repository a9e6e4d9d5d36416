"""What a site has in its store is there after an upgrade, and means the same."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

from alembic import command
from alembic.config import Config
from sample_order import NOW
from sqlalchemy import Connection, create_engine, text
from sqlmodel import select

from store import order_life, orders
from store.database import MIGRATIONS, open_store
from store.models import FollowUp, OrderEvent, OrderStatus
from store.order_steps import By

LATER = NOW + timedelta(hours=2)


def enter(connection: Connection, table: str, **values: Any) -> None:
    names, places = ", ".join(values), ", ".join(f":{name}" for name in values)
    connection.execute(text(f"INSERT INTO {table} ({names}) VALUES ({places})"), values)


def earlier_site(url: str) -> str:
    """A store as 0003 left it, with three orders of one call; returns the call's id."""
    call_id = str(uuid4())
    kept = call_id if "postgresql" in url else call_id.replace("-", "")
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    engine = create_engine(url)
    at = {"NOW": f"{NOW:%Y-%m-%d %H:%M:%S.%f}", "LATER": f"{LATER:%Y-%m-%d %H:%M:%S.%f}"}
    if "postgresql" in url:
        at = {name: f"{value}+00" for name, value in at.items()}
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0003")
        enter(connection, "service", code="bathing", name="助浴", unit="hour", price_fen=3500)
        enter(
            connection, "elder", id=1, name="王秀英", address="平江路12号", support_class="aided",
            dialect="suzhou", high_risk=True,
        )  # fmt: skip
        enter(connection, "phone", number="13812345678", elder_id=1)
        enter(
            connection, "call", id=kept, phone="13812345678", elder_id=1, started_at=at["NOW"],
            outcome="ordered", reason="", summary="{}", dialect="suzhou",
        )  # fmt: skip
        enter(
            connection, "operator", id=1, name="wang", display_name="王芳", password_hash="x",
            role="operator", extension="op101", sip_secret="s", active=True, language="zh",
            duty="off", duty_reason="",
        )  # fmt: skip
        for id, status in enumerate(("created", "finished", "cancelled"), 1):
            enter(
                connection, "work_order", id=id, call_id=kept, number=id, code="bathing",
                elder_id=1, phone="13812345678", address="平江路12号", scheduled_for=at["LATER"],
                said_time="明天", status=status, price_fen=3500, pay_fen=0, created_at=at["NOW"],
            )  # fmt: skip
            enter(
                connection, "work_order_event", order_id=id, kind="created", at=at["NOW"],
                detail="",
            )  # fmt: skip
            if status != "created":
                enter(
                    connection, "work_order_event", order_id=id, kind=status, at=at["LATER"],
                    detail="做好了", operator_id=1,
                )  # fmt: skip
    engine.dispose()
    return call_id


def test_site_of_before_follow_ups_comes_through_with_its_orders(url: str) -> None:
    call_id = earlier_site(url)
    store = open_store(url)
    opened = [orders.open_order(store, id) for id in (1, 2, 3)]
    waiting, done, gone = [one for one in opened if one is not None]
    assert [one.order.status for one in (waiting, done, gone)] == [
        OrderStatus.CREATED,
        OrderStatus.CLOSED,
        OrderStatus.CANCELLED,
    ]
    for one in (waiting, done, gone):
        order = one.order
        assert str(order.call_id) == call_id
        assert (order.price_fen, order.pay_fen, order.said_time) == (3500, 0, "明天")
        assert (order.scheduled_for, order.created_at) == (LATER, NOW)
        assert (order.provider_id, order.district, one.elder_name) == (None, "", "王秀英")
    assert [(step.event.kind, step.event.at, step.by) for step in done.steps] == [
        (OrderEvent.CREATED, NOW, ""),
        (OrderEvent.COMPLETED, LATER, "王芳"),
        (OrderEvent.CLOSED, LATER, ""),
    ]
    assert done.steps[1].event.detail == "做好了"
    assert (done.order.completed_at, waiting.order.completed_at) == (LATER, None)
    assert [step.event.kind for step in gone.steps] == [OrderEvent.CREATED, OrderEvent.CANCELLED]
    with store.read() as session:
        assert session.exec(select(FollowUp)).all() == []  # nobody is called about old orders
    store.close()


def test_order_of_before_can_go_the_whole_new_way(url: str) -> None:
    earlier_site(url)
    store = open_store(url)
    order_life.complete(store, 1, By(operator_id=1), LATER)
    with store.read() as session:
        assert [row.key for row in session.exec(select(FollowUp))] == ["rating:1"]
    store.close()
