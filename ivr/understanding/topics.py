"""What an utterance is about, by all of its syllables and neighbouring pairs of syllables.

A maximum entropy model (Berger et al., "A Maximum Entropy Approach to Natural Language Processing",
1996): how likely each service is, and talk that orders nothing, learned from the grammars' phrases,
stories and talk when they are loaded. Where spotting looks for one phrase, this weighs a whole
story.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ivr.understanding.spotting import Scores
from ivr.understanding.syllables import pinyin_of

PHRASES = 200
"""Stories that the phrases of a service count as, together: there are hundreds of some."""
BEFORE = 0.7
"""Share of frames that come before a phrase, and not behind it."""
PASSES = 5
"""Times that each sentence is learned from."""
BATCH = 128
STEADY = 0.01
"""What the first steps are slowed down by (Duchi et al., "Adaptive Subgradient Methods", 2011)."""
_PRIOR = (0.3, 0.05)
"""Added to the count of each syllable, of each pair: what was not seen may still be said."""

_Gram = tuple[str, ...]


def _grams(text: str) -> tuple[list[_Gram], list[_Gram]]:
    """The syllables of a text and its neighbouring pairs."""
    syllables = pinyin_of(text)
    return [(one,) for one in syllables], list(pairwise(syllables))


@dataclass(frozen=True, slots=True)
class Examples:
    """What a service is asked for with."""

    phrases: Collection[str]
    stories: Collection[str]


class Topics:
    """The services by the syllables they are spoken of with."""

    def __init__(
        self, examples: Mapping[str, Examples], frames: Sequence[str], talk: Collection[str]
    ) -> None:
        """Takes examples of each service, words around needs, and sentences that order nothing."""
        self.labels = tuple(examples)
        sentences: dict[tuple[str, int], float] = {}
        for number, one in enumerate(examples.values()):
            phrases = [*one.phrases, *_framed(one.phrases, frames)]
            few = PHRASES / max(1, len(phrases))
            sentences |= dict.fromkeys(((text, number) for text in phrases), few)
            sentences |= dict.fromkeys(((text, number) for text in one.stories), 1.0)
        sentences |= dict.fromkeys(((text, len(self.labels)) for text in talk), 1.0)
        self._numbers: dict[_Gram, int] = {}
        self._scores = self._learned(sentences)
        self._ordering = _ordering(
            [[*one.phrases, *one.stories] for one in examples.values()], frames, talk
        )

    def _learned(self, sentences: Mapping[tuple[str, int], float]) -> Scores:
        """What each gram tells for each service and for talk, shape (grams and 1, services and 1).

        The last row is added whatever is said.
        """
        known = self._numbers
        rows = []
        for text, _ in sentences:
            singles, pairs = _grams(text)
            told = [
                known.setdefault(gram, len(known)) for gram in dict.fromkeys([*singles, *pairs])
            ]
            rows.append(np.asarray(told, dtype=np.int32))
        lengths = np.asarray([len(row) for row in rows])
        grams = np.concatenate(rows)
        starts = np.concatenate([[0], lengths.cumsum()[:-1]])
        meant = np.asarray([number for _, number in sentences])
        weights = np.asarray(list(sentences.values()), dtype=np.float32)
        scores = np.zeros((len(known) + 1, len(self.labels) + 1), dtype=np.float32)
        slopes = np.full_like(scores, STEADY)
        order = np.random.default_rng(0)  # any order, and the same each time
        for _ in range(PASSES):
            shuffled = order.permutation(len(rows))
            for first in range(0, len(rows), BATCH):
                batch = shuffled[first : first + BATCH]
                firsts = np.concatenate([[0], lengths[batch].cumsum()[:-1]])
                inside = np.arange(lengths[batch].sum()) - np.repeat(firsts, lengths[batch])
                heard = grams[np.repeat(starts[batch], lengths[batch]) + inside]
                parts = np.repeat(lengths[batch] ** -0.5, lengths[batch]).astype(np.float32)
                sums = np.add.reduceat(scores[heard] * parts[:, None], firsts) + scores[-1]
                odds = np.exp(sums - sums.max(axis=1, keepdims=True))
                wrong = odds / odds.sum(axis=1, keepdims=True)
                wrong[np.arange(len(batch)), meant[batch]] -= 1
                wrong *= weights[batch, None]
                _step(
                    scores, slopes, heard, np.repeat(wrong, lengths[batch], axis=0) * parts[:, None]
                )
                _step(scores, slopes, np.full(len(batch), len(known)), wrong)
        return scores

    def of(self, text: str) -> Scores:
        """For each label, in logarithms of odds against talk, what a text says for it."""
        singles, pairs = _grams(text)
        grams = dict.fromkeys([*singles, *pairs])
        known = [self._numbers[gram] for gram in grams if gram in self._numbers]
        told = self._scores[known].sum(axis=0) * max(1, len(grams)) ** -0.5 + self._scores[-1]
        return np.asarray(told[:-1] - told[-1])

    def beside(self, text: str, named: Collection[int]) -> float:
        """Whether what is said beside the need sounds like an order: above 0, or like talk: below.

        `named` are the characters of the text that name the need.
        """
        singles, pairs = _grams(text)
        outside = [gram for n, gram in enumerate(singles) if n not in named]
        outside += [gram for n, gram in enumerate(pairs) if not {n, n + 1} <= set(named)]
        return sum(self._ordering.get(gram, 0.0) for gram in outside)


def _framed(phrases: Collection[str], frames: Sequence[str]) -> list[str]:
    """Each phrase with a frame, any of them: 我要 says nothing for a need or against it."""
    if not frames:
        return []
    chance = np.random.default_rng(0)
    chosen = chance.integers(len(frames), size=len(phrases))
    before = chance.random(len(phrases)) < BEFORE
    return [
        frames[n] + phrase if first else phrase + frames[n]
        for phrase, n, first in zip(phrases, chosen, before, strict=True)
    ]


def _step(scores: Scores, slopes: Scores, rows: NDArray[np.integer], change: Scores) -> None:
    """Takes from each row of the scores what was found for it, less where much was taken before."""
    order = np.argsort(rows, kind="stable")
    distinct, firsts = np.unique(rows[order], return_index=True)
    change = np.add.reduceat(change[order], firsts)
    slopes[distinct] += change**2
    scores[distinct] -= change / np.sqrt(slopes[distinct])


def _ordering(
    services: Sequence[Sequence[str]], frames: Sequence[str], talk: Collection[str]
) -> dict[_Gram, float]:
    """How much likelier each gram is in what orders something, or frames it, than in talk.

    Naive Bayes (Maron, 1961), in logarithms of odds.
    """
    told: dict[_Gram, float] = {}
    counts: tuple[list[Counter[_Gram]], ...] = ([], [])
    for listed in (*services, frames, talk):
        found: tuple[Counter[_Gram], ...] = (Counter(), Counter())
        for text in listed:
            for counter, grams in zip(found, _grams(text), strict=True):
                counter.update(set(grams))
        for kind, counter in zip(counts, found, strict=True):
            kind.append(counter)
    for kind, prior in zip(counts, _PRIOR, strict=True):
        totals = np.asarray([max(1, counter.total()) for counter in kind])
        scale = totals[-1] / totals
        for gram in set().union(*kind):
            seen = np.asarray([counter[gram] for counter in kind]) * scale
            told[gram] = float(np.log((seen[:-1].mean() + prior) / (seen[-1] + prior)))
    return told
