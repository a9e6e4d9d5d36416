from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from uuid import UUID

import pytest
from sample_order import NOW
from sample_order import order as sample_order

from store import audit, board, elders, operators, order_life, orders, sessions
from store.calls import calls_from
from store.database import Conflict, Store
from store.elders import Registration
from store.models import Duty, Operator, Role
from store.order_steps import By
from store.orders import Content, Stale


@pytest.fixture
def operator(store: Store) -> Operator:
    return operators.add(store, "wang", "王芳", Role.OPERATOR, "hash", "secret")


def id_of(operator: Operator) -> int:
    assert operator.id is not None
    return operator.id


def test_extensions_are_given_out_once(store: Store, operator: Operator) -> None:
    operators.set_active(store, "wang", False, NOW)
    second = operators.add(store, "li", "李娟", Role.ADMIN, "hash", "secret")
    assert [operator.extension, second.extension] == ["op101", "op102"]
    with pytest.raises(Conflict):
        operators.add(store, "li", "李四", Role.ADMIN, "hash", "secret")


def test_duty_is_written_down_when_it_changes(store: Store, operator: Operator) -> None:
    id = id_of(operator)
    for duty, reason in ((Duty.ON, "meal"), (Duty.ON, ""), (Duty.PAUSED, "meal"), (Duty.OFF, "")):
        operators.set_duty(store, id, duty, reason, NOW)
    log = operators.duties(store, id, NOW)
    assert [(one.duty, one.reason) for one in log] == [
        (Duty.OFF, ""),
        (Duty.PAUSED, "meal"),
        (Duty.ON, ""),
    ]
    (desk,) = board.desks(store)
    assert (desk.duty, desk.since, desk.rings) == (Duty.OFF, NOW, False)


def test_tries_at_the_same_moment_are_counted_one_by_one(store: Store) -> None:
    def guess(_: int) -> int | None:
        return sessions.reserve_try(store, "wang", "10.0.0.1", NOW)

    with ThreadPoolExecutor(8) as pool:
        tried = list(pool.map(guess, range(12)))
    assert sum(one is not None for one in tried) == sessions.TRIES
    for one in tried:
        if one is not None:
            sessions.forgive_try(store, one)
    assert guess(0) is not None


def test_session_is_its_owners_until_it_ends(store: Store, operator: Operator) -> None:
    hour = timedelta(hours=1)
    token, opened = sessions.open_session(store, id_of(operator), NOW, 2 * hour)
    found = sessions.find_session(store, token, NOW + hour / 2, hour)
    assert found is not None and (found.operator.name, found.session.id) == ("wang", opened.id)
    assert sessions.find_session(store, token, NOW + hour * 1.5, hour) is None
    sessions.seen(store, opened.id, NOW + hour)
    assert sessions.find_session(store, token, NOW + hour * 1.5, hour) is not None
    assert sessions.find_session(store, token, NOW + 3 * hour, 9 * hour) is None
    sessions.close_session(store, opened.id)
    assert sessions.find_session(store, token, NOW, hour) is None


def test_audit_is_read_from_the_newest_on_in_parts(store: Store, operator: Operator) -> None:
    for n in range(5):
        audit.record(store, id_of(operator), audit.Action.LOOK, "elder", str(n), NOW)
    audit.record(store, None, audit.Action.CHANGE, "operator", "1", NOW, "added")
    first = audit.newest(store, 2)
    assert [(row.audit.subject_id, row.by) for row in first] == [("1", ""), ("4", "王芳")]
    rest = audit.newest(store, 10, first[-1].audit.id)
    assert [row.audit.subject_id for row in rest] == ["3", "2", "1", "0"]


def test_of_two_corrections_at_the_same_moment_one_is_kept(
    store: Store, call_id: UUID, operator: Operator
) -> None:
    order = orders.book(store, sample_order(call_id))
    opened = orders.open_order(store, order.id or 0)
    assert opened is not None

    def correct(address: str) -> bool:
        content = Content(order.code, None, address, order.price_fen, order.pay_fen)
        try:
            orders.correct(store, order.id or 0, content, id_of(operator), NOW, opened.seen)
        except Stale:
            return False
        return True

    with ThreadPoolExecutor(4) as pool:
        kept = list(pool.map(correct, ("一", "二", "三", "四")))
    assert sum(kept) == 1
    now = orders.open_order(store, order.id or 0)
    assert now is not None and now.order.address == "一二三四"[kept.index(True)]
    assert len(now.steps) == 2


def test_correction_that_changes_nothing_is_no_step(
    store: Store, call_id: UUID, operator: Operator
) -> None:
    order = orders.book(store, sample_order(call_id))
    opened = orders.open_order(store, order.id or 0)
    assert opened is not None
    same = Content(order.code, order.scheduled_for, order.address, order.price_fen, order.pay_fen)
    id = order.id or 0
    assert orders.correct(store, id, same, id_of(operator), NOW, opened.seen) == frozenset()
    order_life.complete(store, id, By(operator_id=id_of(operator)), NOW, seen=opened.seen)
    assert orders.unfinished_orders(store, 9) == []


def test_history_of_a_shared_number_is_not_that_of_one_of_them(store: Store, call_id: UUID) -> None:
    wang = elders.register(store, Registration("13812345678", "王秀英", "平江路12号")).elder
    assert [one.call.id for one in calls_from(store, None, ["13812345678"], 9)] == [call_id]
    assert [one.call.id for one in calls_from(store, wang.id, ["13812345678"], 9)] == [call_id]
    assert calls_from(store, wang.id, [], 9) == []
    (talk,) = board.talks(store, NOW, 3)
    assert (talk.person.name, talk.said) == ("王秀英", ())
