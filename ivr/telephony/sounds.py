"""What the dialplan plays without the agent: a few spoken sentences and the music for waiting."""

from __future__ import annotations

import json
import os
import wave
from collections.abc import Callable
from pathlib import Path

import numpy as np
import yaml
from numpy.typing import NDArray

from ivr.config import ROOT

TEXTS = ROOT / "dialplans" / "sounds.yaml"
RATE = 8000

Speech = NDArray[np.int16]
"""Mono, shape (n,), 8000 Hz, 16-bit."""

MELODY = (
    (0, 2), (4, 1), (7, 1), (9, 2), (7, 2), (4, 2), (2, 1), (4, 1), (0, 4),
    (2, 2), (4, 1), (7, 1), (12, 2), (9, 2), (7, 1), (4, 1), (2, 2), (0, 4),
)  # fmt: skip
"""Semitones above A3 and lengths in beats: pentatonic, slow, nothing above 900 Hz."""
BEAT_SECONDS = 0.55


def write_sounds(
    folder: Path, voice: str, speak: Callable[[str], Speech], report: Callable[[str], None]
) -> None:
    """Writes every sentence of sounds.yaml as NAME.wav, if it is not there from this voice already.

    voice: whatever makes the sound of a text differ (engine, version, voice, speed).
    speak: text to samples; its errors go to the caller, with the finished sentences kept.
    """
    texts: dict[str, str] = yaml.safe_load(TEXTS.read_text("utf-8"))
    made_from = folder / "made-from.json"
    made: dict[str, str] = json.loads(made_from.read_text()) if made_from.exists() else {}
    for name, text in texts.items():
        source = f"{voice}: {text}"
        path = folder / f"{name}.wav"
        if made.get(name) == source and path.exists():
            continue
        report(f"speaking {name}")
        write_wav(path, speak(text))
        made[name] = source
        _replace(made_from, json.dumps(made, ensure_ascii=False, indent=1).encode())


def write_music(path: Path) -> None:
    """Writes the music for waiting: a quiet slow tune, then a second of silence."""
    notes = []
    for semitone, beats in MELODY:
        seconds = np.arange(int(beats * BEAT_SECONDS * RATE)) / RATE
        frequency = 220.0 * 2 ** (semitone / 12)
        tone = np.sin(2 * np.pi * frequency * seconds)
        tone += 0.3 * np.sin(4 * np.pi * frequency * seconds)
        attack = np.minimum(1.0, seconds / 0.02)  # no click at the start of a note
        release = np.minimum(1.0, (seconds[-1] - seconds) / 0.05)
        notes.append(tone * attack * release * np.exp(-1.6 * seconds))
    tune = np.concatenate([*notes, np.zeros(RATE)])
    write_wav(path, (tune * 4500).astype(np.int16))


def write_wav(path: Path, samples: Speech) -> None:
    """Writes 8 kHz samples so that a reader never sees half a file."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with wave.open(str(temporary), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(samples.astype("<i2").tobytes())
    temporary.replace(path)


def _replace(path: Path, content: bytes) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_bytes(content)
    temporary.replace(path)
