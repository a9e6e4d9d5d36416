"""The engine a site has chosen, by name. The only place that knows all of them."""

from __future__ import annotations

from pathlib import Path

from audio import kokoro, models, pyttsx
from audio.cache import PromptCache
from audio.phones import PhoneHead
from audio.recogniser import Recogniser, RecogniserError
from audio.synthesiser import Synthesiser, SynthesiserError


def make_recogniser(
    engine: str,
    model: str,
    models_folder: Path,
    *,
    threads: int = 2,
    beam: int = 5,
    phones_folder: Path | None = None,
) -> Recogniser:
    """Loads a recogniser; `model` is a name of `yihu models list` or a folder.

    `phones_folder` holds what reads single sounds from a model's encoder, one file a model.
    Takes a second or two and the memory of the model. Raises RecogniserError.
    """
    try:
        folder = models.require(model, models_folder)
    except models.ModelError as error:
        raise RecogniserError(str(error)) from error
    if engine == "whisper":
        from audio.whisper import WhisperRecogniser

        phones = _phone_head(phones_folder, model)
        return WhisperRecogniser(folder, threads=threads, beam=beam, phones=phones)
    if engine == "vosk":
        from audio.vosk import VoskRecogniser

        return VoskRecogniser(folder)
    if engine == "sherpa-onnx":
        from audio.sherpa import SherpaRecogniser

        return SherpaRecogniser(folder, threads=threads)
    raise RecogniserError(f"there is no recogniser {engine!r}: whisper, vosk or sherpa-onnx")


def _phone_head(folder: Path | None, model: str) -> PhoneHead | None:
    path = folder / f"{Path(model).name}.npz" if folder else None
    if path is None or not path.exists():
        return None  # a model that nobody has mined: it hears words only
    try:
        return PhoneHead.load(path)
    except (OSError, ValueError) as error:
        raise RecogniserError(f"{path}: {error}; `yihu grammar mine` makes it anew") from error


def make_synthesiser(
    engine: str, voice: str, models_folder: Path, *, threads: int = 2
) -> Synthesiser:
    """Loads a voice. Raises SynthesiserError."""
    if engine == "kokoro":
        return make_kokoro(voice, models_folder, threads=threads)
    if engine == "pyttsx3":
        return pyttsx.PyttsxSynthesiser(_espeak_voice(voice))
    raise SynthesiserError(f"there is no voice engine {engine!r}: kokoro or pyttsx3")


def make_kokoro(voice: str, models_folder: Path, *, threads: int) -> kokoro.KokoroSynthesiser:
    """Loads a voice of Kokoro. Raises SynthesiserError."""
    try:
        folder = models.require("kokoro", models_folder)
    except models.ModelError as error:
        raise SynthesiserError(str(error)) from error
    return kokoro.KokoroSynthesiser(folder, voice=voice, threads=threads)


def make_cache(
    engine: str, voice: str, models_folder: Path, cache_folder: Path, *, threads: int = 2
) -> PromptCache:
    """Spoken prompts of one voice; the voice is loaded when the first missing one is made."""
    version = pyttsx.version() if engine == "pyttsx3" else kokoro.version()
    spoken = _espeak_voice(voice) if engine == "pyttsx3" else voice
    return PromptCache(
        cache_folder / "prompts",
        f"{engine}/{spoken}/{version}",
        lambda: make_synthesiser(engine, voice, models_folder, threads=threads).synthesise,
    )


def make_phoneme_cache(
    voice: str, models_folder: Path, cache_folder: Path, *, threads: int = 2
) -> PromptCache:
    """Like make_cache, for phonemes of Kokoro's alphabet in place of texts."""
    return PromptCache(
        cache_folder / "prompts",
        f"kokoro-phonemes/{voice}/{kokoro.version()}",
        lambda: make_kokoro(voice, models_folder, threads=threads).pronounce,
    )


def _espeak_voice(voice: str) -> str:
    """A site that falls back to espeak-ng keeps its Kokoro voice in the settings."""
    return pyttsx.MANDARIN if voice[:3] in ("zf_", "zm_") else voice
