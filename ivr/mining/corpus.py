"""Which phrases are spoken to a recogniser, by whom, and over what line: all decided by a seed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from audio.kokoro_alphabet import spell
from ivr.understanding.grammar import Dialect, Grammar, Phrase, Topic
from ivr.understanding.pronunciation import Reading
from ivr.understanding.syllables import Syllable

SPEEDS = (0.85, 1.0, 1.15)
"""Of the voice; slower speakers are made on the line, where they cost no synthesis."""
LOOSENESS = (0.03, 0.08, 0.2)
"""How far speakers stray from the dialect's first reading, in the costs of its sound rules."""
TOPICS = {Topic.SERVICE: 0.7, Topic.ACT: 0.12, Topic.RATING: 0.06, Topic.EVERYDAY: 0.12}
"""Share of each topic among the phrases spoken."""


@dataclass(frozen=True, slots=True)
class Saying:
    """A phrase as one speaker is to say it."""

    number: int
    dialect: str
    phrase: Phrase
    voice: str
    speed: float
    looseness: float


def _round(phrases: Sequence[Phrase], chance: np.random.Generator) -> Iterator[Phrase]:
    """Phrases for ever: one of each code, then another of each, in an order by chance."""
    by_code: dict[str, list[Phrase]] = defaultdict(list)
    for phrase in phrases:
        by_code[phrase.code].append(phrase)
    queues: dict[str, list[Phrase]] = {}
    while True:
        for code in chance.permutation(sorted(by_code)):
            queue = queues.get(code)
            if not queue:
                listed = by_code[code]
                queue = [listed[n] for n in chance.permutation(len(listed))]
            yield queue.pop()
            queues[code] = queue


def _said_in(dialect: Dialect, grammar: Grammar) -> tuple[Phrase, ...]:
    """A dialect's own phrases, and half as many of those it falls back to."""
    base = grammar.dialects[dialect.base].phrases if dialect.base else ()
    often = max(1, round(2 * len(base) / max(1, len(dialect.phrases))))
    return dialect.phrases * often + base


def sayings(
    grammar: Grammar, counts: Mapping[str, int], voices: Sequence[str], seed: int
) -> list[Saying]:
    """`counts` phrases of each dialect, dialects mixed so that a first part holds all of them."""
    chance = np.random.default_rng(seed)
    listed: list[tuple[float, str, Phrase]] = []
    for name, count in counts.items():
        dialect = grammar.dialects[name]
        phrases = _said_in(dialect, grammar)
        of_topic = {t: _round([p for p in phrases if p.topic is t], chance) for t in TOPICS}
        topics = chance.choice(list(TOPICS), size=count, p=list(TOPICS.values()))
        listed += [
            (place / count, name, next(of_topic[Topic(topic)]))
            for place, topic in enumerate(topics)
        ]
    listed.sort(key=lambda item: item[:2])
    return [
        Saying(
            number, name, phrase,
            voice=str(chance.choice(voices)),
            speed=float(chance.choice(SPEEDS)),
            looseness=float(chance.choice(LOOSENESS)),
        )
        for number, (_, name, phrase) in enumerate(listed)
    ]  # fmt: skip


def _one_way(
    readings: Sequence[Reading], looseness: float, chance: np.random.Generator
) -> list[Syllable]:
    """How one speaker says a phrase: ways that cost more than `looseness` are rare."""
    said = []
    for reading in readings:
        odds = np.exp([-cost / looseness for _, cost in reading])
        said.append(reading[int(chance.choice(len(reading), p=odds / odds.sum()))][0])
    return said


def sounds(saying: Saying, dialect: Dialect, seed: int) -> tuple[list[Syllable], str]:
    """The syllables that are said, and how they are written in the synthesiser's alphabet."""
    chance = np.random.default_rng([seed, saying.number])
    text = saying.phrase.text
    said = _one_way(dialect.pronunciation.read(text), saying.looseness, chance)
    pitches = dialect.pronunciation.pitches(text)
    nasal = bool(chance.random() < 0.5)
    written = [spell(one, pitch, nasal=nasal) for one, pitch in zip(said, pitches, strict=True)]
    return said, "".join(written)
