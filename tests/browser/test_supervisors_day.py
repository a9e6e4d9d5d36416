"""What a supervisor reads and does, in a real browser: reports, complaints, the pause button."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import openpyxl
import pytest_asyncio
import report_data
import site_data
from browser_fixtures import Console, Watcher, accessible, log_in, picture
from playwright.async_api import Page, ViewportSize, expect

from store import follow_ups, operators, order_life, orders, switches
from store.database import Store
from store.models import Channel, OrderStatus, Role, WorkOrder
from store.order_steps import NOBODY

DESK = ViewportSize(width=1366, height=768)


@pytest_asyncio.fixture
async def supervisor(console: Console, page: Page, watcher: Watcher) -> AsyncIterator[Page]:
    """Logged in."""
    console.operator("zhao", "赵敏", Role.SUPERVISOR)
    await log_in(page, console.url, "zhao")
    yield page


async def pictures(page: Page, name: str, *, whole: bool = True) -> None:
    """Nothing for axe to find, in the office at 125 % and on a screen of 1366x768."""
    await accessible(page)
    await picture(page, name, whole=whole)
    office = page.viewport_size
    assert office is not None
    await page.set_viewport_size(DESK)
    await accessible(page)
    await picture(page, f"{name}-1366", whole=whole)
    await page.set_viewport_size(office)


def done_order(store: Store, elder_id: int) -> WorkOrder:
    """The service has been done, and the elder is to be asked."""
    order = site_data.misheard_order(store, elder_id)
    order_life.complete(store, order.id or 0, NOBODY, datetime.now(UTC))
    return order


async def test_reports_are_read_by_provider_and_taken_away(
    console: Console, supervisor: Page, tmp_path: Path
) -> None:
    page = supervisor
    report_data.fill(console.store)
    await page.get_by_role("link", name="报表").click()
    await page.get_by_role("link", name="服务", exact=True).click()
    await expect(page).to_have_title("服务报表 · 一呼")
    await page.get_by_role("link", name="近一年").click()
    ranking = page.get_by_role("region", name="满意度排名")
    first, last = ranking.locator("tbody tr").first, ranking.locator("tbody tr").last
    await expect(first).to_contain_text("平江家政服务中心")
    await expect(last).to_contain_text("新来的小店")  # three ratings of 5
    await expect(last).to_contain_text("评价少")
    await expect(page.locator("figure.chart")).to_have_count(6)
    assert await page.locator("#chart-scores + .legend + svg rect").count() > 15
    await pictures(page, "reports-provider")

    async with page.expect_download() as taken:
        await page.get_by_role("link", name="下载本表").click()
    await (await taken.value).save_as(tmp_path / "reports.csv")
    rows = list(csv.reader(io.StringIO((tmp_path / "reports.csv").read_text("utf-8-sig"))))
    assert [row[0] for row in rows[1:3]] == ["平江家政服务中心", "沧浪助老服务社"]
    async with page.expect_download() as taken:
        await page.get_by_role("link", name="下载全部").click()
    await (await taken.value).save_as(tmp_path / "reports.xlsx")
    assert len(openpyxl.load_workbook(tmp_path / "reports.xlsx").sheetnames) == 5

    for by, name in (("服务人员", "worker"), ("月份", "month"), ("区", "district")):
        await page.get_by_role("link", name=by, exact=True).click()
        await expect(page.locator("figure.chart")).to_have_count(6)
        await accessible(page)
        await picture(page, f"reports-{name}", whole=True)


async def test_quiet_period_says_so(console: Console, supervisor: Page) -> None:
    await supervisor.goto(f"{console.url}/reports")
    await expect(supervisor.locator("main")).to_contain_text("这段时间没有工单")
    await accessible(supervisor)
    await supervisor.goto(f"{console.url}/complaints")
    await expect(supervisor.locator("main")).to_contain_text("没有未办结的投诉")
    await accessible(supervisor)


async def test_bad_rating_is_on_the_page_at_once_and_closed_with_a_remedy(
    console: Console, supervisor: Page
) -> None:
    page, store = supervisor, console.store
    order = done_order(store, site_data.introduce(store))
    await page.goto(f"{console.url}/board")
    board = page.locator("#open_complaints")
    await expect(board).to_contain_text("没有未办结的投诉")
    with store.write() as session:
        follow_ups.rate(
            session, order_id=order.id or 0, score=1, channel=Channel.VOICE,
            at=datetime.now(UTC), said="迟到了一个钟头，也没有打电话来",
        )  # fmt: skip
    await expect(board.get_by_text("王秀英")).to_be_visible()  # by itself
    await accessible(page)
    await picture(page, "board-complaint")

    await page.get_by_role("link", name="投诉", exact=True).click()
    listed = page.locator("#complaints")
    await expect(listed).to_contain_text("迟到了一个钟头")
    await listed.get_by_role("button", name="我来处理").press("Enter")
    await expect(listed).to_contain_text("赵敏")
    await listed.locator("summary").click()
    await pictures(page, "complaints")
    await page.get_by_label("怎样解决的").fill("上门道歉，重新做了一遍")
    await page.get_by_label("怎样解决的").press("Enter")
    await expect(listed).to_contain_text("没有未办结的投诉")
    over = page.get_by_role("row", name="上门道歉，重新做了一遍")
    await expect(over).to_contain_text("赵敏")
    await accessible(page)
    opened = orders.open_order(store, order.id or 0)
    assert opened is not None and opened.order.status is OrderStatus.CLOSED


HEARS_OF = """(words) => {
  window.told = new Promise((resolve) => {
    document.body.addEventListener("htmx:sseBeforeMessage", (event) => {
      if (event.detail.data.includes(words)) resolve();
    });
  });
}"""
"""For page.evaluate: await window.told until the page has been sent a part with these words."""


def rated_badly(store: Store, order: WorkOrder, said: str) -> None:
    with store.write() as session:
        follow_ups.rate(
            session, order_id=order.id or 0, score=1, channel=Channel.KEYPAD,
            at=datetime.now(UTC), said=said,
        )  # fmt: skip


async def test_complaint_that_comes_while_another_is_being_closed_disturbs_nobody(
    console: Console, supervisor: Page
) -> None:
    page, store = supervisor, console.store
    elder_id = site_data.introduce(store)
    first, second = done_order(store, elder_id), done_order(store, elder_id)
    rated_badly(store, first, "没擦干净")
    await page.goto(f"{console.url}/complaints")
    close, listed = page.locator("#complaints summary").first, page.locator("#complaints")
    await close.hover()
    await page.evaluate(HEARS_OF, "没有人来")
    await page.mouse.down()
    rated_badly(store, second, "没有人来")
    await page.evaluate("window.told")
    await page.mouse.up()  # what was pressed is still there
    remedy = listed.get_by_label("怎样解决的")
    await remedy.fill("正在写")
    await expect(listed).not_to_contain_text("没有人来")
    await close.click()  # thought better of it: the list shows what has come meanwhile
    await expect(listed).to_contain_text("没有人来")
    await expect(listed.get_by_role("row")).to_have_count(3)


async def test_everything_is_paused_with_one_button_and_everybody_sees_it(
    console: Console, supervisor: Page
) -> None:
    page, store = supervisor, console.store
    done_order(store, site_data.introduce(store))
    await page.get_by_role("link", name="联络").click()
    await page.get_by_role("link", name="回访", exact=True).click()
    listed = page.locator("#followups")
    await expect(listed).to_contain_text("王秀英")
    await expect(listed).to_contain_text("等待拨打")
    await pictures(page, "follow-ups")

    await listed.locator("summary").click()
    await page.get_by_label("老人说的").fill("师傅很好")
    await page.get_by_label("老人的评价").select_option("5 分")
    await accessible(page)
    await picture(page, "follow-up-closing")
    await page.get_by_label("老人说的").press("Enter")
    await expect(page.get_by_role("row", name="已评价")).to_contain_text("5 分")

    other = await page.context.new_page()
    await other.goto(f"{console.url}/orders")
    await page.get_by_text("全部暂停").click()
    await page.get_by_label("为什么暂停").fill("台风")
    await page.get_by_role("button", name="立即暂停全部").press("Enter")
    await expect(page.locator(".stand-by")).to_contain_text("已暂停")
    assert switches.paused(store)
    await expect(other.locator("#outgoing")).to_contain_text("赵敏")
    await expect(other.locator("#outgoing")).to_contain_text("台风")
    await accessible(other)
    await pictures(page, "paused-out")
    await page.get_by_role("button", name="恢复").press("Enter")
    await expect(page.locator(".stand-by")).to_contain_text("正常")
    await expect(other.locator("#outgoing")).to_be_empty()
    assert not switches.paused(store)


async def test_messages_are_read_and_a_failed_one_is_sent_again(
    console: Console, supervisor: Page
) -> None:
    page, store = supervisor, console.store
    report_data.fill(store)
    report_data.answers(store, datetime.now(UTC) - timedelta(minutes=5))
    await page.goto(f"{console.url}/sms")
    await expect(page.get_by_text("已送达").first).to_be_visible()
    await pictures(page, "sms-out", whole=False)
    await page.get_by_role("link", name="没发成").click()
    await page.get_by_role("button", name="再发一次").first.press("Enter")
    await expect(page.locator("tbody tr").get_by_text("待发").first).to_be_visible()
    await page.get_by_role("link", name="收到").click()
    await expect(page.get_by_role("row", name="五分！师傅人很好")).to_contain_text("5 分")
    await pictures(page, "sms-in")


async def test_all_pages_have_room_in_english_for_who_may_see_everything(
    console: Console, page: Page, watcher: Watcher
) -> None:
    admin = console.operator("qian", "Qian Xiaoming", Role.ADMIN)
    operators.set_language(console.store, admin.id or 0, "en")
    report_data.fill(console.store)
    await log_in(page, console.url, "qian")
    for path in ("board", "reports", "reports?by=month", "complaints", "followups", "sms?box=out"):
        await page.goto(f"{console.url}/{path}")
        await accessible(page)
        await picture(page, f"english-{path.partition('?')[0]}")
        me = page.locator("details.me summary")
        await expect(me).to_be_in_viewport(ratio=1)
