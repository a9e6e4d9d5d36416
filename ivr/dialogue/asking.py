"""The next question an order needs, and the same question again when the answer was not clear."""

from __future__ import annotations

from dataclasses import replace

from ivr.dialogue import spoken
from ivr.dialogue.state import Conversation, Stage, Step
from ivr.dialogue.step import Draft, Piece
from ivr.dialogue.times import Missing, said, settle
from ivr.dialogue.turns import ask, lost, missed, to_human


def proceed(state: Conversation, lead: str = "lead_order", opening: tuple[Piece, ...] = ()) -> Step:
    """Asks for what the order still lacks, or reads it back when it lacks nothing.

    `lead` names the prompt before the service, `opening` is said before that.
    """
    say = state.prompts.say
    named = (opening, say(lead), say("the_service", service=_service(state, state.code)))
    draft = Draft(state.code, address=None if state.address_wrong else state.caller.address)
    if "time" in state.catalog[state.code].ask or said(state.when):
        settled = settle(state.when, state.now, ask_part=not state.part_asked)
        if settled is Missing.PAST or settled is Missing.FAR:
            state = missed(replace(state, when=None))
            if lost(state):
                return to_human(state, "time", "to_operator_unclear")
            return ask(state, Stage.TIME, opening, say(f"time_{settled}"))
        state = replace(state, failures=0)
        if settled is Missing.ALL:
            return ask(state, Stage.TIME, *named, say("ask_time"))
        if settled is Missing.PART:
            return _ask_part(state, () if state.stage is Stage.TIME else named)
        draft = replace(draft, when=settled.when, scheduled_for=settled.at)
        state = replace(state, when=settled.when)
    state = replace(state, draft=draft, failures=0)
    return ask(state, Stage.CONFIRM, opening, say(lead), read_back(state, draft))


def which(state: Conversation, first: str, second: str) -> Step:
    """Asks which of two services is meant."""
    state = replace(state, pair=(first, second), unsure=(), failures=0)
    return ask(state, Stage.WHICH, _which(state, first, second))


def unclear(state: Conversation, *, silent: bool = False, repeated: bool = False) -> Step:
    """Asks again, differently; the second time in a row a human takes over. repeated: they have
    said what was read back to them, and neither yes nor no."""
    state = missed(state)
    if lost(state):
        return to_human(state, "silent" if silent else "unclear", "to_operator_unclear")
    say = state.prompts.say
    again = say("listening" if silent else "yes_needed" if repeated else "not_heard")
    if state.stage is Stage.TIME and state.part_asked:
        step = proceed(state)  # takes the morning, and the read-back tells
        return Step(replace(step.state, failures=state.failures), step.actions)
    if state.stage is Stage.WHICH and state.pair:
        return ask(state, Stage.WHICH, _which(state, *state.pair), first=again)
    if state.stage is Stage.CONFIRM and state.draft:
        question = say("lead_order") + read_back(state, state.draft)
        return ask(state, Stage.CONFIRM, question, first=again)
    if state.stage in (Stage.SERVICE, Stage.TIME) and not silent:
        return ask(state, state.stage, say(f"ask_{state.stage}_again"))
    question = say("ask_wrong_again" if state.stage is Stage.CHANGE else f"ask_{state.stage}")
    return ask(state, state.stage, question, first=again)


def read_back(state: Conversation, draft: Draft) -> tuple[Piece, ...]:
    """All of the order, and whether that is right; an address once agreed to is not said again."""
    agreed = any(order.address == draft.address for order in state.booked)
    address = (Piece(spoken.address(draft.address)),) if draft.address and not agreed else ()
    return state.prompts.say(
        "read_back",
        service=_service(state, draft.code),
        time=moment(state, draft),
        address=address,
    )


def booked(state: Conversation, draft: Draft) -> tuple[Piece, ...]:
    """That the order exists, and for when."""
    service, time = _service(state, draft.code), moment(state, draft)
    return state.prompts.say("booked_for", service=service, time=time)


def moment(state: Conversation, draft: Draft) -> tuple[Piece, ...]:
    """The time of a draft as it is said; empty if it has none."""
    if draft.when and draft.when.asap:
        return (Piece(spoken.AS_SOON_AS_POSSIBLE),)
    if draft.scheduled_for:
        return spoken.moment(draft.scheduled_for, state.now.date())
    return ()


def _ask_part(state: Conversation, named: tuple[tuple[Piece, ...], ...]) -> Step:
    day = state.when.day if state.when else None
    spoken_day = spoken.day(day or state.now.date(), state.now.date())
    question = state.prompts.say("ask_part", day=spoken_day)
    return ask(replace(state, part_asked=True), Stage.TIME, *named, question)


def _which(state: Conversation, first: str, second: str) -> tuple[Piece, ...]:
    one, other = (Piece(state.catalog[code].short) for code in (first, second))
    return state.prompts.say("which", first=(one,), second=(other,))


def _service(state: Conversation, code: str) -> tuple[Piece, ...]:
    return (Piece(state.catalog[code].spoken),)
