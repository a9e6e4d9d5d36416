"""The people who call in a load test: who wants what, and how they talk. Decided by a seed. Pure.

They react to what they are told, as people do: asked when, they say when; asked whether it is
right, some correct it first. What they are told is the text of the agent's answer.
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass
from enum import StrEnum


class Manner(StrEnum):
    """What somebody does besides answering."""

    PLAIN = "plain"
    PAUSES = "pauses"
    """Stops in the middle of a sentence, and goes on."""
    INTERRUPTS = "interrupts"
    """Answers into the prompt."""
    CORRECTS = "corrects"
    """Says at the first read-back that it is another time."""
    ASKS_AGAIN = "asks again"
    HANGS_UP = "hangs up"
    """In the middle of the call."""


SHARES = {
    Manner.PLAIN: 0.45,
    Manner.PAUSES: 0.12,
    Manner.INTERRUPTS: 0.13,
    Manner.CORRECTS: 0.12,
    Manner.ASKS_AGAIN: 0.08,
    Manner.HANGS_UP: 0.10,
}
NEEDS = (
    "我想请人来打扫卫生",
    "帮我理个发",
    "我要洗澡，请人来帮忙",
    "家里水管漏水了，来修一下",
    "我要送饭，送午饭",
    "帮我量量血压",
)
WHOLE = ("明天上午九点请人来打扫卫生", "后天下午三点来帮我理发", "明天下午两点送人来帮我洗澡")
"""Need and time at once."""
TIMES = ("明天上午九点", "后天下午三点", "明天下午两点", "下个星期一上午十点")
CORRECTIONS = ("不对，是后天上午十点", "不对，我要下午四点")
YES = ("对的", "对，没错", "是的")
AGAIN = "再说一遍"
ADDRESS = "平江路十二号"
NOTHING = "不用了，谢谢"
INTO_MS = 1500
"""How far into a prompt somebody interrupts it."""
MOST_TURNS = 12
"""Whoever has not got through by then gives up."""
PAUSE_MS = 900


class Leaves(Exception):
    """They hang up."""


@dataclass(frozen=True, slots=True)
class Line:
    """What somebody says next."""

    text: str
    into_ms: int | None = None
    pause_ms: int = 0
    """Silence in the middle of it."""
    recording: int | None = None
    """The recording that says the need instead of the synthesiser, by its number."""


@dataclass(slots=True)
class Person:
    """One caller, and how far they have got."""

    number: str
    manner: Manner
    chance: random.Random
    recordings: int = 0
    """How many recorded needs there are to choose from."""
    turns: int = 0
    done: bool = False
    """Whether they have done what their manner is called for."""
    leaves_after: int = 2
    need: Line | None = None

    def next(self, told: str) -> Line | None:
        """What they say to what they were told last; None when they have nothing more to say.

        Raises Leaves when they hang up.
        """
        self.turns += 1
        if self.turns > MOST_TURNS or (
            self.manner is Manner.HANGS_UP and self.turns > self.leaves_after
        ):
            raise Leaves
        text = self._reply(told)
        if text is None:
            return None
        if text == "":
            return self._need()
        into_ms = INTO_MS if self._once(Manner.INTERRUPTS) and self.turns > 1 else None
        return Line(text, into_ms=into_ms)

    def _once(self, manner: Manner) -> bool:
        """Whether they have this manner and have not shown it yet."""
        return self.manner is manner and not self.done

    def _reply(self, told: str) -> str | None:
        """A text; "" is the need."""
        choose = self.chance.choice
        if re.search("再见|转人工|接人工", told):
            return None
        if re.search("还需要|还要.*吗|别的服务", told):
            return NOTHING
        if "什么时候" in told or "几点" in told:
            return choose(TIMES)
        if re.search("地址|住在哪|哪里|门牌", told) and "对吗" not in told:
            return ADDRESS
        if re.search("对吗|是吗|是不是|确认", told):
            if self._once(Manner.CORRECTS):
                self.done = True
                return choose(CORRECTIONS)
            if self._once(Manner.ASKS_AGAIN):
                self.done = True
                return AGAIN
            return choose(YES)
        return ""

    def _need(self) -> Line:
        if self.need is None:
            recorded = self.recordings and self.chance.random() < 0.5
            said = self.chance.choice((*NEEDS, *WHOLE))
            self.need = Line(
                said,
                pause_ms=PAUSE_MS if self.manner is Manner.PAUSES else 0,
                recording=self.chance.randrange(self.recordings) if recorded else None,
            )
        return self.need


def texts() -> tuple[str, ...]:
    """All that they may say."""
    return (*NEEDS, *WHOLE, *TIMES, *CORRECTIONS, *YES, AGAIN, ADDRESS, NOTHING)


def person(seed: int, index: int, recordings: int = 0) -> Person:
    """The caller of this index: the same for the same seed, whoever calls before."""
    chance = random.Random(f"{seed} {index}")
    manner = chance.choices(list(SHARES), weights=list(SHARES.values()))[0]
    return Person(
        number=f"0512{60_000_000 + index % 10_000_000:08}",
        manner=manner,
        chance=chance,
        recordings=recordings,
        leaves_after=chance.randrange(1, 4),
    )
