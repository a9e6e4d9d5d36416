"""What a telephone line and a room do to a voice."""

from __future__ import annotations

import numpy as np

from audio.recogniser import TELEPHONE_HZ, Samples
from audio.sound import alaw_decode, alaw_encode, resample, to_samples, to_speech

_PASSED_HZ = (250.0, 3500.0)
_NOISES = {"white": 0.0, "pink": 0.5, "brown": 1.0}
"""Kinds of noise, and the power of the frequency by which their amplitude falls."""


def other_speaker(samples: Samples, factor: float) -> Samples:
    """The voice of a head `factor` times as large: lower and slower above 1, within 0.8 to 1.25."""
    return resample(samples, TELEPHONE_HZ, round(TELEPHONE_HZ * factor))


def noise(count: int, kind: str, chance: np.random.Generator) -> Samples:
    """Noise of an RMS of 1."""
    spectrum = np.fft.rfft(chance.standard_normal(count))
    spectrum /= (np.arange(len(spectrum)) + 1.0) ** _NOISES[kind]
    sound = np.fft.irfft(spectrum, count)
    return np.asarray(sound / max(1e-9, float(sound.std())), np.float32)


def telephoned(
    samples: Samples, *, snr_db: float | None, peak: float, chance: np.random.Generator
) -> Samples:
    """A voice as it comes out of the line: band-limited, with noise, through A-law.

    100 to 400 ms of the room stand before it and 300 ms after it. Nothing is added for an
    `snr_db` of None.
    """
    loudest = max(1e-6, float(np.abs(samples).max()))
    before = int(chance.integers(800, 3200))
    sound = np.concatenate([np.zeros(before), samples / loudest * peak, np.zeros(2400)])
    spectrum = np.fft.rfft(sound)
    at_hz = np.fft.rfftfreq(len(sound), 1 / TELEPHONE_HZ)
    spectrum[(at_hz < _PASSED_HZ[0]) | (at_hz > _PASSED_HZ[1])] = 0
    sound = np.fft.irfft(spectrum, len(sound))
    if snr_db is not None:
        level = float(np.sqrt(np.mean(sound**2))) * 10 ** (-snr_db / 20)
        sound = sound + level * noise(len(sound), str(chance.choice(list(_NOISES))), chance)
    return to_samples(alaw_decode(alaw_encode(to_speech(np.asarray(sound, np.float32)))))
