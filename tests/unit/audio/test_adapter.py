"""A second encoder with changed weights, and the files in which weights are kept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from audio import ctranslate, models
from audio.adapter import AdaptedEncoder, Change, window
from audio.cache import PromptCache
from audio.engines import make_recogniser
from audio.phones import PhoneHead
from audio.recogniser import RecogniserError, Samples
from audio.synthesiser import Speech
from audio.whisper import WhisperRecogniser
from ivr.config import load_settings
from ivr.engine import SOUNDS

MATRIX = "encoder/layer_5/ffn/linear_1/weight"


@pytest.fixture(scope="module")
def folder(whisper: WhisperRecogniser) -> Path:
    return models.require("whisper-base", load_settings().models)


@pytest.fixture(scope="module")
def spoken(voice: PromptCache, on_the_line: Callable[[Speech], Samples]) -> Samples:
    return on_the_line(voice.make("请人来家里打扫卫生", speed=1.0))


def change(size: float) -> Change:
    chance = np.random.default_rng(1)
    up, down = chance.normal(0, size, (512, 4)), chance.normal(0, 0.1, (4, 2048))
    return Change(up.astype(np.float32), down.astype(np.float32))


def test_weights_are_written_as_they_were_read(folder: Path, tmp_path: Path) -> None:
    weights = ctranslate.read(folder / "model.bin")
    assert weights.spec == "WhisperSpec"
    ctranslate.write(tmp_path, weights, [], {})
    assert (tmp_path / "model.bin").read_bytes() == (folder / "model.bin").read_bytes()


@pytest.mark.parametrize("size", [0, 3, 5000])
def test_another_file_is_refused(folder: Path, tmp_path: Path, size: int) -> None:
    torn = tmp_path / "model.bin"
    torn.write_bytes((folder / "model.bin").read_bytes()[:size])
    with pytest.raises(ValueError, match=r"model\.bin is no model of CTranslate2"):
        ctranslate.read(torn)


def test_another_version_is_refused(folder: Path, tmp_path: Path) -> None:
    later = tmp_path / "model.bin"
    later.write_bytes(b"\x09" + (folder / "model.bin").read_bytes()[1:])
    with pytest.raises(ValueError, match="is of version 9"):
        ctranslate.read(later)


def test_it_hears_as_the_recogniser_does_until_something_is_changed(
    whisper: WhisperRecogniser, folder: Path, spoken: Samples
) -> None:
    own, mel = whisper.states(spoken), whisper.mel(spoken)
    assert own is not None and mel is not None

    def states(changes: dict[str, Change]) -> np.ndarray:
        return AdaptedEncoder(folder, changes, threads=1).states(mel, len(own))

    assert states({}).shape == own.shape
    assert np.corrcoef(states({}).ravel(), own.ravel())[0, 1] > 0.95  # a shorter window
    assert np.array_equal(states({}), states({MATRIX: change(0.0)}))
    assert np.abs(states({}) - states({MATRIX: change(0.1)})).max() > 0.1


def test_few_lengths_are_encoded_and_none_too_long() -> None:
    assert len({window(frames) for frames in range(1, 300)}) < 20
    assert all(2 * frames <= window(frames) <= 3000 for frames in range(1, 1501))
    assert window(1500) == 3000


def test_changes_for_another_model_are_refused(folder: Path) -> None:
    for name, one in (
        (MATRIX.replace("5", "9"), change(0.1)),
        (MATRIX.replace("1", "0"), change(0.1)),
    ):
        with pytest.raises(ValueError, match="has no encoder/layer_"):
            AdaptedEncoder(folder, {name: one}, threads=1)


def test_a_head_is_kept_with_its_changes_and_heard_with_them(
    folder: Path, tmp_path: Path, spoken: Samples
) -> None:
    learned = PhoneHead.load(SOUNDS / "whisper-base.npz")
    assert learned.changes, "what was mined hears dialects"
    heads = {
        "mined": learned,
        "plain": replace(learned, changes={}),
        "wrong": replace(learned, changes={"encoder/layer_9/ffn/linear_1/weight": change(0.1)}),
    }
    heard = {}
    for name, head in heads.items():
        (tmp_path / name).mkdir()
        head.save(tmp_path / name / "whisper-base.npz")
        if name == "wrong":
            with pytest.raises(RecogniserError, match="has no encoder/layer_9"):
                make_recogniser(
                    "whisper", "whisper-base", folder.parent, phones_folder=tmp_path / name
                )
            continue
        recogniser = make_recogniser(
            "whisper", "whisper-base", folder.parent, phones_folder=tmp_path / name
        )
        heard[name] = recogniser.recognise(spoken, question="您需要什么服务？")
    mined, plain = heard["mined"][0], heard["plain"][0]
    assert mined.text == plain.text, "the words are of the recogniser's own encoder"
    assert mined.sounds is not None and plain.sounds is not None
    assert mined.sounds.log_probs.shape == plain.sounds.log_probs.shape
    assert np.abs(mined.sounds.log_probs - plain.sounds.log_probs).max() > 1
