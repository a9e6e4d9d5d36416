"""Turns as rows of windows: s speech, . silence, ? in between, t a television behind."""

from __future__ import annotations

import pytest

from ivr.calls.endpointing import WINDOW_MS, Endpointing, Phase, Signal
from ivr.config import TurnSettings

SOUND = {"s": (0.95, -25.0), ".": (0.02, -60.0), "?": (0.42, -30.0), "t": (0.9, -50.0)}


def run(turn: Endpointing, windows: str, *, over_prompt: bool = False) -> list[tuple[int, Signal]]:
    """The signals and the windows they came with, counted from 1."""
    signals = []
    for n, kind in enumerate(windows, 1):
        signal = turn.window(*SOUND[kind], over_prompt=over_prompt)
        if signal:
            signals.append((n, signal))
    return signals


@pytest.fixture
def turn() -> Endpointing:
    return Endpointing(TurnSettings())


def silence(ms: int) -> str:
    return "." * -(-ms // WINDOW_MS)


def names(signals: list[tuple[int, Signal]]) -> list[str]:
    return [signal.value for _, signal in signals]


def test_a_turn_from_first_syllable_to_the_silence_that_ends_it(turn: Endpointing) -> None:
    signals = run(turn, "....." + "s" * 30 + silence(700))
    assert names(signals) == ["started", "paused", "ended"]
    assert signals[0][0] == 5 + 3
    assert signals[1][0] == 5 + 30 + 9
    assert signals[2][0] == 5 + 30 + 22
    assert turn.turn_windows == 30 + 22, "the first window of speech belongs to the turn"


def test_a_caller_who_goes_on_is_not_cut_off(turn: Endpointing) -> None:
    signals = run(turn, "s" * 10 + silence(600) + "s" * 10 + silence(700))
    assert names(signals) == ["started", "paused", "resumed", "paused", "ended"]


def test_an_unfinished_phrase_gets_more_time(turn: Endpointing) -> None:
    run(turn, "s" * 10 + silence(300))
    turn.unfinished()
    assert not run(turn, silence(700))
    assert names(run(turn, silence(300))) == ["ended"]


def test_more_time_is_for_that_pause_only(turn: Endpointing) -> None:
    run(turn, "s" * 10 + silence(300))
    turn.unfinished()
    signals = run(turn, "s" * 10 + silence(700))
    assert names(signals) == ["resumed", "paused", "ended"]


def test_a_click_is_no_turn(turn: Endpointing) -> None:
    assert not run(turn, "..s..ss...s" + silence(2000))
    assert turn.phase is Phase.QUIET


def test_a_short_word_is_a_turn(turn: Endpointing) -> None:
    assert names(run(turn, "..ssss" + silence(700))) == ["started", "paused", "ended"]


def test_weak_syllables_do_not_end_a_turn(turn: Endpointing) -> None:
    assert names(run(turn, "s" * 5 + "?" * 40)) == ["started"]


def test_over_a_prompt_it_takes_more_than_a_cough(turn: Endpointing) -> None:
    assert not run(turn, "sssss" + "." * 20, over_prompt=True)
    assert names(run(turn, "ssssssss", over_prompt=True)) == ["started"]


def test_a_television_behind_the_caller_does_not_hold_the_turn_open(turn: Endpointing) -> None:
    signals = run(turn, "s" * 20 + "t" * 40)
    assert names(signals) == ["started", "paused", "ended"]
    turn.reset()
    assert not run(turn, "t" * 100), "nor does it start the next one"


def test_a_turn_has_a_longest_length() -> None:
    turn = Endpointing(TurnSettings(max_turn_ms=3200))
    assert run(turn, "s" * 200)[-1] == (100, Signal.ENDED)
    assert not run(turn, "s" * 100)


def test_silence_is_counted_from_the_reset(turn: Endpointing) -> None:
    run(turn, "s" * 20 + silence(700))
    turn.reset()
    run(turn, silence(3200))
    assert turn.silence_ms == 3200
