"""What a caller may say at every point: help, a human, again, slower, cancel, goodbye."""

from __future__ import annotations

from dataclasses import replace

from ivr.dialogue import errands
from ivr.dialogue.afterwards import cancel
from ivr.dialogue.clarification import (
    ACT,
    CLEAR_NO,
    EMERGENCY_SURE,
    act_of,
    emergency_of,
    worth_asking_for_emergency,
)
from ivr.dialogue.state import Conversation, Stage, Step
from ivr.dialogue.turns import MAX_REPEATS, ask, goodbye, to_emergency, to_human
from ivr.understanding.meaning import Act, Kind, Meaning


def interrupt(state: Conversation, meaning: Meaning) -> Step | None:
    """The step for what may come at every point; None if the question was answered."""
    if state.stage is Stage.EMERGENCY:
        return _emergency_answer(state, meaning)
    if emergency_of(meaning) >= EMERGENCY_SURE:
        return to_emergency(state)
    if worth_asking_for_emergency(meaning, state.emergency_denied):
        return _ask_emergency(state)
    if state.stage in errands.STAGES and (step := errands.unwilling(state, meaning)):
        return step
    match act_of(meaning):
        case Act.OPERATOR:
            return to_human(state, "asked")
        case _ if state.stage in (Stage.BOOKING, Stage.KEEPING):
            return Step(state)  # the store answers in a moment, then we speak
        case Act.REPEAT:
            return _say_again(state)
        case Act.SLOWER:
            return _say_again(replace(state, slow=True))
        case Act.CANCEL:
            return cancel(state, meaning)
        case Act.STOP:
            return goodbye(state)
        case _:
            return None


def _ask_emergency(state: Conversation) -> Step:
    if state.stage in (Stage.BOOKING, Stage.KEEPING):
        return to_emergency(state)  # no time to ask: the next event is the store's
    resume = (state.stage, state.said)
    return ask(replace(state, resume=resume), Stage.EMERGENCY, state.prompts.say("ask_emergency"))


def _emergency_answer(state: Conversation, meaning: Meaning) -> Step:
    if meaning.kind is Kind.ACT:
        if meaning.code == Act.NO and meaning.confidence >= CLEAR_NO and state.resume:
            stage, said = state.resume
            state = replace(state, resume=None, emergency_denied=True)
            return ask(state, stage, said, first=state.prompts.say("no_emergency"))
        if meaning.code in (Act.REPEAT, Act.SLOWER) and meaning.confidence >= ACT:
            return _say_again(state)
    return to_emergency(state)


def _say_again(state: Conversation) -> Step:
    """The same prompt once more; from the second time on slower."""
    repeats = state.repeats + 1
    if repeats >= MAX_REPEATS:
        if state.stage is Stage.EMERGENCY:
            return to_emergency(state)
        return to_human(state, "repeats")
    state = replace(state, repeats=repeats, slow=state.slow or repeats > 1)
    return ask(state, state.stage, state.said)
