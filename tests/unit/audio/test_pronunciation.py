"""How words are read that a dictionary reads wrong."""

from __future__ import annotations

import pytest

from audio.pronunciation import lexicon, phonemes, pinyin


@pytest.mark.parametrize(
    ("text", "spoken"),
    [
        ("居家乐", "ju1jia1le4"),
        ("长护险", "chang2hu4xian3"),
        ("上门量血压", "shang4men2 liang2xue4ya1"),
        ("教用手机", "jiao1yong4 shou3ji1"),
        ("您说得对", "nin2 shuo1de5dui4"),
        ("差不多", "cha4bu5duo1"),
        ("不对", "bu2 dui4"),
        ("不行", "bu4xing2"),
        ("一次", "yi2ci4"),
        ("一小时", "yi4 xiao3shi2"),
        ("星期一", "xing1qi1yi1"),
        ("上午十一点", "shang4wu3 shi2yi1dian3"),
        ("十二月一号", "shi2er4yue4 yi1hao4"),
        ("下午两点一刻", "xia4wu3 liang2dian3 yi2ke4"),
        ("养老", "yang2lao3"),
        ("9点", "jiu2dian3"),
    ],
)
def test_word_is_read_as_elders_say_it(text: str, spoken: str) -> None:
    assert pinyin(text) == spoken


def test_every_reading_has_one_syllable_a_character() -> None:
    for word, syllables in lexicon().items():
        assert len(word) == len(syllables), word
        assert all(syllable[-1] in "12345" for syllable in syllables), word


def test_punctuation_stays_as_pauses() -> None:
    assert phonemes("对吗？").endswith("ma?")
    assert "," in phonemes("好的，再见。")


def test_text_without_words_has_no_sound() -> None:
    assert phonemes(" ") == ""
