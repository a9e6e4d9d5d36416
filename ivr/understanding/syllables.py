"""Syllables as rows of phones, whatever they were written in.

A syllable is a tuple of IPA phones that panphon knows, for example ("t͡ɕʰ", "i", "ŋ"). Tones are
left out: the telephone, the dialects and the recogniser change them more than they help.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from functools import lru_cache

from pypinyin import Style, lazy_pinyin
from pypinyin.seg import mmseg

Syllable = tuple[str, ...]

_INITIALS = {
    "zh": "ʈ͡ʂ", "ch": "ʈ͡ʂʰ", "sh": "ʂ", "pf": "p͡f",
    "pfh": "p͡fʰ", "ng": "ŋ", "b": "p", "p": "pʰ", "m": "m", "f": "f",
    "v": "v", "d": "t", "t": "tʰ", "n": "n", "l": "l", "g": "k", "k": "kʰ", "h": "x", "j": "t͡ɕ",
    "q": "t͡ɕʰ", "x": "ɕ", "r": "ʐ", "z": "t͡s", "c": "t͡sʰ", "s": "s",
}  # fmt: skip
# Finals after Lee and Zee, "Standard Chinese (Beijing)", JIPA 33 (2003); glides are vowels here.
_FINALS = {
    "a": "a", "o": "u o", "e": "ɤ", "i": "i", "u": "u", "v": "y", "ai": "a i", "ei": "e i",
    "ao": "ɑ u", "ou": "o u", "an": "a n", "en": "ə n", "ang": "ɑ ŋ", "eng": "ə ŋ", "ong": "ʊ ŋ",
    "er": "ɑ ɻ", "ia": "i a", "ie": "i e", "iao": "i ɑ u", "iou": "i o u", "ian": "i ɛ n",
    "in": "i n", "iang": "i ɑ ŋ", "ing": "i ŋ", "iong": "i ʊ ŋ", "io": "i o", "ua": "u a",
    "uo": "u o", "uai": "u a i", "uei": "u e i", "uan": "u a n", "uen": "u ə n", "uang": "u ɑ ŋ",
    "ueng": "u ə ŋ", "ve": "y e", "van": "y ɛ n", "vn": "y n", "m": "m", "n": "n", "ng": "ŋ",
    "ê": "e",
}  # fmt: skip
_SPELLINGS = {"iu": "iou", "ui": "uei", "un": "uen", "ue": "ve", "ü": "v"}
# Syllables written with y and w have no initial; the letters are part of the final.
_ZERO_INITIAL = {
    "yi": "i", "ya": "ia", "yo": "io", "ye": "ie", "yao": "iao", "you": "iou", "yan": "ian",
    "yin": "in", "yang": "iang", "ying": "ing", "yong": "iong", "yu": "v", "yue": "ve",
    "yuan": "van", "yun": "vn", "wu": "u", "wa": "ua", "wo": "uo", "wai": "uai", "wei": "uei",
    "wan": "uan", "wen": "uen", "wang": "uang", "weng": "ueng",
}  # fmt: skip

# How a phone is spelled in dictionaries and how panphon knows it.
_PANPHON = {
    "tsʰ": "t͡sʰ", "ts": "t͡s", "tɕʰ": "t͡ɕʰ", "tɕ": "t͡ɕ", "dʑ": "d͡ʑ", "dz": "d͡z", "pfʰ": "p͡fʰ",
    "pf": "p͡f", "ȵ": "ɲ", "ɿ": "ɨ", "ʅ": "ɨ", "ɥ": "ʉ", "ᴇ": "ɛ", "ʏ": "y",
}  # fmt: skip
_PHONE = re.compile(r"tsʰ|ts|tɕʰ|tɕ|dʑ|dz|pfʰ|pf|(?:\w͡)?\w[ʰ̩̃]*")


def phones(ipa: str) -> Syllable:
    """Splits one syllable of IPA into phones, nasal vowels into vowel and nasal."""
    found: list[str] = []
    for phone in _PHONE.findall(unicodedata.normalize("NFD", ipa)):
        plain = _PANPHON.get(phone, phone)
        if plain.endswith("̃"):  # the nasal is what a Mandarin recogniser writes
            found += [plain[:-1], "ŋ"]
        else:
            found.append(plain.removesuffix("̩"))
    return tuple(found)


_NOTHING: Mapping[str, str] = {}


def from_pinyin(
    pinyin: str, initials: Mapping[str, str] = _NOTHING, finals: Mapping[str, str] = _NOTHING
) -> Syllable:
    """Phones of one toneless pinyin syllable; ü may be written v.

    A dialect's own `initials` (pf, ng) and `finals` (phones with spaces between) go before
    Mandarin's. Raises ValueError for what is not a syllable.
    """
    zero = _ZERO_INITIAL.get(pinyin)
    if zero is not None:
        return tuple(finals.get(zero, _FINALS[zero]).split())
    for length in (3, 2, 1, 0):
        initial, final = pinyin[:length], pinyin[length:].replace("ü", "v")
        consonant = initials.get(initial, _INITIALS.get(initial))
        if length and consonant is None:
            continue
        if initial in ("j", "q", "x") and final.startswith("u"):
            final = "v" + final[1:]
        final = _SPELLINGS.get(final, final)
        if final not in finals and final not in _FINALS:
            continue
        before = (consonant,) if consonant else ()
        if final == "i" and initial in ("zh", "ch", "sh", "r", "z", "c", "s"):
            return (*before, "ɨ")
        if final == "o" and initial in ("", "b", "p", "m", "f", "v"):
            return (*before, "o")
        return before + tuple(finals.get(final, _FINALS.get(final, "")).split())
    raise ValueError(f"{pinyin!r} is not a pinyin syllable")


def from_romanisation(
    syllable: str, initials: Mapping[str, str], finals: Mapping[str, str]
) -> Syllable:
    """Phones of one toneless syllable by a dialect's own tables, the longest initial first.

    Raises ValueError for what the tables do not cover.
    """
    for initial in sorted(initials, key=len, reverse=True):
        final = syllable.removeprefix(initial)
        if syllable.startswith(initial) and final in finals:
            return phones(initials[initial] + finals[final])
    raise ValueError(f"{syllable!r} is not a syllable of this dialect")


_HAN = re.compile(r"[㐀-鿿]+")
_CLOCK = re.compile(r"(\d{1,2})[:：](\d{2})")
_NUMBER = re.compile(r"(?<!\d)\d{1,2}(?!\d)")
DIGITS = "零一二三四五六七八九"


def numeral(number: int) -> str:
    """A number from 0 to 99 as it is said."""
    tens, ones = divmod(number, 10)
    if not tens:
        return DIGITS[ones]
    return ("" if tens == 1 else DIGITS[tens]) + "十" + (DIGITS[ones] if ones else "")


def han(text: str) -> str:
    """Only the characters of a text; numbers are written as they are said (10点 is 十点)."""
    if not text.isalpha():
        text = unicodedata.normalize("NFKC", text)
        text = _CLOCK.sub(lambda m: f"{m[1]}点" + (m[2] if int(m[2]) else ""), text)
        text = _NUMBER.sub(lambda m: numeral(int(m[0])), text)
        text = re.sub(r"\d", lambda m: DIGITS[int(m[0])], text)  # a telephone number, say
    return "".join(_HAN.findall(text))


@lru_cache(maxsize=32768)
def _pinyin_of_word(word: str) -> tuple[str, ...]:
    return tuple(lazy_pinyin([word], style=Style.NORMAL, v_to_u=False, errors="ignore"))


@lru_cache(maxsize=32768)
def pinyin_of(text: str) -> tuple[str, ...]:
    """Toneless pinyin of each character; polyphones are decided by the words around them."""
    return tuple(pinyin for word in mmseg.seg.cut(han(text)) for pinyin in _pinyin_of_word(word))


def every_syllable() -> set[Syllable]:
    """The Mandarin syllables of all characters in common use (those of GB 2312)."""
    rows, cells = range(0xB0, 0xF8), range(0xA1, 0xFF)
    common = bytes(byte for row in rows for cell in cells for byte in (row, cell))
    return {from_pinyin(pinyin) for pinyin in pinyin_of(common.decode("gb2312", errors="ignore"))}
