"""The engine a site has chosen, by name. The only place that knows all of them."""

from __future__ import annotations

from pathlib import Path

from audio import models
from audio.recogniser import Recogniser, RecogniserError
from audio.synthesiser import Synthesiser, SynthesiserError


def make_recogniser(
    engine: str, model: str, models_folder: Path, *, threads: int = 2, beam: int = 5
) -> Recogniser:
    """Loads a recogniser; `model` is a name of `yihu models list` or a folder.

    Takes a second or two and the memory of the model. Raises RecogniserError.
    """
    try:
        folder = models.require(model, models_folder)
    except models.ModelError as error:
        raise RecogniserError(str(error)) from error
    recogniser: Recogniser
    if engine == "whisper":
        from audio.whisper import WhisperRecogniser

        return WhisperRecogniser(folder, threads=threads, beam=beam)
    if engine == "vosk":
        from audio.vosk import VoskRecogniser

        return VoskRecogniser(folder)
    if engine == "sherpa-onnx":
        from audio.sherpa import SherpaRecogniser

        return SherpaRecogniser(folder, threads=threads, beam=beam)
    raise RecogniserError(f"there is no recogniser {engine!r}: whisper, vosk or sherpa-onnx")


def make_synthesiser(
    engine: str, voice: str, models_folder: Path, *, threads: int = 2
) -> Synthesiser:
    """Loads a voice. Raises SynthesiserError."""
    if engine == "kokoro":
        from audio.kokoro import KokoroSynthesiser

        try:
            folder = models.require("kokoro", models_folder)
        except models.ModelError as error:
            raise SynthesiserError(str(error)) from error
        return KokoroSynthesiser(folder, voice=voice, threads=threads)
    if engine == "pyttsx3":
        from audio.espeak import EspeakSynthesiser

        return EspeakSynthesiser(voice)
    raise SynthesiserError(f"there is no voice engine {engine!r}: kokoro or pyttsx3")
