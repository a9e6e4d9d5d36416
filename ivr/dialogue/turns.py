"""The ways our turn can end: with a question, with a human, with a goodbye."""

from __future__ import annotations

from dataclasses import replace

from ivr.dialogue.prompts import LONGEST_SECONDS, seconds
from ivr.dialogue.state import Conversation, Stage, Step
from ivr.dialogue.step import Action, Hangup, Piece, RecordNote, Say, ToEmergency, ToOperator

NOTE_SECONDS = 20.0
"""Longest voice note of an address, or of what was wrong."""
MAX_FAILURES = 2
"""Times in a row not understood that lead to a human."""
MAX_MISSES = 4
"""Times not understood in a call, however far apart, that lead to a human."""
MAX_REPEATS = 4
"""Times in a row to say the same again before a human says it."""
MAX_TURNS = 60
"""A caller who talks to us this long is better served by a human."""


def ask(
    state: Conversation, stage: Stage, *parts: tuple[Piece, ...], first: tuple[Piece, ...] = ()
) -> Step:
    """Says the parts as one prompt, the last of them a question, and waits in `stage`.

    `first` is said before them where there is time for it, but not again when the caller asks to
    hear it again.
    """
    pieces = tuple(piece for part in parts for piece in part)
    if seconds(first + pieces) > LONGEST_SECONDS:
        first = ()
    state = replace(state, stage=stage, said=pieces)
    actions: tuple[Action, ...] = (Say(first + pieces, slow=state.slow),)
    if stage in (Stage.ADDRESS, Stage.WRONG):
        actions += (RecordNote(NOTE_SECONDS),)
    return Step(state, actions)


def to_human(state: Conversation, reason: str, prompt: str = "to_operator") -> Step:
    """`reason` is a short code for the operator's screen and for statistics."""
    pieces = state.prompts.say(prompt)
    say = Say(pieces, slow=state.slow, bargeable=False)
    return Step(replace(state, stage=Stage.DONE, said=pieces), (say, ToOperator(reason)))


def to_emergency(state: Conversation) -> Step:
    pieces = state.prompts.say("to_emergency")
    say = Say(pieces, slow=state.slow, bargeable=False)
    return Step(replace(state, stage=Stage.DONE, said=pieces), (say, ToEmergency()))


def goodbye(state: Conversation, prompt: str = "goodbye") -> Step:
    """Ends the call; a caller who has booked nothing is told so."""
    pieces = state.prompts.say(prompt if state.booked else "goodbye_nothing")
    say = Say(pieces, slow=state.slow, bargeable=False)
    return Step(replace(state, stage=Stage.DONE, said=pieces), (say, Hangup()))


def missed(state: Conversation) -> Conversation:
    """The caller was not understood once more."""
    return replace(state, failures=state.failures + 1, misses=state.misses + 1)


def lost(state: Conversation) -> bool:
    """Whether asking again is of no use any more."""
    return state.failures >= MAX_FAILURES or state.misses >= MAX_MISSES
