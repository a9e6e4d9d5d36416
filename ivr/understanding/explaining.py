"""Why an utterance was taken for what it was: the phrases that spoke for it, sound by sound."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from audio.recogniser import Hypothesis
from ivr.understanding import confidence
from ivr.understanding.confidence import Clues
from ivr.understanding.match import Heard, Matcher, Weighed, decide, search
from ivr.understanding.meaning import Candidate, Meaning, State
from ivr.understanding.pronunciation import Reading
from ivr.understanding.similarity import syllable_distances
from ivr.understanding.spotting import INSERTED, MOST_AGAINST, SKIPPED, UNRELATED
from ivr.understanding.syllables import Syllable
from ivr.understanding.times import Found


@dataclass(frozen=True, slots=True)
class Step:
    """One syllable of a phrase beside the one that was heard for it; either may be missing."""

    said: str
    """Character of the phrase."""
    said_phones: Syllable
    """The way of saying it that is closest to what was heard."""
    heard: str
    """Character that the recogniser wrote, where there is one."""
    heard_phones: Syllable
    distance: float | None
    """From 0 for the same sound; None when one of them is missing."""
    adds: float
    """To the weight of the phrase that was heard."""


@dataclass(frozen=True, slots=True)
class Spoken:
    """A phrase and how it was heard."""

    code: str
    phrase: str
    dialect: str
    evidence: float
    share: float
    """The part of its weight that was heard, over all hypotheses."""
    hypothesis: int
    """The one that it fits best, counted from 0; the steps are through that one."""
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Reason:
    """A service that may be meant, and what makes it likely."""

    spoken: Spoken
    confidence: float
    clues: Clues
    added: dict[str, float]
    """What each clue adds to the log-odds of the confidence."""


@dataclass(frozen=True, slots=True)
class TimeWord:
    """A word for a time that was found."""

    heard: str
    label: str
    clarity: float
    dialect: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """Everything that a meaning rests on."""

    meaning: Meaning
    heard: tuple[Heard, ...]
    """The hypotheses that were looked at."""
    reasons: tuple[Reason, ...] = ()
    """The likeliest first; empty where no service is looked for."""
    everyday: Spoken | None = None
    """What orders nothing and was heard best."""
    times: tuple[tuple[TimeWord, ...], ...] = ()
    """The time words in each hypothesis, in their order."""
    answers: tuple[Candidate, ...] = ()
    """The act and, where one was asked for, the rating that was heard best."""


def align(
    readings: Sequence[Reading], weights: Sequence[float], text: str, heard: Heard
) -> tuple[float, tuple[Step, ...]]:
    """The stretch that fits a phrase best: its share as Spotter.spot finds it, and the way there.

    The phrase is given by its characters (`text`) and, for each, readings and weight.
    """
    ways = [dict(reading) for reading in readings]
    said = list(dict.fromkeys(way for reading in ways for way in reading))
    distances = syllable_distances(said, heard.syllables)
    place = {way: number for number, way in enumerate(said)}

    def closest(row: int, column: int) -> tuple[float, Syllable]:
        options = ((distances[place[w], column] + cost, w) for w, cost in ways[row].items())
        distance, way = min(options)
        return float(distance), way

    characters = heard.text if len(heard.text) == len(heard.syllables) else ""
    lost = [
        Step(said, next(iter(ways[row])), "", (), None, -SKIPPED * weights[row])
        for row, said in enumerate(text)
    ]
    # A path is its score and its steps; paths[row] has explained the first `row` syllables.
    paths: list[tuple[float, tuple[Step, ...]]] = [(0.0, ())]
    for step in lost:
        paths.append((paths[-1][0] + step.adds, (*paths[-1][1], step)))
    best = paths[-1]
    for column, phones in enumerate(heard.syllables):
        character = characters[column : column + 1]
        extra = Step("", (), character, phones, None, -INSERTED)
        after: list[tuple[float, tuple[Step, ...]]] = [(0.0, ())]
        for row, weight in enumerate(weights):
            distance, way = closest(row, column)
            likeness = max(1 - distance / UNRELATED, MOST_AGAINST)
            pair = Step(text[row], way, character, phones, distance, weight * likeness)
            options = ((paths[row], pair), (after[row], lost[row]), (paths[row + 1], extra))
            (score, steps), step = max(options, key=lambda option: option[0][0] + option[1].adds)
            after.append((score + step.adds, (*steps, step)))
        paths = after
        best = max(best, paths[-1], key=lambda path: path[0])
    return best[0] / sum(weights), best[1]


def _spoken(weighed: Weighed, heard: Sequence[Heard]) -> Spoken:
    entry = weighed.entry
    aligned = [align(entry.readings, weighed.weights, entry.text, one) for one in heard]
    best = max(range(len(aligned)), key=lambda number: aligned[number][0])
    return Spoken(
        entry.label,
        entry.text,
        entry.dialect,
        weighed.evidence,
        weighed.share,
        best,
        aligned[best][1],
    )


def explain(
    hypotheses: Sequence[Hypothesis],
    state: State,
    matcher: Matcher,
    now: datetime,
    dialect: str = "",
) -> Explanation:
    """What `understand` makes of the same arguments, with its reasons."""
    found = search(hypotheses, state, matcher, now, dialect)
    meaning = decide(found, state)
    heard = found.heard
    reasons = [
        Reason(
            _spoken(one, heard),
            confidence.of_service(clues),
            clues,
            confidence.contributions(clues),
        )
        for one, clues in found.services
    ]
    times = found.timed.found if found.timed else ()
    return Explanation(
        meaning,
        heard,
        tuple(sorted(reasons, key=lambda reason: -reason.confidence)),
        _spoken(found.everyday, heard) if found.everyday else None,
        tuple(
            _words(heard[n].text if n < len(heard) else "", words) for n, words in enumerate(times)
        ),
        tuple(answer for answer in (found.rating, found.act) if answer.code),
    )


def _words(text: str, found: Sequence[Found]) -> tuple[TimeWord, ...]:
    return tuple(
        TimeWord(text[one.start : one.end], one.label, one.clarity, one.dialect)
        for one in sorted(found, key=lambda one: one.start)
    )
