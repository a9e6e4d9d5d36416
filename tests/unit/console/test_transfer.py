"""What an operator gets with a call, what they may listen to, and what a supervisor is told."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from uuid import UUID, uuid4

import numpy as np
import pytest
from visiting import HOME, NOW, NUMBER, Browser

from audio.sound import write_wav
from ivr.config import Settings
from ivr.recordings import turn_sound
from store import alarms, audit, callbacks, calls, operator_calls, orders
from store.corrections import corrections
from store.database import Store
from store.models import (
    Cause,
    Next,
    Operator,
    Outcome,
    QueueVisit,
    Turn,
    Wants,
)

SUMMARY = {
    "service": "cleaning",
    "wanted_next": "meal_delivery",
    "order": {
        "code": "cleaning",
        "scheduled_for": "2026-11-23T09:00+08:00",
        "time": "2026-11-23 morning",
        "said_time": "明朝上半日",
        "address": HOME,
    },
}


@pytest.fixture
def call_id(store: Store, elder_id: int) -> UUID:
    """A call in which 擦窗 was taken for 家庭保洁, and that goes to an operator."""
    id = calls.begin_call(store, uuid4(), NUMBER, NOW, elder_id).id
    unsure = [{"text": "叫人来差玻璃", "score": -0.3}, {"text": "叫人来擦玻璃", "score": -0.4}]
    said = (
        Turn(call_id=id, index=0, kind="start", said="您好", started_at=NOW),
        Turn(
            call_id=id, index=1, kind="heard", heard="叫人来差玻璃", hypotheses=unsure,
            engine="whisper", meaning={"kind": "service", "code": "cleaning", "confidence": 0.6},
            said="您要打扫卫生吗？", started_at=NOW,
        ),
        Turn(
            call_id=id, index=2, kind="heard", heard="转人工", said="马上转人工",
            meaning={"kind": "act", "code": "operator", "confidence": 0.9}, started_at=NOW,
        ),
    )  # fmt: skip
    for turn in said:
        calls.record_turn(store, turn, SUMMARY)
    calls.end_call(store, id, Outcome.OPERATOR, Next.OPERATOR, NOW, reason="asked", summary=SUMMARY)
    return id


class Fields(HTMLParser):
    """What the fields of a page hold: a select by its selected option."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.values: dict[str, str | None] = {}
        self._select = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        name = found.get("name") or ""
        if tag == "select":
            self._select = name
        elif tag == "option" and "selected" in found:
            self.values[self._select] = found.get("value")
        elif tag == "input" and (found.get("type") != "radio" or "checked" in found):
            self.values[name] = found.get("value")


async def test_half_order_stands_in_the_form_with_all_that_is_known(
    browser: Browser, call_id: UUID
) -> None:
    await browser.log_in("operator")
    page = await (await browser.get(f"/transfer/{call_id}")).text()
    fields = Fields(page).values
    assert fields["code"] == "cleaning"
    assert fields["scheduled_for"] == "2026-11-23T09:00"
    assert fields["address"] == HOME
    assert fields["turn"] == "1"
    for told in ("王秀英", NUMBER, "要求人工", "补助", "苏州话", "送餐", "明朝上半日"):
        assert told in page
    assert "<mark>差</mark>" in page
    assert "“差”也可能是：擦" in page


async def test_corrected_order_is_booked_once_and_teaches_what_was_misheard(
    browser: Browser, store: Store, call_id: UUID, operator: Operator
) -> None:
    await browser.log_in("operator")
    await browser.get(f"/transfer/{call_id}")
    for _ in range(2):  # the button pressed twice
        done = await browser.post(
            f"/transfer/{call_id}", number="1", code="window_cleaning", turn="1", address=HOME,
            scheduled_for="2026-11-23T14:30",
        )  # fmt: skip
        assert (done.status, done.headers["Location"]) == (303, f"/transfer/{call_id}")
    (order,) = orders.orders_of(store, call_id)
    assert (order.code, order.operator_id) == ("window_cleaning", operator.id)
    assert order.scheduled_for == datetime(2026, 11, 23, 6, 30, tzinfo=UTC)
    assert order.said_time == "明朝上半日"
    assert order.pay_fen == order.price_fen // 2
    (learned,) = corrections(store)
    assert (learned.turn, learned.taken_for, learned.code) == (1, "cleaning", "window_cleaning")
    assert "擦窗" in await (await browser.get(f"/transfer/{call_id}")).text()


async def test_booking_without_a_token_is_refused(
    browser: Browser, store: Store, call_id: UUID
) -> None:
    await browser.log_in("operator")
    refused = await browser.post(f"/transfer/{call_id}", token="forged", number="1", code="haircut")
    assert refused.status == 403
    assert not orders.orders_of(store, call_id)


async def test_caller_whom_the_agent_never_saw_can_be_served(
    browser: Browser, store: Store, elder_id: int
) -> None:
    call = uuid4()
    with store.write() as session:
        session.add(QueueVisit(call_id=call, uniqueid="1", phone=NUMBER, joined_at=NOW))
    await browser.log_in("operator")
    page = await (await browser.get(f"/transfer/{call}")).text()
    assert "王秀英" in page and "系统没有和这位来电人说过话" in page
    done = await browser.post(f"/transfer/{call}", number="1", code="haircut", address=HOME)
    assert done.status == 303
    (order,) = orders.orders_of(store, call)
    assert (order.elder_id, order.phone) == (elder_id, NUMBER)
    row = calls.find_call(store, call)
    assert row is not None
    assert (row.outcome, row.started_at) == (Outcome.OPERATOR, NOW)


async def test_who_is_called_back_need_not_begin_again(
    browser: Browser, store: Store, call_id: UUID
) -> None:
    asked = callbacks.ask(
        store, NUMBER, cause=Cause.ASKED, wants=Wants.OPERATOR, at=NOW, call_id=call_id
    )
    assert asked is not None and asked.id is not None
    claimed = callbacks.claim(store, asked.id, "here", NOW)
    assert claimed is not None and claimed.attempt_id is not None
    with store.write() as session:
        visit = QueueVisit(call_id=claimed.attempt_id, uniqueid="1", phone=NUMBER, joined_at=NOW)
        session.add(visit)
    await browser.log_in("operator")
    page = await (await browser.get(f"/transfer/{claimed.attempt_id}")).text()
    assert "叫人来<mark>差</mark>玻璃" in page and "来过电话" in page
    assert Fields(page).values["code"] == "cleaning"
    done = await browser.post(
        f"/transfer/{claimed.attempt_id}", number="1", code="window_cleaning", turn="1",
        address=HOME,
    )  # fmt: skip
    assert done.status == 303
    (order,) = orders.orders_of(store, claimed.attempt_id)
    assert (order.code, order.said_time) == ("window_cleaning", "明朝上半日")
    (learned,) = corrections(store)
    assert (learned.call_id, learned.turn) == (call_id, 1)


async def test_unknown_call_is_not_found(browser: Browser) -> None:
    await browser.log_in("operator")
    assert (await browser.get(f"/transfer/{uuid4()}")).status == 404
    assert (await browser.get("/transfer/nonsense")).status == 404


async def test_every_time_somebody_listens_is_written_down(
    browser: Browser, store: Store, settings: Settings, call_id: UUID
) -> None:
    path = turn_sound(settings, call_id, 1)
    path.parent.mkdir(parents=True)
    write_wav(path, np.zeros(800, np.int16), mode=0o600)
    await browser.log_in("operator")
    page = await (await browser.get(f"/transfer/{call_id}")).text()
    address = f"/calls/{call_id}/turns/1.wav"
    assert page.count("data-play=") == 1 and address in page
    sound = await browser.session.get(f"{browser.url}{address}")
    assert (sound.status, sound.headers["Content-Type"]) == (200, "audio/wav")
    assert await sound.read() == path.read_bytes()
    newest = audit.newest(store, 1)[0]
    assert (newest.audit.action, newest.audit.subject_id) == ("listen", f"{call_id}/1")
    assert newest.by == "operator 王"
    assert (await browser.get(f"/calls/{call_id}/turns/2.wav")).status == 404


async def test_recordings_and_figures_are_for_supervisors(browser: Browser, call_id: UUID) -> None:
    pages = ("/supervisor", "/supervisor.csv", f"/calls/{call_id}/recording.wav")
    await browser.log_in("operator")
    assert [(await browser.get(page)).status for page in pages] == [403, 403, 403]
    await browser.post("/logout")
    await browser.log_in("supervisor")
    assert [(await browser.get(page)).status for page in pages] == [200, 200, 404]


async def test_alarm_is_closed_by_whoever_has_seen_to_it(
    browser: Browser, store: Store, operator: Operator, elder_id: int
) -> None:
    alarm = alarms.raise_alarm(store, uuid4(), NUMBER, NOW)
    await browser.log_in("operator")
    assert (await browser.post(f"/alarms/{alarm.id}/close", token="forged")).status == 403
    assert len(alarms.open_alarms(store)) == 1
    assert (await browser.post(f"/alarms/{alarm.id}/close")).status == 303
    assert alarms.open_alarms(store) == []
    assert (await browser.post("/alarms/99/close")).status == 404


async def test_operator_is_told_of_their_own_telephone_only(
    browser: Browser, store: Store, operator: Operator, call_id: UUID
) -> None:
    other = uuid4()
    operator_calls.rings(store, "1.1", call_id, operator.extension, NOW)
    operator_calls.rings(store, "1.2", other, "op199", NOW)
    await browser.log_in("operator")
    events = await browser.session.get(f"{browser.url}/events?watch=ringing")
    told = ""
    while "您的电话在响" not in told:
        told += (await events.content.readline()).decode()
    while not (line := (await events.content.readline()).decode()).isspace():
        told += line
    events.close()
    assert f"/transfer/{call_id}" in told and "王秀英" in told
    assert str(other) not in told


async def test_figures_come_as_csv_for_a_spreadsheet(
    browser: Browser, store: Store, settings: Settings
) -> None:
    today = datetime.now(settings.zone)
    for _ in range(3):
        call = calls.begin_call(store, uuid4(), NUMBER, today).id
        calls.answer_call(store, call, today + timedelta(seconds=1))
        calls.end_call(store, call, Outcome.ORDERED, Next.HANGUP, today + timedelta(seconds=60))
    await browser.log_in("supervisor")
    body = await (await browser.get("/supervisor.csv")).read()
    assert body.startswith(b"\xef\xbb\xbf")  # Excel takes it for something else without
    heading, *rows = csv.reader(io.StringIO(body.decode("utf-8-sig")))
    assert heading[:3] == ["时段", "来电", "接通 %"]
    assert len(rows) == 24
    assert rows[today.hour][:4] == [f"{today.hour:02}:00", "3", "100.0", "100.0"]
    begin = today.date() - timedelta(days=1)
    by_day = await browser.get(f"/supervisor.csv?from={begin}&to={today.date()}&by=day")
    days = list(csv.reader(io.StringIO((await by_day.read()).decode("utf-8-sig"))))
    assert [row[:2] for row in days[1:]] == [[f"{begin}", "0"], [f"{today.date()}", "3"]]


@pytest.mark.parametrize(
    "query", ["from=2026-11-23&to=2026-11-22", "from=x", "from=2020-01-01", "by=year"]
)
async def test_period_that_makes_no_sense_is_refused(browser: Browser, query: str) -> None:
    await browser.log_in("supervisor")
    assert (await browser.get(f"/supervisor.csv?{query}")).status == 400
