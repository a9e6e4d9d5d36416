"""Orders are given to providers on their page, and providers are kept on theirs."""

from __future__ import annotations

from dataclasses import replace
from uuid import uuid4

import pytest
from sqlmodel import select
from visiting import HOME, NOW, NUMBER, Browser

from store import audit, calls, elders, orders, providers
from store.database import Store
from store.models import OrderEvent, OrderStatus, SmsOut, WorkOrder
from store.orders import OpenedOrder
from store.providers import Entry

NEAR = Entry("安康家政", "13900001111", 31.31, 120.62, frozenset({"bathing"}), "姑苏区")
FULL = replace(NEAR, name="和顺服务", phone="13900002222", orders_a_day=0)
OTHER = replace(NEAR, name="德润理发", codes=frozenset({"haircut"}))


def add(store: Store, entry: Entry) -> int:
    id = providers.register(store, entry)[0].id
    assert id is not None
    return id


@pytest.fixture
def order_id(store: Store, elder_id: int) -> int:
    call = calls.begin_call(store, uuid4(), NUMBER, NOW, elder_id).id
    made = orders.book(
        store,
        WorkOrder(
            call_id=call, code="bathing", elder_id=elder_id, phone=NUMBER, address=HOME,
            scheduled_for=NOW, price_fen=3500, pay_fen=1750, created_at=NOW,
        ),
    )  # fmt: skip
    assert made.id is not None
    return made.id


def opened(store: Store, id: int) -> OpenedOrder:
    found = orders.open_order(store, id)
    assert found is not None
    return found


def texts(store: Store) -> list[tuple[str, str]]:
    with store.read() as session:
        return [(one.phone, one.text) for one in session.exec(select(SmsOut).order_by("id"))]


async def test_order_is_given_to_the_proposed_provider_and_goes_its_way(
    browser: Browser, store: Store, order_id: int
) -> None:
    near = add(store, NEAR)
    add(store, FULL)
    worker = providers.add_worker(store, near, "周师傅", "").id
    await browser.log_in("operator")
    page = await (await browser.get(f"/orders/{order_id}")).text()
    assert f'name="provider" value="{near}" checked' in page and "当天已满" in page
    for path, fields in (
        ("dispatch", {"provider": str(near)}),
        ("told", {"step": "accepted", "worker": str(worker)}),
        ("told", {"step": "in_service"}),
        ("close", {"status": "completed"}),
    ):
        seen = str(opened(store, order_id).seen)
        done = await browser.post(f"/orders/{order_id}/{path}", seen=seen, **fields)
        assert done.status == 303
    now = opened(store, order_id)
    assert now.order.status is OrderStatus.COMPLETED
    assert now.worker is not None and now.worker.name == "周师傅"
    assert [(one.event.kind, one.by, one.provider) for one in now.steps[1:]] == [
        (OrderEvent.DISPATCHED, "operator 王", "安康家政"),
        (OrderEvent.ACCEPTED, "operator 王", ""),
        (OrderEvent.IN_SERVICE, "operator 王", ""),
        (OrderEvent.COMPLETED, "operator 王", ""),
    ]
    assert audit.newest(store, 9)[-1].by == "operator 王"
    ((phone, text),) = texts(store)
    assert (phone, text[:12]) == ("13900001111", f"【一呼】新工单{order_id}：助浴，")


async def test_operator_who_knows_better_gives_it_to_another(
    browser: Browser, store: Store, order_id: int
) -> None:
    near, other = add(store, NEAR), add(store, OTHER)
    await browser.log_in("operator")
    await browser.get(f"/orders/{order_id}")
    seen = str(opened(store, order_id).seen)
    fields = {"provider": str(near), "other": str(other), "seen": seen}
    assert (await browser.post(f"/orders/{order_id}/dispatch", **fields)).status == 303
    assert opened(store, order_id).order.provider_id == other
    fields = {"provider": str(near), "seen": seen}  # the page of before
    assert (await browser.post(f"/orders/{order_id}/dispatch", **fields)).status == 409
    assert (await browser.post(f"/orders/{order_id}/dispatch", seen=seen)).status == 400
    assert opened(store, order_id).order.provider_id == other


async def test_declined_order_is_open_again_with_the_reason(
    browser: Browser, store: Store, order_id: int
) -> None:
    near = add(store, NEAR)
    await browser.log_in("operator")
    await browser.get(f"/orders/{order_id}")
    seen = str(opened(store, order_id).seen)
    await browser.post(f"/orders/{order_id}/dispatch", provider=str(near), seen=seen)
    fields = {"step": "declined", "seen": str(opened(store, order_id).seen)}
    assert (await browser.post(f"/orders/{order_id}/told", **fields)).status == 400
    assert (await browser.post(f"/orders/{order_id}/told", why="没人", **fields)).status == 303
    assert opened(store, order_id).order.status is OrderStatus.CREATED
    page = await (await browser.get(f"/orders/{order_id}")).text()
    assert "已退单" in page and "没人" in page


async def test_provider_is_told_what_an_operator_corrects_and_cancels(
    browser: Browser, store: Store, order_id: int
) -> None:
    near = add(store, NEAR)
    await browser.log_in("operator")
    await browser.get(f"/orders/{order_id}")
    seen = str(opened(store, order_id).seen)
    await browser.post(f"/orders/{order_id}/dispatch", provider=str(near), seen=seen)
    seen = str(opened(store, order_id).seen)
    await browser.post(
        f"/orders/{order_id}", code="bathing", address="平江路48号",
        scheduled_for="2026-11-24T08:30", seen=seen,
    )  # fmt: skip
    fields = {"status": "cancelled", "why": "住院了", "seen": str(opened(store, order_id).seen)}
    assert (await browser.post(f"/orders/{order_id}/close", **fields)).status == 303
    _, (_, changed), (_, cancelled) = texts(store)
    assert changed.startswith(
        f"【一呼】工单{order_id}有变化，现在是：助浴，11月24日周二08:30，平江路48号"
    )
    assert cancelled == f"【一呼】工单{order_id}已取消，不用去了。"


async def test_supervisor_keeps_providers_and_operators_look_them_up(
    browser: Browser, store: Store
) -> None:
    await browser.log_in("supervisor")
    await browser.get("/providers/new")
    fields = {
        "name": "安康家政", "phone": "0512-65550000", "district": "姑苏区", "latitude": "31.31",
        "longitude": "120.62", "radius_km": "4.5", "orders_a_day": "12", "code": "bathing",
    }  # fmt: skip
    for wrong in ({"latitude": "131"}, {"phone": "1"}, {"radius_km": "-1"}, {"code": "flight"}):
        assert (await browser.post("/providers", **{**fields, **wrong})).status == 400
    path = (await browser.post("/providers", **fields)).headers["Location"]
    assert (await browser.post("/providers", **fields)).status == 409
    await browser.post(f"{path}/workers", name="周师傅", phone="13900003333")
    (one,) = providers.listed(store)
    assert (one.provider.phone, one.provider.radius_km, one.codes) == (
        "051265550000",
        4.5,
        ("bathing",),
    )
    assert [worker.name for worker in one.workers] == ["周师傅"]
    await browser.post(f"{path}/workers/{one.workers[0].id}")
    await browser.post(path, **{**fields, "orders_a_day": "3"})  # without `active`
    (one,) = providers.listed(store)
    assert (one.provider.active, one.provider.orders_a_day, one.workers) == (False, 3, ())
    rows = [row.audit.detail for row in audit.newest(store, 9) if row.audit.action == "change"]
    assert rows[::-1] == [
        "added",
        f"worker {1} added",
        f"worker {1} taken off",
        "active, orders_a_day",
    ]
    await browser.log_in("operator")
    assert "安康家政" in await (await browser.get("/providers")).text()
    assert 'name="radius_km"' not in await (await browser.get(path)).text()
    assert (await browser.post(path, **fields)).status == 403
    assert (await browser.get("/providers/new")).status == 403


async def test_elders_district_and_place_are_kept_on_their_card(
    browser: Browser, store: Store, elder_id: int
) -> None:
    await browser.log_in("operator")
    await browser.get(f"/people/{elder_id}")
    fields = {
        "name": "王秀英", "address": HOME, "support_class": "aided", "district": "姑苏区",
        "latitude": "31.3105", "longitude": "120.6205",
    }  # fmt: skip
    assert (await browser.post(f"/people/{elder_id}", **fields)).status == 303
    found = elders.find_elder(store, elder_id)
    assert found is not None
    assert (found.elder.district, found.elder.latitude) == ("姑苏区", 31.3105)
    fields["longitude"] = ""
    assert (await browser.post(f"/people/{elder_id}", **fields)).status == 400
