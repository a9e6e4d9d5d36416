"""What somebody has written to us in answer to a message: a rating, a wish for no more, words.

Written, not heard: what is there is what was meant, so whole phrases count and no sounds, except
that an input method writes another word of the same sound (布满意). Where digits and words
contradict each other, or two verdicts do, nothing is guessed.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from hassil import parse_sentence, sample_expression
from hassil.errors import HassilError
from hassil.parser import ParseError

from ivr.understanding.dialects import dialect_names
from ivr.understanding.grammar import MAX_EXPANSIONS, GrammarError, read_entries
from ivr.understanding.syllables import pinyin_of

STOP, START, HELP, OTHER = "stop", "start", "help", "other"
SCORES = tuple("12345")
BAD, GOOD = 2, 4
"""Up to the one it is a bad rating, from the other a good one."""

_CLAUSES = re.compile(r"[\s,，.。!！;；、~…:：()（）\"'“”‘’\-—_/\\]+")
_SIGNS = re.compile(r"[\u2600-\u27bf\u2b50\U0001f000-\U0001faff]+")
"""Emoji, which stand for themselves beside words."""
_PARTICLES = "吧啊呀呢哦噢嘛哈喽哒啦了"
_ASKS = re.compile(r"[?？]|[吗么]$|满不满意|好不好|几分")
_SCORED = re.compile(r"(?<!\d)([1-5])(?:分|星|颗星)")
_BEGINS = re.compile(r"([1-5])(?![\d.点号月日次个人天元块楼小年周])")
_DENIED = ("不", "没", "勿", "别", "无", "未", "弗", "不是", "没有", "不算", "没啥")
_DROPPED = {"Cf", "Mn", "Me", "Cc", "Sk"}
"""Variation selectors, keycaps, skin tones: how a sign is drawn, not which it is."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What a message to us says."""

    score: int | None = None
    """1 to 5; None where none is told, or not clearly."""
    wish: str = ""
    """STOP, START or nothing."""
    said: str = ""
    """The message as it was written, if it tells more than the score or the wish."""
    unclear: bool = False
    """A rating was meant, and which one cannot be told."""
    help: bool = False
    """Somebody is in danger, whatever else is said."""


def plain(text: str) -> str:
    """Widths, circles and letter cases evened out, and what only decorates left out."""
    normal = unicodedata.normalize("NFKC", text).casefold()
    return "".join(c for c in normal if unicodedata.category(c) not in _DROPPED)


@dataclass(frozen=True, slots=True)
class Written:
    """Everything that answers are understood by."""

    phrases: Mapping[str, str]
    """Whole phrase to "1" to "5", stop, start, or OTHER where only the spoken one rates."""
    sounds: Mapping[tuple[str, ...], str]
    """The same for phrases of two characters or more, by their toneless pinyin, where all phrases
    of that sound say the same."""
    help: tuple[str, ...]
    """Words that call for help wherever they stand."""
    longest: int

    @classmethod
    def load(cls, root: Path) -> Written:
        """From every dialect's ratings.yaml and written.yaml, Mandarin's first.

        Raises GrammarError naming what is wrong.
        """
        phrases: dict[str, str] = {}
        help: list[str] = []
        for name in dialect_names(root):
            for file in ("written", "ratings"):
                for code, phrase in _expanded(root / name / f"{file}.yaml"):
                    if code == HELP:
                        help.append(phrase)
                    else:
                        phrases.setdefault(phrase, code)
        by_sound: dict[tuple[str, ...], set[str]] = {}
        for phrase, code in phrases.items():
            sound = pinyin_of(phrase)
            if 2 <= len(sound) == len(phrase):
                by_sound.setdefault(sound, set()).add(code)
        sounds = {sound: codes.pop() for sound, codes in by_sound.items() if len(codes) == 1}
        return cls(phrases, sounds, tuple(help), max(map(len, phrases), default=0))

    def read(self, text: str) -> Reply:
        """What it says, whoever wrote it and whatever it answers."""
        even = plain(text)
        if any(phrase in even for phrase in self.help):
            return Reply(said=text.strip(), help=True)
        clauses = [clause for clause in _CLAUSES.split(_SIGNS.sub(r" \g<0> ", even)) if clause]
        known = [self._whole(clause) for clause in clauses]
        whole = self._whole("".join(clauses))
        wish = next((code for code in (whole, *known) if code in (STOP, START)), "")
        told = [int(code) for code in ([whole] if whole else known) if code in SCORES]
        more = whole is None and not all(known)
        said = text.strip() if more else ""
        if whole is None and (more or not told):
            asked = _ASKS.search(text.strip()) is not None
            told += [] if asked else _numbers(even)
            rest = (clause for clause, code in zip(clauses, known, strict=True) if code is None)
            told += [] if asked else [score for clause in rest for score in self._inside(clause)]
        if not told:
            return Reply(wish=wish, said=said)
        score = _one_of(told, _numbers(even))
        if score is None:
            return Reply(None, wish, text.strip(), unclear=True)
        return Reply(score, wish, said)

    def _whole(self, clause: str) -> str | None:
        bare = clause.rstrip(_PARTICLES)
        for form in dict.fromkeys((clause, bare)):
            if code := self.phrases.get(form):
                return None if code == OTHER else code
        sound = pinyin_of(clause)
        return self.sounds.get(sound) if len(sound) == len(clause) else None

    def _inside(self, clause: str) -> Iterator[int]:
        """The ratings that a clause contains, the longest phrase at each place."""
        start = 0
        while start < len(clause):
            for length in range(min(self.longest, len(clause) - start), 1, -1):
                phrase = clause[start : start + length]
                code = self.phrases.get(phrase, "")
                aside = (
                    phrase[-1] in "分星" and 0 < start < len(clause) - length
                )  # 留一分让你们进步
                if code in SCORES and not aside and not clause[:start].endswith(_DENIED):
                    yield int(code)
                    start += length
                    break
            else:
                start += 1


def _numbers(even: str) -> list[int]:
    """Scores in digits: with a word for points after them, or at the beginning."""
    found = [int(match[1]) for match in _SCORED.finditer(even)]
    begins = _BEGINS.match(even)
    return found or ([int(begins[1])] if begins else [])


def _one_of(told: list[int], numbers: list[int]) -> int | None:
    """The one that is meant, a digit above words, else the first; None if they contradict."""
    if len(set(numbers)) > 1 or (min(told) <= BAD and max(told) >= GOOD):
        return None
    return numbers[0] if numbers else told[0]


def _expanded(path: Path) -> Iterator[tuple[str, str]]:
    for code, templates in read_entries(path).items():
        if code not in (*SCORES, STOP, START, HELP, OTHER):
            known = '"1" to "5", stop, start, help, other'
            raise GrammarError(f"{path}: unknown entry {code!r}; known: {known}")
        for template in templates:
            try:
                expression = parse_sentence(template).expression
                texts = {plain(text) for text in sample_expression(expression)}
            except (HassilError, ParseError, ValueError) as error:
                raise GrammarError(f"{path}: {code}: {template!r}: {error}") from error
            if len(texts) > MAX_EXPANSIONS:
                raise GrammarError(f"{path}: {code}: {template!r}: too many expansions")
            yield from ((code, text.replace(" ", "")) for text in texts if text)
