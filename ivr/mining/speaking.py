"""Speaks a corpus into a folder, several voices at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import lru_cache
from pathlib import Path

from audio.engines import make_kokoro
from audio.kokoro import KokoroSynthesiser
from audio.sound import write_wav

Job = tuple[Path, str, str, float]
"""A file, phonemes, a voice and its speed."""

_LOADED_WITH = "zf_xiaoxiao"
"""The model is loaded once, with any voice, and not again for each of many."""


@lru_cache(maxsize=1)
def _model(models_folder: Path) -> KokoroSynthesiser:
    return make_kokoro(_LOADED_WITH, models_folder, threads=1)


def _speak(file: Path, sounds: str, voice: str, speed: float, models_folder: Path) -> Path:
    speaker = _model(models_folder).speaking_as(voice)
    write_wav(file, speaker.pronounce(sounds, speed=speed))
    return file


def speak(jobs: Sequence[Job], models_folder: Path, processes: int) -> Iterator[Path]:
    """Gives each file when it is there. Raises SynthesiserError."""
    if not jobs:
        return
    with ProcessPoolExecutor(processes) as pool:
        yield from pool.map(_speak, *zip(*jobs, strict=True), [models_folder] * len(jobs))
