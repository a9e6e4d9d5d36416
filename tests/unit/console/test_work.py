"""What operators do on their pages, and what is in the store afterwards."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from visiting import HOME, NOW, NUMBER, Browser

from ivr.catalog import load_catalog
from ivr.config import Settings
from store import audit, callbacks, calls, elders, operators, orders
from store.corrections import corrections
from store.database import Store
from store.elders import Registration
from store.models import (
    CallbackState,
    Cause,
    Duty,
    Known,
    Next,
    Operator,
    OrderEvent,
    OrderStatus,
    Outcome,
    Turn,
    Wants,
    WorkOrder,
)


@pytest.fixture
def call_id(store: Store, elder_id: int) -> UUID:
    """A call in which 擦窗 was taken for 家庭保洁."""
    id = calls.begin_call(store, uuid4(), NUMBER, NOW, elder_id).id
    said = (
        Turn(call_id=id, index=0, kind="start", said="您好", started_at=NOW),
        Turn(
            call_id=id, index=1, kind="heard", heard="叫人来差玻璃", engine="whisper",
            hypotheses=[{"text": "叫人来差玻璃", "score": -0.4}],
            meaning={"kind": "service", "code": "cleaning", "confidence": 0.7},
            said="您要上门打扫卫生。什么时候？", started_at=NOW,
        ),
        Turn(call_id=id, index=2, kind="heard", heard="明天上午", said="订好了", started_at=NOW),
    )  # fmt: skip
    for turn in said:
        calls.record_turn(store, turn)
    return id


@pytest.fixture
def order(store: Store, call_id: UUID, elder_id: int) -> WorkOrder:
    return orders.book(
        store,
        WorkOrder(
            call_id=call_id, number=1, code="cleaning", elder_id=elder_id, phone=NUMBER,
            address=HOME, scheduled_for=NOW + timedelta(days=1), said_time="明天上午",
            price_fen=3500, pay_fen=1750, created_at=NOW,
        ),
    )  # fmt: skip


def seen(store: Store, order: WorkOrder) -> str:
    assert order.id is not None
    opened = orders.open_order(store, order.id)
    assert opened is not None
    return str(opened.seen)


def steps(store: Store, order: WorkOrder) -> list[tuple[OrderEvent, str]]:
    assert order.id is not None
    opened = orders.open_order(store, order.id)
    assert opened is not None
    return [(step.event.kind, step.by) for step in opened.steps]


async def test_corrected_service_is_priced_anew_and_teaches_what_was_misheard(
    browser: Browser, store: Store, order: WorkOrder, call_id: UUID
) -> None:
    await browser.log_in("operator")
    page = await (await browser.get(f"/orders/{order.id}")).text()
    assert 'name="turn" value="1" checked' in page  # where 保洁 was understood
    done = await browser.post(
        f"/orders/{order.id}", code="window_cleaning", turn="1", address=HOME,
        scheduled_for="2026-11-23T14:30", seen=seen(store, order),
    )  # fmt: skip
    assert done.status == 303
    opened = orders.open_order(store, order.id or 0)
    assert opened is not None
    now = opened.order
    price = load_catalog()["window_cleaning"].price_fen
    assert (now.code, now.price_fen, now.pay_fen) == ("window_cleaning", price, price // 2)
    assert now.scheduled_for == datetime(2026, 11, 23, 6, 30, tzinfo=UTC)
    assert opened.steps[-1].event.kind is OrderEvent.CORRECTED
    (learned,) = corrections(store)
    assert (learned.heard, learned.taken_for, learned.code) == (
        "叫人来差玻璃",
        "cleaning",
        "window_cleaning",
    )
    assert (learned.known, learned.call_id, learned.turn) == (Known.OPERATOR, call_id, 1)


async def test_change_of_mind_teaches_nothing(
    browser: Browser, store: Store, order: WorkOrder
) -> None:
    await browser.log_in("operator")
    await browser.get(f"/orders/{order.id}")
    fields = {"address": HOME, "scheduled_for": "", "seen": seen(store, order)}
    await browser.post(f"/orders/{order.id}", code="haircut", turn="none", **fields)
    assert [one.order.code for one in orders.newest_orders(store)] == ["haircut"]
    assert corrections(store) == []


async def test_order_that_changed_meanwhile_is_shown_again_and_kept_as_it_is(
    browser: Browser, store: Store, order: WorkOrder, operator: Operator
) -> None:
    await browser.log_in("operator")
    before = seen(store, order)
    orders.take(store, order.id or 0, operator.id or 0, NOW, int(before))
    response = await browser.post(
        f"/orders/{order.id}", code="haircut", turn="none", address=HOME, seen=before
    )
    assert response.status == 409
    assert "没有保存" in await response.text()
    assert orders.newest_orders(store)[0].order.code == "cleaning"


async def test_order_is_taken_and_finished_step_by_step(
    browser: Browser, store: Store, order: WorkOrder
) -> None:
    await browser.log_in("operator")
    await browser.get(f"/orders/{order.id}")
    await browser.post(f"/orders/{order.id}/take", seen=seen(store, order))
    await browser.post(f"/orders/{order.id}/close", status="completed", seen=seen(store, order))
    assert steps(store, order) == [
        (OrderEvent.CREATED, ""),
        (OrderEvent.TAKEN, "operator 王"),
        (OrderEvent.COMPLETED, "operator 王"),
    ]
    assert orders.newest_orders(store)[0].order.status is OrderStatus.COMPLETED
    again = await browser.post(
        f"/orders/{order.id}/close", status="cancelled", why="x", seen=seen(store, order)
    )
    assert again.status == 409  # what is finished stays finished


async def test_order_is_cancelled_with_a_reason_only(
    browser: Browser, store: Store, order: WorkOrder
) -> None:
    await browser.log_in("operator")
    fields = {"status": "cancelled", "seen": seen(store, order)}
    assert (await browser.post(f"/orders/{order.id}/close", **fields)).status == 400
    assert (await browser.post(f"/orders/{order.id}/close", why="不在家", **fields)).status == 303
    assert orders.newest_orders(store)[0].order.status is OrderStatus.CANCELLED


async def test_order_taken_down_in_a_call_starts_from_what_the_agent_knew_and_is_booked_once(
    browser: Browser, store: Store, elder_id: int
) -> None:
    id = calls.begin_call(store, uuid4(), NUMBER, NOW, elder_id).id
    half = {"code": "haircut", "scheduled_for": "2026-11-23T09:00+08:00", "address": HOME}
    turn = Turn(call_id=id, index=0, kind="start", started_at=NOW)
    calls.record_turn(store, turn, {"order": half})
    await browser.log_in("operator")
    page = await (await browser.get(f"/orders/new?call={id}")).text()
    assert '<option value="haircut" selected>' in page
    assert "2026-11-23T09:00" in page and HOME in page
    fields = {"call": str(id), "number": "1", "code": "haircut", "address": HOME}
    first = await browser.post("/orders", scheduled_for="2026-11-23T09:00", **fields)
    second = await browser.post("/orders", scheduled_for="2026-11-23T09:00", **fields)
    assert first.headers["Location"] == second.headers["Location"]
    (booked,) = orders.orders_of(store, id)
    assert steps(store, booked) == [(OrderEvent.CREATED, "operator 王")]


async def test_order_for_an_elder_without_a_call_has_one_of_its_own(
    browser: Browser, store: Store, elder_id: int
) -> None:
    await browser.log_in("operator")
    assert (await browser.get(f"/orders/new?elder={elder_id}")).status == 200
    id = uuid4()
    fields = {"elder": str(elder_id), "number": "1", "code": "haircut", "address": HOME}
    await browser.post("/orders", call=str(id), **fields)
    call = calls.find_call(store, id)
    assert call is not None and (call.phone, call.outcome) == (NUMBER, Outcome.ORDERED)
    assert [one.pay_fen for one in orders.orders_of(store, id)] == [1250]


async def test_pause_needs_a_reason_and_duty_is_written_down(
    browser: Browser, store: Store, operator: Operator
) -> None:
    await browser.log_in("operator")
    for fields, status in (
        ({"duty": "on"}, 303),
        ({"duty": "paused"}, 400),
        ({"duty": "paused", "reason": "bored"}, 400),
        ({"duty": "paused", "reason": "meal"}, 303),
        ({"duty": "paused", "reason": "meal"}, 303),
        ({"duty": "asleep"}, 400),
        ({"duty": "off"}, 303),
    ):
        assert (await browser.post("/duty", **fields)).status == status
    log = operators.duties(store, operator.id or 0, datetime.now(UTC) - timedelta(hours=1))
    assert [(one.duty, one.reason) for one in reversed(log)] == [
        (Duty.ON, ""),
        (Duty.PAUSED, "meal"),
        (Duty.OFF, ""),
    ]


@pytest.mark.parametrize(
    "words", ["王秀英", "秀英 干将", "干将路12", "0512-65123450", "6512 3450", "3450"]
)
async def test_elder_is_found_by_any_part(browser: Browser, elder_id: int, words: str) -> None:
    await browser.log_in("operator")
    page = await (await browser.get("/people", params={"q": words})).text()
    assert f'href="/people/{elder_id}"' in page


@pytest.mark.parametrize("words", ["李", "%", "_", "999", "王 十全街"])
async def test_nobody_is_found_by_what_does_not_fit(
    browser: Browser, elder_id: int, words: str
) -> None:
    await browser.log_in("operator")
    page = await (await browser.get("/people", params={"q": words})).text()
    assert "/people/" not in page


async def test_looks_at_and_changes_of_an_elder_are_audited(
    browser: Browser, store: Store, elder_id: int
) -> None:
    await browser.log_in("operator")
    await browser.get(f"/callers/{NUMBER}")
    page = await (await browser.get(f"/people/{elder_id}")).text()
    assert "王秀英" in page and NUMBER in page
    fields = {"name": "王秀英", "support_class": "aided", "dialect": "suzhou", "high_risk": "yes"}
    await browser.post(f"/people/{elder_id}", address="平江路48号", **fields)
    found = elders.find_elder(store, elder_id)
    assert found is not None and found.elder.address == "平江路48号"
    rows = [(row.audit.action, row.audit.detail, row.by) for row in audit.newest(store, 2)]
    assert rows == [
        ("change", "address, support_class", "operator 王"),
        ("look", "", "operator 王"),
    ]


async def test_two_namesakes_at_one_address_are_refused(
    browser: Browser, store: Store, elder_id: int
) -> None:
    elders.register(store, Registration("051265123459", "李四", HOME))
    await browser.log_in("operator")
    fields = {"name": "李四", "address": HOME, "support_class": "aided"}
    assert (await browser.post(f"/people/{elder_id}", **fields)).status == 409


async def test_stranger_is_registered_from_the_card_of_their_number(
    browser: Browser, store: Store
) -> None:
    await browser.log_in("operator")
    assert (await browser.get("/callers/13812345678")).status == 200
    fields = {"name": "赵桂兰", "address": HOME, "support_class": "self_paying"}
    done = await browser.post("/people", phone="13812345678", **fields)
    assert (await browser.get("/callers/13812345678")).headers["Location"] == done.headers[
        "Location"
    ]


async def test_operator_calls_somebody_back_by_hand_on_their_own_telephone(
    browser: Browser, store: Store, settings: Settings, operator: Operator
) -> None:
    now = datetime.now(UTC)
    owed = callbacks.ask(
        store, NUMBER, cause=Cause.ASKED, wants=Wants.AGENT, at=now, due_at=now + timedelta(hours=9)
    )
    assert owed is not None
    await browser.log_in("operator")
    await browser.get("/callbacks")
    path = f"/callbacks/{owed.id}/call"
    assert (await browser.post(path)).status == 409, "no calls go out of this house"
    settings.outbound.gateway = "127.0.0.1"
    assert (await browser.post(path, token="forged")).status == 403
    assert (await browser.post(path)).status == 303
    [row] = callbacks.due(store, datetime.now(UTC))
    assert row.by_hand == operator.extension
    callbacks.claim(store, owed.id or 0, "outreach", datetime.now(UTC))
    assert (await browser.post(path)).status == 409, "it is on the line already"


async def test_callback_is_settled_with_a_word_on_how_but_not_while_it_is_dialled(
    browser: Browser, store: Store
) -> None:
    now = datetime.now(UTC)
    ids = []
    for number in ("13812345671", "13812345672"):
        asked = callbacks.ask(store, number, cause=Cause.ASKED, wants=Wants.OPERATOR, at=now)
        assert asked is not None and asked.id is not None
        ids.append(asked.id)
    callbacks.claim(store, ids[1], "outreach", now)
    await browser.log_in("operator")
    assert (await browser.get("/callbacks")).status == 200
    assert (await browser.post(f"/callbacks/{ids[0]}/close", state="done")).status == 400
    fields = {"state": "done", "why": "已经打过"}
    assert (await browser.post(f"/callbacks/{ids[0]}/close", **fields)).status == 303
    assert (await browser.post(f"/callbacks/{ids[1]}/close", **fields)).status == 409
    states = {one.callback.id: one.callback.state for one in callbacks.newest_callbacks(store)}
    assert states == {ids[0]: CallbackState.DONE, ids[1]: CallbackState.DIALLING}


async def test_voice_note_is_heard_only_from_the_recordings(
    browser: Browser, store: Store, settings: Settings, order: WorkOrder, tmp_path: Path
) -> None:
    settings.recordings.mkdir()
    kept, other = settings.recordings / "note.wav", tmp_path / "other.wav"
    kept.write_bytes(b"RIFF")
    other.write_bytes(b"RIFF")
    await browser.log_in("operator")
    for path, status in ((kept, 200), (other, 404)):
        orders.attach_note(store, order.id or 0, str(path), NOW)
        assert (await browser.get(f"/orders/{order.id}/note.wav")).status == status
    assert any(row.audit.action == "listen" for row in audit.newest(store, 3))


async def test_pages_come_in_the_language_of_whoever_looks(
    browser: Browser, store: Store, order: WorkOrder
) -> None:
    await browser.log_in("operator")
    assert "未办结" in await (await browser.get("/orders")).text()
    await browser.post("/language", language="en")
    page = await (await browser.get("/orders")).text()
    assert "Cleaning" in page and 'lang="en"' in page and "未办结" not in page
    assert order.call_id is not None
    calls.end_call(store, order.call_id, Outcome.ORDERED, Next.HANGUP, NOW)
    for path in ("/board", "/duty", "/callbacks", f"/calls/{order.call_id}", "/people?q=王"):
        assert (await browser.get(path)).status == 200


@pytest.mark.parametrize(
    "path", ["/orders/9", "/orders/x", "/calls/9", "/people/9", "/people/-1", "/callers/abc"]
)
async def test_what_does_not_exist_is_not_found(browser: Browser, path: str) -> None:
    await browser.log_in("operator")
    assert (await browser.get(path)).status == 404
