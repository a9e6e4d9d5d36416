"""What operators arrange with elders, and elders who did not answer."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from visiting import NUMBER, Browser

from store import audit, care_alerts, follow_ups, greetings, orders, standing
from store.database import Store
from store.follow_ups import GiveUp, InVain
from store.models import FollowUpEnd, OrderStatus, Purpose


async def test_standing_order_is_arranged_and_its_orders_are_there_at_once(
    browser: Browser, store: Store, elder_id: int
) -> None:
    await browser.log_in("operator")
    assert f"/plans/new?elder={elder_id}" in await (await browser.get(f"/people/{elder_id}")).text()
    form = await (await browser.get(f"/plans/new?elder={elder_id}")).text()
    assert NUMBER in form
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    fields: dict[str, Any] = {
        "elder": str(elder_id), "phone": NUMBER, "code": "bathing", "at": "23:45",
        "starts_on": f"{datetime.now(UTC) - timedelta(days=2):%Y-%m-%d}",
    }  # fmt: skip
    refused = await browser.post("/plans", **fields)
    assert refused.status == 400  # no day of the week
    data = [("csrf", browser.csrf), *fields.items(), *(("day", day) for day in "7654321")]
    done = await browser.session.post(f"{browser.url}/plans", data=data, allow_redirects=False)
    assert done.status == 303
    (row,) = standing.listed(store)
    assert (row.standing.weekdays, f"{row.standing.at:%H:%M}") == ("1234567", "23:45")
    made = orders.newest_orders(store)
    assert {one.order.standing_id for one in made} == {row.standing.id}
    assert any(tomorrow - (one.order.scheduled_for or tomorrow) < timedelta(days=1) for one in made)

    page = await (await browser.get("/plans")).text()
    assert "王秀英" in page and "周一 周二" in page
    assert (await browser.post(f"/plans/{row.standing.id}/stop")).status == 303
    assert {one.order.status for one in orders.newest_orders(store)} == {OrderStatus.CANCELLED}
    assert (await browser.post(f"/plans/{row.standing.id}/stop")).status == 409
    assert [one.audit.detail for one in audit.newest(store, 1)] == ["stopped"]


async def test_number_of_somebody_else_is_not_called(
    browser: Browser, store: Store, elder_id: int
) -> None:
    await browser.log_in("operator")
    fields = {"elder": str(elder_id), "phone": "13800000000", "day": "1", "at": "10:00"}
    assert (await browser.post("/greetings", **fields)).status == 400
    assert (await browser.post("/greetings", **{**fields, "elder": "9999"})).status == 404
    assert greetings.listed(store, stopped=True) == []


async def test_greetings_are_arranged_and_stopped(
    browser: Browser, store: Store, elder_id: int
) -> None:
    await browser.log_in("operator")
    await browser.get(f"/greetings/new?elder={elder_id}")
    fields = {"elder": str(elder_id), "phone": NUMBER, "day": "1", "at": "10:00"}
    assert (await browser.post("/greetings", **fields)).status == 303
    (row,) = greetings.listed(store)
    assert "10:00" in await (await browser.get("/greetings")).text()
    assert (await browser.post(f"/greetings/{row.plan.id}/stop")).status == 303
    assert greetings.listed(store) == []


async def test_who_did_not_answer_is_on_the_board_until_an_operator_has_seen_to_them(
    browser: Browser, store: Store, elder_id: int
) -> None:
    at = datetime.now(UTC)
    with store.write() as session:
        id = follow_ups.plan(
            session, "greeting:1:2026-11-22", Purpose.GREETING, NUMBER, at=at, due_at=at,
            elder_id=elder_id,
        )  # fmt: skip
        (claimed,) = follow_ups.claim(session, [id], "test", at)
        (_, open) = follow_ups.of_attempts(session, [claimed.attempt_id])[claimed.attempt_id]
        end = GiveUp(FollowUpEnd.NO_ANSWER)
        follow_ups.missed(session, [InVain(open, at, "no answer", end)])
    await browser.log_in("operator")
    assert "问候无人接听" in await (await browser.get("/board")).text()
    (worry,) = care_alerts.open_worries(store)
    assert worry.address in await (await browser.get("/care")).text()
    assert (await browser.post(f"/care/{worry.id}/close")).status == 400
    assert (await browser.post(f"/care/{worry.id}/close", found="在女儿家")).status == 303
    assert (await browser.post(f"/care/{worry.id}/close", found="在女儿家")).status == 409
    page = await (await browser.get("/care")).text()
    assert "在女儿家" in page and "operator 王" in page
    assert 'id="worry-' not in await (await browser.get("/board")).text()
