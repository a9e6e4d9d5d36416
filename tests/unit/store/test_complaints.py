from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from uuid import UUID

import pytest
from sample_order import NOW
from sample_order import order as sample_order

from store import complaints, elders, operators, orders
from store.database import Store
from store.elders import Registration
from store.models import OrderEvent, OrderStatus, Provider, Role, Worker

LATER = NOW + timedelta(hours=5)


@pytest.fixture
def wang(store: Store) -> int:
    return operators.add(store, "wang", "王芳", Role.SUPERVISOR, "hash", "secret").id or 0


@pytest.fixture
def order_id(store: Store, call_id: UUID) -> int:
    """Rated badly, and done by 张师傅 of 平江家政."""
    elder = elders.register(store, Registration("13812345678", "王秀英", "平江路12号")).elder
    order = orders.book(store, sample_order(call_id))
    with store.write() as session:
        provider = Provider(name="平江家政", phone="0512", latitude=31.3, longitude=120.6)
        session.add(provider)
        session.flush()
        worker = Worker(provider_id=provider.id or 0, name="张师傅")
        session.add(worker)
        session.flush()
        order.elder_id, order.provider_id, order.worker_id = elder.id, provider.id, worker.id
        order.status = OrderStatus.FOLLOWED_UP
        session.add(order)
    return order.id or 0


def complain(store: Store, order_id: int, said: str, note: str | None = None) -> int:
    with store.write() as session:
        return complaints.raise_complaint(session, order_id, 1, NOW, said, note).id or 0


def test_complaint_is_listed_with_whom_it_is_about(store: Store, order_id: int) -> None:
    complain(store, order_id, "迟到了一个钟头", "/notes/1.wav")
    (listed,) = complaints.open_complaints(store)
    assert (listed.elder, listed.provider, listed.worker) == ("王秀英", "平江家政", "张师傅")
    assert (listed.code, listed.score, listed.said) == ("bathing", 1, "迟到了一个钟头")
    assert (listed.at, listed.recorded, listed.taken_by) == (NOW, True, "")
    assert complaints.closed_complaints(store, 9) == ()


def test_what_is_said_twice_is_one_complaint_and_what_is_new_is_added(
    store: Store, order_id: int
) -> None:
    for said in ("迟到了", "迟到了", "", "还没带工具"):
        complain(store, order_id, said)
    (listed,) = complaints.open_complaints(store)
    assert listed.said == "迟到了\n还没带工具"


def test_complaint_is_taken_and_closed_with_a_remedy_and_closes_its_order(
    store: Store, order_id: int, wang: int
) -> None:
    id = complain(store, order_id, "没洗干净")
    assert complaints.take(store, id, wang)
    assert complaints.open_complaints(store)[0].taken_by == "王芳"
    assert complaints.close(store, id, wang, "重新上门，免费", LATER)
    assert complaints.open_complaints(store) == ()
    (listed,) = complaints.closed_complaints(store, 9)
    assert (listed.closed_by, listed.remedy, listed.closed_at) == ("王芳", "重新上门，免费", LATER)
    opened = orders.open_order(store, order_id)
    assert opened is not None and opened.order.status is OrderStatus.CLOSED
    assert (opened.steps[-1].event.kind, opened.steps[-1].by) == (OrderEvent.CLOSED, "王芳")


def test_closed_complaint_stays_as_it_was_closed(store: Store, order_id: int, wang: int) -> None:
    id = complain(store, order_id, "没洗干净")
    complaints.close(store, id, wang, "重新上门", LATER)
    assert not complaints.take(store, id, wang)
    assert not complaints.close(store, id, wang, "另一个办法", LATER)
    assert complain(store, order_id, "再说一句") == id
    assert complaints.closed_complaints(store, 9)[0].said == "没洗干净"
    assert not complaints.close(store, 999, wang, "没有这件事", LATER)


def test_of_two_who_close_it_at_the_same_moment_one_has_done_it(
    store: Store, order_id: int, wang: int
) -> None:
    id = complain(store, order_id, "没洗干净")

    def close(remedy: str) -> bool:
        return complaints.close(store, id, wang, remedy, LATER)

    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(close, ("一", "二", "三", "四")))
    assert sum(done) == 1
    assert complaints.closed_complaints(store, 9)[0].remedy == "一二三四"[done.index(True)]
    opened = orders.open_order(store, order_id)
    assert opened is not None
    assert [step.event.kind for step in opened.steps] == [OrderEvent.CREATED, OrderEvent.CLOSED]
