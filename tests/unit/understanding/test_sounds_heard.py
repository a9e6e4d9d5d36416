"""What is understood from the sounds of an utterance, where the words written down are wrong."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from audio.phones import SILENCE, PhoneHead, Sounds
from audio.recogniser import Hypothesis
from ivr.understanding.match import Findings, Heard, Matcher, Timed, decide, understand
from ivr.understanding.meaning import Candidate, Kind, Meaning, State
from ivr.understanding.sounds import SyllableReader
from ivr.understanding.syllables import Syllable

NOW = datetime(2026, 11, 22, 10, 30, tzinfo=ZoneInfo("Asia/Shanghai"))
FRAMES_A_PHONE = 4
UNLIKELY = -8.0


def sounds_of(syllables: Sequence[Syllable], also: Sequence[Syllable] = ()) -> Sounds:
    """The sounds of somebody who speaks these syllables without any doubt."""
    inventory = (SILENCE, *sorted({p for syllable in (*syllables, *also) for p in syllable}))
    spoken = [SILENCE, *(phone for syllable in syllables for phone in syllable), SILENCE]
    log_probs = np.full((len(spoken) * FRAMES_A_PHONE, len(inventory)), UNLIKELY, np.float32)
    for place, phone in enumerate(spoken):
        start = place * FRAMES_A_PHONE
        log_probs[start : start + FRAMES_A_PHONE, inventory.index(phone)] = 0.0
    return Sounds(inventory, log_probs)


@pytest.fixture
def says(matcher: Matcher) -> Callable[..., Meaning]:
    """Understands a text that was written down and a dialect text whose sounds were heard."""

    def understood(written: str, spoken: str, dialect: str, state: State) -> Meaning:
        read = matcher.grammar.dialects[dialect].pronunciation.read(spoken)
        sounds = sounds_of([reading[0][0] for reading in read])
        return understand([Hypothesis(written, -0.9, sounds)], state, matcher, NOW)

    return understood


def test_utterance_is_divided_into_the_syllables_that_were_spoken() -> None:
    spoken = [("d", "a"), ("i", "o", "ʔ"), ("t͡s", "ɛ")]
    others = [("t", "ʰ"), ("a",), ("o", "ʔ"), ("d", "ɛ")]
    pieces = SyllableReader([*others, *spoken]).read(sounds_of(spoken, others), 60)
    assert list(pieces.syllables) == spoken
    assert pieces.misfit.shape == (3, 7)
    assert pieces.misfit[0].argmin() == 4
    assert pieces.misfit.min() == 0


def test_only_the_end_of_a_long_story_is_kept() -> None:
    spoken = [("d", "a"), ("t͡s", "ɛ")] * 5
    pieces = SyllableReader(spoken[:2]).read(sounds_of(spoken), 4)
    assert len(pieces.syllables) == 4


def test_silence_has_no_syllables(matcher: Matcher) -> None:
    silence = Sounds((SILENCE, "a"), np.tile(np.array([0, UNLIKELY], np.float32), (20, 1)))
    assert matcher.sounding([Hypothesis("", -1.6, silence)]) is None


def test_suzhou_service_is_understood_though_the_words_are_nonsense(
    says: Callable[..., Meaning],
) -> None:
    meaning = says("西龙旅归分了", "水龙头关勿牢", "suzhou", State.OPEN)
    assert (meaning.kind, meaning.code) == (Kind.SERVICE, "plumbing_repair")
    assert meaning.dialect == "suzhou"


def test_suzhou_need_is_understood_though_its_end_was_lost(says: Callable[..., Meaning]) -> None:
    meaning = says("可以交给他们", "屋里龌龊", "suzhou", State.OPEN)  # 煞
    assert (meaning.kind, meaning.code) == (Kind.SERVICE, "cleaning")
    talk = says("可以交给他们", "今朝天气蛮好", "suzhou", State.OPEN)
    assert talk.kind is Kind.OOS


def test_no_in_the_sounds_keeps_a_misheard_yes_from_booking(says: Callable[..., Meaning]) -> None:
    meaning = says("是的", "勿对勿对", "suzhou", State.CONFIRM)
    assert (meaning.kind, meaning.code) != (Kind.ACT, "yes")


def test_yes_written_word_for_word_counts_though_it_sounds_like_a_no(
    sounds_like: Callable[..., Meaning],
) -> None:
    for written, heard in (("对", "p u,e i"), ("对的", "p u,t ɤ"), ("可以", "k ɤ,p u,i")):
        assert sounds_like(written, heard, State.CONFIRM).code == "yes", written


def test_short_answer_counts_though_nothing_could_be_written(says: Callable[..., Meaning]) -> None:
    meaning = says("", "勿要", "suzhou", State.CONFIRM)
    assert (meaning.kind, meaning.code) == (Kind.ACT, "no")


def test_nothing_is_ordered_from_sounds_alone(says: Callable[..., Meaning]) -> None:
    assert says("", "水龙头关勿牢", "suzhou", State.OPEN).kind is Kind.OOS


def test_phone_head_is_the_same_after_it_was_stored(tmp_path: Path) -> None:
    chance = np.random.default_rng(0)
    head = PhoneHead(
        phones=np.array([SILENCE, "a", "t͡s"]),
        mean=np.zeros(8, np.float32),
        scale=np.ones(8, np.float32),
        context=np.asarray(1),
        hidden_weights=chance.normal(size=(24, 5)).astype(np.float32),
        hidden_bias=np.zeros(5, np.float32),
        weights=chance.normal(size=(5, 3)).astype(np.float32),
        bias=np.zeros(3, np.float32),
        log_prior=np.log(np.array([0.5, 0.3, 0.2], np.float32)),
        about=np.array("a test"),
    )
    path = tmp_path / "model.npz"
    head.save(path)
    states = chance.normal(size=(30, 8)).astype(np.float32)
    before, after = head.hear(states), PhoneHead.load(path).hear(states)
    assert before.phones == after.phones == (SILENCE, "a", "t͡s")
    assert np.allclose(before.log_probs, after.log_probs, atol=0.1)


def test_file_that_is_no_phone_head_is_named(tmp_path: Path) -> None:
    path = tmp_path / "model.npz"
    np.savez(path, weights=np.zeros(3))
    with pytest.raises(ValueError, match="no phone head"):
        PhoneHead.load(path)


def test_yes_does_not_change_the_time_by_what_it_sounds_like(says: Callable[..., Meaning]) -> None:
    meaning = says("对的没错", "呒不问题", "suzhou", State.CONFIRM)
    assert (meaning.kind, meaning.code, meaning.when) == (Kind.ACT, "yes", None)


def test_no_that_was_written_down_as_something_like_yes_is_no_yes(
    says: Callable[..., Meaning],
) -> None:
    assert says("故事", "不是的", "lanzhou", State.CONFIRM).code == "no"


@pytest.fixture
def sounds_like(matcher: Matcher) -> Callable[..., Meaning]:
    """Understands a text that was written down and syllables as they were heard, phone by phone."""

    def understood(written: str, heard: str, state: State) -> Meaning:
        sounds = sounds_of([tuple(syllable.split()) for syllable in heard.split(",")])
        return understand([Hypothesis(written, -0.9, sounds)], state, matcher, NOW)

    return understood


def test_suzhou_denial_keeps_what_was_written_from_being_a_yes(
    sounds_like: Callable[..., Meaning],
) -> None:
    listening = sounds_like("你说的对", "tʰ i,f ə ʔ,s a ʔ", State.CONFIRM)  # 听勿清爽, slurred
    assert listening.code != "yes"
    assert sounds_like("你说的对", "tʰ i,k ə ʔ,t ɛ", State.CONFIRM).code == "yes"


def test_suzhou_denial_is_no_praise(sounds_like: Callable[..., Meaning]) -> None:
    denied = [
        sounds_like(written, heard, State.RATING)
        for written in ("", "满意")
        for heard in ("f ə ʔ,m a,i", "f ə ʔ,m e,i")
    ]
    assert [meaning.rating for meaning in denied if meaning.kind is Kind.RATING] == []
    assert sounds_like("", "m ø,i", State.RATING).rating == 5


def test_yes_by_its_sounds_alone_is_none_if_another_answer_stands_out_more(
    sounds_like: Callable[..., Meaning],
) -> None:
    for heard in ("n i,t ɛ", "t͡sʰ u o,t ɛ", "m ɛ,t ɛ"):  # 勿对, 错哉 and 慢点, garbled
        assert sounds_like("", heard, State.CONFIRM).code != "yes", heard
    assert sounds_like("", "t ɛ", State.CONFIRM).code == "yes"


def test_yes_that_ends_like_a_denial_is_a_yes(sounds_like: Callable[..., Meaning]) -> None:
    assert sounds_like("就是的", "t͡ɕ i o,ʂ ɨ,p o", State.CONFIRM).code == "yes"


def test_person_is_reached_by_the_sounds_of_the_wish(says: Callable[..., Meaning]) -> None:
    meaning = says("拆允工", "转人工", "guanzhong", State.OPEN)
    assert (meaning.kind, meaning.code) == (Kind.ACT, "operator")


def test_answers_are_aligned_once_with_the_same_result(matcher: Matcher) -> None:
    for text in ("对的，没错", "不对，是后天", "我要理发", "很满意"):
        spoken = [way[0][0] for way in matcher.grammar.dialects["suzhou"].pronunciation.read(text)]
        sounding = matcher.sounding([Hypothesis("", 0.0, sounds_of(spoken))])
        assert sounding is not None
        for spotter in (matcher._acts, matcher._ratings):
            _, beyond = spotter.shares_and_beyond_chance(sounding.alike)
            assert np.array_equal(beyond, spotter.beyond_chance(sounding.alike))


def test_a_syllable_that_is_read_like_a_no_is_none(says: Callable[..., Meaning]) -> None:
    """务 of 服务 sounds like 勿."""
    meaning = says("想要洗衣服务", "想要洗漱", "guanzhong", State.OPEN)
    assert (meaning.kind, meaning.code) == (Kind.SERVICE, "laundry")
    assert meaning.confidence > 0.9


@pytest.mark.parametrize("sure, understood", [(0.98, "emergency"), (0.4, "doctor_consult")])
def test_what_may_be_an_emergency_is_told_before_anything_likelier(
    sure: float, understood: str
) -> None:
    """我胸口很痛，快叫医生."""
    found = Findings(
        heard=(Heard("我胸口很痛快叫医生", (), 1.0, -0.3),),
        act=Candidate("", 0.0),
        timed=Timed(None, (), (), 0.0),
        candidates=(Candidate("doctor_consult", 0.99), Candidate("emergency", sure)),
    )
    meaning = decide(found, State.OPEN)
    assert (meaning.kind, meaning.code) == (Kind.SERVICE, understood)


def test_a_yes_in_a_text_that_is_not_the_likeliest_is_none_if_the_sounds_say_no(
    matcher: Matcher,
) -> None:
    read = matcher.grammar.dialects["mandarin"].pronunciation.read
    sounds = sounds_of([reading[0][0] for reading in read("错了")])
    texts = [Hypothesis("您说", -1.2, sounds), Hypothesis("没错", -1.5)]
    meaning = understand(texts, State.CONFIRM, matcher, NOW)
    assert meaning.code != "yes"
