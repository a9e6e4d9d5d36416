"""Syllables, their likeness, and how dialects read characters."""

from __future__ import annotations

import pytest

from ivr.understanding.pronunciation import Pronunciation
from ivr.understanding.similarity import syllable_distances
from ivr.understanding.syllables import Syllable, from_pinyin, han, phones, pinyin_of


def test_pinyin_is_read_into_phones() -> None:
    assert from_pinyin("zhuang") == ("ʈ͡ʂ", "u", "ɑ", "ŋ")
    assert from_pinyin("xue") == ("ɕ", "y", "e")
    assert from_pinyin("shi") == ("ʂ", "ɨ")
    assert from_pinyin("pfu") == ("p͡f", "u")


def test_what_is_no_syllable_is_refused() -> None:
    with pytest.raises(ValueError, match="xyz"):
        from_pinyin("xyz")


def test_a_nasal_vowel_becomes_vowel_and_nasal() -> None:
    assert phones("iã") == ("i", "a", "ŋ")


def test_digits_are_characters_too() -> None:
    assert han("4分，很好！") == "四分很好"
    assert pinyin_of("银行") == ("yin", "hang")


def _distance(left: str, right: str) -> float:
    def syllable(pinyin: str) -> Syllable:
        return from_pinyin(pinyin)

    return float(syllable_distances([syllable(left)], [syllable(right)])[0, 0])


def test_what_elders_mix_up_is_nearer_than_what_they_do_not() -> None:
    assert _distance("zhu", "zu") < _distance("zhu", "mao")
    assert _distance("lan", "nan") < _distance("lan", "kan")
    assert _distance("xin", "xing") < _distance("xin", "xiao")
    assert _distance("ma", "ma") == 0


def test_an_accent_adds_a_way_of_reading() -> None:
    lanzhou = Pronunciation({"rules": [{"from": "zhu", "to": "pfu", "cost": 0.05}]})
    (reading,) = lanzhou.read("猪")
    assert dict(reading) == {from_pinyin("zhu"): 0.0, from_pinyin("pfu"): 0.05}


def test_a_rule_without_cost_replaces_the_syllable() -> None:
    dialect = Pronunciation({"rules": [{"from": "shui", "to": "fei", "cost": 0}]})
    (reading,) = dialect.read("水")
    assert [way for way, _ in reading] == [from_pinyin("fei")]


def test_a_word_of_the_lexicon_goes_before_its_characters() -> None:
    sounds = {"system": "wugniu", "initials": {"d": "d", "": ""}, "finals": {"a": "a", "o": "o"}}
    dialect = Pronunciation(sounds, {"大": ["do6"]}, {"大": {"means": "大", "sound": "da6"}})
    (reading,) = dialect.read("大")
    assert reading == ((("d", "a"), 0.0),)
