"""Why something was understood as it was, for whoever tends the grammars."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest

from audio.recogniser import Hypothesis
from ivr.understanding.explaining import Explanation, align, explain
from ivr.understanding.match import Matcher, prepared
from ivr.understanding.meaning import Kind, State

from .conftest import NOW, Listen

Explain = Callable[..., Explanation]


@pytest.fixture(scope="module")
def explained(matcher: Matcher) -> Explain:
    """Like `listen`, with the reasons."""

    def understood(*texts: str, state: State = State.OPEN) -> Explanation:
        heard = [Hypothesis(text, -0.2 * number) for number, text in enumerate(texts)]
        return explain(heard, state, matcher, NOW)

    return understood


SAID = ["屋里向龌龊煞明朝来收作", "我要打扬", "帮我量个血压", "想请人来陪我说说话"]


@pytest.mark.parametrize("text", SAID)
def test_reasons_are_those_of_the_meaning(explained: Explain, listen: Listen, text: str) -> None:
    found = explained(text)
    assert found.meaning == listen(text)
    likely = [(reason.spoken.code, reason.confidence) for reason in found.reasons]
    assert likely == [(c.code, c.confidence) for c in found.meaning.candidates]
    for reason in found.reasons:
        odds = sum(reason.added.values())
        assert reason.confidence == pytest.approx(1 / (1 + math.exp(-odds)))


@pytest.mark.parametrize("text", SAID)
def test_syllables_add_up_to_what_was_heard_of_a_phrase(matcher: Matcher, text: str) -> None:
    heard = prepared([Hypothesis(text, 0.0)])
    for one, _ in matcher.weighed(heard)[0]:
        share, steps = align(one.entry.readings, one.weights, one.entry.text, heard[0])
        assert share == pytest.approx(one.share, abs=1e-4)
        assert sum(step.adds for step in steps) / sum(one.weights) == pytest.approx(share)
        assert "".join(step.said for step in steps) == one.entry.text
        assert "".join(step.heard for step in steps) in text


def test_a_phrase_is_shown_in_the_hypothesis_that_fits_it(explained: Explain) -> None:
    best = explained("我要地法", "我要理发").reasons[0].spoken
    assert (best.code, best.hypothesis) == ("haircut", 1)
    assert [(step.said, step.heard, step.distance) for step in best.steps][-2:] == [
        ("理", "理", 0.0),
        ("发", "发", 0.0),
    ]


def test_sounds_are_shown_beside_the_dialects_own(matcher: Matcher) -> None:
    readings = matcher.grammar.dialects["suzhou"].pronunciation.read("汏头")
    (heard,) = prepared([Hypothesis("我打头", 0.0)])
    _, steps = align(readings, [1.0, 1.0], "汏头", heard)
    assert [(step.said, step.heard) for step in steps] == [("汏", "打"), ("头", "头")]
    assert [step.heard_phones for step in steps] == [("t", "a"), ("tʰ", "o", "u")]
    assert [step.said_phones[0] for step in steps] == ["d", "d"]  # voiced, and near to a t
    assert all(0 < (step.distance or 0) < 0.4 for step in steps)


def test_times_and_answers_are_shown(explained: Explain) -> None:
    found = explained("不对，后天下午", state=State.CONFIRM)
    assert [(word.heard, word.label) for word in found.times[0]] == [
        ("后天", "day:2"),
        ("下午", "part:afternoon"),
    ]
    assert [answer.code for answer in found.answers] == ["no"]


def test_talk_that_orders_nothing_is_shown_as_the_rival(explained: Explain) -> None:
    found = explained("今天天气真好")
    assert found.meaning.kind is Kind.OOS
    assert found.everyday is not None
    assert found.everyday.evidence > found.reasons[0].spoken.evidence
    assert found.reasons[0].added["over_everyday"] < 0


def test_a_rating_is_explained_without_services(explained: Explain) -> None:
    found = explained("很满意", state=State.RATING)
    assert found.reasons == ()
    assert found.answers[0].code == "5"


def test_nothing_heard_needs_no_explanation(explained: Explain) -> None:
    found = explained("")
    assert found.heard == ()
    assert found.meaning.kind is Kind.OOS
