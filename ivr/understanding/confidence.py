"""How often evidence like this is right: a logistic model of what sets hits apart from misses.

Fitted on synthetic speech of the grammars' own test sentences (docs/measurements.md says how);
a hit is the right service put first, everything else, everyday talk included, is a miss.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

from ivr.understanding.grammar import Sign


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
    """1 if a negation was heard inside the phrase, which has none (血压不高)."""
    topic: float = 0.0
    """What all syllables of the utterance say for the service against everyday talk (topics.py),
    within (-1, 1)."""
    topic_lead: float = 0.0
    """How far that is above what they say for the next service, likewise."""
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
    expected: float = 0.0
    """1 if the caller is known to speak the dialect of the phrase."""
    written: float = 0.0
    """Share of the utterance, frames and times aside, that the service's phrases explain, if one of
    them stands in the best text character by character."""
    sounded: float = 0.0
    """1 if the recogniser told the sounds beside the words; what follows is 0 without."""
    beyond: float = 0.0
    """Deviations by which the service's phrases fit the sounds better than by chance."""
    beyond_lead: float = 0.0
    """Deviations above the next service's."""
    beyond_talk: float = 0.0
    """Deviations by which talk that orders nothing fits the sounds better than by chance."""
    distant: float = 0.0
    """1 if the phrase is of a dialect with readings of its own: in its sounds less stands out."""


_ALONE = Clues(
    share=0.87,
    strength=0.0,
    lead=0.67,
    over_everyday=0.52,
    covered=1.05,
    length=1.67,
    doubt=0.0,
    negated=-0.05,
    topic=2.43,
    topic_lead=2.62,
    beside=0.13,
    done=-0.23,
    declines=-0.83,
    enquires=0.72,
    commands=-1.22,
    others=-0.26,
    supposes=-0.58,
    expected=1.2,
)
"""Of words alone, typed or from a recogniser that tells no sounds."""
_BIAS_ALONE = -9.72
_OUTRIGHT_ALONE, _WRITTEN_ALONE = 1.91, 4.0
"""我要理发, heard just so, is no chance, and still less with its very characters."""
_WEIGHTS = Clues(
    share=8.45,
    strength=0.23,
    lead=1.41,
    over_everyday=1.42,
    covered=3.20,
    length=-1.88,
    doubt=-5.26,
    negated=-0.33,
    topic=1.5,
    beside=0.19,
    done=-1.97,
    declines=-2.52,
    enquires=0.13,
    commands=-1.00,
    others=-1.88,
    supposes=-1.71,
    expected=1.2,
    sounded=-2.59,
    beyond=0.61,
    beyond_lead=0.61,
    beyond_talk=-0.63,
    distant=0.38,
)
"""Of words beside the sounds, and of the sounds."""
_BIAS = -7.9
_BY_LENGTH = 1.67
"""A long utterance takes more evidence, ..."""
_BY_SHARE = -5.75
"""... and the evidence of a phrase that was heard as a whole tells less than it weighs."""
_FOR, _AGAINST = 0.93, 0.33
"""What the words tell for a service and against it, as a part of what they weigh, unless the need
stands in them: a recogniser that writes the wrong words has heard the right sounds."""
_LENGTH_BESIDE = 1.1
"""What the length tells besides, ..."""
_MOST_LENGTH = 1.8
"""... up to six syllables: a word is like another by chance, but a story is no surer than a
sentence."""
_BEHIND = 0.34
"""What each deviation tells by which another service stands out more."""
_OF_SOUNDS = ("sounded", "beyond", "beyond_lead", "beyond_talk", "distant")
_OUTRIGHT = 0.95
"""Share of a phrase from which on it was said, if nothing but frames was said beside it."""
_MOSTLY = 0.5
"""The least of `written` for it to have been said."""
_OUTRIGHT_BONUS = 3.0
_STANDS_BONUS = 6.0
"""明天上午洗澡, written just so, is less of one: whatever its other words sound like."""


def contributions(clues: Clues) -> dict[str, float]:
    """What each clue adds to the log-odds, by its name, with what is added whatever is heard."""
    against = clues.negated + sum(getattr(clues, sign) for sign in Sign)
    outright = clues.share >= _OUTRIGHT and clues.covered >= 1 and not against
    if not clues.sounded:
        stands = outright and clues.written >= 1
        return {
            **_added(clues, _ALONE, stands),
            "outright": _WRITTEN_ALONE if stands else _OUTRIGHT_ALONE if outright else 0.0,
            "bias": _BIAS_ALONE,
        }
    stands = clues.written >= _MOSTLY and not against
    told = {
        **_added(clues, _WEIGHTS, stands and clues.written >= 1),
        "strength by length": _BY_LENGTH * clues.strength * clues.length,
        "strength by share": _BY_SHARE * clues.strength * clues.share,
        "outright": _STANDS_BONUS if stands else _OUTRIGHT_BONUS if outright else 0.0,
        "bias": _BIAS,
    }
    words = {name: value for name, value in told.items() if name not in _OF_SOUNDS}
    if stands or outright:  # what stands in the text needs no other witness
        return words
    part = _FOR if sum(words.values()) > 0 else _AGAINST
    beside = _LENGTH_BESIDE * min(_MOST_LENGTH, clues.length)
    return {
        **{name: told[name] for name in _OF_SOUNDS},
        "behind": _BEHIND * min(0.0, clues.beyond_lead),
        **{name: part * value for name, value in words.items()},
        "length": part * words["length"] + beside,
    }


def _added(clues: Clues, weights: Clues, alone: bool) -> dict[str, float]:
    """alone: the phrase is all that was said. 京剧 is talked about, too, but not by that word."""
    added = {
        field.name: getattr(weights, field.name) * getattr(clues, field.name)
        for field in fields(Clues)
    }
    return {**added, "topic": max(0.0, added["topic"])} if alone else added


def of_service(clues: Clues) -> float:
    """Confidence from 0 to 1 that the best candidate is what was meant."""
    return 1 / (1 + math.exp(-sum(contributions(clues).values())))
