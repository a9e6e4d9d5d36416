"""Kokoro-82M: the voice of the prompts. Made at 24 kHz, given as telephone speech."""

from __future__ import annotations

import copy
import hashlib
import importlib.metadata
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from audio.pronunciation import lexicon, phonemes
from audio.recogniser import TELEPHONE_HZ
from audio.sound import for_telephone, resample
from audio.synthesiser import Speech, SynthesiserError

_REVISION = 1
"""Counted up when this file or pronunciation.py changes what is heard."""
SPEAKERS = "kokoro-speakers"
"""The model, beside the other, with voices that only mining needs."""


class KokoroSynthesiser:
    name = "kokoro"

    def __init__(self, folder: Path, *, voice: str = "zf_xiaoxiao", threads: int = 2) -> None:
        """Loads model and voice from a folder of `yihu models`. Raises SynthesiserError.

        Voices joined by "+" are one voice between them.
        """
        import onnxruntime
        from kokoro_onnx import Kokoro

        style = _style(folder, voice)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        # Waiting threads must not spin: the same cores answer calls meanwhile.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        model = next(folder.glob("*.onnx"))
        try:
            session = onnxruntime.InferenceSession(
                str(model), options, providers=["CPUExecutionProvider"]
            )
            with tempfile.NamedTemporaryFile(suffix=".npz") as voices_file:
                # kokoro-onnx reads voices from a file only; it is not used after this
                np.savez(voices_file, style)
                voices_file.flush()
                self._kokoro = Kokoro.from_session(session, voices_file.name)
        except Exception as error:  # onnxruntime's errors have no common base class of their own
            raise SynthesiserError(
                f"{model} cannot be loaded ({error}): run `yihu models verify`"
            ) from error
        self._folder = folder
        self._style = style
        self.voice = voice
        self.version = version()

    def speaking_as(self, voice: str) -> KokoroSynthesiser:
        """Another voice of the same model in memory. Raises SynthesiserError."""
        other = copy.copy(self)
        other._style, other.voice = _style(self._folder, voice), voice
        return other

    def synthesise(self, text: str, *, speed: float) -> Speech:
        sounds = phonemes(text)
        if not sounds:
            raise SynthesiserError(f"there is nothing to say in {text!r}")
        return self.pronounce(sounds, speed=speed)

    def pronounce(self, sounds: str, *, speed: float) -> Speech:
        """Speaks phonemes of Kokoro's alphabet. Raises SynthesiserError."""
        try:
            audio, rate = self._kokoro.create(
                sounds, voice=self._style, speed=speed, is_phonemes=True
            )
        except (ValueError, IndexError, AssertionError) as error:
            raise SynthesiserError(f"{sounds!r} cannot be spoken: {error}") from error
        return for_telephone(resample(np.asarray(audio, np.float32), rate, TELEPHONE_HZ))


def _style(folder: Path, voice: str) -> NDArray[np.float32]:
    """What makes a voice, for each number of phonemes: shape (phonemes, 1, 256)."""
    places = (folder / "voices", folder.parent / SPEAKERS / "voices")
    files = {path.stem: path for place in places for path in sorted(place.glob("*.bin"))}
    styles = []
    for name in voice.split("+"):
        if name not in files:
            raise SynthesiserError(
                f"there is no voice {name}: choose one of {', '.join(files)}"
                + ("" if places[1].exists() else f", or first `yihu models install {SPEAKERS}`")
            )
        styles.append(np.fromfile(files[name], np.float32).reshape(-1, 1, 256))
    return np.mean(styles, axis=0, dtype=np.float32)


def version() -> str:
    """Changes with everything but text, voice and speed that changes the sound."""
    readings = hashlib.sha256(repr(sorted(lexicon().items())).encode()).hexdigest()[:8]
    return (
        f"v1.0-int8/kokoro-onnx-{importlib.metadata.version('kokoro-onnx')}/{readings}/{_REVISION}"
    )
