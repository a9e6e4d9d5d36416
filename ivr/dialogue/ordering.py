"""Answers that make an order: which service, and when."""

from __future__ import annotations

from dataclasses import replace

from ivr.dialogue import asking
from ivr.dialogue.clarification import (
    CHOSEN,
    SURE,
    TIE,
    One,
    Two,
    act_of,
    beside_act,
    decide,
    said_again,
    services,
)
from ivr.dialogue.state import Conversation, Stage, Step, Wanted
from ivr.dialogue.times import corrected, said
from ivr.dialogue.turns import ask, goodbye, lost, missed, to_human
from ivr.understanding.meaning import EMERGENCY, Act, Kind, Meaning

MAX_QUEUE = 4
"""Services named in one breath that are kept for after the first."""


def service(state: Conversation, meaning: Meaning) -> Step:
    """The answer to what service is wanted."""
    if act_of(meaning) is Act.NO and state.booked:
        return goodbye(state)
    meaning = said_again(meaning, state.unsure)
    match decide(meaning, state.catalog, state.rejected):
        case One(code):
            return take(state, meaning, code)
        case Two(first, second):
            return asking.which(with_time(state, meaning), first, second)
    unsure = tuple(c for c in meaning.candidates if c.code not in state.rejected)
    state = replace(state, unsure=unsure)
    if not said(meaning.when):
        return asking.unclear(state)
    state = missed(with_time(state, meaning))
    if lost(state):
        return to_human(state, "unclear", "to_operator_unclear")
    return ask(state, Stage.SERVICE, state.prompts.say("ask_service"))


def which(state: Conversation, meaning: Meaning) -> Step:
    """The answer to which of two services is wanted."""
    pair = state.pair or ()
    act = act_of(meaning)
    if act is Act.YES and pair:
        return take(state, meaning, pair[0])  # the likelier one, and the read-back asks
    if act is Act.NO:
        named = beside_act(meaning, state.catalog)
        return take(state, meaning, named) if named else _neither(state)
    found = services(meaning, state.catalog)
    if found and found[0].code not in pair and found[0].confidence >= SURE:
        return take(state, meaning, found[0].code)
    chosen = [c for c in found if c.code in pair and c.confidence >= CHOSEN]
    clear = len(chosen) == 1 or (chosen and chosen[0].confidence - chosen[1].confidence >= TIE)
    if clear:
        return take(state, meaning, chosen[0].code)
    return asking.unclear(with_time(state, meaning))


def time(state: Conversation, meaning: Meaning) -> Step:
    """The answer to when, or to morning or afternoon."""
    if said(meaning.when):
        return asking.proceed(with_time(state, meaning))
    if meaning.kind is Kind.SERVICE and meaning.confidence >= SURE:
        choice = decide(meaning, state.catalog)
        if isinstance(choice, One) and choice.code != state.code:
            return take(state, meaning, choice.code)
    return asking.unclear(state)


def take(state: Conversation, meaning: Meaning, code: str) -> Step:
    """Goes on with this service; further ones from the same breath wait, with the same time."""
    state = with_time(state, meaning)
    further = waiting(state, meaning, code)
    state = replace(state, code=code, pair=None, unsure=(), queue=state.queue + further)
    return asking.proceed(state, "lead_first" if further else "lead_order")


def waiting(state: Conversation, meaning: Meaning, code: str) -> tuple[Wanted, ...]:
    """Services named beside `code` that are not waiting yet."""
    named = dict.fromkeys(meaning.also)
    old = {code, EMERGENCY} | {wanted.code for wanted in state.queue}
    fresh = [other for other in named if other in state.catalog and other not in old]
    room = MAX_QUEUE - len(state.queue)
    return tuple(Wanted(other, state.when) for other in fresh[:room])


def with_time(state: Conversation, meaning: Meaning) -> Conversation:
    """Keeps a time that was named beside whatever else was said."""
    if meaning.when is None or not said(meaning.when):
        return state
    return replace(state, when=corrected(meaning.when, state.when))


def _neither(state: Conversation) -> Step:
    rejected = state.rejected.union(state.pair or ())
    state = missed(replace(state, rejected=rejected, pair=None))
    if lost(state):
        return to_human(state, "unclear", "to_operator_unclear")
    return ask(state, Stage.SERVICE, state.prompts.say("ask_service_again"))
