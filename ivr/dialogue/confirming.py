"""Answers to a read-back: yes, no, and no but."""

from __future__ import annotations

from dataclasses import replace

from ivr.dialogue import asking
from ivr.dialogue.clarification import (
    CORRECTION,
    SURE,
    UNASKED,
    One,
    Two,
    act_of,
    decide,
    services,
)
from ivr.dialogue.ordering import waiting
from ivr.dialogue.state import Conversation, Stage, Step
from ivr.dialogue.step import Book
from ivr.dialogue.times import agrees, corrected
from ivr.dialogue.turns import ask
from ivr.understanding.meaning import Act, Kind, Meaning


def confirm(state: Conversation, meaning: Meaning) -> Step:
    """The answer to a read-back. Only a plain yes books."""
    other = _other_service(state, meaning)
    new_time = _new_time(state, meaning)
    match act_of(meaning):
        case Act.YES if new_time:
            return _correct(state, meaning, "")
        case Act.YES if further := waiting(state, meaning, state.code):
            return _book(replace(state, queue=state.queue + further))
        case Act.YES if other[1] < SURE:
            return _book(state)
        case Act.NO:
            code = other[0] if other[1] >= CORRECTION else ""
            if code or new_time:
                return _correct(state, meaning, code)
            if topic := _topic(state, meaning):
                return topic
            return ask(replace(state, failures=0), Stage.CHANGE, state.prompts.say("ask_wrong"))
        case None if meaning.confidence >= UNASKED:
            if meaning.kind is Kind.SERVICE:
                choice = decide(meaning, state.catalog)
                code = choice.code if isinstance(choice, One) else state.code
                if code != state.code or new_time:
                    return _correct(state, meaning, code)
            if meaning.kind is Kind.TIME and new_time:
                return _correct(state, meaning, "")
    return asking.unclear(state)


def change(state: Conversation, meaning: Meaning) -> Step:
    """The answer to what is wrong."""
    choice = decide(meaning, state.catalog, state.rejected)
    if isinstance(choice, Two):
        return asking.which(state, choice.first, choice.second)
    other = _other_service(state, meaning)
    code = choice.code if choice else other[0] if other[1] >= CORRECTION else ""
    if (code and code != state.code) or _new_time(state, meaning):
        return _correct(state, meaning, code)
    return _topic(state, meaning) or asking.unclear(state)


def _book(state: Conversation) -> Step:
    if state.draft is None:
        raise ValueError("nothing has been read back, so nothing can be booked")
    return Step(replace(state, stage=Stage.BOOKING), (Book(state.draft, state.number),))


def _correct(state: Conversation, meaning: Meaning, code: str) -> Step:
    """Changes just what was named, and reads back again."""
    if _new_time(state, meaning) and meaning.when:
        state = replace(state, when=corrected(meaning.when, state.when))
    if code and code != state.code:
        state = replace(state, code=code, rejected=state.rejected | {state.code})
    return asking.proceed(replace(state, draft=None), "lead_changed")


def _other_service(state: Conversation, meaning: Meaning) -> tuple[str, float]:
    """The likeliest service that is not the one read back, and how likely it is."""
    others = [c for c in services(meaning, state.catalog) if c.code != state.code]
    return (others[0].code, others[0].confidence) if others else ("", 0.0)


def _new_time(state: Conversation, meaning: Meaning) -> bool:
    return meaning.when is not None and not agrees(meaning.when, state.when)


def _topic(state: Conversation, meaning: Meaning) -> Step | None:
    """时间不对: asks for what was named as wrong."""
    named = [
        topic
        for topic, words in state.prompts.topics.items()
        if any(word in meaning.text for word in words)
    ]
    if len(named) != 1:
        return None
    say = state.prompts.say
    match named[0]:
        case "time":
            state = replace(state, draft=None, part_asked=False, failures=0)
            return ask(state, Stage.TIME, say("ask_time"))
        case "address":
            state = replace(state, address_wrong=True)
            return asking.proceed(state, opening=say("address_later"))
        case _:
            rejected = state.rejected | {state.code}
            state = replace(state, code="", draft=None, rejected=rejected, failures=0)
            return ask(state, Stage.SERVICE, say("ask_service"))
