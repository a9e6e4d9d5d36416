"""What is done with a message to us. Pure: what it says and what we know in, what to do out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ivr.outreach.sms.wording import Answers, about
from ivr.understanding.written import START, STOP, Reply
from store.follow_ups import LOW_SCORE
from store.inbox import Asked, Known
from store.models import SmsKind

MOST_ANSWERS = 6
"""To a number within a day: two machines that answer each other must come to an end."""


@dataclass(frozen=True, slots=True)
class Done:
    """What a message to us is taken for, and what follows."""

    kind: SmsKind
    detail: str
    """For the list of messages: what was done with it."""
    about: Asked | None = None
    """The request that it answers."""
    score: int | None = None
    rates: bool = False
    """The order of `about` gets that score."""
    complains: bool = False
    """The words are added to the complaint about it."""
    stops: bool = False
    starts: bool = False
    alarms: bool = False
    answer: str = ""
    """Empty: none is sent."""


def answered(reply: Reply, known: Known, text: Answers) -> Done:
    """`known` is what the store has of the number that wrote."""
    done = _decided(reply, known, text)
    if known.answers >= MOST_ANSWERS or not known.takes_sms:
        return replace(done, answer="")
    if known.stopped and not (done.stops or done.starts or done.alarms):
        return replace(done, answer="")
    return done


def _decided(reply: Reply, known: Known, text: Answers) -> Done:
    if reply.wish == STOP:
        return _stopped(reply, known, text)
    if reply.help:
        return Done(SmsKind.OTHER, "asks for help", alarms=True, answer=text.help_comes())
    if reply.wish == START:
        return Done(SmsKind.START, "messages again", starts=True, answer=text.started())
    if reply.score is not None:
        return _rated(reply, reply.score, known.asked, text)
    waiting = [one for one in known.asked if one.open]
    last = known.asked[0] if known.asked else None
    if last is not None and not waiting and last.score is not None and last.score <= LOW_SCORE:
        return Done(
            SmsKind.OTHER, "told what was wrong", last, complains=True, answer=text.passed_on()
        )
    if waiting:
        asked = _meant(reply.said, waiting)
        again = text.ask_again(_named(asked))
        return Done(SmsKind.OTHER, "no rating to be seen in it", asked, answer=again)
    return Done(SmsKind.OTHER, "nothing had been asked", answer=text.nothing_open())


def _stopped(reply: Reply, known: Known, text: Answers) -> Done:
    waiting = [one for one in known.asked if one.open]
    rated = reply.score is not None and bool(waiting)
    asked = _meant(reply.said, waiting) if rated else None
    return Done(
        SmsKind.STOP,
        "no more messages",
        asked,
        reply.score if rated else None,
        rates=rated,
        stops=True,
        answer=text.stopped(),
    )


def _rated(reply: Reply, score: int, asked: Sequence[Asked], text: Answers) -> Done:
    if not asked:
        return Done(
            SmsKind.RATING, "nothing had been asked", score=score, answer=text.nothing_open()
        )
    waiting = [one for one in asked if one.open]
    unrated = [one for one in asked if one.score is None]
    one = _meant(reply.said, waiting or unrated or asked)
    what = _named(one)
    if one.score == score and not reply.said:
        again = text.known(what, score)
        return Done(SmsKind.RATING, "had said so before", one, score, answer=again)
    following = next((_named(other) for other in waiting if other is not one), "")
    if score <= LOW_SCORE:
        answer, detail = text.sorry(what, score, bool(reply.said), following), "rated badly"
    elif one.score is not None:
        answer, detail = text.changed(what, score, following), f"changed from {one.score}"
    else:
        answer = text.thanks(what, score, following)
        detail = "rated" if one.open else "rated late"
    return Done(SmsKind.RATING, detail, one, score, rates=True, answer=answer)


def _meant(said: str, asked: Sequence[Asked]) -> Asked:
    """The request that a message answers: one that it names, else the latest."""
    for one in asked:
        if (one.elder_name and one.elder_name in said) or (one.service and one.service in said):
            return one
    return asked[0]


def _named(one: Asked) -> str:
    return about(one.elder_name, one.service, one.day)
