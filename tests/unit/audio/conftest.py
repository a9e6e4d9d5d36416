"""Real engines, loaded once; their models are installed when they are not there yet."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from audio import models
from audio.cache import PromptCache
from audio.engines import make_cache, make_recogniser
from audio.pyttsx import PyttsxSynthesiser
from audio.recogniser import Samples
from audio.sound import alaw_decode, alaw_encode, to_samples
from audio.synthesiser import Speech
from audio.vosk import VoskRecogniser
from audio.whisper import WhisperRecogniser
from ivr.config import load_settings


def models_folder(name: str) -> Path:
    """The site's models, with this one among them."""
    folder = load_settings().models
    models.install(name, folder, report=lambda line: print(line, file=sys.stderr))
    return folder


@pytest.fixture(scope="session")
def on_the_line() -> Callable[[Speech], Samples]:
    """Speech as a caller's telephone brings it."""
    return lambda speech: to_samples(alaw_decode(alaw_encode(speech)))


@pytest.fixture(scope="session")
def whisper() -> WhisperRecogniser:
    recogniser = make_recogniser("whisper", "whisper-base", models_folder("whisper-base"))
    assert isinstance(recogniser, WhisperRecogniser)
    return recogniser


@pytest.fixture(scope="session")
def voice() -> PromptCache:
    """The site's voice; what it has said once is kept for the next run of the tests."""
    folder = models_folder("kokoro")
    return make_cache("kokoro", "zf_xiaoxiao", folder, load_settings().cache_dir)


@pytest.fixture(scope="session")
def korean() -> PyttsxSynthesiser:
    return PyttsxSynthesiser("ko")


@pytest.fixture(scope="session")
def vosk() -> VoskRecogniser:
    recogniser = make_recogniser("vosk", "vosk-ko", models_folder("vosk-ko"))
    assert isinstance(recogniser, VoskRecogniser)
    return recogniser
