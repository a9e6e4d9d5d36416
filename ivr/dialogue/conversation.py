"""Ordering by voice as a pure state machine: a conversation and an event give the next step.

    SERVICE -> (WHICH) -> (TIME) -> CONFIRM -yes-> BOOKING -> (ADDRESS) -> MORE -> DONE
                                       `-no-> (CHANGE) -> CONFIRM           `-> SERVICE ...

Where we have called for an errand of ours, or have one with who calls: see errands.py.

At every point a caller may ask for a human, for the same again, slower, or for help.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from ivr.dialogue import afterwards, asking, confirming, errands, ordering, spoken
from ivr.dialogue.anytime import interrupt
from ivr.dialogue.prompts import Prompts
from ivr.dialogue.state import Caller, Conversation, Errand, Item, Stage, Step
from ivr.dialogue.step import (
    Booked,
    BookingFailed,
    Digit,
    Event,
    Hangup,
    Kept,
    NoteRecorded,
    NotKept,
    Piece,
    Silence,
)
from ivr.dialogue.turns import MAX_TURNS, NOTE_SECONDS, ask, goodbye, to_emergency, to_human
from ivr.understanding.meaning import Act, Kind, Meaning

__all__ = ["Caller", "Conversation", "Step", "advance", "begin"]

KEYS = {"0": Act.OPERATOR, "1": Act.YES, "2": Act.NO, "*": Act.REPEAT}
EMERGENCY_KEY = "9"


def begin(
    caller: Caller,
    catalog: Mapping[str, Item],
    prompts: Prompts,
    now: datetime,
    errand: Errand | None = None,
) -> Step:
    """Answers the call, or says why we call. `now` is site time, aware."""
    name = (Piece(spoken.caller(caller.surname)),) if caller.surname else ()
    state = Conversation(catalog, prompts, caller, now, errand=errand)
    if errand is not None and errand.ours:
        return errands.begin(state, errand)
    return ask(state, Stage.SERVICE, prompts.say("greeting", caller=name))


def advance(state: Conversation, event: Event) -> Step:
    """The conversation after `event`, and what to do now. After its end nothing is done."""
    step = _advance(state, event)
    if errands.pending(step.state) and any(isinstance(one, Hangup) for one in step.actions):
        return errands.ask_at_the_end(step.state)
    return step


def _advance(state: Conversation, event: Event) -> Step:
    if isinstance(event, Booked):
        return afterwards.booked(state)
    if state.over:
        return Step(state)
    if isinstance(event, Kept):
        return errands.settled(state)
    if isinstance(event, NotKept):
        return errands.not_settled(state)
    if isinstance(event, NoteRecorded):
        if state.stage is Stage.WRONG:
            return errands.note_recorded(state, event.seconds)
        if state.stage is not Stage.ADDRESS:
            return Step(state)
        return afterwards.note_recorded(state, event.seconds)
    if isinstance(event, BookingFailed):
        if state.stage is not Stage.BOOKING:
            return Step(state)
        return to_human(state, "booking_failed", "to_operator_failed")
    state = replace(state, turns=state.turns + 1)
    if isinstance(event, Silence):
        return _silence(state)
    state = replace(state, now=event.now)
    step = _digit(state, event.key) if isinstance(event, Digit) else _heard(state, event.meaning)
    writing = step.state.stage in (Stage.BOOKING, Stage.KEEPING)
    if step.state.turns > MAX_TURNS and not step.state.over and not writing:
        return to_human(step.state, "long")
    return step


def _heard(state: Conversation, meaning: Meaning) -> Step:
    if step := interrupt(state, meaning):
        return step
    state = replace(state, repeats=0)
    match state.stage:
        case Stage.SERVICE:
            return ordering.service(state, meaning)
        case Stage.WHICH:
            return ordering.which(state, meaning)
        case Stage.TIME:
            return ordering.time(state, meaning)
        case Stage.CONFIRM:
            return confirming.confirm(state, meaning)
        case Stage.CHANGE:
            return confirming.change(state, meaning)
        case Stage.MORE:
            return afterwards.more(state, meaning)
        case Stage.UNDO:
            return afterwards.undo(state, meaning)
        case Stage.RATING:
            return errands.rating(state, meaning)
        case Stage.PLAN:
            return errands.plan(state, meaning)
        case Stage.MOVE:
            return errands.move(state, meaning)
        case Stage.WELL:
            return errands.well(state, meaning)
        case Stage.WRONG:
            return errands.note_recorded(state, NOTE_SECONDS)
        case Stage.ADDRESS:  # spoken to us instead of the note: the sound of the turn is kept
            return afterwards.note_recorded(state, NOTE_SECONDS)
        case _:
            return Step(state)


def _digit(state: Conversation, key: str) -> Step:
    if key == EMERGENCY_KEY or (key == "0" and state.stage is Stage.EMERGENCY):
        return to_emergency(state)
    if state.stage is Stage.RATING and key in errands.SCORES:
        return errands.pressed(state, key)
    if act := KEYS.get(key):
        if act is Act.NO and state.stage is Stage.WHICH and state.pair:
            chosen = Meaning(Kind.SERVICE, state.pair[1], confidence=1.0)
            return ordering.which(state, chosen)  # 2 is the second of two
        return _heard(state, Meaning(Kind.ACT, act, confidence=1.0))
    match state.stage:
        case Stage.BOOKING | Stage.KEEPING:
            return Step(state)
        case Stage.EMERGENCY:
            return to_emergency(state)
        case Stage.WRONG:
            return errands.note_recorded(state, 0.0)
        case stage if stage in errands.STAGES:
            return errands.pressed(state, key)
        case Stage.ADDRESS:
            return afterwards.note_recorded(state, NOTE_SECONDS)
        case _:
            return asking.unclear(state)


def _silence(state: Conversation) -> Step:
    match state.stage:
        case Stage.EMERGENCY:
            return to_emergency(state)  # who cannot answer any more needs help most
        case Stage.MORE | Stage.UNDO:
            return goodbye(state)
        case Stage.ADDRESS:
            return afterwards.note_recorded(state, 0.0)
        case Stage.WRONG:
            return errands.note_recorded(state, 0.0)
        case Stage.BOOKING | Stage.KEEPING:
            return Step(state)
        case stage if stage in errands.STAGES:
            return errands.unclear(state, silent=True)
        case _:
            return asking.unclear(state, silent=True)
