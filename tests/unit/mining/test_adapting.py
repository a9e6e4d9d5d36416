"""What an encoder learns of sounds that it was not made for."""

from __future__ import annotations

import sys
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest
from typer.testing import CliRunner

from audio import ctranslate, models
from audio.adapter import AdaptedEncoder, window
from audio.engines import make_recogniser
from audio.phones import PhoneHead
from audio.sound import to_samples, write_wav
from audio.whisper import WhisperRecogniser
from ivr.cli import app
from ivr.commands import mine as command
from ivr.config import load_settings
from ivr.mining.adapting import Lesson, adapt
from ivr.mining.encoder import Encoder
from ivr.mining.mine import Hearing, MiningError, Planned, adapted, on_the_line, sound_of
from ivr.mining.training import Utterance, fit

PHONES = ("_", "a", "k", "s", "u")
BANDS, DIMENSION = 80, 512


@pytest.fixture(scope="module")
def folder() -> Path:
    models.install("whisper-base", load_settings().models, report=lambda line: None)
    return models.require("whisper-base", load_settings().models)


def spoken(count: int, seed: int) -> list[tuple[Lesson, list[tuple[str, str]]]]:
    """Utterances in which each phone is a band of its own in a spectrogram, in noise."""
    chance = np.random.default_rng(seed)
    made = []
    for _ in range(count):
        syllables = [
            (str(chance.choice(["k", "s"])), str(chance.choice(["a", "u"]))) for _ in range(3)
        ]
        said = [0, *(PHONES.index(phone) for one in syllables for phone in one), 0]
        labels = np.repeat(said, [8, *chance.integers(4, 9, len(said) - 2), 8])
        mel = np.full((BANDS, window(len(labels))), -0.6, np.float32)
        mel += chance.normal(0, 0.1, mel.shape)
        for frame, phone in enumerate(labels):
            mel[12 * phone : 12 * phone + 6, 2 * frame : 2 * frame + 2] += 1.2 * (phone > 0)
        made.append((Lesson(mel.astype(np.float16), labels), syllables))
    return made


def ignorant(phones: tuple[str, ...]) -> PhoneHead:
    chance = np.random.default_rng(1)
    return PhoneHead(
        phones=np.asarray(phones),
        mean=np.zeros(DIMENSION, np.float32),
        scale=np.full(DIMENSION, 1.4, np.float32),
        context=np.asarray(1),
        hidden_weights=chance.normal(0, 0.03, (3 * DIMENSION, 32)).astype(np.float32),
        hidden_bias=np.zeros(32, np.float32),
        weights=chance.normal(0, 0.1, (32, len(phones))).astype(np.float32),
        bias=np.zeros(len(phones), np.float32),
        log_prior=np.log(np.full(len(phones), 1 / len(phones))).astype(np.float32),
        about=np.asarray("made up"),
    )


def test_encoder_is_the_recognisers_own(folder: Path) -> None:
    recogniser = make_recogniser("whisper", "whisper-base", folder.parent)
    assert isinstance(recogniser, WhisperRecogniser)
    chance = np.random.default_rng(3)
    samples = np.sin(np.cumsum(chance.uniform(0.2, 0.9, 12000))).astype(np.float32) * 0.4
    theirs, mel = recogniser.states(samples), recogniser.mel(samples)
    assert theirs is not None and mel is not None
    encoder = Encoder(ctranslate.read(folder / "model.bin"))
    arrays = {name: jnp.asarray(array) for name, array in encoder.arrays.items()}
    ours = np.asarray(encoder.states(arrays, jnp.asarray(mel[None]), 0))[0]
    assert np.corrcoef(ours[: len(theirs)].ravel(), theirs.ravel())[0, 1] > 0.99  # eight bits


def test_an_encoder_learns_to_hear_other_sounds(folder: Path) -> None:
    weights = ctranslate.read(folder / "model.bin")
    lessons = [[lesson] for lesson, _ in spoken(48, 1)]
    told: list[str] = []
    head = adapt(weights, ignorant(PHONES), lessons, seed=1, epochs=8, report=told.append)
    ear = AdaptedEncoder(folder, head.changes, threads=2)
    unheard = [
        Utterance(ear.states(np.asarray(lesson.mel, np.float32), len(lesson.labels)), syllables)
        for lesson, syllables in spoken(12, 2)
    ]
    assert set(head.changes) == {
        name for layer in range(2, 6) for name in Encoder(weights).matrices(layer)
    }
    assert fit(head, unheard).accuracy > 0.8


def test_encoder_and_head_are_taught_with_what_was_mined(folder: Path, tmp_path: Path) -> None:
    recogniser = make_recogniser("whisper", "whisper-base", folder.parent)
    assert isinstance(recogniser, WhisperRecogniser)
    chance = np.random.default_rng(4)
    hearings = []
    for number in range(3):
        saying = Planned(number, "mandarin", "", "", "", 1.0, (("k", "a"), ("s", "u")), "")
        spoken = (np.sin(np.cumsum(chance.uniform(0.2, 0.9, 12000))) * 9000).astype(np.int16)
        write_wav(sound_of(tmp_path, saying), spoken)
        lines = [on_the_line(to_samples(spoken), number, 1, line) for line in range(2)]
        states = [recogniser.states(line) for line in lines]
        hearings.append(Hearing(saying, (), tuple(s for s in states if s is not None)))
    before = ignorant(PHONES)
    head = adapted(before, hearings, tmp_path, recogniser, folder, 1, lambda line: None)
    assert len(head.changes) == 16
    assert all(np.abs(change.up).max() > 0 for change in head.changes.values())
    assert not np.array_equal(head.weights, before.weights)


def test_without_jax_it_is_said_how_to_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ivr.mining.adapting", None)
    with pytest.raises(MiningError, match="--no-adapt"):
        adapted(
            ignorant(PHONES), [], tmp_path, object.__new__(WhisperRecogniser), tmp_path, 1, print
        )
    monkeypatch.setenv("YIHU_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(command, "find_spec", lambda name: None)
    monkeypatch.setattr(
        command, "load_recogniser", lambda *given: object.__new__(WhisperRecogniser)
    )
    result = CliRunner().invoke(app, ["grammar", "mine", "--count", "1"])
    assert result.exit_code == 1
    assert "--no-adapt" in result.output
    assert not list(tmp_path.rglob("*.wav")), "hours of speaking come after"


def test_a_model_that_is_none_of_whispers_is_refused(folder: Path) -> None:
    weights = ctranslate.read(folder / "model.bin")
    eighth = {n: a.astype(np.int8) for n, a in weights.arrays.items()}
    other = ctranslate.Weights("TransformerSpec", 1, eighth, {})
    with pytest.raises(ValueError, match="no encoder of Whisper"):
        adapt(other, ignorant(PHONES), [], seed=1)
