"""What we want of them: how a service was, whether a planned one is wanted, how they are.

    we call:   RATING -low-> WRONG -> goodbye     PLAN -no-> MOVE -> goodbye     WELL -no-> a human
    they call: the same questions, once what they called for is done

What they answer is kept (KEEPING) before anything more is said.
"""

from __future__ import annotations

from dataclasses import replace

from ivr.dialogue import spoken
from ivr.dialogue.clarification import act_of
from ivr.dialogue.state import Conversation, Errand, Stage, Step
from ivr.dialogue.step import Hangup, Piece, Say, Settle
from ivr.dialogue.times import Settled, said, settle
from ivr.dialogue.turns import ask, goodbye, lost, missed, to_human
from ivr.understanding.meaning import Act, Kind, Meaning
from store.models import FollowUpEnd, Purpose

STAGES = frozenset((Stage.RATING, Stage.WRONG, Stage.PLAN, Stage.MOVE, Stage.WELL))
FIRST = {Purpose.RATING: Stage.RATING, Purpose.PLAN: Stage.PLAN, Purpose.GREETING: Stage.WELL}
SURE_RATING = 0.75
"""Enough for a rating that was not asked for a second time."""
LOW = 2
"""Ratings up to this one are asked what was wrong."""
SCORES = "12345"
ASSENT, DISSENT = 4, 2
"""Ratings of who says no more than yes or no to whether they are satisfied."""


def begin(state: Conversation, errand: Errand) -> Step:
    """We have called, and they have answered."""
    name = (Piece(spoken.caller(state.caller.surname)),) if state.caller.surname else ()
    opening = state.prompts.say("we_call", caller=name)
    return _ask(replace(state, errand=errand, errand_asked=True), opening)


def pending(state: Conversation) -> bool:
    """Whether a caller still has to be asked what we would have called for."""
    return state.errand is not None and not state.errand_asked and state.over


def ask_at_the_end(state: Conversation) -> Step:
    """Instead of our goodbye."""
    return _ask(replace(state, errand_asked=True), state.prompts.say("also"))


def unwilling(state: Conversation, meaning: Meaning) -> Step | None:
    """They do not want to be asked, not now, or not by us; None if that is not what they say."""
    errand = state.errand
    if errand is None:
        return None
    if errand.ours:
        for topic, end in (
            ("stranger", FollowUpEnd.WRONG_PERSON),
            ("later", None),
            ("refuse", FollowUpEnd.REFUSED),
        ):
            if any(word in meaning.text for word in state.prompts.topics[topic]):
                return _settle(state, Settle(end, said=meaning.text))
    match act_of(meaning):
        case Act.CANCEL if state.stage in (Stage.PLAN, Stage.MOVE):
            return _settle(state, Settle(FollowUpEnd.CANCELLED, said=meaning.text))
        case Act.CANCEL | Act.STOP if errand.purpose is Purpose.RATING:
            return _settle(state, Settle(FollowUpEnd.REFUSED, said=meaning.text))
    return None


def rating(state: Conversation, meaning: Meaning) -> Step:
    """The answer to whether they are satisfied."""
    score = meaning.rating
    if score is None or meaning.kind is not Kind.RATING or meaning.confidence < SURE_RATING:
        score = {Act.YES: ASSENT, Act.NO: DISSENT}.get(act_of(meaning) or Act.REPEAT)
    if score is None:
        return unclear(state)
    return _settle(state, Settle(FollowUpEnd.RATED, score, said=meaning.text))


def pressed(state: Conversation, key: str) -> Step:
    """A key instead of words, one that means nothing else at every point."""
    if state.stage is Stage.RATING and key in SCORES:
        return _settle(state, Settle(FollowUpEnd.RATED, int(key), keypad=True))
    return unclear(state)


def plan(state: Conversation, meaning: Meaning) -> Step:
    """The answer to whether a planned service may come."""
    if said(meaning.when):
        return _move(state, meaning)
    match act_of(meaning):
        case Act.YES:
            return _settle(state, Settle(FollowUpEnd.CONFIRMED, said=meaning.text))
        case Act.NO:
            return ask(replace(state, failures=0), Stage.MOVE, state.prompts.say("ask_move"))
        case _:
            return unclear(state)


def move(state: Conversation, meaning: Meaning) -> Step:
    """The answer to when it is to come instead."""
    if said(meaning.when):
        return _move(state, meaning)
    if act_of(meaning) is Act.NO:
        return _settle(state, Settle(FollowUpEnd.CANCELLED, said=meaning.text))
    return unclear(state)


def well(state: Conversation, meaning: Meaning) -> Step:
    """The answer to how they are: who is not well gets a human."""
    if act_of(meaning) is Act.YES:
        return _settle(state, Settle(FollowUpEnd.GREETED, said=meaning.text))
    if act_of(meaning) is Act.NO:
        return to_human(state, "unwell")
    return unclear(state)


def note_recorded(state: Conversation, seconds: float) -> Step:
    """They have said what was wrong, or have not."""
    return _over(state, "complaint_noted" if seconds else "errand_done")


def unclear(state: Conversation, *, silent: bool = False) -> Step:
    """Asks again; who cannot be understood is asked another time, or by a human how they are."""
    state = missed(state)
    say = state.prompts.say
    if lost(state):
        if state.stage is Stage.WELL:
            return to_human(state, "silent" if silent else "unclear", "to_operator_unclear")
        return _settle(state, Settle(None))
    first = say("listening" if silent else "not_heard")
    question = say("ask_rating_again") if state.stage is Stage.RATING else state.said
    return ask(state, state.stage, question, first=first)


def settled(state: Conversation) -> Step:
    """The answer is kept: only now they are told so."""
    answer = state.answer
    if answer is None or state.stage is not Stage.KEEPING:
        return Step(state)
    match answer.end:
        case FollowUpEnd.RATED if answer.score <= LOW:
            return ask(replace(state, failures=0), Stage.WRONG, state.prompts.say("ask_what_wrong"))
        case FollowUpEnd.MOVED if answer.scheduled_for is not None:
            at = spoken.moment(answer.scheduled_for, state.now.date())
            return _over(state, "plan_moved", time=at)
        case None:
            return _over(state, "errand_later")
        case FollowUpEnd.CONFIRMED:
            return _over(state, "plan_confirmed")
        case FollowUpEnd.CANCELLED:
            return _over(state, "plan_cancelled")
        case FollowUpEnd.GREETED:
            return _over(state, "greeted")
        case FollowUpEnd.WRONG_PERSON:
            return _over(state, "wrong_person")
        case FollowUpEnd.REFUSED:
            return _over(state, "errand_refused")
        case _:
            return _over(state, "errand_done")


def not_settled(state: Conversation) -> Step:
    """The store did not take it: they are called another time."""
    return _over(state, "errand_later") if state.stage is Stage.KEEPING else Step(state)


def _ask(state: Conversation, opening: tuple[Piece, ...]) -> Step:
    errand = state.errand
    assert errand is not None
    service = state.catalog.get(errand.code)
    named = (Piece(service.spoken),) if service else ()
    say = state.prompts.say
    match errand.purpose:
        case Purpose.RATING:
            question = say("ask_rating", service=named)
        case Purpose.PLAN:
            at = errand.scheduled_for
            time = spoken.moment(at, state.now.date()) if at else ()
            question = say("ask_plan", service=named, time=time)
        case Purpose.GREETING:
            question = say("ask_well")
    return ask(replace(state, failures=0, misses=0), FIRST[errand.purpose], opening, question)


def _move(state: Conversation, meaning: Meaning) -> Step:
    errand = state.errand
    assert errand is not None and meaning.when is not None
    when = meaning.when
    if when.day is None and errand.scheduled_for is not None and not when.asap:
        when = replace(when, day=errand.scheduled_for.astimezone(state.now.tzinfo).date())
    moved = settle(when, state.now, ask_part=False)
    if not isinstance(moved, Settled):
        return unclear(replace(state, stage=Stage.MOVE, said=state.prompts.say("ask_move")))
    if moved.at == errand.scheduled_for:
        return _settle(state, Settle(FollowUpEnd.CONFIRMED, said=meaning.text))
    return _settle(state, Settle(FollowUpEnd.MOVED, said=meaning.text, scheduled_for=moved.at))


def _settle(state: Conversation, answer: Settle) -> Step:
    return Step(replace(state, stage=Stage.KEEPING, answer=answer), (answer,))


def _over(state: Conversation, prompt: str, **values: tuple[Piece, ...]) -> Step:
    """Our goodbye in a call of ours; in one of theirs the usual one."""
    if state.errand is not None and not state.errand.ours:
        return goodbye(state)
    pieces = state.prompts.say(prompt, **values)
    say = Say(pieces, slow=state.slow, bargeable=False)
    return Step(replace(state, stage=Stage.DONE, said=pieces), (say, Hangup()))
