"""What an utterance is about, by all of its syllables and neighbouring pairs of syllables.

Naive Bayes (Maron, 1961): for each service, how much likelier its ways of speaking make what was
heard than everyday talk does. Where spotting looks for one phrase, this weighs a whole story.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from itertools import pairwise

import numpy as np

from ivr.understanding.spotting import Scores
from ivr.understanding.syllables import pinyin_of

_PRIOR = (0.3, 0.05)
"""Added to the count of each syllable, of each pair: what was not seen may still be said."""
_DISTINCT = (1300, 20000)
"""Syllables and pairs that there may be."""

_Gram = tuple[str, ...]


def _grams(text: str) -> tuple[list[_Gram], list[_Gram]]:
    """The syllables of a text and its neighbouring pairs."""
    syllables = pinyin_of(text)
    return [(one,) for one in syllables], list(pairwise(syllables))


class Topics:
    """The services by the syllables they are spoken of with."""

    def __init__(
        self,
        texts: Mapping[str, Sequence[str]],
        frames: Sequence[str],
        everyday: Sequence[str],
    ) -> None:
        """Takes the phrases of each service, words around them, and sentences that order nothing.

        The words around are one more topic, for what is said beside a need.
        """
        self.labels = tuple(texts)
        self._scores: dict[_Gram, Scores] = {}
        self._ordering: dict[_Gram, float] = {}
        counts: tuple[list[Counter[_Gram]], ...] = ([], [])
        for listed in (*texts.values(), frames, everyday):
            found: tuple[Counter[_Gram], ...] = (Counter(), Counter())
            for text in listed:
                for counter, grams in zip(found, _grams(text), strict=True):
                    counter.update(set(grams))
            for kind, counter in zip(counts, found, strict=True):
                kind.append(counter)
        for kind, prior, distinct in zip(counts, _PRIOR, _DISTINCT, strict=True):
            totals = np.asarray([max(1, counter.total()) for counter in kind], dtype=np.float32)
            scale = totals[-1] / totals
            for gram in set().union(*kind):
                seen = np.asarray([counter[gram] for counter in kind], dtype=np.float32)
                odds = np.log((seen * scale + prior) / (totals[-1] + prior * distinct))
                self._scores[gram] = (odds[:-2] - odds[-1]).astype(np.float32)
                ordering = (seen * scale)[:-1].mean()
                self._ordering[gram] = float(
                    np.log((ordering + prior) / (totals[-1] + prior * distinct)) - odds[-1]
                )

    def of(self, text: str) -> tuple[Scores, Scores]:
        """For each label, what the syllables and what the pairs of a text say for it.

        In logarithms of odds against everyday talk, by the square root of the text's length.
        """
        told = []
        singles, pairs = _grams(text)
        root = max(1, len(singles)) ** 0.5
        for grams in (singles, pairs):
            known = [self._scores[gram] for gram in grams if gram in self._scores]
            nothing = np.zeros(len(self.labels), dtype=np.float32)
            told.append(np.sum(known, axis=0) / root if known else nothing)
        return told[0], told[1]

    def beside(self, text: str, named: Collection[int]) -> float:
        """Whether what is said beside the need sounds like an order: above 0, or like talk: below.

        `named` are the characters of the text that name the need.
        """
        singles, pairs = _grams(text)
        outside = [gram for n, gram in enumerate(singles) if n not in named]
        outside += [gram for n, gram in enumerate(pairs) if not {n, n + 1} <= set(named)]
        return sum(self._ordering.get(gram, 0.0) for gram in outside)
