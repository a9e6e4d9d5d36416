"""What callers say, and what the agent takes it for."""

from __future__ import annotations

import pytest

from ivr.config import ROOT
from ivr.understanding.match import Matcher
from ivr.understanding.meaning import EMERGENCY, Act, Kind, State
from ivr.understanding.rehearsal import rehearse

from .conftest import NOW, Listen

ENOUGH = 0.8
"""Share of a dialect's own test sentences; `yihu grammar check --misses` tells which fail."""


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ("喂，同志，我家厨房的水池子堵死了", "drain_unblocking"),
        ("我老太婆腿不好，想有个人推她下楼转转", "walking_escort"),
        ("想请个人上门来给我剪剪头发", "haircut"),
        ("快来救命啊我摔在地上起不来了", "emergency"),
    ],
)
def test_a_need_is_heard_inside_a_story(listen: Listen, said: str, code: str) -> None:
    meaning = listen(said)
    assert (meaning.kind, meaning.code) == (Kind.SERVICE, code)


def test_who_wants_somebody_for_a_need_is_not_sent_to_a_human(listen: Listen) -> None:
    assert listen("寻个人").code == Act.OPERATOR
    assert listen("黑里寻个人守着我").code == "night_care"


def test_a_word_is_known_by_its_sound_when_the_characters_are_wrong(listen: Listen) -> None:
    assert listen("我想里发").code == "haircut"
    assert listen("我要息澡", "我要席澡").code == "bathing"


@pytest.mark.parametrize("said", ["我想请人来给我理发", "我想请人来给我礼发"])
def test_what_is_said_around_a_need_takes_nothing_from_it(listen: Listen, said: str) -> None:
    """我想, 请人来 and 给我, side by side: 我想请 is something people say as well."""
    meaning = listen(said)
    assert (meaning.code, meaning.confidence > 0.9) == ("haircut", True)


def test_the_dialect_spoken_is_noticed(listen: Listen) -> None:
    meaning = listen("要人帮我汏浴")
    assert (meaning.code, meaning.dialect) == ("bathing", "suzhou")


def test_service_and_time_in_one_breath(listen: Listen) -> None:
    meaning = listen("后天下午三点来给我擦擦窗户")
    assert meaning.code == "window_cleaning"
    assert meaning.when is not None
    assert meaning.when.resolve(NOW).isoformat() == "2026-11-20T15:00:00+08:00"


def test_two_services_in_one_breath(listen: Listen) -> None:
    meaning = listen("我要理发，还要量血压")
    assert {meaning.code, *meaning.also} == {"haircut", "health_check"}


@pytest.mark.parametrize("said", ["今天天气真不错", "你是哪里啊", "火车站怎么走", "喂喂听得见吗"])
def test_talk_that_orders_nothing_books_nothing(listen: Listen, said: str) -> None:
    assert listen(said).kind is not Kind.SERVICE


@pytest.mark.parametrize(
    ("said", "act"),
    [
        ("对的对的", Act.YES),
        ("嗯，没错", Act.YES),
        ("不对不对", Act.NO),
        ("再说一遍，我没听清", Act.REPEAT),
        ("给我转人工", Act.OPERATOR),
        ("算了，不要了", Act.CANCEL),
    ],
)
def test_answers_to_a_read_back(listen: Listen, said: str, act: Act) -> None:
    meaning = listen(said, state=State.CONFIRM)
    assert (meaning.kind, meaning.code) == (Kind.ACT, act)


def test_no_with_a_correction_keeps_both(listen: Listen) -> None:
    meaning = listen("不对，是后天", state=State.CONFIRM)
    assert (meaning.kind, meaning.code) == (Kind.ACT, Act.NO)
    assert meaning.when is not None
    assert meaning.when.day is not None and meaning.when.day.isoformat() == "2026-11-20"


def test_yes_changes_the_time_only_by_what_was_most_likely_said(listen: Listen) -> None:
    doubtful = ("对着力求折某龙", "对着力求折骂龙", "对这里求折某龙")  # 克里马擦 is at once
    meaning = listen(*doubtful, state=State.CONFIRM)
    assert (meaning.kind, meaning.code, meaning.when) == (Kind.ACT, Act.YES, None)
    moved = listen("对，不过改到后天吧", "对不过改到后天吧", state=State.CONFIRM)
    assert moved.when is not None and moved.when.day is not None


def test_asking_for_a_human_is_heard_when_a_service_was_asked_for(listen: Listen) -> None:
    assert listen("转人工").code == Act.OPERATOR


@pytest.mark.parametrize(
    ("said", "rating"), [("很满意", 5), ("一般般吧", 3), ("太差了，不满意", 1), ("四分", 4)]
)
def test_ratings_in_words_and_marks(listen: Listen, said: str, rating: int) -> None:
    meaning = listen(said, state=State.RATING)
    assert (meaning.kind, meaning.rating) == (Kind.RATING, rating)


def test_nothing_heard_means_nothing(listen: Listen) -> None:
    assert listen().kind is Kind.OOS
    assert listen("...", "?").kind is Kind.OOS


def test_candidates_come_in_falling_confidence(listen: Listen) -> None:
    confidences = [candidate.confidence for candidate in listen("我要修脚").candidates]
    assert confidences == sorted(confidences, reverse=True)
    assert all(0 <= confidence <= 1 for confidence in confidences)


def test_a_very_long_story_is_still_understood(listen: Listen) -> None:
    story = "我跟你讲啊我今年八十二了，昨天儿子一家回来看我，孙子都上小学了。" * 4
    assert listen(story + "我想请人来量血压").code == "health_check"


@pytest.mark.parametrize("said", ["我要紧急求助快来", "快来救人", "马上要叫救护车", "赶紧叫急救"])
@pytest.mark.parametrize("state", [State.OPEN, State.TIME, State.CONFIRM])
def test_as_soon_as_possible_is_no_time_in_an_emergency(
    listen: Listen, said: str, state: State
) -> None:
    assert listen(said, state).code == EMERGENCY


def test_every_dialect_understands_its_own_sentences(matcher: Matcher) -> None:
    shares = {outcome.dialect: outcome.share for outcome in rehearse(ROOT / "grammars", matcher)}
    assert all(share >= ENOUGH for share in shares.values()), shares
