"""What starts a turn on a telephone line: the shortest answers do, other sounds do not."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from audio.recogniser import Samples
from audio.sound import alaw_decode, alaw_encode
from audio.vad import SileroVad
from ivr.caller.voice import caller_voice
from ivr.calls.endpointing import Signal
from ivr.calls.listening import Listening
from ivr.config import TurnSettings, load_settings

RATE = 8000
SECONDS = 12
Sound = NDArray[np.float64]
TIME = np.arange(SECONDS * RATE) / RATE


def hiss(samples: int = len(TIME)) -> Sound:
    return np.random.default_rng(1).standard_normal(samples)


def turns(sound: Sound) -> int:
    """How many turns start in this sound (full scale 1.0) on a quiet line after a silence."""
    line = np.concatenate([np.zeros(4 * RATE), sound, np.zeros(RATE)])
    line += hiss(len(line)) * 10 ** (-60 / 20)
    heard = alaw_decode(alaw_encode((np.clip(line, -1, 1) * 32767).astype(np.int16)))
    listening = Listening(SileroVad(), TurnSettings())
    started = 0
    for start in range(0, len(heard) - 159, 160):
        for signal in listening.heard(heard[start : start + 160], speaking=False):
            started += signal is Signal.STARTED
            if signal is Signal.ENDED:
                listening.restart()
    return started


def breath() -> Sound:
    spectrum = np.fft.rfft(hiss())
    spectrum[1:] /= np.sqrt(np.arange(1, len(spectrum)))
    return np.fft.irfft(spectrum) * np.maximum(0, np.sin(2 * np.pi * TIME / 3.5)) ** 2


def coughs() -> Sound:
    return hiss() * (TIME % 3 < 0.2) * np.sin(np.pi * (TIME % 3) / 0.2)


def clicks() -> Sound:
    return hiss() * (TIME % 0.7 < 0.015)


def hum() -> Sound:
    waves = (np.sin(2 * np.pi * 50 * k * TIME) / k for k in range(1, 12))
    return np.asarray(sum(waves))


def dial_tone() -> Sound:
    return np.sin(2 * np.pi * 450 * TIME)


def music() -> Sound:
    notes = np.array([262, 330, 392, 523, 440, 349])[(TIME / 0.5).astype(int) % 6]
    fading = np.exp(-4 * (TIME % 0.5)) * np.minimum(1, 100 * (TIME % 0.5))
    waves = (np.sin(2 * np.pi * k * notes * TIME) / k**1.5 for k in range(1, 6))
    return np.asarray(sum(waves)) * fading


def at_level(sound: Sound, level_db: float) -> Sound:
    """With its loud parts at this level of full scale."""
    loud = sound[np.abs(sound) > np.abs(sound).max() / 10]
    return sound / np.sqrt(np.mean(loud**2)) * 10 ** (level_db / 20)


@pytest.mark.parametrize("noise", [hiss, breath, coughs, clicks])
@pytest.mark.parametrize("level_db", [-45, -30])
def test_what_is_no_voice_starts_no_turn(noise: Callable[[], Sound], level_db: float) -> None:
    assert turns(at_level(noise(), level_db)) == 0


@pytest.mark.parametrize("sound", [hum, dial_tone, music])
@pytest.mark.parametrize("level_db", [-45, -30])
def test_lasting_sound_is_taken_for_a_voice_once_at_most(
    sound: Callable[[], Sound], level_db: float
) -> None:
    """Its onset may be, whatever the threshold."""
    assert turns(at_level(sound(), level_db)) <= 1


@pytest.mark.parametrize("word", ["对", "是", "好", "嗯", "不"])
def test_one_syllable_after_a_silence_is_a_turn(word: str) -> None:
    speech = caller_voice(load_settings())(word) / 32768
    assert turns(speech) == 1
    assert turns(speech / 3) == 1


class CountedVad:
    def __init__(self) -> None:
        self._vad = SileroVad()
        self.windows = 0

    def __call__(self, window: Samples) -> float:
        self.windows += 1
        return self._vad(window)


@pytest.mark.parametrize("pause_s", [0.2, 0.6, 2.0])
@pytest.mark.parametrize("echo_db", [-100, -20])
def test_one_syllable_after_our_prompt_is_a_turn(pause_s: float, echo_db: int) -> None:
    """Though the detector has not been asked while there was only our prompt on the line."""
    voice = caller_voice(load_settings())
    prompt, word = (voice(text) / 32768 for text in ("请人来家里打扫一下卫生", "好"))
    prompt = np.concatenate([prompt, prompt, prompt])
    answer_at = len(prompt) + int(pause_s * RATE)
    ours = np.concatenate([prompt, np.zeros(answer_at - len(prompt) + len(word) + RATE)])
    line = hiss(len(ours)) * 10 ** (-60 / 20) + ours * 10 ** (echo_db / 20)
    line[answer_at : answer_at + len(word)] += word
    sent = (ours * 32767).astype(np.int16)
    heard = alaw_decode(alaw_encode((np.clip(line, -1, 1) * 32767).astype(np.int16)))
    vad = CountedVad()
    listening = Listening(vad, TurnSettings())
    started = []
    asked_before = 0
    for start in range(0, len(heard) - 159, 160):
        if start < answer_at:
            asked_before = vad.windows
        listening.played(sent[start : start + 160])
        signals = listening.heard(heard[start : start + 160], speaking=start < len(prompt))
        if Signal.STARTED in signals:
            started.append(start)
    assert len(started) == 1 and started[0] > answer_at
    assert asked_before < 0.6 * answer_at / 256
