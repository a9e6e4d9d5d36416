"""Made-up voices: pulses at a pitch through moving resonances, in syllables."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from ivr.calls.barge_in import FRAME, BargeIn

Sound = NDArray[np.float64]
HZ = 8000


def voice(seconds: float, seed: int, pitch: float) -> Sound:
    """Something with the rhythm and the spectrum of speech; RMS 1 over its loud parts."""
    random = np.random.default_rng(seed)
    pieces: list[Sound] = []
    while sum(map(len, pieces)) < seconds * HZ:
        n = int(random.uniform(0.12, 0.3) * HZ)
        t = np.arange(n) / HZ
        tone = pitch * (1 + random.uniform(-0.2, 0.2) * t / t[-1])
        phase = 2 * np.pi * np.cumsum(tone) / HZ
        resonances = (
            random.uniform(250, 900),
            random.uniform(900, 2300),
            random.uniform(2300, 3200),
        )
        syllable = np.zeros(n)
        for k in range(1, int(3300 / pitch)):
            gain = sum(
                1 / (1 + ((k * pitch - f) / 120) ** 2) / (i + 1) for i, f in enumerate(resonances)
            )
            syllable += gain * np.sin(k * phase)
        hiss = random.normal(0, 0.3, n) * (t < 0.04)
        pieces.append((syllable / np.std(syllable) + hiss) * np.hanning(n) ** 0.5)
        pieces.append(np.zeros(int(random.choice([0.02, 0.05, 0.25]) * HZ)))
    return np.concatenate(pieces)[: int(seconds * HZ)]


def at_db(sound: Sound, db: float) -> Sound:
    return sound * 32768 * 10 ** (db / 20)


def noise(seconds: float, db: float) -> Sound:
    return at_db(np.random.default_rng(7).normal(0, 1, int(seconds * HZ)), db)


def delayed(sound: Sound, ms: int) -> Sound:
    return np.concatenate([np.zeros(ms * 8), sound])[: len(sound)]


def near(sent: Sound, received: Sound) -> NDArray[np.bool_]:
    """For each frame, whether it was taken for the caller's."""
    barge_in = BargeIn()
    frames = []
    for start in range(0, len(sent) - FRAME + 1, FRAME):
        barge_in.played(np.clip(sent[start : start + FRAME], -32768, 32767).astype(np.int16))
        came = np.clip(received[start : start + FRAME], -32768, 32767).astype(np.int16)
        frames.append(barge_in.heard(came))
    return np.array(frames)


def longest_ms(frames: NDArray[np.bool_]) -> int:
    longest = run = 0
    for frame in frames:
        run = run + 1 if frame else 0
        longest = max(longest, run)
    return longest * 20


PROMPT = at_db(voice(6.0, 1, 210), -20)


@pytest.mark.parametrize("delay_ms", [0, 37, 120, 255, 400])
@pytest.mark.parametrize("gain_db", [-12, -18, -25])
def test_our_own_echo_never_sounds_like_the_caller(gain_db: int, delay_ms: int) -> None:
    echo = delayed(PROMPT, delay_ms) * 10 ** (gain_db / 20)
    assert longest_ms(near(PROMPT, echo + noise(6.0, -58))) <= 100


def test_echo_through_a_smeared_path_is_still_echo() -> None:
    echo = (delayed(PROMPT, 120) + 0.6 * delayed(PROMPT, 133) - 0.4 * delayed(PROMPT, 151)) * 0.15
    assert longest_ms(near(PROMPT, echo + noise(6.0, -58))) <= 100


@pytest.mark.parametrize("gain_db", [-12, -25, -100])
def test_a_caller_who_talks_over_the_prompt_is_heard(gain_db: int) -> None:
    caller = np.zeros(len(PROMPT))
    caller[3 * HZ : 5 * HZ] = at_db(voice(2.0, 2, 130), -25)
    echo = delayed(PROMPT, 120) * 10 ** (gain_db / 20)
    frames = near(PROMPT, echo + caller + noise(6.0, -58))
    assert longest_ms(frames[:150]) <= 100
    assert frames[150:200].sum() >= 10, "within the first second"


def test_a_caller_who_follows_the_prompt_by_chance_is_no_echo() -> None:
    """They begin to speak as a piece of the prompt does, with the same rhythm."""
    pause = np.zeros(HZ)
    sent = np.concatenate([PROMPT[: 3 * HZ], pause, PROMPT[: 2 * HZ], pause, PROMPT[: 2 * HZ]])
    caller = np.zeros(len(sent))
    caller[4 * HZ : 6 * HZ] = 0.4 * PROMPT[: 2 * HZ]
    caller[8 * HZ : 9 * HZ] = at_db(voice(1.0, 2, 130), -30)
    frames = near(sent, caller + noise(len(sent) / HZ, -58))
    assert frames[200:250].sum() >= 10
    assert frames[400:450].sum() >= 10, "nor are they later"


def test_a_line_that_has_lost_its_echo_is_as_one_without() -> None:
    """Somebody has put the receiver from the table to their ear."""
    pause = np.zeros(HZ)
    sent = np.concatenate([PROMPT, pause, PROMPT])
    echo = delayed(PROMPT, 120) * 10 ** (-12 / 20)
    caller = np.zeros(len(PROMPT))
    caller[4 * HZ : 5 * HZ] = echo[4 * HZ : 5 * HZ]
    frames = near(sent, np.concatenate([echo, pause, caller]) + noise(len(sent) / HZ, -58))
    assert longest_ms(frames[:300]) <= 100
    assert frames[550:600].sum() >= 10


def test_a_caller_is_heard_at_once_when_nothing_is_playing() -> None:
    caller = at_db(voice(2.0, 2, 130), -30)
    frames = near(np.zeros(len(caller)), caller + noise(2.0, -58))
    assert frames.mean() > 0.5


def test_steady_noise_is_not_a_caller() -> None:
    assert longest_ms(near(PROMPT, noise(6.0, -35))[75:]) <= 100
