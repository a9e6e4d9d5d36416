"""What elders hear when we call them, and what comes of what they say."""

from __future__ import annotations

from datetime import timedelta

import pytest
from talk import CATALOG, HOME, NOW, PROMPTS, Call

from ivr.dialogue.prompts import LONGEST_SECONDS, seconds
from ivr.dialogue.state import Caller, Errand
from store.models import Purpose

BATH = Errand(Purpose.RATING, "bathing")
PLANNED = Errand(Purpose.PLAN, "bathing", NOW + timedelta(hours=5))  # today at 15:00
GREETING = Errand(Purpose.GREETING)
EVERY_SERVICE = [
    Errand(purpose, code, NOW + timedelta(days=1, hours=5, minutes=30))
    for purpose in Purpose
    for code in CATALOG
]


def we_call(errand: Errand, *lines: str, store_works: bool = True) -> list[str]:
    """What the elder hears first, and what comes of each of their lines."""
    call = Call(errand=errand, store_works=store_works)
    return ["".join(call.log), *(call.says(line) for line in lines)]


def test_elder_hears_who_calls_and_why_in_one_breath() -> None:
    [first] = we_call(BATH)
    bath = CATALOG["bathing"].spoken
    assert first.startswith("您好。王") and "这里是一呼养老热线。" in first
    assert first.endswith(f"上次的{bath}，您满意吗？")


@pytest.mark.parametrize("errand", EVERY_SERVICE)
def test_nobody_listens_longer_than_they_can_keep_in_mind(errand: Errand) -> None:
    call = Call(Caller(surname="欧阳", address=HOME.address), errand=errand)
    assert seconds(call.state.said) <= LONGEST_SECONDS


def test_every_phrase_of_ours_is_short() -> None:
    for name in ("ask_rating_again", "ask_what_wrong", "complaint_noted", "ask_move"):
        assert seconds(PROMPTS.say("not_heard") + PROMPTS.say(name)) <= LONGEST_SECONDS


@pytest.mark.parametrize(
    ("line", "score"), [("很满意", 5), ("一般", 3), ("对", 4), ("[4]", 4), ("[3]", 3)]
)
def test_contented_elder_is_thanked(line: str, score: int) -> None:
    answer = we_call(BATH, line)[-1]
    assert answer.startswith(f"<rated {score}>谢谢您") and answer.endswith("<挂断>")


@pytest.mark.parametrize(("line", "score"), [("不满意", 1), ("不对", 2), ("[2]", 2)])
def test_discontented_elder_is_asked_what_was_wrong(line: str, score: int) -> None:
    answer = we_call(BATH, line)[-1]
    assert answer.startswith(f"<rated {score}>对不起")
    assert "哪里不好？<录音>" in answer and answer.endswith("再见。<挂断>")


def test_elder_who_is_not_understood_hears_what_to_say_and_is_called_another_time() -> None:
    again, last = we_call(BATH, "天气", "天气")[1:]
    assert "按一到五" in again
    assert last.startswith("<later>") and last.endswith("<挂断>")


@pytest.mark.parametrize(
    ("line", "kept"),
    [
        ("我现在没空", "<later>"),
        ("你打错了，没有这个人", "<wrong_person>"),
        ("不要再打来了", "<refused>"),
        ("算了", "<refused>"),
    ],
)
def test_who_does_not_want_to_be_asked_is_left_in_peace(line: str, kept: str) -> None:
    answer = we_call(BATH, line)[-1]
    assert answer.startswith(kept) and answer.endswith("<挂断>")


def test_elder_may_ask_for_a_human_or_for_help_at_every_point() -> None:
    assert "<人工 asked>" in we_call(BATH, "人工")[-1]
    assert "<紧急>" in we_call(GREETING, "救命")[-1]
    assert "<紧急>" in we_call(PLANNED, "[9]")[-1]
    assert "您满意吗" in we_call(BATH, "再说一遍")[-1]


def test_answer_that_cannot_be_kept_is_asked_for_another_time() -> None:
    answer = we_call(BATH, "很满意", store_works=False)[-1]
    assert "过些时候再打给您" in answer and answer.endswith("<挂断>")


def test_planned_service_is_confirmed() -> None:
    first, answer = we_call(PLANNED, "对")
    assert "今天" in first and "下午三点" in first
    assert answer.startswith("<confirmed>") and answer.endswith("<挂断>")


@pytest.mark.parametrize(
    "lines", [("明天上午九点半",), ("不对", "明天上午九点半"), ("不对，明天上午九点半",)]
)
def test_planned_service_is_moved(lines: tuple[str, ...]) -> None:
    answer = we_call(PLANNED, *lines)[-1]
    assert answer.startswith("<moved 11-23 09:30>好的，改到")


@pytest.mark.parametrize("lines", [("取消",), ("不对", "取消"), ("不对", "不对")])
def test_planned_service_is_called_off(lines: tuple[str, ...]) -> None:
    assert we_call(PLANNED, *lines)[-1].startswith("<cancelled>")


def test_time_alone_is_meant_for_the_planned_day() -> None:
    tomorrow = Errand(Purpose.PLAN, "bathing", NOW + timedelta(days=1))
    assert "<moved 11-23 15:00>" in we_call(tomorrow, "下午，三点")[-1]


def test_elder_who_is_well_is_greeted_and_who_is_not_gets_a_human() -> None:
    assert we_call(GREETING, "对")[-1].startswith("<greeted>")
    assert "<人工 unwell>" in we_call(GREETING, "不对")[-1]
    assert "<人工 silent>" in we_call(GREETING, "(静)", "(静)")[-1]


def test_elder_who_calls_in_is_asked_when_their_own_need_is_met() -> None:
    call = Call(errand=Errand(Purpose.RATING, "bathing", ours=False))
    call.says("明天上午九点半、理发")
    call.says("对")
    asked = call.says("不用了")
    assert "还想问您一下" in asked and "您满意吗" in asked and "<挂断>" not in asked
    answer = call.says("很满意")
    assert answer.startswith("<rated 5>好的，祝您身体健康") and answer.endswith("<挂断>")


def test_elder_who_calls_in_for_a_human_is_not_asked() -> None:
    call = Call(errand=Errand(Purpose.RATING, "bathing", ours=False))
    assert call.says("人工").endswith("<人工 asked>")
