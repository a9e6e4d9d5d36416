"""How a Mandarin text is read: pinyin, then the phonemes Kokoro was trained on."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path

import yaml

_HAN = re.compile(r"[\u3400-\u9fff]+")
_ORDINAL = "第十零百期拜周月号日楼幢栋室一二三四五六七八九"
"""Beside these 一 is a number that is read out, without a tone change."""


@dataclass(frozen=True, slots=True)
class Word:
    text: str
    pinyin: tuple[str, ...]
    """One syllable a character with its tone number as it is spoken; empty for punctuation."""


@cache
def lexicon() -> dict[str, tuple[str, ...]]:
    """The readings of pronunciation.yaml."""
    rows = yaml.safe_load(Path(__file__).with_name("pronunciation.yaml").read_text("utf-8"))
    return {word: tuple(pinyin.split()) for word, pinyin in rows.items()}


@cache
def _known_words() -> re.Pattern[str]:
    return re.compile("(" + "|".join(sorted(lexicon(), key=len, reverse=True)) + ")")


def read(text: str) -> list[Word]:
    """Words with their readings, tone changes made. Digits are read as Chinese numbers."""
    import cn2an

    words: list[Word] = []
    for part in re.findall(r"[\u3400-\u9fff]+|[^\u3400-\u9fff]+", cn2an.transform(text, "an2cn")):
        words += _phrase(part) if _HAN.match(part) else [Word(part, ())]
    return words


def _phrase(text: str) -> list[Word]:
    import jieba
    from pypinyin import Style, lazy_pinyin

    jieba.setLogLevel(logging.WARNING)
    words: list[Word] = []
    for part in _known_words().split(text):
        if part in lexicon():
            words.append(Word(part, lexicon()[part]))
            continue
        for word in jieba.lcut(part):
            pinyin = lazy_pinyin(word, style=Style.TONE3, neutral_tone_with_five=True)
            words.append(Word(word, tuple(pinyin)))
    spoken = _change_tones(text, [syllable for word in words for syllable in word.pinyin], words)
    result, start = [], 0
    for word in words:
        result.append(Word(word.text, tuple(spoken[start : start + len(word.text)])))
        start += len(word.text)
    return result


def _change_tones(text: str, pinyin: list[str], words: list[Word]) -> list[str]:
    """Tone changes of 不 and 一 by what follows, and of third tones inside a word."""
    spoken = list(pinyin)
    for i, (char, syllable) in enumerate(zip(text, pinyin, strict=True)):
        following = pinyin[i + 1][-1] if i + 1 < len(pinyin) else ""
        if syllable[-1] == "5":
            continue
        if char == "不":
            spoken[i] = "bu2" if following == "4" else "bu4"
        elif char == "一":
            spoken[i] = "yi1"
            beside = text[i - 1 : i] + text[i + 1 : i + 2]
            if following and not any(other in _ORDINAL for other in beside):
                spoken[i] = "yi2" if following == "4" else "yi4"
    start = 0
    for word in words:
        inside = range(start, start + len(word.text))
        for i, j in pairwise(inside):
            if spoken[i][-1] == spoken[j][-1] == "3":
                spoken[i] = spoken[i][:-1] + "2"
        start += len(word.text)
    return spoken


def phonemes(text: str) -> str:
    """The text in the phonemes of Kokoro v1.0, words apart by spaces."""
    from misaki.zh import ZHG2P

    sounds = []
    for word in read(ZHG2P.map_punctuation(text)):
        if word.pinyin:
            sounds.append(" " + "".join(ZHG2P.py2ipa(syllable) for syllable in word.pinyin))
        else:
            sounds.append(word.text)
    return re.sub(r"\s+", " ", "".join(sounds).replace(chr(815), "")).strip()


def pinyin(text: str) -> str:
    """The text in pinyin as it will be spoken, for people to check."""
    return re.sub(r"\s+", " ", " ".join("".join(w.pinyin) or w.text for w in read(text))).strip()
