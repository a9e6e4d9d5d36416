"""espeak-ng through pyttsx3: the voice that is always there, and plainly a machine's."""

from __future__ import annotations

import contextlib
import importlib.metadata
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

from audio.kokoro import for_telephone
from audio.sound import SoundError, read_wav
from audio.synthesiser import Speech, SynthesiserError

WORDS_A_MINUTE = 160
"""espeak-ng's rate at speed 1.0."""
MAX_SECONDS = 30.0
MANDARIN = "cmn"


class PyttsxSynthesiser:
    name = "pyttsx3"

    def __init__(self, voice: str = MANDARIN) -> None:
        """`voice` is one of espeak-ng's (cmn, yue, ko). Raises SynthesiserError."""
        import pyttsx3

        try:
            self._engine: Any = pyttsx3.init("espeak")
            self._engine.setProperty("voice", voice)
        except (RuntimeError, OSError, ImportError, ValueError, KeyError) as error:
            raise SynthesiserError(
                f"espeak-ng cannot be used ({error}): install it with `apt-get install espeak-ng`"
            ) from error
        self.voice = voice
        self.version = version()
        self._finished = threading.Event()
        self._engine.connect("finished-utterance", lambda **_: self._finished.set())

    def synthesise(self, text: str, *, speed: float) -> Speech:
        if not text.strip():
            raise SynthesiserError("there is nothing to say")
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "speech.wav"
            self._finished.clear()
            # pyttsx3 prints to standard output and comes back before espeak-ng has finished.
            with contextlib.redirect_stdout(sys.stderr):
                self._engine.setProperty("rate", round(WORDS_A_MINUTE * speed))
                self._engine.save_to_file(text, str(file))
                self._engine.runAndWait()
                if not self._finished.wait(MAX_SECONDS):
                    raise SynthesiserError(f"espeak-ng did not finish {text!r}")
            try:
                return for_telephone(read_wav(file))
            except SoundError as error:
                raise SynthesiserError(f"espeak-ng made no sound of {text!r}: {error}") from error


def version() -> str:
    return f"pyttsx3-{importlib.metadata.version('pyttsx3')}"
