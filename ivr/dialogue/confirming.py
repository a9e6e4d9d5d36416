"""Answers to a read-back: yes, no, and no but."""

from __future__ import annotations

from dataclasses import replace

from ivr.dialogue import asking
from ivr.dialogue.clarification import (
    UNASKED,
    One,
    Two,
    act_of,
    beside_act,
    decide,
)
from ivr.dialogue.ordering import waiting
from ivr.dialogue.state import Conversation, Stage, Step
from ivr.dialogue.step import Book
from ivr.dialogue.times import agrees, corrected
from ivr.dialogue.turns import ask
from ivr.understanding.meaning import Act, Meaning


def confirm(state: Conversation, meaning: Meaning) -> Step:
    """The answer to a read-back. Only a plain yes books."""
    new_time = _new_time(state, meaning)
    other = beside_act(meaning, state.catalog, but=state.code)
    match act_of(meaning):
        case Act.YES if new_time:
            return _correct(state, meaning, "")
        case Act.YES if further := waiting(state, meaning, state.code):
            return _book(replace(state, queue=state.queue + further))
        case Act.YES if not other:
            return _book(state)
        case Act.NO:
            topic = _topic(state, meaning)
            if topic and not new_time:
                return topic
            if other or new_time:
                return _correct(state, meaning, "" if topic else other)
            return ask(replace(state, failures=0), Stage.CHANGE, state.prompts.say("ask_wrong"))
        case None:
            choice = decide(meaning, state.catalog) if meaning.confidence >= UNASKED else None
            code = choice.code if isinstance(choice, One) else state.code
            if code != state.code or new_time:
                return _correct(state, meaning, code)
            return asking.unclear(state, repeated=bool(choice or meaning.when))
    return asking.unclear(state)


def change(state: Conversation, meaning: Meaning) -> Step:
    """The answer to what is wrong."""
    choice = decide(meaning, state.catalog, state.rejected)
    if isinstance(choice, Two):
        return asking.which(state, choice.first, choice.second)
    code = choice.code if choice else beside_act(meaning, state.catalog, but=state.code)
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


def _new_time(state: Conversation, meaning: Meaning) -> bool:
    return meaning.when is not None and not agrees(meaning.when, state.when)


def _topic(state: Conversation, meaning: Meaning) -> Step | None:
    """时间不对: asks for what was named as wrong."""
    named = [
        topic
        for topic in ("time", "service", "address")
        if any(word in meaning.text for word in state.prompts.topics[topic])
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
