"""What comes after an order: the address, the next one, second thoughts, goodbye."""

from __future__ import annotations

from dataclasses import replace

from ivr.dialogue import asking, ordering
from ivr.dialogue.clarification import act_of, beside_act
from ivr.dialogue.state import Conversation, Stage, Step
from ivr.dialogue.step import Piece
from ivr.dialogue.times import said
from ivr.dialogue.turns import ask, goodbye, to_human
from ivr.understanding.meaning import Act, Kind, Meaning

SHORTEST_NOTE_SECONDS = 1.0
"""A shorter note holds no address."""


def booked(state: Conversation) -> Step:
    """The order is on disk: only now the caller is told so."""
    draft = state.draft
    if draft is None or state.stage not in (Stage.BOOKING, Stage.DONE):
        return Step(state)
    state = replace(state, booked=(*state.booked, draft), number=state.number + 1)
    if state.over:  # the caller is with a human already, who sees it
        return Step(_without_order(state))
    told = asking.booked(state, draft)
    if draft.address is None and not state.address_asked:
        state = replace(_without_order(state), address_asked=True)
        return ask(state, Stage.ADDRESS, told, state.prompts.say("ask_address"))
    # with another order to name, the short form keeps the prompt short
    return _next(state, state.prompts.say("booked") if state.queue else told)


def note_recorded(state: Conversation, seconds: float) -> Step:
    """The address was said, or not."""
    noted = seconds >= SHORTEST_NOTE_SECONDS
    return _next(state, state.prompts.say("address_noted" if noted else "address_missing"))


def more(state: Conversation, meaning: Meaning) -> Step:
    """The answer to whether anything else is wanted."""
    act = act_of(meaning)
    if act is Act.NO:
        return goodbye(state)
    if act is Act.YES:
        if named := beside_act(meaning, state.catalog):
            return ordering.take(state, meaning, named)
        state = replace(ordering.with_time(state, meaning), failures=0)
        return ask(state, Stage.SERVICE, state.prompts.say("ask_service"))
    if meaning.kind is Kind.SERVICE:
        return ordering.service(state, meaning)
    if state.booked and said(meaning.when):
        return to_human(state, "change_booked")
    return asking.unclear(state)


def cancel(state: Conversation, meaning: Meaning) -> Step:
    """算了: drops the order being made; one that is booked is a human's to cancel."""
    if state.stage is Stage.UNDO:
        return to_human(state, "cancel_booked")
    if state.stage in (Stage.MORE, Stage.ADDRESS) and state.booked:
        if not any(word in meaning.text for word in state.prompts.topics["cancel"]):
            return goodbye(state, "goodbye_kept")  # 不用了: nothing more, and the order stays
        return ask(replace(state, failures=0), Stage.UNDO, state.prompts.say("ask_undo"))
    if not state.code and not state.pair:
        return goodbye(state)
    return _next(state, state.prompts.say("cancelled"))


def undo(state: Conversation, meaning: Meaning) -> Step:
    """The answer to whether the booked order is to be cancelled."""
    match act_of(meaning):
        case Act.YES:
            return to_human(state, "cancel_booked")
        case Act.NO:
            return goodbye(state)
        case _:
            return asking.unclear(state)


def _next(state: Conversation, opening: tuple[Piece, ...]) -> Step:
    """The order that is waiting, or the question for another one."""
    state = _without_order(state)
    if not state.queue:
        return ask(state, Stage.MORE, opening, state.prompts.say("ask_more"))
    wanted, *rest = state.queue
    state = replace(state, code=wanted.code, when=wanted.when, queue=tuple(rest))
    return asking.proceed(state, "lead_next", opening)


def _without_order(state: Conversation) -> Conversation:
    return replace(
        state,
        code="",
        when=None,
        part_asked=False,
        pair=None,
        rejected=frozenset(),
        draft=None,
        failures=0,
    )
