"""What callers hear: steady level, clean edges, and a voice that is always there."""

from __future__ import annotations

import numpy as np
import pytest

from audio.engines import make_synthesiser
from audio.pyttsx import PyttsxSynthesiser
from audio.sound import frame_levels, rms_db, to_samples
from audio.synthesiser import Speech, Synthesiser, SynthesiserError
from ivr.config import load_settings


@pytest.fixture(scope="module")
def kokoro() -> Synthesiser:
    return make_synthesiser("kokoro", "zf_xiaoxiao", load_settings().models)


def check_prompt(speech: Speech) -> None:
    sound = to_samples(speech)
    assert speech.dtype == np.int16
    assert rms_db(sound) == pytest.approx(-20.5, abs=1.5)
    assert np.abs(sound).max() <= 0.71
    assert abs(int(speech[0])) < 50 and abs(int(speech[-1])) < 50
    levels = frame_levels(sound)
    assert levels[:5].max() > levels.max() - 40, "silence at the start"
    assert levels[-5:].max() > levels.max() - 45, "silence at the end"


def test_prompts_are_level_and_trimmed(kokoro: Synthesiser) -> None:
    check_prompt(kokoro.synthesise("您好，请问您需要什么服务？", speed=0.85))


def test_slower_is_longer(kokoro: Synthesiser) -> None:
    slow, quick = (len(kokoro.synthesise("请您说一下地址", speed=speed)) for speed in (0.7, 1.0))
    assert slow > quick * 1.15


def test_text_without_words_is_refused(kokoro: Synthesiser) -> None:
    with pytest.raises(SynthesiserError, match="nothing to say"):
        kokoro.synthesise(" ", speed=0.85)


def test_unknown_voice_names_the_known_ones() -> None:
    with pytest.raises(SynthesiserError, match="zf_xiaoxiao"):
        make_synthesiser("kokoro", "zf_nobody", load_settings().models)


def test_fallback_voice_speaks_mandarin_without_any_model() -> None:
    voice = PyttsxSynthesiser()
    first = voice.synthesise("您好，请问您需要什么服务？", speed=0.85)
    check_prompt(first)
    again = voice.synthesise("您好，请问您需要什么服务？", speed=0.85)
    assert len(again) == pytest.approx(len(first), rel=0.1)


def test_site_falling_back_keeps_its_voice_setting() -> None:
    voice = make_synthesiser("pyttsx3", "zf_xiaoxiao", load_settings().models)
    assert voice.voice == "cmn"
