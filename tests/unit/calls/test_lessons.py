"""What a conversation teaches, as text."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from audio.recogniser import Hypothesis
from ivr.calls.lessons import Lessons
from ivr.calls.recognition import Recognised
from ivr.catalog import load_catalog
from ivr.dialogue import conversation
from ivr.dialogue.prompts import load_prompts
from ivr.dialogue.state import Caller
from ivr.dialogue.step import Booked, Heard
from ivr.understanding.meaning import Act, Candidate, Kind, Meaning
from ivr.understanding.when import When

NOW = datetime(2026, 11, 18, 10, 30, tzinfo=ZoneInfo("Asia/Shanghai"))
TOMORROW = When(day=(NOW + timedelta(days=1)).date(), clock=NOW.time())


class Talk:
    """A conversation in texts with their meanings."""

    def __init__(self) -> None:
        caller = Caller(address="平江路一号")
        self.state = conversation.begin(caller, load_catalog(), load_prompts(), NOW).state
        self.lessons = Lessons()
        self._turns = 0

    def hear(self, text: str, meaning: Meaning) -> None:
        before = self.state
        self.state = conversation.advance(before, Heard(meaning, NOW)).state
        self._turns += 1
        recognised = Recognised((Hypothesis(text, -0.3),), engine="test")
        self.lessons.heard(self._turns, recognised, meaning, before, self.state)

    def wants(self, text: str, *codes: str, confidence: float = 0.95, dialect: str = "") -> None:
        self.hear(
            text,
            Meaning(
                Kind.SERVICE,
                codes[0],
                confidence,
                dialect or "mandarin",
                tuple(Candidate(code, confidence) for code in codes),
                when=TOMORROW,
            ),
        )

    def mumbles(self, text: str) -> None:
        self.hear(text, Meaning(Kind.OOS, text=text))

    def acts(self, act: Act) -> None:
        self.hear(act, Meaning(Kind.ACT, act, 0.95))

    def agrees(self) -> None:
        self.acts(Act.YES)
        self.state = conversation.advance(self.state, Booked(1)).state

    @property
    def learned(self) -> list[tuple[int, str, str, str]]:
        """Turn, text, what it was taken for, what it meant."""
        return [
            (
                lesson.utterance.turn,
                lesson.utterance.recognised.hypotheses[0].text,
                lesson.utterance.taken_for,
                lesson.code,
            )
            for lesson in self.lessons.misunderstood(self.state.booked)
        ]


@pytest.fixture
def talk() -> Talk:
    return Talk()


def test_what_was_not_understood_meant_what_was_ordered_then(talk: Talk) -> None:
    talk.mumbles("我要打扬")
    talk.wants("洗澡", "bathing")
    talk.agrees()
    assert talk.learned == [(1, "我要打扬", "", "bathing")]


def test_what_the_caller_said_no_to_meant_what_was_ordered_then(talk: Talk) -> None:
    talk.wants("打扫", "cleaning")
    talk.acts(Act.NO)
    talk.wants("洗澡", "bathing")
    talk.agrees()
    assert talk.learned == [(1, "打扫", "cleaning", "bathing")]


def test_what_was_asked_between_two_meant_the_one_that_was_ordered(talk: Talk) -> None:
    talk.wants("打扬", "cleaning", "bathing", confidence=0.6)
    talk.wants("洗澡", "bathing")
    talk.agrees()
    assert talk.learned == [(1, "打扬", "", "bathing")]


def test_who_is_understood_at_once_teaches_nothing(talk: Talk) -> None:
    talk.wants("洗澡", "bathing")
    talk.agrees()
    talk.wants("打扫", "cleaning")
    talk.agrees()
    assert talk.learned == []


def test_who_orders_nothing_teaches_nothing(talk: Talk) -> None:
    talk.mumbles("我要打扬")
    talk.wants("洗澡", "bathing")
    assert talk.learned == []
    assert talk.lessons.dialect(talk.state.booked) == ""


def test_who_changes_their_mind_was_not_misunderstood(talk: Talk) -> None:
    talk.wants("打扫", "cleaning")
    talk.acts(Act.CANCEL)
    talk.wants("洗澡", "bathing")
    talk.agrees()
    assert talk.learned == []


def test_each_order_of_a_call_teaches_its_own(talk: Talk) -> None:
    talk.wants("洗澡", "bathing")
    talk.agrees()
    talk.mumbles("题个头")
    talk.wants("理发", "haircut")
    talk.agrees()
    assert talk.learned == [(3, "题个头", "", "haircut")]


def test_answers_to_other_questions_are_no_names_of_needs(talk: Talk) -> None:
    talk.wants("打扬", "cleaning", "bathing", confidence=0.6)
    talk.mumbles("前面那个")
    talk.wants("洗澡", "bathing")
    talk.acts(Act.REPEAT)
    talk.mumbles("啊什么")
    talk.agrees()
    assert [text for _, text, _, _ in talk.learned] == ["打扬"]


def test_dialect_of_most_orders_is_the_caller_s(talk: Talk) -> None:
    talk.wants("汏浴", "bathing", dialect="suzhou")
    talk.agrees()
    talk.wants("打扫", "cleaning", dialect="mandarin")
    talk.agrees()
    talk.wants("剃头", "haircut", dialect="suzhou")
    talk.agrees()
    talk.wants("修脚", "pedicure", dialect="lanzhou")
    assert talk.lessons.dialect(talk.state.booked) == "suzhou"
