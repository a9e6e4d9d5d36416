"""A call that comes to an operator, an emergency, and the supervisor's figures, in a real browser.

The store says here what outreach writes while a telephone rings; test_real_transfer.py has a real
one.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import numpy as np
import site_data
from browser_fixtures import Console, Watcher, accessible, log_in, picture
from playwright.async_api import Page, expect

from audio.sound import write_wav
from ivr.recordings import turn_sound
from store import alarms, audit, callbacks, calls, operator_calls, orders
from store.database import Store
from store.models import Call, Cause, Next, Outcome, QueueEnd, QueueVisit, Role, Turn, Wants


def handed_over(console: Console, elder_id: int) -> UUID:
    """A call of an elder in which not all was understood, with the sound of it."""
    store = console.store
    call, now = site_data.begin(store, elder_id=elder_id), datetime.now(UTC)
    tomorrow = (now + timedelta(days=1)).isoformat(timespec="minutes")
    summary = {
        "service": "bathing",
        "wanted_next": "meal_delivery",
        "order": {"code": "bathing", "scheduled_for": tomorrow, "time": "tomorrow",
                  "said_time": "明朝上半日", "address": site_data.HOME},
    }  # fmt: skip
    readings = (("我要打扬", -0.3), ("我要打汤", -0.5), ("我要搭帮", -0.8))
    said: tuple[tuple[str, str, str, float, str], ...] = (
        ("我要打扬", "service", "bathing", 0.58, "您是要洗澡，还是要打扫卫生？"),
        ("洗澡，明朝上半日", "service", "bathing", 0.93, "您要上门帮忙洗澡，明天上午九点，对吗？"),
        ("还有饭要送得来伊讲", "oos", "", 0.3, "对不起，我没听清楚。请您再说一遍。"),
        ("找个人来", "act", "operator", 0.91, "好的，我马上给您转人工，请不要挂机。"),
    )
    for index, (heard, kind, code, sure, answer) in enumerate(said, start=1):
        hypotheses = [{"text": text, "score": score} for text, score in readings]
        turn = Turn(
            call_id=call, index=index, kind="heard", heard=heard,
            hypotheses=hypotheses if index == 1 else [{"text": heard, "score": -0.2}],
            meaning={"kind": kind, "code": code, "confidence": sure}, said=answer, started_at=now,
        )  # fmt: skip
        calls.record_turn(store, turn, summary)
        path = turn_sound(console.settings, call, index)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_wav(path, (3000 * np.sin(np.arange(4000) * 0.3)).astype(np.int16), mode=0o600)
    calls.end_call(
        store, call, Outcome.OPERATOR, Next.OPERATOR, now, reason="asked", summary=summary
    )
    return call


async def test_screen_of_whoever_is_rung_shows_the_call_by_itself(
    console: Console, page: Page, watcher: Watcher
) -> None:
    store = console.store
    call = handed_over(console, site_data.introduce(store))
    operator = console.operator()
    await log_in(page, console.url)
    await page.goto(f"{console.url}/board")
    await expect(page.locator("#talks")).to_contain_text("现在没有来电")

    operator_calls.rings(store, "1.1", call, operator.extension, datetime.now(UTC))
    await page.wait_for_url(f"**/transfer/{call}")
    await expect(page.get_by_role("heading", level=1)).to_have_text(site_data.NAME)
    await expect(page.locator(".place")).to_contain_text("您的电话在响，请接听")
    main = page.get_by_role("main")
    for told in (site_data.NUMBER, site_data.HOME, "要求人工", "补助", "送餐"):
        await expect(main).to_contain_text(told)
    await expect(page.locator(".doubtful")).to_have_count(2)
    await expect(page.locator("mark")).to_have_text("打扬")
    await expect(page.locator(".rivals")).to_have_text("“打扬”也可能是：打汤、搭帮")
    await expect(page.get_by_label("服务项目")).to_have_value("bathing")
    await accessible(page)
    await picture(page, "transfer", whole=True)

    play = page.get_by_role("button", name="听这一句：我要打扬")
    async with page.expect_response(f"**/calls/{call}/turns/1.wav") as sound:
        await play.press("Enter")
    assert (await sound.value).status in (200, 206)
    await expect(play).to_have_attribute("aria-pressed", "false")  # it has been played to its end
    assert "listen" in [row.audit.action for row in audit.newest(store, 3)]

    operator_calls.answers(store, "1.1", call, operator.extension, datetime.now(UTC))
    await expect(page.locator(".place")).to_contain_text("您在通话")
    await page.get_by_label("服务项目").select_option("家庭保洁")
    await expect(page.get_by_label("我要打扬", exact=False).first).to_be_checked()
    await accessible(page)
    await picture(page, "transfer-correcting", whole=True)
    await page.get_by_role("button", name="订下").press("Enter")
    await expect(main.get_by_role("link", name="家庭保洁")).to_be_visible()
    (order,) = orders.orders_of(store, call)
    assert (order.code, order.operator_id) == ("cleaning", operator.id)

    operator_calls.ends(store, "1.1")
    await expect(page.locator(".place")).to_contain_text("通话已结束")


async def test_form_that_somebody_is_filling_in_is_not_taken_away_by_a_call(
    console: Console, page: Page, watcher: Watcher
) -> None:
    store = console.store
    call = handed_over(console, site_data.introduce(store))
    operator = console.operator()
    await log_in(page, console.url)
    await page.goto(f"{console.url}/orders/new?call={call}")
    await page.get_by_role("textbox", name="地址").fill("姑苏区平江路48号")
    operator_calls.rings(store, "1.1", call, operator.extension, datetime.now(UTC))
    strip = page.locator(".ring")
    await expect(strip).to_contain_text(f"您的电话在响 {site_data.NAME}")
    await accessible(page)
    await picture(page, "ringing")
    await expect(page.get_by_role("textbox", name="地址")).to_have_value("姑苏区平江路48号")
    await strip.get_by_role("link", name="打开").press("Enter")
    await page.wait_for_url(f"**/transfer/{call}")
    await expect(strip).to_be_hidden()  # the page itself says it


async def test_emergency_is_on_every_screen_until_somebody_has_seen_to_it(
    console: Console, page: Page, watcher: Watcher
) -> None:
    store = console.store
    site_data.introduce(store)
    console.operator()
    other = console.operator("li", "李娟")
    await log_in(page, console.url)
    await page.goto(f"{console.url}/callbacks")

    call = uuid4()
    raised = datetime.now(UTC)
    alarms.raise_alarm(store, call, site_data.NUMBER, raised)
    banner = page.get_by_role("alert")
    await expect(banner).to_contain_text("还没有人接听")
    for told in (site_data.NAME, site_data.NUMBER, site_data.HOME):
        await expect(banner).to_contain_text(told)
    await accessible(page)
    await picture(page, "emergency")
    # Whether a page may make a sound before somebody touches it, is the browser's to decide.
    allow = banner.get_by_role("button", name="打开警报声")
    silence = banner.get_by_role("button", name="静音")
    await expect(allow.or_(silence)).to_be_visible()
    if await allow.is_visible():
        await allow.press("Enter")
    await silence.press("Enter")
    await expect(silence).to_be_hidden()

    alarms.answer_alarm(store, call, other.extension, raised + timedelta(seconds=12))
    await expect(banner).to_contain_text("李娟")
    await expect(banner).to_contain_text("等了 0:12")
    await accessible(page)
    await picture(page, "emergency-answered")
    await banner.get_by_role("link", name="打开").press("Enter")
    await expect(page.get_by_role("heading", level=1)).to_have_text(site_data.NAME)
    await banner.get_by_role("button", name="处理完毕").press("Enter")
    await expect(banner).to_have_count(0)
    assert alarms.open_alarms(store) == []


def busy_day(store: Store, midnight: datetime) -> None:
    """Calls, waits and call-backs of a day, more in the morning."""
    with store.write() as session:
        for hour in range(8, 18):
            for n in range(20 - abs(hour - 10) * 2):
                at = midnight + timedelta(hours=hour, minutes=n)
                call, alone = uuid4(), n % 4 != 0
                session.add(
                    Call(
                        id=call, phone=site_data.NUMBER, started_at=at, summary={},
                        answered_at=at + timedelta(seconds=1), ended_at=at + timedelta(seconds=60),
                        outcome=Outcome.ORDERED if alone else Outcome.OPERATOR,
                        next=Next.HANGUP if alone else Next.OPERATOR,
                    )
                )  # fmt: skip
                if alone:
                    continue
                joined = at + timedelta(seconds=60)
                left = joined + timedelta(seconds=4 + 3 * n)
                gone = n == 16
                session.add(
                    QueueVisit(
                        call_id=call, uniqueid=str(call), phone=site_data.NUMBER, joined_at=joined,
                        left_at=left, how=QueueEnd.ABANDONED if gone else QueueEnd.ANSWERED,
                        answered_at=None if gone else left,
                    )
                )  # fmt: skip
    at = midnight + timedelta(hours=9)
    cried = uuid4()
    alarms.raise_alarm(store, cried, site_data.NUMBER, at)
    alarms.answer_alarm(store, cried, "op101", at + timedelta(seconds=7))
    asked = callbacks.ask(
        store, site_data.NUMBER, cause=Cause.ASKED, wants=Wants.OPERATOR, at=at, queued_at=at
    )
    assert asked is not None and asked.id is not None
    claimed = callbacks.claim(store, asked.id, "here", at)
    assert claimed is not None and claimed.attempt_id is not None
    callbacks.done(store, claimed.attempt_id, at)


async def test_supervisor_sees_the_day_as_charts_and_as_a_table(
    console: Console, page: Page, watcher: Watcher
) -> None:
    console.operator("zhao", "赵敏", Role.SUPERVISOR)
    zone = console.settings.zone
    yesterday = datetime.now(zone).date() - timedelta(days=1)
    await log_in(page, console.url, "zhao")
    await page.get_by_role("link", name="报表").press("Enter")
    await expect(page.get_by_role("main")).to_contain_text("这段时间没有来电")
    await accessible(page)

    busy_day(console.store, datetime.combine(yesterday, datetime.min.time(), zone))
    banner = page.get_by_role("alert")  # the emergency of that day is still open
    await expect(banner).to_be_visible()
    await page.get_by_role("link", name="昨天").press("Enter")
    await expect(page.get_by_role("img", name="来电与办理")).to_be_visible()
    await expect(page.locator("figure.chart")).to_have_count(5)
    in_time = page.locator(".tile", has_text="15 秒内接通")
    await expect(in_time).to_contain_text("100.0%")
    reached = page.locator(".tile", has_text="回拨打通")
    await expect(reached).to_contain_text("1 / 1")
    ten = page.get_by_role("row", name="10:00")
    await expect(ten.get_by_role("cell").first).to_have_text("20")
    help = page.locator(".helps tbody tr")
    await expect(help).to_contain_text("赵敏 0:07")
    await expect(help).to_contain_text("未处理完")
    drawn = page.get_by_role("img", name="来电与办理").locator("rect title")
    assert "10 一呼独立办结: 15" in [" ".join(t.split()) for t in await drawn.all_text_contents()]
    await accessible(page)
    await picture(page, "supervisor", whole=True)
    async with page.expect_download() as download:
        await page.get_by_role("link", name="下载每天（CSV）").press("Enter")
    assert (await download.value).suggested_filename == f"yihu-{yesterday}-{yesterday}-day.csv"


async def test_figures_are_told_in_english_too(
    console: Console, page: Page, watcher: Watcher
) -> None:
    console.operator("zhao", "赵敏", Role.SUPERVISOR)
    zone = console.settings.zone
    today = datetime.combine(datetime.now(zone).date(), datetime.min.time(), zone)
    busy_day(console.store, today - timedelta(days=1))
    busy_day(console.store, today - timedelta(days=2))
    await log_in(page, console.url, "zhao")
    await page.locator("summary", has_text="赵敏").press("Enter")
    await page.get_by_role("button", name="English").press("Enter")
    await expect(page.locator("html")).to_have_attribute("lang", "en")
    await page.goto(f"{console.url}/supervisor")
    await page.get_by_role("link", name="7 days").press("Enter")
    await expect(page.get_by_role("img", name="Calls by day")).to_be_visible()
    await accessible(page)
    await picture(page, "supervisor-in-english", whole=True)
