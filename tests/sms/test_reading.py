"""What comes of messages to us, in the store: no gateway is needed for that."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

import pytest
from people import People

from ivr.config import ROOT, Settings
from ivr.outreach.sms.answering import MOST_ANSWERS
from ivr.outreach.sms.reader import Reader
from ivr.understanding.written import Written
from store import alarms, follow_ups, messages
from store.database import open_store
from store.models import (
    Channel,
    FollowUpEnd,
    OrderStatus,
    SmsKind,
    SmsPurpose,
    SmsState,
)

PHONE = "13812345678"
BEGIN = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
numbers = count(1)


@pytest.fixture(scope="module")
def written() -> Written:
    return Written.load(ROOT / "grammars")


class Inbox:
    """People, and what they write to us."""

    def __init__(self, folder: Path, written: Written) -> None:
        settings = Settings(data_dir=folder)
        settings.sms.phone = "0512-65123456"
        self.store = open_store(settings.database)
        self.people = People(self.store)
        self.now = BEGIN
        self.reader = Reader(self.store, settings, written, now=lambda: self.now)

    def ask(self, elder: str = "", phone: str = PHONE) -> int:
        """As `People.ask`; the message has been delivered."""
        order = self.people.ask(phone, elder, self.now)
        every = tuple(SmsPurpose)
        for row in messages.claim(self.store, "me", self.now, 9, every):
            messages.sent(self.store, row.id or 0, self.now, "", 1)
        self.later(minutes=1)
        return order

    def later(self, **time: float) -> None:
        self.now += timedelta(**time)

    def write(self, text: str, phone: str = PHONE) -> str:
        """Our answer; empty if there is none."""
        id = f"m{next(numbers)}"
        messages.receive(self.store, "kannel", id, phone, text, self.now)
        asyncio.run(self.reader.step())
        self.later(minutes=1)
        row = messages.newest_in(self.store, 1)[0]
        answers = [one.text for one in self.people.out() if one.key == f"reply:{row.id}"]
        return answers[0] if answers else ""

    def detail(self) -> str:
        return messages.newest_in(self.store, 1)[0].detail


@pytest.fixture
def inbox(tmp_path: Path, written: Written) -> Iterator[Inbox]:
    made = Inbox(tmp_path, written)
    yield made
    made.store.close()


def test_rating_closes_the_order_and_is_thanked_for(inbox: Inbox) -> None:
    order = inbox.ask("王阿婆")
    assert inbox.write("很好，谢谢") == "【一呼】谢谢！王阿婆：11月22日的助浴，已记下5分。"
    [rated] = follow_ups.newest_ratings(inbox.store)
    assert (rated.rating.score, rated.rating.channel) == (5, Channel.SMS)
    assert rated.rating.said == "很好，谢谢"
    assert inbox.people.order(order).status is OrderStatus.CLOSED
    assert inbox.people.follow_up(order).end is FollowUpEnd.RATED


def test_bad_rating_opens_a_complaint_and_words_after_it_are_added(inbox: Inbox) -> None:
    order = inbox.ask()
    assert "哪里不好，请回短信告诉我们" in inbox.write("2")
    [complaint] = inbox.people.complaints(order)
    assert (complaint.score, complaint.said, complaint.closed_at) == (2, "", None)
    assert "已转告主管" in inbox.write("地没拖干净，人也迟到")
    [complaint] = inbox.people.complaints(order)
    assert complaint.said == "地没拖干净，人也迟到"
    assert inbox.people.order(order).status is OrderStatus.FOLLOWED_UP


def test_who_says_the_same_again_is_told_that_it_is_known(inbox: Inbox) -> None:
    order = inbox.ask()
    inbox.write("5")
    assert "已经记下5分" in inbox.write("5分")
    assert inbox.people.scores(order) == {order: 5}


def test_who_thinks_better_of_it_has_the_last_word(inbox: Inbox) -> None:
    order = inbox.ask()
    inbox.write("5")
    assert "已改为4分" in inbox.write("4")
    assert "没让您满意" in inbox.write("1")
    assert inbox.people.scores(order) == {order: 1}
    assert len(inbox.people.complaints(order)) == 1


def test_late_answer_still_counts(inbox: Inbox) -> None:
    order = inbox.ask()
    inbox.later(days=5)
    row = inbox.people.follow_up(order)
    with inbox.store.write() as session:
        follow_ups.settle(session, row.id or 0, FollowUpEnd.NO_ANSWER, inbox.now)
    assert "已记下4分" in inbox.write("4")
    assert inbox.detail() == "rated late"
    assert inbox.people.scores(order) == {order: 4}
    inbox.later(days=60)
    assert "请打0512-65123456" in inbox.write("1")
    assert inbox.people.scores(order) == {order: 4}


def test_answer_to_nothing_is_kept_and_told_whom_to_call(inbox: Inbox) -> None:
    for text in ("5", "你们是谁"):
        assert "请打0512-65123456" in inbox.write(text)
        assert inbox.detail() == "nothing had been asked"


def test_what_cannot_be_told_is_asked_again(inbox: Inbox) -> None:
    order = inbox.ask("王阿婆")
    for text in ("5分，太差了", "收到", "明天还来吗"):
        assert "王阿婆：11月22日的助浴，请只回一个数字" in inbox.write(text)
    assert inbox.people.scores(order) == {}
    inbox.write("3")
    assert inbox.people.scores(order) == {order: 3}


def test_shared_number_is_answered_for_the_latest_and_asked_for_the_other(inbox: Inbox) -> None:
    first, second = inbox.ask("王阿婆"), inbox.ask("李阿公")
    answer = inbox.write("5")
    assert answer.startswith("【一呼】谢谢！李阿公")
    assert "王阿婆：11月22日的助浴，也请回1到5" in answer
    inbox.write("3")
    assert inbox.people.scores(first, second) == {first: 3, second: 5}


def test_who_is_named_is_meant(inbox: Inbox) -> None:
    first, second = inbox.ask("王阿婆"), inbox.ask("李阿公")
    inbox.write("王阿婆 4分")
    assert inbox.people.scores(first, second) == {first: 4}


def test_stop_is_confirmed_once_asked_and_nothing_more_is_sent(inbox: Inbox) -> None:
    order = inbox.ask()
    assert "不再给您发短信" in inbox.write("5 退订")
    assert inbox.people.scores(order) == {order: 5}
    assert inbox.write("你好") == ""
    assert "不再给您发短信" in inbox.write("TD")
    inbox.people.ask(PHONE)
    assert [row.purpose for row in inbox.people.out()].count(SmsPurpose.RATING) == 1
    assert "已恢复" in inbox.write("恢复")
    inbox.people.ask(PHONE)
    assert [row.purpose for row in inbox.people.out()].count(SmsPurpose.RATING) == 2


def test_machines_that_answer_each_other_come_to_an_end(inbox: Inbox) -> None:
    answers = [inbox.write("您好，我现在不方便") for _ in range(MOST_ANSWERS + 3)]
    assert [bool(answer) for answer in answers] == [True] * MOST_ANSWERS + [False] * 3
    inbox.later(days=1)
    assert inbox.write("您好，我现在不方便")


def test_service_numbers_are_not_answered(inbox: Inbox) -> None:
    assert inbox.write("您的余额不足", phone="10086") == ""
    assert messages.newest_in(inbox.store)[0].kind is SmsKind.OTHER


def test_cry_for_help_is_an_alarm_whatever_was_asked(inbox: Inbox) -> None:
    inbox.ask()
    assert "120" in inbox.write("我摔倒了起不来，救命")
    [alarm] = alarms.open_alarms(inbox.store)
    assert alarm.phone == PHONE


def test_message_is_read_once_by_however_many(inbox: Inbox) -> None:
    inbox.ask()
    messages.receive(inbox.store, "kannel", "once", PHONE, "5", inbox.now)

    async def both() -> None:
        await asyncio.gather(inbox.reader.step(), inbox.reader.step())

    asyncio.run(both())
    assert [row.purpose for row in inbox.people.out()].count(SmsPurpose.REPLY) == 1


def test_rating_told_on_the_telephone_meanwhile_can_be_changed(inbox: Inbox) -> None:
    order = inbox.ask()
    with inbox.store.write() as session:
        follow_ups.rate(session, order_id=order, score=5, channel=Channel.VOICE, at=inbox.now)
    assert "已改为3分" in inbox.write("3")
    assert inbox.people.scores(order) == {order: 3}


def test_message_that_was_never_sent_is_not_what_is_answered(inbox: Inbox) -> None:
    first = inbox.ask()
    unsent = inbox.people.ask(PHONE, at=inbox.now)
    assert inbox.people.out(states=(SmsState.QUEUED,))
    inbox.write("4")
    assert inbox.people.scores(first, unsent) == {first: 4}
