"""The adapter on a real model: Korean, because no Chinese one can be had everywhere."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from audio.pyttsx import PyttsxSynthesiser
from audio.recogniser import RecogniserError, Samples
from audio.synthesiser import Speech
from audio.vosk import VoskRecogniser

HOSPITAL, HELLO = "병원에 가고 싶어요", "안녕하세요"
PHRASES = [HOSPITAL, HELLO, "도시락", "수리"]


@pytest.fixture(autouse=True)
def same_dither() -> None:
    """Kaldi adds a little noise to what it hears, drawn with the C library's random numbers: what
    a test hears must not depend on the tests before it."""
    ctypes.CDLL(None).srand(1)


@pytest.fixture(scope="module")
def spoken(
    korean: PyttsxSynthesiser, on_the_line: Callable[[Speech], Samples]
) -> dict[str, Samples]:
    lead = np.zeros(1600, np.float32)
    return {
        phrase: np.concatenate([lead, on_the_line(korean.synthesise(phrase, speed=0.8))])
        for phrase in (HOSPITAL, HELLO)
    }


@pytest.mark.parametrize("phrase", [HOSPITAL, HELLO])
def test_phrase_of_the_runtime_grammar_is_heard(
    vosk: VoskRecogniser, spoken: dict[str, Samples], phrase: str
) -> None:
    stream = vosk.stream(PHRASES)
    stream.accept(spoken[phrase])
    assert stream.finish()[0].text == phrase.replace(" ", "")


def test_text_grows_while_the_caller_speaks(
    vosk: VoskRecogniser, spoken: dict[str, Samples]
) -> None:
    sound = spoken[HOSPITAL]
    stream = vosk.stream(PHRASES)
    partial = [stream.accept(sound[at : at + 1600]) for at in range(0, len(sound), 1600)]
    assert partial[0] == ""
    assert "병원에" in partial[len(partial) // 2 :][0] or "병원에" in partial[-1]


def test_without_grammar_there_are_alternatives_best_first(
    vosk: VoskRecogniser, spoken: dict[str, Samples]
) -> None:
    found = vosk.recognise(spoken[HELLO], n_best=3)
    assert 1 < len(found) <= 3
    assert [h.score for h in found] == sorted((h.score for h in found), reverse=True)
    assert found[0].score == 0


def test_silence_gives_no_text(vosk: VoskRecogniser) -> None:
    assert vosk.recognise(np.zeros(8000, np.float32)) == []


def test_phrases_are_cut_into_words_the_model_knows(vosk: VoskRecogniser) -> None:
    assert vosk._words("청소를 부탁합니다") == "청소를 부탁 합니다"
    assert vosk._words("理发") == ""
    with pytest.raises(RecogniserError, match="knows no word"):
        vosk.stream(["理发"])


def test_folder_without_a_model_says_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(RecogniserError, match=r"final\.mdl is missing"):
        VoskRecogniser(tmp_path)
