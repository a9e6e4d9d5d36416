"""An order is given to a provider, in a real browser: keyboard, pictures, accessibility."""

from __future__ import annotations

from dataclasses import replace

import site_data
from browser_fixtures import Console, Watcher, accessible, log_in, picture
from playwright.async_api import Page, expect

from store import elders, orders, providers
from store.models import OrderStatus, Role
from store.providers import Entry

NEAR = Entry(
    "安康家政", "13900001111", 31.3125, 120.6205, frozenset({"cleaning", "bathing"}), "姑苏区"
)


async def test_order_is_dispatched_accepted_and_completed_with_the_keyboard(
    console: Console, page: Page, watcher: Watcher
) -> None:
    store, elder_id = console.store, site_data.introduce(console.store)
    place = elders.Registration(
        site_data.NUMBER, site_data.NAME, site_data.HOME, district="姑苏区", place=(31.31, 120.62)
    )
    elders.register(store, place)
    order = site_data.misheard_order(store, elder_id)
    near = providers.register(store, NEAR)[0].id or 0
    providers.add_worker(store, near, "周师傅", "13900003333")
    far = replace(NEAR, name="和顺服务", latitude=31.33, phone="13900002222")
    for one in (far, replace(far, name="远方家政", latitude=32.0)):
        providers.register(store, one)
    console.operator()
    await log_in(page, console.url)
    await page.goto(f"{console.url}/orders/{order.id}")
    await expect(page.locator(".titled .tag")).to_have_text("待派单")
    await expect(page.get_by_label("安康家政")).to_be_checked()
    await expect(page.locator(".dispatch")).to_contain_text("0.3 公里 · 当天 0/20 单")
    await expect(page.locator(".dispatch label", has_text="远方家政")).to_contain_text(
        "超出服务半径"
    )
    await accessible(page)
    await picture(page, "order-dispatching")
    await page.get_by_role("button", name="派单并短信通知").press("Enter")
    await expect(page.locator(".titled .tag")).to_have_text("已派单")
    await expect(page.locator(".log li").first).to_contain_text("王芳 → 安康家政")
    await page.get_by_label("服务人员").first.select_option("周师傅")
    await accessible(page)
    await picture(page, "order-dispatched")
    await page.get_by_role("button", name="企业接单").press("Enter")
    await expect(page.locator(".titled .tag")).to_have_text("已接单")
    await page.get_by_role("button", name="开始服务").press("Enter")
    await expect(page.locator(".titled .tag")).to_have_text("服务中")
    await page.get_by_role("button", name="办结").press("Enter")
    await expect(page.locator(".titled .tag")).to_have_text("已办结")
    await accessible(page)
    await picture(page, "order-life", whole=True)
    opened = orders.open_order(store, order.id or 0)
    assert opened is not None and opened.order.status is OrderStatus.COMPLETED
    assert opened.worker is not None and opened.worker.name == "周师傅"


async def test_supervisor_enters_a_provider_and_its_worker(
    console: Console, page: Page, watcher: Watcher
) -> None:
    console.operator("chen", "陈主任", Role.SUPERVISOR)
    await log_in(page, console.url, "chen")
    await page.get_by_role("link", name="企业").press("Enter")
    await page.get_by_role("link", name="新增企业").press("Enter")
    for label, text in (
        ("名称", "安康家政"),
        ("电话（收短信）", "0512-65550000"),
        ("区", "姑苏区"),
        ("纬度（北纬，度）", "31.31"),
        ("经度（东经，度）", "120.62"),
    ):
        await page.get_by_label(label, exact=True).fill(text)
    await page.get_by_label("助浴").press("Space")
    await accessible(page)
    await picture(page, "new-provider", whole=True)
    await page.get_by_role("button", name="保存").press("Enter")
    await expect(page.get_by_role("heading", level=1)).to_have_text("安康家政")
    await page.get_by_label("姓名", exact=True).fill("周师傅")
    await page.get_by_role("button", name="添加").press("Enter")
    await expect(page.get_by_role("listitem").filter(has_text="周师傅")).to_be_visible()
    await accessible(page)
    await picture(page, "provider")
    await page.goto(f"{console.url}/providers")
    await expect(page.locator("tbody tr")).to_contain_text("助浴")
    await accessible(page)
    await picture(page, "providers")
    await page.goto(f"{console.url}/api/v1")
    await expect(page.get_by_role("heading", level=1)).to_contain_text("一呼的接口")
    await accessible(page)
    await picture(page, "api")
