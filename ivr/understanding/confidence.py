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
    done: float = 0.0
    """1 if something beside the need says that it is done; so for the other signs that follow."""
    declines: float = 0.0
    enquires: float = 0.0
    """After a price, say."""
    commands: float = 0.0
    """To a device, or to somebody in the room."""
    others: float = 0.0
    """It is somebody else's need."""
    supposes: float = 0.0
    """It may be needed one day, or was in another time."""


_WEIGHTS = Clues(
    share=11.20,
    strength=-0.08,
    lead=1.61,
    over_everyday=1.48,
    covered=3.55,
    length=-1.88,
    doubt=-5.55,
    negated=-0.08,
    syllables=0.05,
    pairs=0.17,
    topic_lead=0.13,
    beside=0.18,
    done=-1.15,
    declines=-1.89,
    enquires=0.38,
    commands=-0.38,
    others=-0.84,
    supposes=-1.13,
)
_BIAS = -9.3
_BY_LENGTH = 2.13
"""A long utterance takes more evidence, ..."""
_BY_SHARE = -6.88
"""... and the evidence of a phrase that was heard as a whole tells less than it weighs."""
_OUTRIGHT = 0.95
"""Share of a phrase from which on it was said, if nothing but frames was said beside it."""
_OUTRIGHT_BONUS = 2.3
"""我要理发, heard just so, is no chance."""


def contributions(clues: Clues) -> dict[str, float]:
    """What each clue adds to the log-odds, by its name, with what is added whatever is heard."""
    added = {
        field.name: getattr(_WEIGHTS, field.name) * getattr(clues, field.name)
        for field in fields(Clues)
    }
    outright = clues.share >= _OUTRIGHT and clues.covered >= 1
    return {
        **added,
        "strength by length": _BY_LENGTH * clues.strength * clues.length,
        "strength by share": _BY_SHARE * clues.strength * clues.share,
        "outright": _OUTRIGHT_BONUS if outright else 0.0,
        "bias": _BIAS,
    }


def of_service(clues: Clues) -> float:
    """Confidence from 0 to 1 that the best candidate is what was meant."""
    return 1 / (1 + math.exp(-sum(contributions(clues).values())))
