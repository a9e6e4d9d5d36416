"""What a supervisor can look at and take away, and what others may not."""

from __future__ import annotations

import csv
import io
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import openpyxl
import pytest
from sqlmodel import select
from visiting import NUMBER, Browser

from ivr.config import Settings
from store import audit, complaints, orders, outgoing, switches
from store.database import Store
from store.models import (
    Channel,
    FollowUp,
    FollowUpEnd,
    FollowUpState,
    OrderStatus,
    Provider,
    Purpose,
    Rating,
    SmsOut,
    SmsPurpose,
    SmsState,
    WorkOrder,
)

SUPERVISORS = ("/reports", "/reports.csv", "/reports.xlsx", "/complaints", "/complaints/1/note.wav")
EVERYBODYS = ("/followups", "/sms", "/sms?box=in", "/sms?box=unsent")


def rated(store: Store, at: datetime, name: str, scores: list[int]) -> list[int]:
    """A provider, and its orders that are rated so; their ids."""
    made = []
    with store.write() as session:
        provider = Provider(name=name, phone="0512", latitude=31.3, longitude=120.6)
        session.add(provider)
        session.flush()
        for score in scores:
            order = WorkOrder(
                code="bathing",
                phone=NUMBER,
                scheduled_for=at,
                status=OrderStatus.FOLLOWED_UP if score < 3 else OrderStatus.CLOSED,
                price_fen=3500,
                pay_fen=3500,
                created_at=at,
                provider_id=provider.id,
                started_at=at,
                completed_at=at,
            )
            session.add(order)
            session.flush()
            session.add(Rating(order_id=order.id or 0, score=score, channel=Channel.VOICE, at=at))
            made.append(order.id or 0)
    return made


def complain(store: Store, at: datetime, order_id: int, note: str | None = None) -> int:
    with store.write() as session:
        found = complaints.raise_complaint(session, order_id, 1, at, "迟到了", note)
        return found.id or 0


@pytest.fixture
def now(settings: Settings) -> datetime:
    return datetime.now(settings.zone)


async def test_reports_and_complaints_are_for_supervisors_the_lists_for_everybody(
    browser: Browser,
) -> None:
    await browser.log_in("operator")
    assert [(await browser.get(page)).status for page in SUPERVISORS] == [403] * 5
    assert [(await browser.get(page)).status for page in EVERYBODYS] == [200] * 4
    assert (await browser.post("/outgoing", to="pause", reason="台风")).status == 403
    assert (await browser.post("/complaints/1/close", remedy="道歉")).status == 403
    live = await browser.session.get(f"{browser.url}/events?watch=complaints")
    assert live.status == 403
    await browser.post("/logout")
    await browser.log_in("supervisor")
    assert [(await browser.get(page)).status for page in SUPERVISORS] == [200] * 4 + [404]


async def test_table_is_taken_away_as_csv_with_places(
    browser: Browser, store: Store, now: datetime
) -> None:
    rated(store, now, "平江家政", [5] * 30 + [4] * 10)
    rated(store, now, "=cmd()", [5, 5, 5])
    await browser.log_in("supervisor")
    response = await browser.get("/reports.csv?by=provider")
    assert response.headers["Content-Disposition"].endswith('-provider.csv"')
    heading, *rows = csv.reader(io.StringIO((await response.read()).decode("utf-8-sig")))
    assert (heading[:2], heading[-1]) == (["企业", "工单"], "名次")
    assert [(row[0], row[1], row[-1]) for row in rows] == [
        ("平江家政", "40", "1"),
        ("'=cmd()", "3", ""),  # a name is not computed
    ]
    assert dict(zip(heading, rows[0], strict=True))["准时 %"] == "100.0"
    by = [row.audit.detail for row in audit.newest(store, 1)]
    assert by == ["csv"]


async def test_workbook_has_a_sheet_for_each_part_and_computes_no_names(
    browser: Browser, store: Store, now: datetime
) -> None:
    rated(store, now, "=1+1", [5] * 10 + [1])
    await browser.log_in("supervisor")
    body = await (await browser.get("/reports.xlsx")).read()
    book = openpyxl.load_workbook(io.BytesIO(body))
    assert book.sheetnames == ["企业", "服务人员", "服务项目", "区", "月份"]
    (heading, row) = book["企业"].iter_rows()
    told = {head.value: cell for head, cell in zip(heading, row, strict=True)}
    assert (told["企业"].value, told["企业"].data_type) == ("=1+1", "s")
    assert (told["工单"].value, told["5 分"].value, told["名次"].value) == (11, 10, 1)
    assert book["服务项目"]["A2"].value == "助浴"
    assert book["月份"]["A3"].value == f"{now:%Y-%m}"


async def test_page_ranks_who_is_proven_and_says_when_ratings_are_too_few(
    browser: Browser, store: Store, now: datetime
) -> None:
    rated(store, now, "沧浪助老", [5, 5, 5])
    rated(store, now, "平江家政", [5] * 30 + [4] * 10)
    await browser.log_in("supervisor")
    page = await (await browser.get("/reports")).text()
    ranking = page[page.index("满意度排名") :]
    assert ranking.index("平江家政") < ranking.index("沧浪助老")
    assert "评价少" in ranking
    for by in ("worker", "service", "district", "month"):
        assert "企业</a>" in await (await browser.get(f"/reports?by={by}")).text()


@pytest.mark.parametrize(
    "query", ["from=2026-11-23&to=2026-11-22", "from=x", "from=2020-01-01", "by=year"]
)
async def test_report_that_makes_no_sense_is_refused(browser: Browser, query: str) -> None:
    await browser.log_in("supervisor")
    for page in ("/reports", "/reports.csv"):
        assert (await browser.get(f"{page}?{query}")).status == 400


async def test_complaint_is_taken_and_closed_once(
    browser: Browser, store: Store, now: datetime
) -> None:
    (order_id,) = rated(store, now, "平江家政", [1])
    id = complain(store, now, order_id)
    await browser.log_in("supervisor")
    await browser.get("/complaints")
    assert (await browser.post(f"/complaints/{id}/take")).status == 303
    assert (await browser.post(f"/complaints/{id}/close", remedy="")).status == 400
    assert (await browser.post(f"/complaints/{id}/close", remedy="重新上门")).status == 303
    assert (await browser.post(f"/complaints/{id}/close", remedy="再一次")).status == 409
    assert (await browser.post("/complaints/99/take")).status == 409
    opened = orders.open_order(store, order_id)
    assert opened is not None and opened.order.status is OrderStatus.CLOSED
    done = [row.audit.detail for row in audit.newest(store, 9) if row.audit.action == "change"]
    assert done == ["closed: 重新上门", "taken"]


async def test_recording_of_a_complaint_is_audited_and_nothing_else_can_be_had(
    browser: Browser, store: Store, settings: Settings, now: datetime
) -> None:
    kept = settings.recordings / "complaints" / "1.wav"
    kept.parent.mkdir(parents=True)
    kept.write_bytes(b"RIFF")
    first, second = rated(store, now, "平江家政", [1, 1])
    id = complain(store, now, first, str(kept))
    other = complain(store, now, second, str(settings.recordings / ".." / "yihu.sqlite3"))
    await browser.log_in("supervisor")
    assert await (await browser.get(f"/complaints/{id}/note.wav")).read() == b"RIFF"
    assert audit.newest(store, 1)[0].audit.action == "listen"
    assert (await browser.get(f"/complaints/{other}/note.wav")).status == 404


async def test_everything_that_goes_out_is_paused_with_a_reason_and_resumed(
    browser: Browser, store: Store
) -> None:
    await browser.log_in("supervisor")
    await browser.get("/followups")
    assert (await browser.post("/outgoing", to="pause")).status == 400
    assert not switches.paused(store)
    assert (await browser.post("/outgoing", to="pause", reason="台风")).status == 303
    assert switches.paused(store)
    assert "台风" in await (await browser.get("/followups")).text()
    assert (await browser.post("/outgoing", to="resume", back="sms")).headers["Location"] == "/sms"
    assert not switches.paused(store)
    assert [row.audit.detail for row in audit.newest(store, 9) if row.audit.action == "change"] == [
        "on",
        "off: 台风",
    ]


async def test_message_that_failed_is_sent_again_by_a_supervisor(
    browser: Browser, store: Store, now: datetime
) -> None:
    with store.write() as session:
        message = SmsOut(
            key="rating:1",
            phone="13812345678",
            text="请评价",
            purpose=SmsPurpose.RATING,
            state=SmsState.FAILED,
            created_at=now,
            due_at=now,
        )
        session.add(message)
    await browser.log_in("supervisor")
    page = await (await browser.get("/sms?box=unsent")).text()
    assert "138****5678" in page and "再发一次" in page
    assert (await browser.post(f"/sms/{message.id}/again")).status == 303
    assert (await browser.post(f"/sms/{message.id}/again")).status == 409
    assert "再发一次" not in await (await browser.get("/sms")).text()
    assert (await browser.get("/sms?box=other")).status == 400


async def test_follow_ups_are_listed_with_what_comes_next(
    browser: Browser, store: Store, elder_id: int, now: datetime
) -> None:
    local = now.astimezone(ZoneInfo("Asia/Shanghai"))
    with store.write() as session:
        for n, state in enumerate((FollowUpState.WAITING, FollowUpState.MESSAGED)):
            session.add(
                FollowUp(
                    key=f"greeting:{n}:1",
                    purpose=Purpose.GREETING,
                    elder_id=elder_id,
                    phone=NUMBER,
                    created_at=local,
                    due_at=local + timedelta(minutes=n),
                    state=state,
                    tries=n,
                )
            )
    await browser.log_in("operator")
    page = await (await browser.get("/followups")).text()
    assert page.index("等待拨打") < page.index("王秀英") < page.index("问候")
    assert "0512****3450" in page and NUMBER not in page


async def test_operator_who_has_asked_by_themselves_enters_the_rating(
    browser: Browser, store: Store, now: datetime
) -> None:
    first, second = rated(store, now, "平江家政", [5, 5])
    with store.write() as session:
        for order_id in (first, second):
            session.add(
                FollowUp(
                    key=f"rating:{order_id}",
                    purpose=Purpose.RATING,
                    order_id=order_id,
                    phone=NUMBER,
                    created_at=now,
                    due_at=now,
                )
            )
    await browser.log_in("operator")
    await browser.get("/followups")
    for score in ("6", "", "5.0"):
        assert (await browser.post("/followups/1/close", score=score)).status == 400
    assert (await browser.post("/followups/1/close", score="none")).status == 400
    assert (await browser.post("/followups/1/close", score="1", said="没来")).status == 303
    assert (await browser.post("/followups/1/close", score="5")).status == 409
    assert (await browser.post("/followups/2/close", score="none", said="搬走了")).status == 303
    (raised,) = complaints.open_complaints(store)
    assert (raised.order_id, raised.said) == (first, "没来")
    over = outgoing.closed_follow_ups(store, 9)
    assert {(one.order_id, one.end, one.score) for one in over} == {
        (first, FollowUpEnd.RATED, 1),
        (second, FollowUpEnd.REFUSED, 5),
    }
    with store.read() as session:
        kept = session.exec(select(Rating).where(Rating.order_id == first)).one()
    assert kept.channel is Channel.OPERATOR
