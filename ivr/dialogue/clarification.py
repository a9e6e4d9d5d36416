"""How sure is sure enough: go on, ask between two, or ask again."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from ivr.understanding.meaning import EMERGENCY, Act, Candidate, Kind, Meaning

SURE = 0.75
"""A service this likely is taken; the read-back still asks."""
MAYBE = 0.45
"""A service this likely is taken if no other is close; below it we ask again."""
RIVAL = 0.30
"""The least likely second service that is worth a question."""
CLOSE = 0.20
"""Two services nearer than this are asked between, if the first is not sure."""
TIE = 0.05
"""The same when both are sure."""
CHOSEN = 0.30
"""Enough for one of the two services that the caller was just asked between."""
BESIDE_ACT = 0.60
"""Enough for a service in the same breath as a yes or no."""
ROOM = 4
"""Characters an utterance needs to hold a service beside a yes or no: 不对修脚."""
ANY_ODDS = 0.1
"""Odds of one service before it is heard again. Some thirty services would have less, but who says
the same again is misheard in the same way."""
UNASKED = 0.70
"""Enough for another service instead of the yes or no that was asked for."""
ACT = 0.50
"""Enough for operator, repeat, slower, cancel, stop, and no."""
YES = 0.60
"""Enough for a yes: it books."""
CLEAR_NO = 0.75
"""Enough for a no to the question whether it is an emergency."""
EMERGENCY_SURE = 0.85
"""An emergency this likely is not asked about."""
EMERGENCY_ASK = 0.30
"""An emergency this likely is asked about, if nothing else was surely understood."""
EMERGENCY_BESIDE = 0.60
"""The same beside something surely understood, or once the caller has said that it is none."""


@dataclass(frozen=True, slots=True)
class One:
    """One service is meant."""

    code: str


@dataclass(frozen=True, slots=True)
class Two:
    """One of two is meant; the likelier first."""

    first: str
    second: str


def act_of(meaning: Meaning) -> Act | None:
    """What the caller does with words, if it was heard well enough."""
    if meaning.kind is not Kind.ACT:
        return None
    act = Act(meaning.code)
    return act if meaning.confidence >= (YES if act is Act.YES else ACT) else None


def emergency_of(meaning: Meaning) -> float:
    """How likely it is that help is needed at once, 0 to 1."""
    likely = [c.confidence for c in meaning.candidates if c.code == EMERGENCY]
    if meaning.kind is Kind.SERVICE and meaning.code == EMERGENCY:
        likely.append(max(meaning.confidence, EMERGENCY_ASK))
    if EMERGENCY in meaning.also:
        likely.append(EMERGENCY_BESIDE)
    return max(likely, default=0.0)


def worth_asking_for_emergency(meaning: Meaning, denied: bool) -> bool:
    """Whether to ask if it is an emergency; `denied`: the caller has said once that it is none."""
    other = meaning.code != EMERGENCY and meaning.confidence >= SURE
    return emergency_of(meaning) >= (EMERGENCY_BESIDE if denied or other else EMERGENCY_ASK)


def beside_act(meaning: Meaning, known: Collection[str], but: str = "") -> str:
    """The service named in the same breath as a yes or no, other than `but`; "" if none."""
    if len(meaning.text) < ROOM:
        return ""  # a candidate is only what 不对 itself sounds like
    found = [c for c in services(meaning, known) if c.code != but and c.confidence >= BESIDE_ACT]
    return found[0].code if found else ""


def services(meaning: Meaning, known: Collection[str]) -> list[Candidate]:
    """Services that may have been meant and exist, likeliest first; emergencies apart."""
    found = {c.code: c for c in reversed(meaning.candidates)}
    if meaning.kind is Kind.SERVICE:
        found[meaning.code] = Candidate(meaning.code, meaning.confidence)
    fit = (c for c in found.values() if c.code in known and c.code != EMERGENCY)
    return sorted(fit, key=lambda c: -c.confidence)


def said_again(meaning: Meaning, before: Sequence[Candidate]) -> Meaning:
    """The answer to a question that was asked again, in the light of the first answer.

    Both are of the same need, so a service that either alone would be too little for is meant if
    both speak for it. `before`: services that the first one may have meant.
    """
    if meaning.kind not in (Kind.OOS, Kind.SERVICE) or meaning.confidence >= SURE:
        return meaning
    factors = {c.code: max(1.0, _odds(c.confidence) / ANY_ODDS) for c in before}
    both = [_times(c, factors.get(c.code, 1.0)) for c in meaning.candidates]
    likely = [c for c in both if c.code != EMERGENCY and c.confidence >= MAYBE]
    if not likely or meaning.code == EMERGENCY:
        return meaning
    best = max(likely, key=lambda c: c.confidence)
    return replace(
        meaning,
        kind=Kind.SERVICE,
        code=best.code,
        confidence=best.confidence,
        dialect=best.dialect,
        candidates=tuple(sorted(both, key=lambda c: -c.confidence)),
    )


def _odds(confidence: float) -> float:
    return confidence / (1 - min(confidence, 0.99))


def _times(candidate: Candidate, factor: float) -> Candidate:
    """With odds that are so many times as high."""
    odds = _odds(candidate.confidence) * factor
    return replace(candidate, confidence=odds / (1 + odds)) if factor > 1 else candidate


def decide(
    meaning: Meaning, known: Collection[str], rejected: Collection[str] = ()
) -> One | Two | None:
    """Which service is meant; None if that is not clear enough to go on.

    A `rejected` service (the caller said no to it) needs to be sure to be proposed again.
    """
    if meaning.kind is not Kind.SERVICE:
        return None
    likely = [c for c in services(meaning, known) if c.confidence >= SURE or c.code not in rejected]
    if not likely or likely[0].confidence < MAYBE:
        return None
    best = likely[0]
    rivals = [c for c in likely[1:] if c.code not in meaning.also and c.confidence >= RIVAL]
    near = TIE if best.confidence >= SURE else CLOSE
    if rivals and best.confidence - rivals[0].confidence < near:
        return Two(best.code, rivals[0].code)
    return One(best.code)
