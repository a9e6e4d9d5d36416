"""From what a recogniser believes it heard to what the caller means.

Every hypothesis is compared by sound with every way of saying everything in every dialect
(spotting.py). The evidence of all hypotheses and phrases is added up for each meaning, and
confidence.py says how often evidence like this is right.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from audio.recogniser import Hypothesis
from ivr.understanding import confidence
from ivr.understanding.confidence import Clues
from ivr.understanding.grammar import Dialect, Grammar, Phrase, Sign, Topic, load
from ivr.understanding.heard import LONGEST as LONGEST_PHRASE
from ivr.understanding.heard import HeardAs
from ivr.understanding.heard import load as load_heard
from ivr.understanding.meaning import EMERGENCY, Act, Candidate, Kind, Meaning, State
from ivr.understanding.pronunciation import Pronunciation
from ivr.understanding.sounds import SyllableReader
from ivr.understanding.spotting import (
    SHORTLIST,
    Entry,
    Likeness,
    Place,
    Scores,
    Spotter,
    character_weights,
    evidence,
    weigh,
)
from ivr.understanding.syllables import Syllable, every_syllable, from_pinyin, han, pinyin_of
from ivr.understanding.times import CERTAIN, CLEAR, Found, TimeSpotter, time_entries, to_when
from ivr.understanding.topics import Examples, Topics
from ivr.understanding.when import When

N_BEST = 3
"""Hypotheses looked at; further ones differ little and cost as much."""
BESIDE_SOUNDS = 2
"""The same where the sounds are one more."""
SOUNDS_COUNT = 0.7
"""How much the syllables in the sounds count, and the texts together the rest."""
LONGEST = 60
"""Syllables of an utterance looked at, from its end: the need follows the story."""
FRAME_SHARE = 8
"""Frames (我要, 帮我) count as if that many services were said with them."""
FLOORS = {
    Topic.SERVICE: 0.12,
    Topic.ACT: 0.4,
    Topic.RATING: 0.4,
    Topic.EVERYDAY: 0.3,
    Topic.WAITING: 0.4,
    Topic.MORE: 0.4,
}
"""The least weight of a syllable: in short answers every syllable matters."""
UNEXPLAINED = 0.35
"""What each syllable takes from everyday talk that its phrase does not explain."""
TALK = 400
"""Everyday sentences that are aligned in full: only the best of them matters."""
TOP = 5
"""Candidates that are told."""

ACCEPT = 0.45
"""Confidence below which a service is out of scope rather than read back."""
EMERGENCY_ACCEPT = 0.15
"""The same for an emergency: it is only ever asked about, so a false one costs a question."""
EMERGENCY_FIRST = 0.6
"""Confidence from which it is told before anything that is likelier: 胸口很痛，快叫医生."""
PARTLY = 0.6
"""Share of an answer that must be heard for it to be looked at."""
ASKED, UNASKED = 0.12, 0.3
"""How strictly an answer must be all that was said, when asked for and when not."""
BARE = frozenset({"yes", "no", "repeat"})
"""Acts that occur inside other sentences (好, 不要): unasked, they must be most of what is said."""
NEARLY = 2.0
"""Times UNASKED: the share of an utterance that a bare act must explain when it was not asked."""
MOSTLY = 0.6
"""Share of a correction, frames aside, that must be time words for it to be of the time alone."""
NOTHING_ELSE = 0.95
"""The same where no correction was asked for."""
WRITTEN = 0.2
"""Share of a phrase's weight added when its very characters were recognised."""
ACT_HEARD = 0.58
"""Share of an answer that must be heard for it to count when that kind of answer was asked for."""
ACT_ALONE, ACT_CLEAR = 0.6, 0.88
"""The same for an act that was not asked for, where no service and where one may be meant."""
WAITING_WISH = 0.85
"""Share of a wish to be called back that must be heard of somebody who waits and is not asked."""
WAITING_NEED = 0.6
"""Confidence in an emergency of somebody who waits: it rings every telephone unasked."""
NEGATIONS = frozenset(from_pinyin(pinyin) for pinyin in ("bu", "mei", "wu", "bie"))
"""不, 没, 勿 and 别 as the recogniser's Mandarin reads them."""
NEGATIVE = frozenset("不没勿呒无弗别覅")
"""Characters of a phrase that deny something."""
DENIALS = frozenset("不勿弗覅")
"""Those that are listened for in the sounds; 没 and 别 are too like 满 and 比."""
TELLING = 3.0
"""Logarithms of odds that tell most of what the topics can tell: twice as many are little more."""
NEAR = 8
"""Syllables before and after a phrase that tell whether it is an order; stories are longer."""
SIGN = 0.87
"""Share of a sign that must be heard."""
TOP_HEARD = 4
"""Services that stand out most in the sounds are candidates too, whatever was written."""
MOST_BEYOND = 12.0
"""Deviations above which standing out says no more."""
STANDS_OUT = 5.0
"""By so many deviations, what was heard tells the phrase and the dialect, not what was written."""
BY_EAR = 0.75
"""Share of an answer that must be heard in the sounds where the words do not tell one."""
CLEARLY = 0.1
"""By how much it must fit better than any other answer."""
YES_BY_EAR, YES_CLEARLY = 0.85, 0.2
"""The same for a yes: a wrong one books what nobody wanted."""
CONTRADICTED = 0.15
"""If another answer fits the sounds so much better than the one in the words, neither counts."""
CONSENT = frozenset({"yes", "4", "5"})
"""Answers after which nobody asks again: a wrong one is worse than one that was not understood."""
SIDES = (frozenset({"1", "2"}), frozenset({"4", "5"}))
"""Ratings of which one is hardly contradicted by the other."""
OUTDONE = 1.0
"""The same in deviations by which an answer stands out, ..."""
CONSENT_OUTDONE, CONSENT_OUTDONE_BY_EAR = 0.5, 0.0
"""... for consent in the likeliest text, and for consent in another or in the sounds alone."""
SHORT = 2
"""Syllables of a yes whose sounds tell little."""
DENIED, DENIED_BY_EAR = 0.7, 0.4
"""Likeness of a syllable before others to 不 or 勿 from which nobody consented, unless by 没问题:
to what was written, and by the sounds alone."""
ANSWER_STANDS = 4.5
"""Deviations by which an answer stands out that is taken for its sounds alone, ..."""
ANSWER_LEADS = 0.8
"""... and by how many more than any other, ..."""
WISH_LEADS = 1.0
"""... and where nobody asked, ..."""
WISH_OVER_NEED = 0.5
"""... and than any service."""
NEED_OVER_WISH = 1.0
"""A service that stands out by so much more was meant, and not the act in the words."""
WISHED = 0.6
"""Confidence in a service from which on the sounds alone tell no act."""
BY_EAR_SURE = 0.9
"""Confidence in an answer that stands out in the sounds."""
SPOTTED = 0.85
"""Share of a further service, or of an answer at the start of a longer sentence."""


_NONE = Candidate("", 0.0)


@dataclass(frozen=True, slots=True)
class Heard:
    """One hypothesis made ready for spotting."""

    text: str
    syllables: tuple[Syllable, ...]
    weight: float
    """How much it counts beside the others; they sum to 1."""
    score: float


def _syllables(text: str) -> tuple[Syllable, ...]:
    return tuple(from_pinyin(pinyin) for pinyin in pinyin_of(text))[-LONGEST:]


def prepared(hypotheses: Sequence[Hypothesis]) -> list[Heard]:
    """The hypotheses that are looked at, best first; empty when none has a character in it."""
    distinct: dict[tuple[Syllable, ...], Hypothesis] = {}
    for hypothesis in hypotheses:
        syllables = _syllables(hypothesis.text)
        if syllables:
            distinct.setdefault(syllables, hypothesis)
    best = list(distinct.items())[:N_BEST]
    odds = [float(np.exp(h.score - best[0][1].score)) for _, h in best]
    return [
        Heard(han(h.text)[-LONGEST:], syllables, share / sum(odds), h.score)
        for (syllables, h), share in zip(best, odds, strict=True)
    ]


@dataclass(frozen=True, slots=True, eq=False)
class Sounding:
    """The syllables in an utterance's sounds, whatever was written."""

    syllables: tuple[Syllable, ...]
    """The likeliest ones."""
    alike: Scores
    """How much each way of reading is like each of them, shape (syllables, units)."""


def _with_sounds(heard: Sequence[Heard], sounding: Sounding | None) -> list[Heard]:
    """What times are looked for in: the texts, and the sounds themselves."""
    if sounding is None:
        return list(heard)
    return [*heard, Heard("", sounding.syllables, 0.5, heard[0].score)]


def _led_by_sounds(heard: Sequence[Heard], sounding: Sounding | None) -> list[Heard]:
    """What needs are looked for in: the sounds themselves, and the best of the texts."""
    if sounding is None:
        return list(heard)
    told = sum(one.weight for one in heard[:BESIDE_SOUNDS])
    return [
        *(
            replace(one, weight=(1 - SOUNDS_COUNT) * one.weight / told)
            for one in heard[:BESIDE_SOUNDS]
        ),
        Heard("", sounding.syllables, SOUNDS_COUNT, heard[0].score),
    ]


def _entries(grammar: Grammar, topic: Topic, heard: Sequence[HeardAs]) -> list[Entry]:
    """Every phrase of a topic in every pronunciation it may have, and what was heard of it."""
    mandarin = Pronunciation()
    distinct: dict[tuple[str, object], Entry] = {}

    def add(phrase: Phrase, dialect: Dialect, pronunciation: Pronunciation) -> None:
        readings = tuple(pronunciation.read(phrase.text))
        if len(readings) <= LONGEST_PHRASE:  # a story is for topics.py
            entry = Entry(phrase.code, dialect.name, phrase.text, readings)
            distinct.setdefault((phrase.code, readings), entry)

    for dialect in grammar.dialects.values():
        base = grammar.dialects[dialect.base].phrases if dialect.base else ()
        for phrase in dialect.phrases + base:
            if phrase.topic is topic:
                add(phrase, dialect, dialect.pronunciation)
    for dialect in grammar.dialects.values():
        if dialect.pronunciation.own:  # dialect words from a speaker closer to Mandarin, or typed
            for phrase in dialect.phrases:
                if phrase.topic is topic:
                    add(phrase, dialect, mandarin)
    for one in heard:
        if one.topic is topic:
            phrase = Phrase(one.heard, topic, one.code, one.dialect)
            add(phrase, grammar.dialects[one.dialect], mandarin)
    return list(distinct.values())


def _signs(grammar: Grammar) -> list[Entry]:
    """Every sign in every pronunciation it may have."""
    distinct: dict[tuple[str, object], Entry] = {}
    standard = next(iter(grammar.dialects.values()))
    for dialect in grammar.dialects.values():
        ways = [(dialect.signs, dialect.pronunciation), (standard.signs, dialect.pronunciation)]
        if dialect.pronunciation.own:
            ways.append((dialect.signs, Pronunciation()))
        for signs, pronunciation in ways:
            for kind, texts in signs.items():
                for text in texts:
                    readings = tuple(pronunciation.read(text))
                    entry = Entry(kind, dialect.name, text, readings)
                    distinct.setdefault((kind, readings), entry)
    return list(distinct.values())


def _denials(grammar: Grammar, likeness: Likeness) -> NDArray[np.intp]:
    """The ways of reading 不, 勿 and the like where a dialect says no with them."""
    found = {
        likeness.units[reading]
        for dialect in grammar.dialects.values()
        for phrase in dialect.phrases
        if (phrase.topic, phrase.code) == (Topic.ACT, Act.NO)
        for character, reading in zip(
            phrase.text, dialect.pronunciation.read(phrase.text), strict=True
        )
        if character in DENIALS
    }
    return np.asarray(sorted(found), dtype=np.intp)


def _topics(grammar: Grammar, heard: Sequence[HeardAs]) -> Topics:
    dialects = grammar.dialects.values()
    listed = [(p.topic, p.code, p.text) for dialect in dialects for p in dialect.phrases]
    listed += [(one.topic, one.code, one.heard) for one in heard]
    needs = [(code, text) for topic, code, text in listed if topic is Topic.SERVICE]
    stories = [story for dialect in dialects for story in dialect.stories]
    stories += [(one.code, one.heard) for one in heard if one.topic is Topic.SERVICE]
    everyday = [text for topic, _, text in listed if topic is Topic.EVERYDAY]
    return Topics(
        {
            code: Examples(
                [text for of, text in needs if of == code],
                [text for of, text in stories if of == code],
            )
            for code in dict.fromkeys(code for code, _ in needs)
        },
        [frame for dialect in dialects for frame in dialect.frames],
        [*(text for dialect in dialects for text in dialect.talk), *everyday],
    )


def _weights(grammar: Grammar, topic: Topic, heard: Sequence[HeardAs]) -> dict[str, float]:
    groups: dict[str, list[str]] = {}
    for dialect in grammar.dialects.values():
        for phrase in dialect.phrases:
            if phrase.topic is topic:
                group = phrase.code or phrase.text  # everyday sentences have nothing in common
                groups.setdefault(group, []).append(phrase.text)
    for one in heard:
        if one.topic is topic:
            groups.setdefault(one.code or one.heard, []).append(one.heard)
    frames = [frame for dialect in grammar.dialects.values() for frame in dialect.frames]
    for number in range(FRAME_SHARE):
        groups[f"frames {number}"] = frames
    return character_weights(groups)


@dataclass(frozen=True, slots=True)
class _Ranking:
    """The labels of one topic in falling evidence."""

    labels: tuple[str, ...]
    evidence: tuple[float, ...]
    best: tuple[int, ...]
    """The entry that speaks most for each label."""
    shares: tuple[float, ...]
    """How much of that entry was heard."""


def _rank(spotter: Spotter, heard: Sequence[Heard], whole: bool) -> _Ranking:
    """Spots all hypotheses; `whole` for answers that should be all that was said."""
    scores = spotter.spot([one.syllables for one in heard], most=TALK if whole else SHORTLIST)
    if whole:
        syllables = np.asarray([[len(one.syllables)] for one in heard])
        scores -= UNEXPLAINED * np.maximum(syllables - spotter.lengths, 0).astype(np.float32)
    weights = np.asarray([one.weight for one in heard], dtype=np.float32)
    values: Scores = evidence(scores, spotter.total)
    for row, one in enumerate(heard):
        written = spotter.written(one.text)
        values[row, written] += WRITTEN * spotter.total[written]
    values = (values.max(axis=0) + weights @ values) / 2
    share: Scores = (scores.max(axis=0) + weights @ scores) / 2 / spotter.total
    pooled, best = spotter.pool(values)
    order = np.argsort(-pooled, kind="stable")
    return _Ranking(
        labels=tuple(spotter.labels[label] for label in order),
        evidence=tuple(pooled[order].tolist()),
        best=tuple(best[order].tolist()),
        shares=tuple(share[best[order]].tolist()),
    )


@dataclass(frozen=True, slots=True)
class Timed:
    """What an utterance says of the time."""

    when: When | None
    found: tuple[tuple[Found, ...], ...]
    """The time words of each hypothesis, whether or not they name a time."""
    places: tuple[frozenset[int], ...]
    """The syllables of each hypothesis that are time words."""
    share: float
    """The part of the first hypothesis, frames aside, that is time words."""


@dataclass(frozen=True, slots=True)
class Weighed:
    """A phrase, and how much of it was heard."""

    entry: Entry
    """What speaks most for its label in the text that was recognised."""
    weights: tuple[float, ...]
    """Of its syllables: how much each tells."""
    evidence: float
    """Of all phrases with its label."""
    share: float
    """The part of its weight that was heard, up to 1; negative when the sounds speak against it."""
    by_ear: Entry | None = None
    """What stands out most for the label in the sounds themselves, if it clearly does."""


def _weighed(spotter: Spotter, ranking: _Ranking, place: int) -> Weighed:
    index = ranking.best[place]
    return Weighed(
        spotter.entries[index],
        spotter.weights_of(index),
        ranking.evidence[place],
        ranking.shares[place],
    )


def _by_ear(spotter: Spotter, shares: Scores, heard: int, strict: float) -> list[Candidate]:
    """The acts or ratings by how well they fit the sounds, best first; see Matcher.answer.

    shares: of each entry's weight that was heard, in `heard` syllables.
    """
    left = np.maximum(heard - spotter.lengths, 0)
    values = (shares - strict * left / spotter.lengths).astype(np.float32)
    _, best = spotter.pool(values)
    found = [
        Candidate(entry.label, min(1.0, float(values[n])), entry.text, entry.dialect)
        for n in best
        for entry in [spotter.entries[n]]
    ]
    return sorted(found, key=lambda candidate: -candidate.confidence)


def _clearest(by_ear: Sequence[Candidate]) -> Candidate | None:
    """The first of some answers, best first, if its share in the sounds tells it by itself."""
    first, second, *_ = by_ear
    share, lead = (YES_BY_EAR, YES_CLEARLY) if first.code == "yes" else (BY_EAR, CLEARLY)
    clear = first.confidence >= share and first.confidence - second.confidence >= lead
    return first if clear else None


def _contradicted(
    told: Candidate, outdone: float, by_ear: Sequence[Candidate], beyond: Mapping[str, float]
) -> bool:
    """Whether another answer fits the sounds so much better that this one was hardly given.

    Other stars on its side of three are no other answer: 满意 is said in 比较满意 too.
    """
    same = next((side for side in SIDES if told.code in side), {told.code})
    share = next(c.confidence for c in by_ear if c.code == told.code)
    first = max(c.confidence for c in by_ear if c.code not in same)
    rival = max(beyond[code] for code in beyond if code not in same)
    if rival - beyond[told.code] >= outdone:
        return True
    return first >= BY_EAR and first - share >= CONTRADICTED


def candidates(weighed: Sequence[tuple[Weighed, Clues]]) -> list[Candidate]:
    """Services in falling confidence, each with the phrase that was heard or else written."""
    found = []
    for one, clues in weighed:
        entry = one.by_ear or one.entry
        sure = confidence.of_service(clues)
        found.append(Candidate(entry.label, sure, entry.text, entry.dialect))
    return sorted(found, key=lambda candidate: -candidate.confidence)


class Matcher:
    """The grammar made ready for listening; takes seconds to make, and does not change."""

    def __init__(self, grammar: Grammar, heard: Sequence[HeardAs] = ()) -> None:
        self.grammar = grammar
        known = {(p.topic, p.code) for d in grammar.dialects.values() for p in d.phrases}
        heard = [  # services and dialects come and go
            h for h in heard if (h.topic, h.code) in known and h.dialect in grammar.dialects
        ]
        entries = {topic: _entries(grammar, topic, heard) for topic in Topic}
        own = {entry.text for entry in entries[Topic.MORE]}
        entries[Topic.MORE] += [one for one in entries[Topic.ACT] if one.text not in own]
        times = time_entries(grammar)
        signs = _signs(grammar)
        everything = [*times, *signs, *(entry for listed in entries.values() for entry in listed)]
        likeness = Likeness(reading for entry in everything for reading in entry.readings)
        likeness.prepare(every_syllable().union(likeness.syllables))

        def spotter(topic: Topic) -> Spotter:
            weights = _weights(grammar, topic, heard)
            listed = entries[topic]
            given = [weigh(entry.text, weights, FLOORS[topic]) for entry in listed]
            return Spotter(listed, given, likeness)

        self._services = spotter(Topic.SERVICE)
        self._acts = spotter(Topic.ACT)
        self._ratings = spotter(Topic.RATING)
        self._everyday = spotter(Topic.EVERYDAY)
        self._waiting = spotter(Topic.WAITING)
        self._more = spotter(Topic.MORE)
        self._times = TimeSpotter(
            times,
            likeness,
            tuple(
                word
                for dialect in grammar.dialects.values()
                for word in dialect.times.get("written_date_word", {}).get("", ())
            ),
        )
        self._likeness = likeness
        self._denials = _denials(grammar, likeness)
        self._reader = SyllableReader(likeness.syllables)
        self._signs = Spotter(signs, [[1.0] * len(entry.readings) for entry in signs], likeness)
        self._topics = _topics(grammar, heard)
        self._frames = {f for dialect in grammar.dialects.values() for f in dialect.frames}
        self._longest_frame = max(map(len, self._frames), default=0)

    @classmethod
    def load(cls, folder: Path, learned: Path | None = None) -> Matcher:
        """Reads grammars/ and what a site has learned. Raises GrammarError naming what is wrong."""
        return cls(load(folder), load_heard(learned) if learned else ())

    def sounding(self, hypotheses: Sequence[Hypothesis]) -> Sounding | None:
        """The sounds of an utterance; None without any, or from an engine that tells of words."""
        sounds = next((h.sounds for h in hypotheses if h.sounds is not None), None)
        if sounds is None:
            return None
        pieces = self._reader.read(sounds, LONGEST)
        if not pieces.syllables:
            return None
        return Sounding(pieces.syllables, self._likeness.of_pieces(pieces.misfit))

    def when(self, heard: Sequence[Heard], now: datetime, clarity: float) -> Timed:
        """The time that the hypotheses agree on best, and where its words are in each."""
        best: tuple[float, When] | None = None
        places = []
        words = []
        for one in heard:
            found = [
                word
                for word in self._times.find(one.text, one.syllables, clarity)
                if word.written or self._answered(one.text).isdisjoint(range(word.start, word.end))
            ]
            words.append(tuple(found))
            when = to_when(found, now, asked=clarity == CLEAR)
            named = {n for f in found for n in range(f.start, f.end)} if when else set()
            places.append(frozenset(named))
            strength = sum(f.score for f in found) * (0.5 + 0.5 * one.weight)
            if when is not None and (best is None or strength > best[0]):
                best = strength, when
        untold = len(heard[0].syllables) - len(self._framed(heard[0]) - places[0])
        share = len(places[0]) / max(1, untold)
        return Timed(best[1] if best else None, tuple(words), tuple(places), share)

    def _answered(self, text: str) -> set[int]:
        """Positions of answers that stand in a text just so: no time only sounds like them."""
        answers = {self._acts.entries[index].text for index in self._acts.written(text)}
        return {
            position
            for answer in answers
            if len(answer) > 1
            for start in (text.find(answer),)
            for position in range(start, start + len(answer))
        }

    def services(
        self,
        heard: Sequence[Heard],
        dialect: str = "",
        sounding: Sounding | None = None,
        timed: Timed | None = None,
    ) -> list[Candidate]:
        """The services that may be meant, most likely first, with calibrated confidence.

        `timed` is what the same texts say of the time.
        """
        return candidates(self.weighed(heard, dialect, sounding, timed)[0])

    def weighed(
        self,
        heard: Sequence[Heard],
        dialect: str = "",
        sounding: Sounding | None = None,
        timed: Timed | None = None,
    ) -> tuple[list[tuple[Weighed, Clues]], Weighed, tuple[str, ...]]:
        """What speaks for each of the likeliest services, and for talk that orders nothing.

        And the services named clearly, each in a stretch of its own, the clearest first.
        """
        told = _led_by_sounds(heard, sounding)
        ranking = _rank(self._services, told, whole=False)
        talk = _rank(self._everyday, told, whole=True)
        everyday = _weighed(self._everyday, talk, 0)
        times = timed.places[0] if timed else frozenset()
        topics = self._told(heard, timed)
        named = self._services.places(heard[0].syllables, SPOTTED)
        signs = self._signs.places(heard[0].syllables, SIGN)
        framed = self._framed(heard[0])
        likeliest = max(topics, key=lambda label: topics[label])
        places = list(range(min(TOP, len(ranking.labels))))
        spotter = self._services
        written = {spotter.entries[n].label for n in spotter.written(heard[0].text)}
        sounded = self._sounded(spotter, sounding) if sounding else {}
        idle = self._everyday.furthest_beyond_chance(sounding.alike) if sounding else 0.0
        heard_most = sorted(sounded, key=lambda label: -sounded[label][0])
        for label in (likeliest, *heard_most[:TOP_HEARD]):
            if label in ranking.labels and ranking.labels.index(label) not in places:
                places.append(ranking.labels.index(label))
        weighed = []
        for place in places:
            one = _weighed(self._services, ranking, place)
            beyond, entry = sounded.get(one.entry.label, (0.0, None))
            if beyond >= STANDS_OUT:
                one = replace(one, by_ear=entry)
            rival = ranking.evidence[1 if place == 0 else 0]
            topic = topics[one.entry.label]
            clues = Clues(
                share=one.share,
                strength=one.evidence,
                lead=one.evidence - rival,
                over_everyday=min(3.0, max(-2.0, one.evidence - everyday.evidence)),
                length=math.log(len(heard[0].syllables)),
                doubt=(1 - one.share) * math.exp(min(0.0, heard[0].score)),
                topic=math.tanh(topic / TELLING),
                topic_lead=math.tanh(
                    (topic - max(topics[code] for code in topics if code != one.entry.label))
                    / TELLING
                ),
                **self._around(
                    heard[0],
                    ranking.best[place],
                    named,
                    signs,
                    framed,
                    times if one.entry.label in written else None,
                ),
                expected=float(bool(dialect) and (one.by_ear or one.entry).dialect == dialect),
                sounded=float(bool(sounded)),
                beyond=min(MOST_BEYOND, beyond),
                beyond_lead=min(
                    MOST_BEYOND,
                    beyond
                    - max(
                        (z for label, (z, _) in sounded.items() if label != one.entry.label),
                        default=0.0,
                    ),
                ),
                beyond_talk=idle,
                distant=float(bool(sounded) and self._distant((one.by_ear or one.entry).dialect)),
            )
            weighed.append((one, clues))
        clearly = dict.fromkeys(spotter.entries[place.entry].label for place in named)
        return weighed, everyday, tuple(clearly)

    def _distant(self, dialect: str) -> bool:
        """Whether a dialect is more than an accent of Mandarin."""
        return self.grammar.dialects[dialect].pronunciation.own

    def _sounded(self, spotter: Spotter, sounding: Sounding) -> dict[str, tuple[float, Entry]]:
        """By how many deviations each label stands out in the sounds, and by which phrase."""
        pooled, best = spotter.pool(spotter.beyond_chance(sounding.alike))
        return {
            label: (value, spotter.entries[entry])
            for label, value, entry in zip(
                spotter.labels, pooled.tolist(), best.tolist(), strict=True
            )
        }

    def _around(
        self,
        heard: Heard,
        index: int,
        named: Sequence[Place],
        signs: Sequence[Place],
        framed: Set[int],
        times: Set[int] | None,
    ) -> dict[str, float]:
        """The clues that lie in what was said near a phrase, by their names.

        `times` are the syllables that tell a time; None for a service of which no phrase stands in
        the text.
        """
        entry = self._services.entries[index]
        start, end = self._services.span(index, heard.syllables)
        first, last = max(0, start - NEAR), min(len(heard.syllables), end + NEAR)
        near = set(range(first, last))
        own = set(range(start, end))
        others: set[int] = set()
        for place in named:
            same = self._services.entries[place.entry].label == entry.label
            (own if same else others).update(near.intersection(range(place.start, place.end)))
        passed = (near & framed | others) - own
        beside = {
            self._signs.entries[sign.entry].label
            for sign in signs
            if own.isdisjoint(range(sign.start, sign.end)) and sign.start in near
        }
        denied = not NEGATIONS.isdisjoint(heard.syllables[start:end])
        its_own = not NEGATIONS.isdisjoint(_syllables(entry.text))  # 务 is read as 勿 is
        told = self._topics.beside(heard.text[first:last], {n - first for n in own})
        return {
            "covered": len(own) / max(1, len(near) - len(passed)),
            "written": 0.0
            if times is None
            else len(own) / max(1, len(near) - len(passed | (near & times - own))),
            "negated": float(denied and not its_own and NEGATIVE.isdisjoint(entry.text)),
            "beside": min(5.0, max(-10.0, told)),
            **{kind: float(kind in beside) for kind in Sign},
        }

    def _told(self, heard: Sequence[Heard], timed: Timed | None) -> dict[str, float]:
        """What all that was heard says for each service, in logarithms of odds against talk.

        With what is written as a time or without it, whichever says more: 明天上午 is in talk more
        than in orders, but 夜里 names a need.
        """
        told = np.zeros(len(self._topics.labels), dtype=np.float32)
        for number, one in enumerate(heard):
            words = timed.found[number] if timed and timed.when else ()
            passed = {n for word in words if word.written for n in range(word.start, word.end)}
            ways = {one.text, "".join(one.text[n] for n in range(len(one.text)) if n not in passed)}
            told += one.weight * np.max([self._topics.of(text) for text in ways], axis=0)
        return dict(zip(self._topics.labels, told.tolist(), strict=True))

    def answer(
        self,
        heard: Sequence[Heard],
        topic: Topic,
        strict: float,
        timed: Sequence[frozenset[int]] = (),
    ) -> Candidate:
        """The act or rating that was said.

        Its confidence is the share of its phrase that was heard, less what neither an answer nor
        a frame (我想, 吧) explains, as a part of what answers explain, times `strict`. The words
        of a time (`timed`) are no answer and need none.
        """
        spotter = self._answers(topic)
        found: dict[str, Candidate] = {}
        for number, one in enumerate(heard):
            times = timed[number] if timed else frozenset()
            framed = self._framed(one) | times
            explained: dict[str, set[int]] = {}
            places = [
                place
                for place in spotter.places(one.syllables, PARTLY)
                if times.isdisjoint(range(place.start, place.end))
            ]
            for place in places:  # an answer may be said twice: 对，没错没错
                label = spotter.entries[place.entry].label
                explained.setdefault(label, set()).update(range(place.start, place.end))
            for place in places:
                entry = spotter.entries[place.entry]
                own = explained[entry.label]
                left = len(one.syllables) - len(own | framed)
                if entry.label in BARE and len(own) < NEARLY * len(one.syllables) * strict:
                    continue
                if left and entry.text in self._frames:  # 寻个人 wants a human, 寻个人照看 a carer
                    continue
                odds = 0.5 + 0.5 * one.weight / heard[0].weight
                share = min(1.0, place.share) * odds - strict * left / len(own)
                if entry.label not in found or share > found[entry.label].confidence:
                    found[entry.label] = Candidate(entry.label, share, entry.text, entry.dialect)
        return max(found.values(), key=lambda c: c.confidence, default=_NONE)

    def heard_answer(
        self,
        heard: Sequence[Heard],
        sounding: Sounding | None,
        topic: Topic,
        strict: float,
        timed: Sequence[frozenset[int]] = (),
    ) -> Candidate:
        """The act or rating in the words, if the sounds do not contradict; else that in the sounds.

        A short yes written word for word, of about as many syllables as were heard, is one whatever
        they sound like: the 对 of many voices does like a 不, and hardly any no is written as 对.
        For answers to a question that asks for them; see `wish` for others.
        """
        told = self.answer(heard, topic, strict, timed)
        if sounding is None:
            return told
        short = len(told.phrase) <= SHORT and len(sounding.syllables) <= len(told.phrase) + 1
        if short and told.code == "yes" and told.phrase == heard[0].text:
            return told
        spotter = self._answers(topic)
        shares, standing_out = spotter.shares_and_beyond_chance(sounding.alike)
        by_ear = _by_ear(spotter, shares, len(sounding.syllables), strict)
        beyond = dict(zip(spotter.labels, spotter.pool(standing_out)[0].tolist(), strict=True))
        first, second = sorted(beyond, key=lambda code: -beyond[code])[:2]
        written = told.confidence >= ACT_HEARD
        likeliest = written and told.phrase in heard[0].text
        fitting = told if written else _clearest(by_ear)
        if fitting:
            consent = CONSENT_OUTDONE if likeliest else CONSENT_OUTDONE_BY_EAR
            outdone = consent if fitting.code in CONSENT else OUTDONE
            denied = self._denied(fitting, sounding, DENIED if written else DENIED_BY_EAR)
            if not denied and not _contradicted(fitting, outdone, by_ear, beyond):
                return fitting
        stands = (
            beyond[first] >= ANSWER_STANDS
            and beyond[first] - beyond[second] >= ANSWER_LEADS
            and (first != "yes" or by_ear[0].code == "yes")
        )
        same = next(c for c in by_ear if c.code == first)
        if stands and not self._denied(same, sounding, DENIED_BY_EAR):
            return replace(same, confidence=BY_EAR_SURE)
        return _NONE if fitting else told

    def _denied(self, answer: Candidate, sounding: Sounding, likeness: float) -> bool:
        """Whether there is a 不 or 勿 in the sounds that an answer which consents has not.

        Not at the end: what is denied follows.
        """
        if answer.code not in CONSENT or not NEGATIVE.isdisjoint(answer.phrase):
            return False
        return bool(sounding.alike[:-1, self._denials].max(initial=0.0) >= likeness)

    def wish(
        self, told: Candidate, topic: Topic, sounding: Sounding, sure: float, need: float
    ) -> Candidate:
        """The act that nobody asked for: the one `told` in the words, or one that stands out.

        None that a service outdoes in the sounds; by sounds alone, no yes and no no. `sure` is the
        confidence in the likeliest service, `need` by how many deviations one stands out most.
        """
        beyond = self._beyond(topic, sounding)
        if told.code and need - beyond[told.code] > NEED_OVER_WISH:
            told = _NONE
        if told.confidence >= ACT_ALONE or sure >= WISHED:
            return told
        first, second = sorted(beyond, key=lambda code: -beyond[code])[:2]
        stands = (
            beyond[first] >= max(ANSWER_STANDS, need + WISH_OVER_NEED)
            and beyond[first] - beyond[second] >= WISH_LEADS
            and first not in ("yes", "no")
        )
        return Candidate(first, BY_EAR_SURE) if stands else told

    def _answers(self, topic: Topic) -> Spotter:
        return {
            Topic.ACT: self._acts,
            Topic.RATING: self._ratings,
            Topic.WAITING: self._waiting,
            Topic.MORE: self._more,
        }[topic]

    def _beyond(self, topic: Topic, sounding: Sounding) -> dict[str, float]:
        """By how many deviations each act or rating stands out in the sounds."""
        sounded = self._sounded(self._answers(topic), sounding)
        return {code: beyond for code, (beyond, _) in sounded.items()}

    def need(self, text: str, now: datetime) -> str:
        """What may name the need in an utterance: without the frames and the time around it."""
        heard = prepared([Hypothesis(text, 0.0)])
        if not heard:
            return ""
        around = self._framed(heard[0]) | self.when(heard, now, CERTAIN).places[0]
        left = sorted(set(range(len(heard[0].text))) - around)
        return heard[0].text[left[0] : left[-1] + 1] if left else ""

    def _framed(self, one: Heard) -> set[int]:
        """Positions of an utterance that are frames: as many as frames side by side can cover, for
        the longest first leaves the end of another over (我想请|人来 of 我想|请人来)."""
        best: list[tuple[int, frozenset[int]]] = [(0, frozenset())]
        for end in range(1, len(one.text) + 1):
            ways = [best[end - 1]]
            for start in range(max(0, end - self._longest_frame), end):
                if one.text[start:end] in self._frames:
                    count, covered = best[start]
                    ways.append((count + end - start, covered | frozenset(range(start, end))))
            best.append(max(ways, key=lambda way: way[0]))
        return set(best[-1][1])


@dataclass(frozen=True, slots=True, eq=False)
class Findings:
    """What an utterance was searched for, given the question that it answers."""

    heard: tuple[Heard, ...]
    """The hypotheses that were looked at; empty if nothing was written."""
    act: Candidate
    rating: Candidate = _NONE
    timed: Timed | None = None
    """None, and no services, where only an answer was looked for."""
    services: tuple[tuple[Weighed, Clues], ...] = ()
    candidates: tuple[Candidate, ...] = ()
    """The same in falling confidence."""
    everyday: Weighed | None = None
    """Talk that orders nothing."""
    named: tuple[str, ...] = ()
    """Services named clearly, the clearest first."""


def search(
    hypotheses: Sequence[Hypothesis],
    state: State,
    matcher: Matcher,
    now: datetime,
    dialect: str = "",
) -> Findings:
    """Everything that `understand` decides by, of the same arguments."""
    heard = prepared(hypotheses)
    sounding = matcher.sounding(hypotheses)
    if state in (State.RATING, State.SMS):
        act = matcher.answer(heard, Topic.ACT, UNASKED)
        rating = matcher.heard_answer(heard, sounding, Topic.RATING, ASKED)
        return Findings(tuple(heard), act, rating)
    if state is State.WAITING:
        wish = matcher.answer(heard, Topic.WAITING, ASKED)
        needs = matcher.services(heard, dialect, sounding) if heard else ()
        return Findings(tuple(heard), wish, candidates=tuple(needs))
    asked = state is State.CONFIRM
    if not heard:
        act = matcher.heard_answer(heard, sounding, Topic.ACT, ASKED) if asked else _NONE
        return Findings((), act)
    clarity = CLEAR if state is State.TIME else CERTAIN
    timed = matcher.when(_with_sounds(heard, sounding), now, clarity)
    services, everyday, named = matcher.weighed(heard, dialect, sounding, timed)
    likely = candidates(services)
    if asked:
        act = matcher.heard_answer(heard, sounding, Topic.ACT, ASKED, timed.places)
        if act.code == "yes":  # only what was most likely said changes the time
            timed = matcher.when(heard[:1], now, clarity)
    else:
        topic = Topic.MORE if state is State.MORE else Topic.ACT
        act = matcher.answer(heard, topic, UNASKED, timed.places)
        if sounding:
            need = max(clues.beyond for _, clues in services)
            act = matcher.wish(act, topic, sounding, likely[0].confidence, need)
    return Findings(
        tuple(heard), act, _NONE, timed, tuple(services), tuple(likely), everyday, named
    )


def understand(
    hypotheses: Sequence[Hypothesis],
    state: State,
    matcher: Matcher,
    now: datetime,
    dialect: str = "",
) -> Meaning:
    """What the caller means, given what was asked, the site's time and, if known, their dialect.

    Hypotheses come best first. Without a character in them, they can only answer a question for
    a yes or a rating, by their sounds.
    """
    return decide(search(hypotheses, state, matcher, now, dialect), state)


def decide(found: Findings, state: State) -> Meaning:
    """What an utterance means by what was found in it."""
    if state in (State.RATING, State.SMS):
        return _rating(found)
    if state is State.WAITING:
        return _wished(found)
    act, timed = found.act, found.timed
    if timed is None:
        return _answered(act) if act.confidence >= ACT_HEARD else Meaning(Kind.OOS)
    heard, asked, when = found.heard, state is State.CONFIRM, timed.when
    services = found.candidates
    best = services[0]
    base = Meaning(
        Kind.OOS, candidates=services, when=when, text=heard[0].text, dialect=best.dialect
    )
    emergency = next((c for c in services if c.code == EMERGENCY), Candidate(EMERGENCY, 0.0))
    alarm = emergency.confidence >= EMERGENCY_ACCEPT
    answered = state is State.TIME and when is not None and act.code in BARE
    beside = asked or act.confidence > best.confidence
    needed = ACT_HEARD if asked else ACT_ALONE if best.confidence < ACCEPT else ACT_CLEAR
    if act.confidence >= needed and beside and not answered:
        named = found.named if best.confidence >= ACCEPT else ()
        return replace(
            base,
            kind=Kind.ACT,
            code=act.code,
            confidence=act.confidence,
            dialect=act.dialect,
            also=named,
            candidates=services if named or alarm else (),
        )
    urgent = emergency.confidence >= EMERGENCY_FIRST
    telling = state is State.TIME or timed.share >= (MOSTLY if asked else NOTHING_ELSE)
    if when is not None and telling and not urgent:
        rivals = base.candidates if timed.share < MOSTLY else ()  # else what time words sound like
        return replace(base, kind=Kind.TIME, confidence=CLEAR, candidates=rivals)
    if best.confidence >= ACCEPT and not urgent:
        others = tuple(code for code in found.named if code != best.code)
        return replace(
            base, kind=Kind.SERVICE, code=best.code, confidence=best.confidence, also=others
        )
    if alarm:
        return replace(base, kind=Kind.SERVICE, code=EMERGENCY, confidence=emergency.confidence)
    if when is not None and state is not State.OPEN:
        return replace(base, kind=Kind.TIME, confidence=CLEAR)
    return base


def _answered(act: Candidate) -> Meaning:
    return Meaning(Kind.ACT, code=act.code, confidence=act.confidence, dialect=act.dialect)


def _wished(found: Findings) -> Meaning:
    """Help, or to be called back; whatever else is said while waiting is nobody's business."""
    text = found.heard[0].text if found.heard else ""
    need = found.candidates[0] if found.candidates else _NONE
    if need.code == EMERGENCY and need.confidence >= WAITING_NEED:
        return Meaning(
            Kind.SERVICE, EMERGENCY, need.confidence, need.dialect, found.candidates, text=text
        )
    wish = found.act
    if wish.code == Act.CALLBACK and wish.confidence >= WAITING_WISH:
        return Meaning(Kind.ACT, Act.CALLBACK, wish.confidence, wish.dialect, text=text)
    return Meaning(Kind.OOS, text=text)


def _rating(found: Findings) -> Meaning:
    act, rating = found.act, found.rating
    base = Meaning(Kind.OOS, text=found.heard[0].text if found.heard else "")
    if rating.confidence >= ACT_HEARD and (act.code in BARE or rating.confidence >= act.confidence):
        return replace(
            base,
            kind=Kind.RATING,
            rating=int(rating.code),
            confidence=rating.confidence,
            dialect=rating.dialect,
        )
    if act.confidence >= ACT_CLEAR:
        return replace(base, kind=Kind.ACT, code=act.code, confidence=act.confidence)
    return base
