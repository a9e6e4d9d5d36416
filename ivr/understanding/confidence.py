"""How often evidence like this is right: a logistic model of what sets hits apart from misses.

Fitted on synthetic speech of the grammars' own test sentences (docs/measurements.md says how);
a hit is the right service put first, everything else, everyday talk included, is a miss.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields


@dataclass(frozen=True, slots=True)
class Clues:
    """What is known about the best candidate of an utterance."""

    share: float
    """Share of its phrase that was heard, up to 1."""
    strength: float
    """Its evidence, in weights of fully informative syllables."""
    lead: float
    """Evidence above the next candidate's."""
    over_everyday: float
    """Evidence above that of talk which orders nothing, within [-2, 3]: beyond, it says no more."""
    covered: float
    """Share of the utterance's syllables, frames aside, that the service's phrases explain."""
    length: float
    """Natural logarithm of the utterance's syllables: the longer, the more fits by chance."""
    doubt: float
    """What of the phrase was not heard although the recogniser was sure of its text: the missing
    share times the probability it gave a token."""
    negated: float = 0.0
    """1 if a negation was heard with the phrase, which has none (窗户不脏)."""
    syllables: float = 0.0
    """What all syllables of the utterance say for the service against everyday talk (topics.py)."""
    pairs: float = 0.0
    """The same of neighbouring pairs of syllables."""
    topic_lead: float = 0.0
    """How far both are above those of the next service."""
    beside: float = 0.0
    """How much like an order and unlike talk the words beside the need are, within [-10, 5]."""


_WEIGHTS = Clues(
    share=3.36,
    strength=-1.27,
    lead=1.45,
    over_everyday=0.79,
    covered=4.97,
    length=2.97,
    doubt=-2.26,
    negated=-0.31,
    syllables=0.01,
    pairs=0.12,
    topic_lead=0.17,
    beside=0.19,
)
_BIAS = -12.6
_OUTRIGHT = 0.95
"""Share of a phrase from which on it was said, if nothing but frames was said beside it."""
_OUTRIGHT_BONUS = 1.5
"""Set by hand: the model is linear and cannot know that 我要理发, heard just so, is no chance."""


def contributions(clues: Clues) -> dict[str, float]:
    """What each clue adds to the log-odds, by its name, with what is added whatever is heard."""
    added = {
        field.name: getattr(_WEIGHTS, field.name) * getattr(clues, field.name)
        for field in fields(Clues)
    }
    outright = clues.share >= _OUTRIGHT and clues.covered >= 1
    return {**added, "outright": _OUTRIGHT_BONUS if outright else 0.0, "bias": _BIAS}


def of_service(clues: Clues) -> float:
    """Confidence from 0 to 1 that the best candidate is what was meant."""
    return 1 / (1 + math.exp(-sum(contributions(clues).values())))
