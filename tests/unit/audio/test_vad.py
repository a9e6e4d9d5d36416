"""Voice activity on the line."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from audio.cache import PromptCache
from audio.recogniser import Samples
from audio.synthesiser import Speech
from audio.vad import WINDOW, SileroVad


def probabilities(vad: SileroVad, sound: Samples) -> list[float]:
    whole = len(sound) // WINDOW * WINDOW
    return [vad(window) for window in sound[:whole].reshape(-1, WINDOW)]


def test_speech_is_told_from_line_noise(
    voice: PromptCache, on_the_line: Callable[[Speech], Samples]
) -> None:
    rng = np.random.default_rng(1)
    speech = on_the_line(voice.make("我想请人来打扫卫生", speed=1.0))
    noise = rng.normal(0, 0.003, 8000).astype(np.float32)
    vad = SileroVad()
    assert max(probabilities(vad, noise)) < 0.5
    assert np.mean(probabilities(vad, speech)) > 0.7
    assert probabilities(vad, noise)[-1] < 0.2


def test_one_caller_does_not_disturb_another() -> None:
    rng = np.random.default_rng(2)
    ours = rng.normal(0, 0.1, WINDOW * 10).astype(np.float32)
    alone = probabilities(SileroVad(), ours)
    first, other = SileroVad(), SileroVad()
    mixed = []
    for window in ours.reshape(-1, WINDOW):
        mixed.append(first(window))
        other(-window)
    assert mixed == alone


def test_reset_forgets() -> None:
    sound = np.random.default_rng(3).normal(0, 0.1, WINDOW * 5).astype(np.float32)
    vad = SileroVad()
    once = probabilities(vad, sound)
    vad.reset()
    assert probabilities(vad, sound) == once


def test_window_of_another_size_is_refused() -> None:
    with pytest.raises(ValueError, match="256 samples"):
        SileroVad()(np.zeros(160, np.float32))
