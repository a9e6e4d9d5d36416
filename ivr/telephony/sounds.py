"""What the dialplan plays without the agent: a few spoken sentences and the music for waiting."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cn2an
import numpy as np
import yaml

from audio.sound import PROMPT_DB, PROMPT_PEAK_DB, levelled, to_speech, write_wav
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
COMPANY_GAP_S = 3.0
"""Silence after each sentence for somebody who waits for help: time to answer, and to listen."""


def write_sentences(folder: Path, speak: Callable[[str], Speech]) -> None:
    """Writes what sounds.yaml says as WAV files.

    speak: text to samples at the level of all prompts; its errors go to the caller.
    """
    texts = yaml.safe_load(TEXTS.read_text("utf-8"))
    for name, text in texts["sentences"].items():
        _write(folder / f"{name}.wav", speak(text))
    gap = np.zeros(round(COMPANY_GAP_S * RATE), np.int16)
    for index, text in enumerate(texts["company"], start=1):
        _write(folder / "company" / f"{index:02}.wav", np.concatenate([speak(text), gap]))
    for name, numbered in texts["numbered"].items():
        for number in range(1, numbered["most"] + 1):
            said = numbered.get("two") if number == 2 else None
            text = numbered["text"].format(said or cn2an.an2cn(number))
            _write(folder / name / f"{number}.wav", speak(text))


def _write(path: Path, speech: Speech) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_wav(path, speech)


def write_music(path: Path) -> None:
    """Writes the music for waiting: a slow tune as loud as the voice, then a second of silence."""
    notes = []
    for semitone, beats in MELODY:
        seconds = np.arange(int(beats * BEAT_SECONDS * RATE)) / RATE
        frequency = 220.0 * 2 ** (semitone / 12)
        tone = np.sin(2 * np.pi * frequency * seconds)
        tone += 0.3 * np.sin(4 * np.pi * frequency * seconds)
        attack = np.minimum(1.0, seconds / 0.02)  # no click at the start of a note
        release = np.minimum(1.0, (seconds[-1] - seconds) / 0.05)
        notes.append(tone * attack * release * np.exp(-1.6 * seconds))
    tune = np.concatenate([*notes, np.zeros(RATE)]).astype(np.float32)
    write_wav(path, to_speech(levelled(tune, PROMPT_DB, PROMPT_PEAK_DB)))
