"""Who calls in a load test, and how they talk."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from ivr.bench.people import (
    ADDRESS,
    AGAIN,
    CORRECTIONS,
    INTO_MS,
    MOST_TURNS,
    NEEDS,
    NOTHING,
    PAUSE_MS,
    TIMES,
    WHOLE,
    YES,
    Leaves,
    Manner,
    Person,
    person,
)

GREETING = "您好。这里是一呼养老热线。请问您需要什么服务？"
WHEN = "家庭保洁，您希望什么时候？"
READ_BACK = "家庭保洁，明天上午九点，对吗？"


def somebody(manner: Manner) -> Person:
    return Person("051260000001", manner, random.Random(1))


def says(one: Person, told: str) -> str | None:
    line = one.next(told)
    return line.text if line else None


def test_one_who_answers_gets_through_a_whole_call() -> None:
    one = somebody(Manner.PLAIN)
    assert says(one, GREETING) in (*NEEDS, *WHOLE)
    assert says(one, WHEN) in TIMES
    assert says(one, "请您说一下家里的地址。") == ADDRESS
    assert says(one, READ_BACK) in YES
    assert says(one, "订好了。您还需要别的服务吗？") == NOTHING
    assert says(one, "好的，再见。") is None


def test_one_who_is_not_understood_says_the_same_again() -> None:
    one = somebody(Manner.PLAIN)
    assert says(one, GREETING) == says(one, "我没听明白。请问您需要什么服务？")


def test_one_corrects_the_first_read_back_and_agrees_to_the_second() -> None:
    one = somebody(Manner.CORRECTS)
    says(one, GREETING)
    assert says(one, READ_BACK) in CORRECTIONS
    assert says(one, READ_BACK) in YES


def test_one_asks_to_hear_it_again_once() -> None:
    one = somebody(Manner.ASKS_AGAIN)
    says(one, GREETING)
    assert [says(one, READ_BACK) == AGAIN for _ in range(2)] == [True, False]


def test_one_pauses_in_the_need_and_one_talks_into_the_prompt() -> None:
    need = somebody(Manner.PAUSES).next(GREETING)
    assert need is not None and need.pause_ms == PAUSE_MS
    one = somebody(Manner.INTERRUPTS)
    first, second = one.next(GREETING), one.next(WHEN)
    assert first is not None and first.into_ms is None
    assert second is not None and second.into_ms == INTO_MS


def test_one_hangs_up_in_the_middle_and_nobody_talks_for_ever() -> None:
    for manner, most in ((Manner.HANGS_UP, 3), (Manner.PLAIN, MOST_TURNS)):
        one = somebody(manner)
        with pytest.raises(Leaves):
            for _ in range(most + 1):
                one.next(WHEN)


def test_same_seed_gives_the_same_callers_of_every_manner() -> None:
    first, second = ([person(7, index, 3) for index in range(200)] for _ in range(2))
    assert [(one.number, one.manner, one.next(GREETING)) for one in first] == [
        (one.number, one.manner, one.next(GREETING)) for one in second
    ]
    assert set(Counter(one.manner for one in first)) == set(Manner)
