"""An operator's day at the console, in a real browser: keyboard, pictures, accessibility."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import site_data
from browser_fixtures import Console, Watcher, accessible, log_in, picture
from playwright.async_api import Page, expect

from store import callbacks, operator_calls, operators, orders
from store.corrections import corrections
from store.models import Cause, Duty, Known, OrderEvent, OrderStatus, QueueVisit, Role, Wants


async def test_operator_logs_in_and_goes_on_duty_with_the_keyboard(
    console: Console, page: Page, watcher: Watcher
) -> None:
    console.operator()
    await page.goto(console.url)
    await accessible(page)
    await picture(page, "log-in")
    await log_in(page, console.url)
    await expect(page).to_have_title("我的状态 · 一呼")
    await accessible(page)
    await picture(page, "off-duty")
    await page.keyboard.press("Enter")  # 上岗 has the focus
    await expect(page.locator("#duty")).to_have_text("在岗")
    await page.keyboard.press("F8")
    await page.get_by_role("button", name="用餐").press("Enter")
    await expect(page.get_by_role("heading", level=1)).to_have_text("您在小休，电话暂时不响。")
    await accessible(page)
    await picture(page, "paused")
    found = operators.find(console.store, "wang")
    assert found is not None and (found.duty, found.duty_reason) == (Duty.PAUSED, "meal")


async def test_board_shows_a_call_as_it_is_spoken(
    console: Console, page: Page, watcher: Watcher
) -> None:
    store, elder_id = console.store, site_data.introduce(console.store)
    console.operator()
    console.operator("li", "李娟")
    await log_in(page, console.url)
    await page.goto(f"{console.url}/board")
    talks = page.locator("#talks")
    await expect(talks).to_contain_text("现在没有来电")
    await picture(page, "board-quiet")

    call = site_data.begin(store, elder_id=elder_id)
    await expect(talks.get_by_text("王秀英")).to_be_visible()
    site_data.say(store, call, 1, "我想请人来擦玻璃窗", "window_cleaning", "什么时候来呢？")
    await expect(talks.get_by_text("我想请人来擦玻璃窗")).to_be_visible()
    site_data.say(store, call, 2, "打扬打扬", "bathing", "您是要洗澡，还是要擦窗户？", 0.4)
    await expect(talks.locator(".unsure")).to_have_text("助浴 · 把握不大")

    now = datetime.now(UTC)
    with store.write() as session:
        waits = QueueVisit(uniqueid="1", phone="13900001111", joined_at=now - timedelta(seconds=70))
        session.add(waits)
    await expect(page.locator("#queue li")).to_contain_text("139****1111")
    callbacks.ask(store, "051265550001", cause=Cause.ASKED, wants=Wants.AGENT, at=now)
    await expect(page.locator("#owed li")).to_contain_text("0512****0001")
    operator_calls.rings(store, "1.1", call, "op102", now)
    await expect(page.locator("#desks")).to_contain_text("李娟 振铃中")
    operator_calls.answers(store, "1.1", call, "op102", now)
    await expect(page.locator("#desks")).to_contain_text("李娟 通话中")
    operator_calls.ends(store, "1.1")
    operators.set_duty(store, 2, Duty.PAUSED, "training", now)
    await expect(page.locator("#desks")).to_contain_text("李娟 培训")
    await accessible(page)
    await picture(page, "board")

    site_data.end(store, call)
    await expect(talks).to_contain_text("现在没有来电")
    await expect(page.locator("#past")).to_contain_text("王秀英")


async def test_call_can_be_read_along_to_its_end(
    console: Console, page: Page, watcher: Watcher
) -> None:
    store, elder_id = console.store, site_data.introduce(console.store)
    console.operator()
    call = site_data.begin(store, elder_id=elder_id)
    await log_in(page, console.url)
    await page.goto(f"{console.url}/board")
    await page.locator(".talk a").press("Enter")
    await expect(page.get_by_role("heading", level=1)).to_have_text("王秀英")
    log = page.get_by_role("log")
    for index in range(1, 12):
        site_data.say(store, call, index, f"第{index}句", "", "请再说一遍。")
    await expect(log.get_by_text("第11句")).to_be_in_viewport()
    await accessible(page)
    await picture(page, "call")
    await log.evaluate("log => { log.scrollTop = 0; }")  # reading what was said before
    site_data.say(store, call, 12, "第12句", "", "请再说一遍。")
    await expect(log.get_by_text("第12句")).to_be_attached()
    assert await log.evaluate("log => log.scrollTop") == 0
    site_data.end(store, call)
    await expect(page.locator(".tag.live")).to_have_count(0)


async def test_misheard_order_is_corrected_and_finished_and_the_grammar_can_learn_from_it(
    console: Console, page: Page, watcher: Watcher
) -> None:
    store = console.store
    order = site_data.misheard_order(store, site_data.introduce(store))
    console.operator()
    await log_in(page, console.url)
    await page.goto(f"{console.url}/orders")
    await accessible(page)
    await picture(page, "orders")
    await page.get_by_role("link", name=str(order.id), exact=True).press("Enter")
    misheard = page.get_by_role("group", name="哪一句听错了？")
    await expect(misheard).to_be_hidden()
    await page.get_by_label("服务项目").select_option("擦窗")
    await expect(misheard).to_be_visible()
    await expect(misheard.get_by_label("叫人来差差玻璃窗")).to_be_checked()
    await page.get_by_label("地址", exact=True).fill("姑苏区平江路48号")
    await accessible(page)
    await picture(page, "order-correcting")
    await page.get_by_label("地址", exact=True).press("Enter")
    await expect(page.get_by_role("heading", level=1)).to_contain_text("擦窗")
    await expect(page.locator(".log")).to_contain_text("家庭保洁 → 擦窗")
    await page.get_by_role("button", name="办结").press("Enter")
    await expect(page.locator(".titled .tag")).to_have_text("已办结")
    await accessible(page)
    await picture(page, "order-finished")

    opened = orders.open_order(store, order.id or 0)
    assert opened is not None
    assert (opened.order.code, opened.order.status) == ("window_cleaning", OrderStatus.COMPLETED)
    assert [step.event.kind for step in opened.steps] == [
        OrderEvent.CREATED,
        OrderEvent.CORRECTED,
        OrderEvent.COMPLETED,
    ]
    (correction,) = corrections(store)
    assert (correction.known, correction.code) == (Known.OPERATOR, "window_cleaning")
    learn = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-c", "from ivr.cli import main; main()", "grammar", "learn", "--json"],
        env={**os.environ, **console.env},
        capture_output=True,
        text=True,
        check=True,
    )
    (suggestion,) = json.loads(learn.stdout)["suggestions"]
    assert (suggestion["code"], suggestion["by_operators"]) == ("window_cleaning", 1)


async def test_caller_is_found_while_typing_and_their_card_leads_to_an_order(
    console: Console, page: Page, watcher: Watcher
) -> None:
    store = console.store
    site_data.misheard_order(store, site_data.introduce(store))
    console.operator()
    await log_in(page, console.url)
    await page.keyboard.press("F2")
    await page.keyboard.type("王")
    await page.keyboard.press("Enter")
    await page.get_by_label("姓名、电话或地址", exact=True).fill("干将路")
    await expect(page.locator("#found")).to_contain_text(site_data.NUMBER)
    await accessible(page)
    await picture(page, "search")
    await page.locator("#found a").first.press("Enter")
    await expect(page.get_by_role("heading", level=1)).to_have_text("王秀英")
    await expect(page.get_by_role("main")).to_contain_text(site_data.HOME)
    await accessible(page)
    await picture(page, "card")
    await page.get_by_role("link", name="新开工单").press("Enter")
    await page.get_by_label("服务项目").select_option("理发")
    await accessible(page)
    await picture(page, "new-order")
    await page.get_by_role("button", name="下单").press("Enter")
    await expect(page.get_by_role("heading", level=1)).to_contain_text("理发")
    assert orders.newest_orders(store)[0].order.code == "haircut"


async def test_callback_list_is_live_and_an_open_form_is_left_alone(
    console: Console, page: Page, watcher: Watcher
) -> None:
    store, now = console.store, datetime.now(UTC)
    console.operator()
    callbacks.ask(store, "051265550001", cause=Cause.ABANDONED, wants=Wants.OPERATOR, at=now)
    await log_in(page, console.url)
    await page.keyboard.press("F9")
    await page.get_by_role("group").get_by_text("办结").click()
    await page.get_by_label("怎样解决的").fill("已经打过")
    callbacks.ask(store, "13812345672", cause=Cause.ASKED, wants=Wants.AGENT, at=now)
    await accessible(page)
    await picture(page, "call-backs")
    await page.get_by_role("button", name="已解决").press("Enter")
    rows = page.locator("#callbacks tbody tr")
    await expect(rows.filter(has_text="0512****0001")).to_have_count(0)
    await expect(rows.filter(has_text="138****5672")).to_have_count(1)
    await expect(rows).to_have_count(1)
    await expect(page.locator(".past li")).to_contain_text("王芳: 已经打过")
    await accessible(page)
    callbacks.ask(store, "13812345673", cause=Cause.ASKED, wants=Wants.AGENT, at=now)
    await expect(rows).to_have_count(2)


async def test_screen_comes_back_by_itself_when_the_console_was_killed(
    console: Console, page: Page, watcher: Watcher
) -> None:
    console.operator()
    await log_in(page, console.url)
    await page.goto(f"{console.url}/board")
    await expect(page.locator("#talks")).to_contain_text("现在没有来电")
    watcher.expected = ("net::ERR", "[object Event]")  # as htmx tells of a lost connection
    console.kill()
    await expect(page.locator("#offline")).to_be_visible()
    await accessible(page)
    await picture(page, "connection-lost")
    console.start()
    await expect(page.locator("#offline")).to_be_hidden()
    site_data.begin(console.store, phone="13812345678")
    await expect(page.locator("#talks")).to_contain_text("138****5678")


async def test_whoever_is_shut_out_sees_the_log_in(
    console: Console, page: Page, watcher: Watcher
) -> None:
    console.operator()
    await log_in(page, console.url)
    await page.goto(f"{console.url}/board")
    watcher.expected = ("401", "[object Event]")
    operators.set_active(console.store, "wang", False, datetime.now(UTC))
    await page.wait_for_url("**/login")


async def test_pages_speak_english_when_asked_to(
    console: Console, page: Page, watcher: Watcher
) -> None:
    console.operator("chen", "陈主任", Role.ADMIN)
    await log_in(page, console.url, "chen")
    await page.locator("summary", has_text="陈主任").press("Enter")
    await page.get_by_role("button", name="English").press("Enter")
    await expect(page.locator("html")).to_have_attribute("lang", "en")
    for path in ("/board", "/duty", "/orders", "/callbacks", "/people", "/password", "/audit"):
        await page.goto(f"{console.url}{path}")
        await accessible(page)
    await picture(page, "audit-in-english")


async def test_right_that_is_missing_is_said_in_words(
    console: Console, page: Page, watcher: Watcher
) -> None:
    console.operator()
    await log_in(page, console.url)
    watcher.expected = ("403",)
    await page.goto(f"{console.url}/audit")
    await expect(page.get_by_role("heading", level=1)).to_contain_text("没有这个权限")
    await accessible(page)
    await picture(page, "refused")
