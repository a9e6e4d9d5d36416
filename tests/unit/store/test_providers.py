from __future__ import annotations

from dataclasses import replace
from datetime import time, timedelta
from uuid import UUID

import pytest
from sample_order import NOW, order

from store import elders, order_life, orders, providers
from store.database import Conflict, Store, StoreError
from store.elders import Change, Registration
from store.models import StandingOrder, WorkOrder
from store.order_steps import NOBODY
from store.providers import Entry

ENTRY = Entry("安康家政", "13900001111", 31.3, 120.6, frozenset({"bathing"}), "姑苏区", 4.0, 8)
DAY = NOW - timedelta(hours=12), NOW + timedelta(hours=12)


def id_of(store: Store, entry: Entry = ENTRY) -> int:
    id = providers.register(store, entry)[0].id
    assert id is not None
    return id


def test_provider_is_registered_once_and_brought_up_to_date(store: Store) -> None:
    assert providers.register(store, ENTRY)[1] is Change.ADDED
    assert providers.register(store, ENTRY)[1] is Change.UNCHANGED
    further = replace(ENTRY, radius_km=9.0, codes=frozenset())
    assert providers.register(store, further)[1] is Change.UPDATED
    (only,) = providers.listed(store)
    assert (only.provider.radius_km, only.codes) == (9.0, ())


def test_service_nobody_knows_is_refused_and_nothing_of_it_kept(store: Store) -> None:
    with pytest.raises(StoreError):
        providers.register(store, replace(ENTRY, codes=frozenset({"moon_flight"})))
    assert providers.listed(store) == []


def test_provider_of_a_standing_order_is_known_to_be_the_usual_one(store: Store) -> None:
    wang = elders.register(store, Registration("13812345678", "王秀英", "平江路12号")).elder
    usual, _ = id_of(store), id_of(store, replace(ENTRY, name="和顺服务"))
    with store.write() as session:
        standing = StandingOrder(
            elder_id=wang.id or 0, phone="13812345678", code="bathing", weekdays="2", at=time(9),
            provider_id=usual, starts_on=NOW.date(),
        )  # fmt: skip
        session.add(standing)
        session.flush()
        planned = WorkOrder(
            standing_id=standing.id, planned_on=NOW.date(), code="bathing", elder_id=wang.id,
            phone="13812345678", scheduled_for=NOW, price_fen=3500, pay_fen=0, created_at=NOW,
        )  # fmt: skip
        orders.enter(session, planned)
        id = planned.id or 0
    wanted = providers.wanted(store, id, *DAY)
    assert wanted is not None
    assert [(one.provider.id == usual, one.usual) for one in wanted.offers] == [
        (True, True),
        (False, False),
    ]


def test_two_providers_of_one_name_are_refused(store: Store) -> None:
    id_of(store)
    other = id_of(store, replace(ENTRY, name="和顺服务"))
    with pytest.raises(Conflict):
        providers.update(store, other, ENTRY, True)
    changed = providers.update(store, other, replace(ENTRY, name="和顺", district=""), False)
    assert changed == {"name", "district", "active"}


def test_worker_comes_goes_and_comes_back(store: Store) -> None:
    id = id_of(store)
    worker = providers.add_worker(store, id, "周师傅", "13900002222")
    assert worker.id is not None
    providers.dismiss_worker(store, id, worker.id)
    listed = providers.find_listed(store, id)
    assert listed is not None and listed.workers == ()
    again = providers.add_worker(store, id, "周师傅", "13900003333")
    assert (again.id, again.active, again.phone) == (worker.id, True, "13900003333")
    with pytest.raises(StoreError, match="no worker"):
        providers.dismiss_worker(store, id + 1, worker.id)
    with pytest.raises(StoreError, match="no provider"):
        providers.add_worker(store, id + 1, "周师傅", "")


def test_who_may_do_an_order_is_found_with_what_they_have_to_do_that_day(
    store: Store, call_id: UUID
) -> None:
    new = Registration(
        "13812345678", "王秀英", "平江路12号", district="姑苏区", place=(31.31, 120.62)
    )
    wang = elders.register(store, new).elder
    free, busy = id_of(store), id_of(store, replace(ENTRY, name="和顺服务"))
    id_of(store, replace(ENTRY, name="别的", codes=frozenset()))
    closed = id_of(store, replace(ENTRY, name="停业"))
    providers.update(store, closed, replace(ENTRY, name="停业"), False)
    placed = []
    for number, at in enumerate((NOW, NOW, None, NOW + timedelta(days=1), NOW), 1):
        one = order(call_id, number)
        one.scheduled_for, one.elder_id = at, wang.id
        placed.append(orders.book(store, one).id or 0)
    for id in placed[:4]:  # today, today, today as it has no time, tomorrow
        order_life.dispatch(store, id, busy, NOBODY, NOW, message="新工单")
    order_life.cancel(store, placed[0], NOBODY, NOW, detail="不要了")
    order_life.dispatch(store, placed[4], free, NOBODY, NOW, message="新工单")
    order_life.decline(store, placed[4], NOBODY, NOW, detail="没人")
    wanted = providers.wanted(store, placed[4], *DAY)
    assert wanted is not None and wanted.elder is not None
    assert wanted.order.district == "姑苏区"
    assert [(one.provider.id, one.orders, one.declined) for one in wanted.offers] == [
        (free, 0, True),
        (busy, 2, False),
    ]
    (listed, *_) = [one for one in providers.listed(store) if one.provider.id == busy]
    assert listed.unfinished == 3
    assert providers.wanted(store, 99, *DAY) is None
