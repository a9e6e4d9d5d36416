"""What the dialplan plays without the agent: a few spoken sentences and the music for waiting."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import yaml

from audio.sound import write_wav
from audio.synthesiser import Speech
from ivr.config import ROOT

TEXTS = ROOT / "dialplans" / "sounds.yaml"
RATE = 8000

MELODY = (
    (0, 2), (4, 1), (7, 1), (9, 2), (7, 2), (4, 2), (2, 1), (4, 1), (0, 4),
    (2, 2), (4, 1), (7, 1), (12, 2), (9, 2), (7, 1), (4, 1), (2, 2), (0, 4),
)  # fmt: skip
"""Semitones above A3 and lengths in beats: pentatonic, slow, nothing above 900 Hz."""
BEAT_SECONDS = 0.55


def write_sentences(folder: Path, speak: Callable[[str], Speech]) -> None:
    """Writes every sentence of sounds.yaml as NAME.wav.

    speak: text to samples; its errors go to the caller.
    """
    texts: dict[str, str] = yaml.safe_load(TEXTS.read_text("utf-8"))
    for name, text in texts.items():
        write_wav(folder / f"{name}.wav", speak(text))


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
