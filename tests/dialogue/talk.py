"""Conversations as text: what the caller says in, what the caller hears and what is done out.

A line of the caller is a row of words of CATALOG, TIMES and ACTS, with 、 or ， between them:
助浴 (surely heard), 助浴? (not so surely), 助浴?? (too unsurely to go on), 理发|修脚 (one of them),
还要送餐 (in the same breath).
Other words are out of scope. [1] is a key, (静) is silence. Booked and NoteRecorded come by
themselves.
"""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date, datetime, time
from zoneinfo import ZoneInfo

from ivr.catalog import load_catalog
from ivr.dialogue.conversation import Caller, Conversation, Step, advance, begin
from ivr.dialogue.prompts import load_prompts, plain
from ivr.dialogue.state import Errand
from ivr.dialogue.step import (
    Book,
    Booked,
    BookingFailed,
    Digit,
    Event,
    Hangup,
    Heard,
    Kept,
    NoteRecorded,
    NotKept,
    RecordNote,
    Say,
    Settle,
    Silence,
    ToEmergency,
    ToOperator,
)
from ivr.understanding.meaning import EMERGENCY, Act, Candidate, Kind, Meaning
from ivr.understanding.when import Part, When

PROMPTS = load_prompts()
CATALOG = load_catalog()
NOW = datetime(2026, 11, 22, 10, 0, tzinfo=ZoneInfo("Asia/Shanghai"))
"""A Sunday."""

HOME = Caller(surname="王", address="苏州市姑苏区平江路28号")

NAMES = {item.name: code for code, item in CATALOG.items()} | {"救命": EMERGENCY}
TIMES = {
    "今天": When(day=date(2026, 11, 22)),
    "今天早上": When(day=date(2026, 11, 22), part=Part.EARLY),
    "明天": When(day=date(2026, 11, 23)),
    "明天上午": When(day=date(2026, 11, 23), part=Part.MORNING),
    "明天上午九点半": When(day=date(2026, 11, 23), part=Part.MORNING, clock=time(9, 30)),
    "后天": When(day=date(2026, 11, 24)),
    "明年五月": When(day=date(2027, 5, 1), part=Part.MORNING),
    "上午": When(part=Part.MORNING),
    "下午": When(part=Part.AFTERNOON),
    "三点": When(clock=time(3)),
    "尽快": When(asap=True),
}
ACTS = {
    "对": Act.YES,
    "不对": Act.NO,
    "不用了": Act.NO,
    "人工": Act.OPERATOR,
    "再说一遍": Act.REPEAT,
    "慢一点": Act.SLOWER,
    "算了": Act.CANCEL,
    "取消": Act.CANCEL,
    "再见": Act.STOP,
}


RATINGS = {"很满意": 5, "一般": 3, "不满意": 1}


def meaning(line: str) -> Meaning:
    """What a line of the caller means."""
    found = Meaning(Kind.OOS, text=line)
    for word in re.split("[，、]", line):
        if word in TIMES:
            kind = Kind.TIME if found.kind is Kind.OOS else found.kind
            sure = found.confidence or 0.9
            found = replace(found, kind=kind, when=TIMES[word], confidence=sure)
        elif word in ACTS:
            found = replace(found, kind=Kind.ACT, code=ACTS[word], confidence=0.9)
        elif word.removeprefix("还要") in NAMES and word.startswith("还要"):
            found = replace(found, also=(*found.also, NAMES[word.removeprefix("还要")]))
        elif word in RATINGS:
            found = replace(found, kind=Kind.RATING, rating=RATINGS[word], confidence=0.9)
        else:
            unsure = word.endswith("??")
            sure = 0.3 if unsure else 0.6 if word.endswith("?") or "|" in word else 0.9
            names = [name for name in word.rstrip("?").split("|") if name in NAMES]
            some = tuple(Candidate(NAMES[n], sure - 0.05 * i) for i, n in enumerate(names))
            found = replace(found, candidates=some or found.candidates)
            if some and found.kind is not Kind.ACT and not unsure:
                found = replace(found, kind=Kind.SERVICE, code=some[0].code, confidence=sure)
    return found


def event(line: str) -> Event:
    if line == "(静)":
        return Silence()
    if key := re.fullmatch(r"\[(.)\]", line):
        return Digit(key[1], NOW)
    return Heard(meaning(line), NOW)


class Call:
    """One call, played line by line; keeps all that was heard and done."""

    def __init__(
        self,
        caller: Caller = HOME,
        *,
        store_works: bool = True,
        note: float = 5.0,
        errand: Errand | None = None,
    ):
        self.answers: dict[type, Event] = {
            Book: Booked(order_id=1) if store_works else BookingFailed(),
            Settle: Kept() if store_works else NotKept(),
            RecordNote: NoteRecorded(note),
        }
        self.log: list[str] = []
        self.slow = False
        self.state: Conversation
        self._take(begin(caller, CATALOG, PROMPTS, NOW, errand))

    def says(self, line: str) -> str:
        """The caller's line; all that came of it, as one text."""
        before = len(self.log)
        self._take(advance(self.state, event(line)))
        return "".join(self.log[before:])

    def _take(self, step: Step) -> None:
        self.state = step.state
        for action in step.actions:
            match action:
                case Say(pieces=pieces, slow=slow):
                    self.slow = slow
                    self.log.append(plain(pieces))
                case Book(draft=draft, number=number):
                    at = f" {draft.scheduled_for:%m-%d %H:%M}" if draft.scheduled_for else ""
                    self.log.append(f"<订{number} {draft.code}{at}>")
                case Settle(end=end, score=score, scheduled_for=moved):
                    told = [str(end or "later"), *([str(score)] if score else [])]
                    told += [f"{moved:%m-%d %H:%M}"] if moved else []
                    self.log.append(f"<{' '.join(told)}>")
                case RecordNote():
                    self.log.append("<录音>")
                case ToOperator(reason=reason):
                    self.log.append(f"<人工 {reason}>")
                case ToEmergency():
                    self.log.append("<紧急>")
                case Hangup():
                    self.log.append("<挂断>")
            if type(action) in self.answers:
                self._take(advance(self.state, self.answers[type(action)]))


def conversation(*lines: str, caller: Caller = HOME) -> list[str]:
    """What came of each line of the caller, after the greeting."""
    call = Call(caller)
    return [call.says(line) for line in lines]
