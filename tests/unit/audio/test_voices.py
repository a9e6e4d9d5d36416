"""What callers hear: steady level, clean edges, and a voice that is always there."""

from __future__ import annotations

import numpy as np
import pytest

from audio import models
from audio.engines import make_kokoro, make_synthesiser
from audio.kokoro import SPEAKERS, KokoroSynthesiser
from audio.pyttsx import PyttsxSynthesiser
from audio.sound import frame_levels, rms_db, to_samples
from audio.synthesiser import Speech, SynthesiserError
from ivr.config import load_settings


@pytest.fixture(scope="module")
def kokoro() -> KokoroSynthesiser:
    for name in ("kokoro", SPEAKERS):
        models.install(name, load_settings().models, report=lambda line: None)
    return make_kokoro("zf_xiaoxiao", load_settings().models, threads=2)


def check_prompt(speech: Speech) -> None:
    sound = to_samples(speech)
    assert speech.dtype == np.int16
    assert rms_db(sound) == pytest.approx(-20.5, abs=1.5)
    assert np.abs(sound).max() <= 0.71
    assert abs(int(speech[0])) < 50 and abs(int(speech[-1])) < 50
    levels = frame_levels(sound)
    assert levels[:5].max() > levels.max() - 40, "silence at the start"
    assert levels[-5:].max() > levels.max() - 45, "silence at the end"


def test_prompts_are_level_and_trimmed(kokoro: KokoroSynthesiser) -> None:
    check_prompt(kokoro.synthesise("您好，请问您需要什么服务？", speed=0.85))


def test_slower_is_longer(kokoro: KokoroSynthesiser) -> None:
    slow, quick = (len(kokoro.synthesise("请您说一下地址", speed=speed)) for speed in (0.7, 1.0))
    assert slow > quick * 1.15


def test_text_without_words_is_refused(kokoro: KokoroSynthesiser) -> None:
    with pytest.raises(SynthesiserError, match="nothing to say"):
        kokoro.synthesise(" ", speed=0.85)


def test_unknown_voice_names_the_known_ones() -> None:
    with pytest.raises(SynthesiserError, match="zf_xiaoxiao"):
        make_synthesiser("kokoro", "zf_nobody", load_settings().models)


def test_voices_joined_are_one_voice_between_them(kokoro: KokoroSynthesiser) -> None:
    between, first, second = (
        kokoro.speaking_as(name).synthesise("您好", speed=0.85)
        for name in ("zm_yunxi+am_adam", "zm_yunxi", "am_adam")
    )
    check_prompt(between)
    for one in (first, second):
        assert len(between) != len(one) or (between != one).any()


def test_one_voice_of_a_model_does_not_change_another(kokoro: KokoroSynthesiser) -> None:
    before = kokoro.synthesise("您好", speed=0.85)
    kokoro.speaking_as("zm_yunxi").synthesise("您好", speed=0.85)
    assert (kokoro.synthesise("您好", speed=0.85) == before).all()
    with pytest.raises(SynthesiserError, match="no voice nobody"):
        kokoro.speaking_as("zm_yunxi+nobody")


def test_fallback_voice_speaks_mandarin_without_any_model() -> None:
    voice = PyttsxSynthesiser()
    first = voice.synthesise("您好，请问您需要什么服务？", speed=0.85)
    check_prompt(first)
    again = voice.synthesise("您好，请问您需要什么服务？", speed=0.85)
    assert len(again) == pytest.approx(len(first), rel=0.1)


def test_site_falling_back_keeps_its_voice_setting() -> None:
    voice = make_synthesiser("pyttsx3", "zf_xiaoxiao", load_settings().models)
    assert voice.voice == "cmn"
