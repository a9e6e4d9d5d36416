"""How a dialect reads characters: each position of a phrase as the ways it may sound."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pypinyin import Style, lazy_pinyin

from ivr.understanding.syllables import (
    Syllable,
    from_pinyin,
    from_romanisation,
    han,
    phones,
    pinyin_of,
)

Reading = tuple[tuple[Syllable, float], ...]
"""The ways one character may sound, each with a cost from 0 (usual) to 1."""

_SECOND_READING = 0.05
"""Cost of a character's further readings, listed after its first."""


@dataclass(frozen=True, slots=True)
class SoundRule:
    """A regular change of a whole romanised syllable: zhu is said pfu."""

    pattern: re.Pattern[str]
    replacement: str
    cost: float
    """0: every speaker has it, the syllable is replaced; else a way beside the first."""
    lexicon: bool
    """Holds for syllables written in lexicon.yaml and readings.yaml too."""


def _rules(given: Sequence[Mapping[str, Any]]) -> tuple[SoundRule, ...]:
    return tuple(
        SoundRule(
            re.compile(f"^(?:{rule['from']})$"),
            rule["to"],
            float(rule.get("cost", 0)),
            bool(rule.get("lexicon", True)),
        )
        for rule in given
    )


def _apply(rules: Sequence[SoundRule], syllable: str) -> dict[str, float]:
    """The syllable after all rules in their order, with the cost of each way."""
    ways = {syllable: 0.0}
    for rule in rules:
        for way, cost in list(ways.items()):
            changed = rule.pattern.sub(rule.replacement, way)
            if changed == way:
                continue
            if rule.cost == 0:
                del ways[way]
            ways[changed] = min(ways.get(changed, 1.0), cost + rule.cost)
    return ways


class Pronunciation:
    """The readings of one dialect; plain Mandarin when nothing is given."""

    def __init__(
        self,
        sounds: Mapping[str, Any] | None = None,
        readings: Mapping[str, Sequence[str]] | None = None,
        lexicon: Mapping[str, Mapping[str, str]] | None = None,
    ) -> None:
        """Takes a dialect's `sounds` (dialect.yaml), readings.yaml and lexicon.yaml.

        Raises ValueError or KeyError naming a syllable or rule that cannot be read.
        """
        sounds = sounds or {}
        self._rules = _rules(sounds.get("rules", ()))
        self._plain: float | None = sounds.get("plain")
        self._cache: dict[str, Reading] = {}
        initials, finals = sounds.get("initials", {}), sounds.get("finals", {})
        spell: Callable[[str], Syllable]
        if sounds.get("system", "mandarin") == "mandarin":
            own_finals = {final: " ".join(phones(ipa)) for final, ipa in finals.items()}
            own_initials = {initial: phones(ipa)[0] for initial, ipa in initials.items()}

            def spell(syllable: str) -> Syllable:
                return from_pinyin(syllable, own_initials, own_finals)

            rules = tuple(rule for rule in self._rules if rule.lexicon)
        else:
            spelling = _rules(sounds.get("spelling", ()))

            def spell(syllable: str) -> Syllable:
                (spelled,) = _apply(spelling, syllable)
                return from_romanisation(spelled, initials, finals)

            rules = _rules(sounds.get("variants", ()))
        self._spell = spell
        self._pitches: Mapping[str, str] = sounds.get("tones", {})
        self._tones = {c: listed[0][-1] for c, listed in (readings or {}).items() if listed}

        def ways(romanised: Sequence[str]) -> Reading:
            found: dict[Syllable, float] = {}
            for number, one in enumerate(romanised):
                for way, cost in _apply(rules, one.rstrip("0123456789")).items():
                    found.setdefault(spell(way), cost + (_SECOND_READING if number else 0.0))
            return tuple(found.items())

        self._characters = {c: ways(listed) for c, listed in (readings or {}).items()}
        self._words = [  # short words first: a longer one that holds them is read as a whole
            (word, tuple(ways([syllable]) for syllable in entry["sound"].split()))
            for word, entry in sorted((lexicon or {}).items(), key=lambda item: len(item[0]))
            if len(entry.get("sound", "").split()) == len(word)
        ]
        self._beginning: dict[str, list[int]] = {}
        for number, (word, _) in enumerate(self._words):
            self._beginning.setdefault(word[0], []).append(number)
        self.own = bool(self._characters) and self._plain is None
        """Whether the dialect is more than an accent of Mandarin: its readings are its own."""

    def read(self, text: str) -> list[Reading]:
        """One reading for each character of `text`; punctuation is passed over."""
        characters = han(text)
        mandarin = pinyin_of(characters)
        if len(mandarin) != len(characters):  # a character that pypinyin does not know
            mandarin = tuple((pinyin_of(c) or ("a",))[0] for c in characters)
        result = [
            self._with_plain(self._characters[c], p) if c in self._characters else self._accent(p)
            for c, p in zip(characters, mandarin, strict=True)
        ]
        begun = {n for character in set(characters) for n in self._beginning.get(character, ())}
        for number in sorted(begun):
            word, sounds = self._words[number]
            start = characters.find(word)
            while start >= 0:
                for offset, reading in enumerate(sounds):
                    place = start + offset
                    result[place] = self._with_plain(reading, mandarin[place])
                start = characters.find(word, start + 1)
        return result

    def pitches(self, text: str) -> list[str]:
        """The pitches each character of `text` runs through, from 1 (low) to 5 (high).

        Empty for a neutral tone, and in a dialect whose tones dialect.yaml does not tell.
        """
        characters = han(text)
        spoken = lazy_pinyin(characters, style=Style.TONE3, tone_sandhi=True, errors="ignore")
        if len(spoken) != len(characters):
            spoken = [lazy_pinyin(c, style=Style.TONE3)[0] for c in characters]
        tones = [self._tones.get(c, p[-1]) for c, p in zip(characters, spoken, strict=True)]
        return [self._pitches.get(tone, "") for tone in tones]

    def _with_plain(self, reading: Reading, pinyin: str) -> Reading:
        if self._plain is None:
            return reading
        ways = dict(reading)
        ways.setdefault(from_pinyin(pinyin), self._plain)
        return tuple(ways.items())

    def _accent(self, pinyin: str) -> Reading:
        reading = self._cache.get(pinyin)
        if reading is None:
            ways: dict[Syllable, float] = {}
            for way, cost in _apply(self._rules, pinyin).items():
                syllable = self._spell(way) if self._rules else from_pinyin(way)
                ways[syllable] = min(ways.get(syllable, 1.0), cost)
            reading = self._cache[pinyin] = tuple(ways.items())
        return reading
