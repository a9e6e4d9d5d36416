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


@lru_cache(maxsize=16)
def _voice(name: str, models_folder: Path) -> KokoroSynthesiser:
    return make_kokoro(name, models_folder, threads=1)


def _speak(file: Path, sounds: str, voice: str, speed: float, models_folder: Path) -> Path:
    write_wav(file, _voice(voice, models_folder).pronounce(sounds, speed=speed))
    return file


def speak(jobs: Sequence[Job], models_folder: Path, processes: int) -> Iterator[Path]:
    """Gives each file when it is there. Raises SynthesiserError."""
    if not jobs:
        return
    with ProcessPoolExecutor(processes) as pool:
        yield from pool.map(_speak, *zip(*jobs, strict=True), [models_folder] * len(jobs))
