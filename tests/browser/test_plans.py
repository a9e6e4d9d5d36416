"""What is arranged for weeks ahead, in a real browser: standing orders, greeting calls, and who did
not answer them."""

from __future__ import annotations

from datetime import UTC, datetime

import site_data
from browser_fixtures import Console, Watcher, accessible, log_in, picture
from playwright.async_api import Page, expect

from store import care_alerts, follow_ups, greetings, standing
from store.database import Store
from store.follow_ups import GiveUp, InVain
from store.models import FollowUpEnd, Purpose


def nobody_answers(store: Store, elder_id: int) -> None:
    """A greeting call of today is given up."""
    at = datetime.now(UTC)
    with store.write() as session:
        id = follow_ups.plan(
            session, "greeting:1:today", Purpose.GREETING, site_data.NUMBER,
            at=at, due_at=at, elder_id=elder_id,
        )  # fmt: skip
        (claimed,) = follow_ups.claim(session, [id], "test", at)
        (_, open) = follow_ups.of_attempts(session, [claimed.attempt_id])[claimed.attempt_id]
        end = GiveUp(FollowUpEnd.NO_ANSWER)
        follow_ups.missed(session, [InVain(open, at, "no answer", end)])


async def test_bath_every_tuesday_is_arranged_and_stopped_with_the_keyboard(
    console: Console, page: Page, watcher: Watcher
) -> None:
    elder_id = site_data.introduce(console.store)
    console.operator()
    await log_in(page, console.url)
    await page.goto(f"{console.url}/people/{elder_id}")
    await page.get_by_role("link", name="新定期服务").press("Enter")
    await page.get_by_label("服务项目").select_option("bathing")
    await page.get_by_label("周二").press("Space")
    await page.get_by_label("时间").fill("10:00")
    await accessible(page)
    await picture(page, "new-standing-order", whole=True)
    await page.get_by_role("button", name="保存").press("Enter")
    row = page.locator("tbody tr")
    await expect(row).to_contain_text("助浴")
    await expect(row).to_contain_text("周二")
    await accessible(page)
    await picture(page, "standing-orders")
    (kept,) = standing.listed(console.store)
    assert (kept.standing.elder_id, kept.standing.weekdays) == (elder_id, "2")
    await page.get_by_role("button", name="停止").press("Enter")
    await expect(page.get_by_text("没有定期服务")).to_be_visible()


async def test_who_does_not_answer_a_greeting_is_on_the_board_until_somebody_has_looked(
    console: Console, page: Page, watcher: Watcher
) -> None:
    store, elder_id = console.store, site_data.introduce(console.store)
    console.operator()
    await log_in(page, console.url)
    await page.goto(f"{console.url}/people/{elder_id}")
    await page.get_by_role("link", name="新问候电话").press("Enter")
    for day in ("周一", "周四"):
        await page.get_by_label(day).press("Space")
    await page.get_by_label("时间").fill("09:30")
    await accessible(page)
    await picture(page, "new-greeting", whole=True)
    await page.get_by_role("button", name="保存").press("Enter")
    await expect(page.locator("tbody tr")).to_contain_text(site_data.NAME)
    await accessible(page)
    await picture(page, "greetings")
    assert [row.plan.weekdays for row in greetings.listed(store)] == ["14"]
    await page.goto(f"{console.url}/board")
    nobody_answers(store, elder_id)
    alarm = page.get_by_role("alert").filter(has_text=site_data.NAME)
    await expect(alarm).to_be_visible()
    await accessible(page)
    await picture(page, "board-no-answer")
    await alarm.get_by_role("link").press("Enter")
    await expect(page.get_by_role("heading", level=1)).to_have_text("问候无人接听")
    await page.locator("summary", has_text="已了解情况").press("Enter")
    await page.get_by_label("情况怎样").fill("在女儿家")
    await accessible(page)
    await picture(page, "care")
    await page.get_by_role("button", name="写下并结束").press("Enter")
    await expect(page.get_by_text("没有需要看望的老人")).to_be_visible()
    await expect(page.locator(".past")).to_contain_text("在女儿家")
    assert care_alerts.open_worries(store) == ()
