"""A real call from the agent to an operator: telephone, screen and order, all of them real."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import datetime

import pytest
import pytest_asyncio
from browser_fixtures import PASSWORD, Watcher, accessible, browsing, log_in, picture
from call_fixtures import KNOWN_NUMBERS, SOON_S, Caller, Say, caller_of, introduce_elders
from conftest import Site
from phone import Phone
from playwright.async_api import expect

from ivr.caller.script import Press
from ivr.console.passwords import hash_password
from ivr.recordings import kept_turns
from store import audit, figures, operators
from store.database import Store, open_store
from store.models import Operator, OrderStatus, Role

ELDER = KNOWN_NUMBERS[0]


@pytest.fixture(scope="module")
def operator_site(make_site: Callable[..., Site]) -> tuple[Site, Operator]:
    """The whole thing, with an operator who is off duty."""
    site = make_site()
    store = open_store(site.settings.database)
    operator = operators.add(
        store, "wang", "王芳", Role.OPERATOR, hash_password(PASSWORD), "wang's secret"
    )
    store.close()
    site.up()
    introduce_elders(site)
    return site, operator


@pytest_asyncio.fixture
async def caller(operator_site: tuple[Site, Operator]) -> AsyncIterator[Caller]:
    async with caller_of(operator_site[0]) as somebody:
        yield somebody


async def test_operator_finishes_what_an_elder_had_begun_with_the_agent(
    operator_site: tuple[Site, Operator],
    caller: Caller,
    record_property: Callable[[str, object], None],
) -> None:
    (site, operator), store = operator_site, caller.store
    begun = Say("我想请人来给我理发", until="理发.*什么时候")
    wants_human = Say("我要找人工", until="转人工")
    over = asyncio.Event()
    async with (
        browsing() as page,
        Phone(site.settings, operator.extension, operator.sip_secret) as phone,
    ):
        watcher = Watcher(page)
        assert await phone.register() == 200
        await log_in(page, site.settings.console.url)
        await page.keyboard.press("Enter")  # 上岗 has the focus
        await expect(page.locator("#duty")).to_have_text("在岗")
        await page.goto(f"{site.settings.console.url}/board")

        call = asyncio.create_task(
            caller.calls(begun, wants_human, number=ELDER, leave=over, farewell_s=10 * SOON_S)
        )
        try:
            ring = await phone.rings(3 * SOON_S)
            rang_at = datetime.now(site.settings.zone)
            await page.wait_for_url("**/transfer/*")
            main = page.get_by_role("main")
            await expect(main).to_contain_text("您的电话在响，请接听")
            shown_s = (datetime.now(site.settings.zone) - rang_at).total_seconds()
            record_property("seconds from ringing to the call on the screen", shown_s)
            print(f"on the screen {shown_s:.2f} s after the telephone rang")
            call_id = caller.placed[-1].call_id
            assert page.url.endswith(f"/transfer/{call_id}")
            for told in ("王秀英", ELDER, "干将路12号", "要求人工"):
                await expect(main).to_contain_text(told)
            await expect(page.get_by_label("服务项目")).to_have_value("haircut")
            await expect(page.get_by_role("textbox", name="地址")).to_have_value("干将路12号")
            assert "人工" in await page.locator(".spoken").inner_text()
            await accessible(page)
            await picture(page, "real-transfer", whole=True)

            playable = await asyncio.to_thread(kept_turns, site.settings, call_id)
            buttons = page.locator("[data-play]")
            await expect(buttons).to_have_count(len(playable))
            async with page.expect_response("**/turns/*.wav") as sound:
                await buttons.first.press("Enter")
            assert (await sound.value).status in (200, 206)

            await ring.answer()
            await expect(main).to_contain_text("您在通话")
            await page.get_by_label("服务项目").select_option("修脚")
            await page.get_by_label("服务时间").fill("2027-01-04T14:30")
            await page.get_by_role("button", name="订下").press("Enter")
            await main.get_by_role("link", name="修脚").press("Enter")
            await expect(page.get_by_role("heading", level=1)).to_contain_text("修脚")
            await page.get_by_role("textbox", name="地址").fill("干将路14号")
            await page.get_by_role("button", name="保存").press("Enter")
            await expect(page.locator(".log")).to_contain_text("干将路14号")
            await page.get_by_role("button", name="办结").press("Enter")
            await expect(page.locator(".titled .tag")).to_have_text("已办结")
            await picture(page, "real-transfer-finished")

            await ring.hang_up()
            report = await asyncio.wait_for(call, SOON_S)
            await page.goto(f"{site.settings.console.url}/transfer/{call_id}")
            await expect(page.locator(".place")).to_contain_text("由 王芳 接听")
        finally:
            over.set()
            call.cancel()
            await asyncio.gather(call, return_exceptions=True)
        watcher.check()

    (order,) = caller.orders(report)
    assert (order.code, order.status, order.operator_id) == (
        "pedicure",
        OrderStatus.COMPLETED,
        operator.id,
    )
    assert order.scheduled_for == datetime(2027, 1, 4, 14, 30, tzinfo=site.settings.zone)
    assert order.address == "干将路14号"
    assert {"look", "listen", "change"} <= await asyncio.to_thread(actions, store, operator)
    today = datetime.now(site.settings.zone).date()
    day = await asyncio.to_thread(figures.report, store, today, today, site.settings.zone)
    assert (day.whole.calls, day.whole.queued, day.whole.queue_answered) == (1, 1, 1)
    assert day.whole.agent_alone == 0


def actions(store: Store, operator: Operator) -> set[str]:
    """What the audit says that somebody did."""
    rows = audit.newest(store, 100)
    return {row.audit.action for row in rows if row.audit.operator_id == operator.id}


async def test_emergency_is_on_the_screen_while_the_telephone_rings(
    operator_site: tuple[Site, Operator], caller: Caller
) -> None:
    site, operator = operator_site
    over = asyncio.Event()
    async with (
        browsing() as page,
        Phone(site.settings, operator.extension, operator.sip_secret) as phone,
    ):
        watcher = Watcher(page)
        assert await phone.register() == 200
        await log_in(page, site.settings.console.url)
        await page.goto(f"{site.settings.console.url}/orders")
        call = asyncio.create_task(
            caller.calls(Press("9"), number=ELDER, leave=over, farewell_s=10 * SOON_S)
        )
        try:
            ring = await phone.rings(3 * SOON_S)
            banner = page.get_by_role("alert")
            await expect(banner).to_contain_text("还没有人接听")
            await page.wait_for_url(f"**/transfer/{caller.placed[-1].call_id}")
            for told in ("王秀英", ELDER, "干将路12号"):
                await expect(banner).to_contain_text(told)
            await expect(page.get_by_role("main")).to_contain_text("您的电话在响，请接听")
            await accessible(page)
            await picture(page, "real-emergency")
            await ring.answer()
            await expect(banner).to_contain_text("王芳 于")
            await expect(page.get_by_role("main")).to_contain_text("您在通话")
            await banner.get_by_role("button", name="处理完毕").press("Enter")
            await expect(banner).to_have_count(0)
            await ring.hang_up()
            await asyncio.wait_for(call, SOON_S)
        finally:
            over.set()
            call.cancel()
            await asyncio.gather(call, return_exceptions=True)
        watcher.check()
