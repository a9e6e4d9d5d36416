"""How many calls are let in follows what the recogniser can do."""

from __future__ import annotations

import pytest

from ivr.telephony import capacity as module
from ivr.telephony.capacity import Capacity

MOST, SLOW_S = 10, 1.0


class Agent:
    """A clock, a recogniser and the calls that are there."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.stuck_s = 0.0
        self.present = 0
        self.capacity = Capacity(MOST, SLOW_S, lambda: self.now, lambda: self.stuck_s)

    def hears(self, delay_s: float, seconds: float) -> None:
        """Utterances that take so long, one a second, and as many calls as are let in."""
        for _ in range(round(seconds)):
            self.now += 1
            self.capacity.heard(delay_s)
            self.present = max(0, self.limit())

    def limit(self) -> int:
        return self.capacity.limit(self.present)


@pytest.fixture
def agent() -> Agent:
    return Agent()


def test_as_many_as_the_settings_allow_while_it_is_quick(agent: Agent) -> None:
    agent.hears(0.3, 60)
    assert agent.limit() == MOST


def test_fewer_when_it_is_slow_and_fewer_still_while_that_does_not_help(agent: Agent) -> None:
    agent.hears(0.3, 60)
    agent.hears(3.0, module.WINDOW_S)
    once = agent.limit()
    assert once < MOST
    agent.hears(3.0, module.SETTLE_S)
    assert agent.limit() < once
    agent.hears(3.0, 600)
    assert agent.limit() == 1, "somebody is always let in"


def test_one_decrease_is_given_time_to_help(agent: Agent) -> None:
    agent.hears(0.3, 60)
    agent.hears(3.0, module.WINDOW_S)
    lowered = agent.limit()
    for _ in range(20):
        assert agent.limit() == lowered


def test_neither_quick_nor_slow_changes_nothing(agent: Agent) -> None:
    agent.hears(0.3, 60)
    agent.hears(3.0, module.WINDOW_S)
    lowered = agent.limit()
    agent.hears(0.9 * SLOW_S, 2 * module.WINDOW_S)
    settled = agent.limit()
    agent.hears(0.9 * SLOW_S, 600)
    assert agent.limit() == settled <= lowered


def test_more_again_one_by_one_when_it_is_quick_again(agent: Agent) -> None:
    agent.hears(3.0, 600)
    agent.now += module.WINDOW_S
    limits = []
    while agent.limit() < MOST:
        limits.append(agent.limit())
        agent.hears(0.3, module.STEP_S)
    assert limits == sorted(limits)
    assert len(limits) >= MOST - 2


def test_single_slow_utterance_among_many_is_no_overload(agent: Agent) -> None:
    agent.hears(0.3, 60)
    agent.capacity.heard(5.0)
    assert agent.limit() == MOST


def test_single_slow_utterance_at_a_quiet_hour_is_no_overload_either(agent: Agent) -> None:
    agent.present = 1
    agent.capacity.heard(5.0)
    assert agent.limit() == MOST


def test_recogniser_that_answers_nothing_at_all_counts_as_slow(agent: Agent) -> None:
    agent.present = MOST
    agent.stuck_s = 4.0
    assert agent.limit() < MOST


def test_limit_that_was_lowered_is_below_the_calls_that_are_there(agent: Agent) -> None:
    """Nobody more is let in before some have gone, and nobody is turned out."""
    agent.present = 6
    for _ in range(module.FEWEST):
        agent.capacity.heard(3.0)
    assert agent.limit() == 3


def test_limit_is_not_lowered_again_while_as_many_calls_are_still_there(agent: Agent) -> None:
    """Whoever is let in stays: that it is slow with them says nothing of fewer calls."""
    agent.present = 10
    for _ in range(60):
        agent.now += 1
        agent.capacity.heard(3.0)
        assert agent.limit() in (MOST, 5)


def test_what_was_slow_before_fewer_were_let_in_is_forgotten(agent: Agent) -> None:
    agent.present = 10
    for _ in range(module.FEWEST):
        agent.capacity.heard(3.0)
    assert agent.limit() == 5
    agent.present = 5
    agent.now += module.SETTLE_S
    assert agent.limit() >= 5


@pytest.mark.parametrize(("delay_s", "left"), [(1.1, 8), (1.6, 6), (9.0, 5)])
def test_the_slower_it_is_the_fewer_are_let_in(agent: Agent, delay_s: float, left: int) -> None:
    agent.present = MOST
    for _ in range(module.FEWEST):
        agent.capacity.heard(delay_s)
    assert agent.limit() == left
