"""An engine for a dialect beside the default, with a real one: Korean stands for the dialect."""

from __future__ import annotations

import sys
import threading
from collections.abc import AsyncIterator

import numpy as np
import pytest

from audio import models
from audio.engines import make_recogniser
from audio.pyttsx import PyttsxSynthesiser
from audio.recogniser import Hypothesis, Recogniser, RecogniserError, Samples
from audio.sound import alaw_decode, alaw_encode, to_samples
from ivr.calls.recognition import Attempt, Recognised, Recognition
from ivr.config import load_settings


class Default:
    name = "default"
    version = "1"

    def recognise(
        self, samples: Samples, *, question: str = "", n_best: int = 5
    ) -> list[Hypothesis]:
        return [Hypothesis("听见了", -0.1)]


@pytest.fixture(scope="module")
def vosk() -> Recogniser:
    folder = load_settings().models
    models.install("vosk-ko", folder, report=lambda line: print(line, file=sys.stderr))
    return make_recogniser("vosk", "vosk-ko", folder)


@pytest.fixture(scope="module")
def hello() -> Samples:
    spoken = PyttsxSynthesiser("ko").synthesise("안녕하세요", speed=0.7)
    return np.concatenate(
        [np.zeros(1600, np.float32), to_samples(alaw_decode(alaw_encode(spoken)))]
    )


class Engines:
    def __init__(self, vosk: Recogniser) -> None:
        self.default = Recognition(Default())
        self.own = Recognition(vosk, timeout_s=60.0)
        self.default.start()
        self.own.start()

    async def hear(self, samples: Samples, own: Recognition | None = None) -> Recognised:
        attempt = Attempt(own or self.own, self.default, samples, "", final=False)
        attempt.promote()
        return await attempt.result()


@pytest.fixture
async def engines(vosk: Recogniser) -> AsyncIterator[Engines]:
    engines = Engines(vosk)
    yield engines
    await engines.own.close()
    await engines.default.close()


async def test_caller_of_the_dialect_is_heard_by_its_engine(
    engines: Engines, hello: Samples
) -> None:
    heard = await engines.hear(hello)
    assert heard.engine == "vosk"
    assert heard.engine_version.startswith("vosk-ko")
    assert all("가" <= letter <= "힣" for letter in heard.hypotheses[0].text)


async def test_default_hears_when_the_dialect_s_engine_fails(
    engines: Engines, vosk: Recogniser, hello: Samples, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> list[Hypothesis]:
        raise RecogniserError("no memory")

    monkeypatch.setattr(vosk, "recognise", fail)
    heard = await engines.hear(hello)
    assert (heard.engine, heard.hypotheses[0].text, heard.failure) == ("default", "听见了", "")
    monkeypatch.undo()
    assert (await engines.hear(hello)).engine == "vosk", "it is asked again for the next utterance"


async def test_default_hears_while_the_dialect_s_engine_hangs(
    engines: Engines, vosk: Recogniser, hello: Samples, monkeypatch: pytest.MonkeyPatch
) -> None:
    go = threading.Event()

    def hang(*_: object, **__: object) -> list[Hypothesis]:
        go.wait(20)
        return []

    monkeypatch.setattr(vosk, "recognise", hang)
    impatient = Recognition(vosk, timeout_s=0.1)
    impatient.start()
    assert (await engines.hear(hello, impatient)).engine == "default"
    assert impatient.stuck
    assert (await engines.hear(hello, impatient)).engine == "default"
    go.set()
    await impatient.close()
    assert not impatient.stuck, "and once it goes on, it is asked again"
