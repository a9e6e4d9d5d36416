"""Who stops in the middle of a sentence gets more time; who has said it all waits for nothing."""

from __future__ import annotations

import pytest

from ivr.calls.unfinished import sounds_unfinished
from ivr.understanding.meaning import EMERGENCY, Act, Kind, Meaning, State

FRAMES = frozenset(("我想", "请人", "我想请", "来", "帮我", "家里", "我", "可以", "明天"))
NOTHING = Meaning(Kind.OOS, "", 0.0)
TIME = Meaning(Kind.TIME, "", 1.0)


def heard(text: str, meaning: Meaning = NOTHING, question: State = State.OPEN) -> bool:
    return sounds_unfinished(text, meaning, question, FRAMES)


@pytest.mark.parametrize("text", ["我想", "我想请人来", "帮我理", "家里水", "我要洗那个"])
def test_who_has_only_begun_to_say_what_they_need_gets_more_time(text: str) -> None:
    assert heard(text)


def test_who_has_said_only_when_is_about_to_say_what() -> None:
    assert heard("明天上午九点", TIME)
    assert not heard("明天上午九点", TIME, State.TIME)


@pytest.mark.parametrize("text", ["帮我理发", "理发", "我想请人来打扫", "我", "嗯"])
def test_who_has_said_it_all_does_not_wait(text: str) -> None:
    assert not heard(text)


def test_help_does_not_wait() -> None:
    assert not heard("来人", Meaning(Kind.SERVICE, EMERGENCY, 0.9))
    assert not heard("请人来", Meaning(Kind.ACT, Act.OPERATOR, 0.9))


def test_an_answer_does_not_wait_for_more() -> None:
    assert not heard("可以", Meaning(Kind.ACT, Act.YES, 0.9), State.CONFIRM)
    assert heard("明天", TIME, State.TIME), "明天……上午"
