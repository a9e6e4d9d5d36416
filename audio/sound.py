"""Sound files, telephone coding, levels. Everything inside is mono 8000 Hz unless it says so."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np
import soxr
from numpy.typing import NDArray

from audio.files import whole
from audio.recogniser import TELEPHONE_HZ, Samples
from audio.synthesiser import Speech

_FULL = 32768.0
PROMPT_DB = -20.0
"""Level of everything the agent says, below full scale; loud enough for bad ears and lines."""
PROMPT_PEAK_DB = -3.0
MIN_SPEECH_S = 0.12
"""Anything shorter is a click."""
PIECE, HOP, SEEK = 400, 200, 120
"""Samples of WSOLA's pieces, between their beginnings, and by which one may be shifted."""
_FADE = np.hanning(PIECE + 1)[:-1].astype(np.float32)


class SoundError(Exception):
    """A sound file cannot be read; says which and why."""


def to_samples(speech: Speech) -> Samples:
    """16-bit to float in [-1, 1)."""
    return np.asarray(speech / np.float32(_FULL), np.float32)


def to_speech(samples: Samples) -> Speech:
    """Float to 16-bit; what is out of range is clipped."""
    return np.asarray(np.clip(np.rint(samples * _FULL), -_FULL, _FULL - 1), np.int16)


def resample(samples: Samples, from_hz: int, to_hz: int) -> Samples:
    if from_hz == to_hz or not len(samples):
        return samples
    return np.asarray(soxr.resample(samples, from_hz, to_hz), np.float32)


class Doubler:
    """8000 to 16000 Hz as the sound arrives: twice as many samples at once, 1 ms late."""

    TAPS = 31

    def __init__(self) -> None:
        n = np.arange(self.TAPS) - self.TAPS // 2
        taps = np.sinc(n / 2) * np.hamming(self.TAPS)
        self._low_pass = np.asarray(2 * taps / taps.sum(), np.float32)
        self._past = np.zeros(self.TAPS - 1, np.float32)

    def __call__(self, samples: Samples) -> Samples:
        # A zero between samples, then the low pass fills them in.
        stretched = np.zeros(len(self._past) + 2 * len(samples), np.float32)
        stretched[: len(self._past)] = self._past
        stretched[len(self._past) :: 2] = samples
        self._past = stretched[-len(self._past) :]
        return np.convolve(stretched, self._low_pass, "valid")


def read_wav(path: Path) -> Samples:
    """Reads a sound file of any rate and number of channels.

    16-bit WAV is read directly, everything else through PyAV (MP3, M4A, A-law WAV). Raises
    SoundError.
    """
    try:
        with wave.open(str(path), "rb") as file:
            rate, channels, width = file.getframerate(), file.getnchannels(), file.getsampwidth()
            data = file.readframes(file.getnframes())
    except FileNotFoundError as error:
        raise SoundError(f"there is no file {path}") from error
    except OSError as error:
        raise SoundError(f"{path} cannot be read: {error.strerror}") from error
    except (wave.Error, EOFError):
        return _decoded(path)
    if width != 2:
        return _decoded(path)
    whole = np.frombuffer(data[: len(data) // (2 * channels) * 2 * channels], "<i2")
    return resample(to_samples(whole).reshape(-1, channels).mean(axis=1), rate, TELEPHONE_HZ)


def _decoded(path: Path) -> Samples:
    import av
    from faster_whisper.audio import decode_audio

    try:
        return np.asarray(decode_audio(str(path), sampling_rate=TELEPHONE_HZ), np.float32)
    except (av.error.FFmpegError, IndexError) as error:
        raise SoundError(f"{path} is no sound file: give a WAV, MP3 or M4A file") from error


def write_wav(path: Path, speech: Speech, channels: int = 1, mode: int = 0o666) -> None:
    """Writes 16-bit 8000 Hz, whole or not at all; `mode` is what the umask is taken from.

    Two-channel sound is interleaved: shape (frames * 2,).
    """
    with whole(path, mode) as data, wave.open(data, "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(TELEPHONE_HZ)
        file.writeframes(speech.astype("<i2").tobytes())


def _alaw_table() -> Speech:
    """ITU-T G.711 A-law: the 16-bit value of each of the 256 codes."""
    code = np.arange(256) ^ 0x55
    exponent, mantissa = (code >> 4) & 7, code & 15
    value = np.where(
        exponent == 0, (mantissa << 4) + 8, ((mantissa << 4) + 0x108) << np.maximum(exponent - 1, 0)
    )
    return np.where(code & 0x80, value, -value).astype(np.int16)


ALAW_VALUES = _alaw_table()
_ALAW_ORDER = np.argsort(ALAW_VALUES, kind="stable")
_ALAW_MIDDLES = (
    ALAW_VALUES[_ALAW_ORDER][:-1].astype(np.int32) + ALAW_VALUES[_ALAW_ORDER][1:]
) / 2.0


def alaw_decode(codes: NDArray[np.uint8]) -> Speech:
    return ALAW_VALUES[codes]


def alaw_encode(speech: Speech) -> NDArray[np.uint8]:
    """The code whose value is nearest to each sample."""
    return _ALAW_ORDER[np.searchsorted(_ALAW_MIDDLES, speech)].astype(np.uint8)


def rms_db(samples: Samples) -> float:
    """Level in dB below full scale; -120 for silence."""
    if not len(samples):
        return -120.0
    return float(20 * np.log10(max(1e-6, float(np.sqrt(np.mean(np.square(samples)))))))


def frame_levels(samples: Samples, frame_ms: int = 20) -> NDArray[np.float64]:
    """dB of each whole frame; one frame at least."""
    size = TELEPHONE_HZ * frame_ms // 1000
    whole = max(1, len(samples) // size)
    padded = np.pad(samples, (0, max(0, whole * size - len(samples))))[: whole * size]
    power = np.mean(np.square(padded.reshape(whole, size), dtype=np.float64), axis=1)
    return np.asarray(10 * np.log10(power + 1e-12))


def speech_edges(samples: Samples, margin_ms: int, below_peak_db: float) -> tuple[int, int]:
    """First and last sample of the part that is louder than its loudest frames minus a distance.

    The threshold never sinks into a steady noise floor. `margin_ms` is kept on either side.
    """
    levels = frame_levels(samples)
    floor, top = np.percentile(levels, (10, 98))
    loud = np.flatnonzero(levels > max(top - below_peak_db, min(floor + 4, top - 6)))
    size, margin = TELEPHONE_HZ // 50, TELEPHONE_HZ * margin_ms // 1000
    if not len(loud):
        return 0, len(samples)
    return (
        max(0, int(loud[0]) * size - margin),
        min(len(samples), (int(loud[-1]) + 1) * size + margin),
    )


def levelled(samples: Samples, level_db: float, peak_db: float) -> Samples:
    """Brings speech to a level measured over its louder frames, without going over the peak.

    Pauses do not count, so that a sentence with pauses is not made louder than one without.
    """
    levels = frame_levels(samples)
    spoken = levels[levels > levels.max() - 25]
    level = 10 * np.log10(np.mean(10 ** (spoken / 10)))
    peak = float(np.abs(samples).max(initial=1e-6))
    gain = min(10 ** ((level_db - level) / 20), 10 ** (peak_db / 20) / peak)
    return np.asarray(samples * np.float32(gain), np.float32)


def high_passed(samples: Samples, corner_hz: float) -> Samples:
    """Takes away hum and rumble below the telephone band; raised-cosine slope of an octave."""
    spectrum = np.fft.rfft(samples)
    hz = np.fft.rfftfreq(len(samples), 1 / TELEPHONE_HZ)
    slope = np.clip((hz - corner_hz / 2) / (corner_hz / 2), 0, 1)
    spectrum *= (1 - np.cos(np.pi * slope)) / 2
    return np.fft.irfft(spectrum, len(samples)).astype(np.float32)


def spoken_part(samples: Samples) -> Samples | None:
    """What a recogniser is given of an utterance; None when nothing was said.

    Hum is taken away, what lies before and after the speech is cut (leading noise makes engines
    invent syllables), and the level is always the same.
    """
    if len(samples) < MIN_SPEECH_S * TELEPHONE_HZ or not np.any(samples):
        return None
    clean = high_passed(np.asarray(samples, np.float32), 160.0)
    start, end = speech_edges(clean, margin_ms=200, below_peak_db=26.0)
    return levelled(clean[start:end], level_db=-20.0, peak_db=-1.0)


def slowed(speech: Speech, factor: float) -> Speech:
    """The same speech, lasting `factor` times as long at the same pitch; shape (n,), 8000 Hz.

    WSOLA (Verhelst and Roelands, 1993): pieces of 50 ms are laid one over the other further apart
    than they were, each taken from where it goes on best from the one before. 2 ms of work for a
    second of speech.
    """
    padded = np.pad(speech.astype(np.float32), (SEEK, PIECE + 2 * SEEK + 2 * HOP))
    length = round(len(speech) * factor)
    made = np.zeros(length + 2 * PIECE, np.float32)
    at = SEEK
    for start in range(0, length, HOP):
        if start:
            goes_on = padded[at + HOP : at + HOP + PIECE]
            first = min(round(start / factor), len(speech))
            alike = np.correlate(padded[first : first + PIECE + 2 * SEEK], goes_on, "valid")
            at = first + int(alike.argmax())
        made[start : start + PIECE] += _FADE * padded[at : at + PIECE]
    return np.clip(made[:length], -32768, 32767).astype(np.int16)


def for_telephone(samples: Samples) -> Speech:
    """Edges trimmed, one steady level, and a soft start and end so that joins do not click."""
    start, end = speech_edges(samples, margin_ms=40, below_peak_db=40.0)
    sound = levelled(samples[start:end], PROMPT_DB, PROMPT_PEAK_DB)
    fade = min(len(sound) // 2, TELEPHONE_HZ // 100)
    ramp = np.linspace(0, 1, fade, dtype=np.float32)
    sound[:fade] *= ramp
    sound[len(sound) - fade :] *= ramp[::-1]
    return to_speech(sound)
