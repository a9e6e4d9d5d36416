"""The simulated caller knows when the system speaks, for how long, and when it is its turn."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from ivr.caller.ear import RATE, Ear


def tone(seconds: float, level: float = 3000) -> NDArray[np.int16]:
    t = np.arange(round(seconds * RATE))
    return (level * np.sin(t * 0.7)).astype(np.int16)


def quiet(seconds: float) -> NDArray[np.int16]:
    return np.zeros(round(seconds * RATE), np.int16)


def heard(*parts: NDArray[np.int16]) -> Ear:
    ear = Ear()
    feed(ear, 0.0, *parts)
    return ear


def feed(ear: Ear, start_s: float, *parts: NDArray[np.int16]) -> None:
    sound = np.concatenate(parts)
    for i in range(0, len(sound), 160):
        ear.hear(sound[i : i + 160], start_s + i / RATE)


def test_pauses_inside_a_prompt_do_not_end_it() -> None:
    ear = heard(quiet(1.01), tone(0.8), quiet(0.7), tone(0.8), quiet(1.2), tone(0.5))
    assert [u.start_s for u in ear.utterances] == pytest.approx([1.01, 4.51], abs=0.002)
    assert [u.end_s for u in ear.utterances] == pytest.approx([3.31, 5.01], abs=0.02)
    assert ear.silent_for_s(6.0) == pytest.approx(1.0, abs=0.03)


def test_line_noise_and_clicks_are_not_speech() -> None:
    ear = heard(tone(2.0, level=120), tone(0.02), quiet(0.5), tone(0.04), quiet(1.0))
    assert ear.utterances == []


def test_answer_close_to_the_interrupted_prompt_is_an_answer() -> None:
    ear = heard(tone(1.0))
    ear.expect_answer()
    feed(ear, 1.0, tone(0.2), quiet(0.4), tone(1.0))
    prompt, answer = ear.utterances
    assert prompt.end_s == pytest.approx(1.2)
    assert answer.start_s == pytest.approx(1.6, abs=0.001)
    assert ear.since(1.0) is answer
