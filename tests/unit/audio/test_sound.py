"""Sound files, telephone coding, levels."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np
import pytest

from audio.sound import (
    ALAW_VALUES,
    Doubler,
    SoundError,
    alaw_decode,
    alaw_encode,
    high_passed,
    levelled,
    read_wav,
    rms_db,
    slowed,
    speech_edges,
    to_samples,
    to_speech,
    write_wav,
)


def tone(hz: float, seconds: float, rate: int = 8000) -> np.ndarray:
    at = np.arange(int(rate * seconds)) / rate
    return (0.3 * np.sin(2 * np.pi * hz * at)).astype(np.float32)


def test_telephone_coding_gives_back_every_code() -> None:
    codes = np.arange(256).astype(np.uint8)
    assert (alaw_encode(alaw_decode(codes)) == codes).all()
    assert ALAW_VALUES[0xD5] == 8 and ALAW_VALUES[0x55] == -8  # G.711's smallest values
    assert ALAW_VALUES.max() == 32256


def test_telephone_coding_keeps_speech_close() -> None:
    speech = to_speech(tone(440, 0.5))
    error = to_samples(alaw_decode(alaw_encode(speech))) - to_samples(speech)
    assert rms_db(error) < rms_db(to_samples(speech)) - 30


def test_wav_file_comes_back_as_it_was_written(tmp_path: Path) -> None:
    speech = to_speech(tone(440, 0.5))
    write_wav(tmp_path / "a.wav", speech)
    assert (to_speech(read_wav(tmp_path / "a.wav")) == speech).all()
    assert [path.name for path in tmp_path.iterdir()] == ["a.wav"]


def test_stereo_file_at_another_rate_becomes_telephone_sound(tmp_path: Path) -> None:
    left = to_speech(tone(440, 1.0, 44100))
    with wave.open(str(tmp_path / "a.wav"), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(44100)
        file.writeframes(np.stack([left, left], axis=1).astype("<i2").tobytes())
    samples = read_wav(tmp_path / "a.wav")
    assert len(samples) == 8000
    assert rms_db(samples) == pytest.approx(rms_db(tone(440, 1.0)), abs=0.2)


@pytest.mark.parametrize("data", [b"", b"RIFF", b"no sound at all" * 100])
def test_file_that_is_no_sound_is_named(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a.wav").write_bytes(data)
    with pytest.raises(SoundError, match=r"a\.wav is no sound file"):
        read_wav(tmp_path / "a.wav")


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SoundError, match=r"no file .*b\.wav"):
        read_wav(tmp_path / "b.wav")
    with pytest.raises(SoundError, match="cannot be read"):
        read_wav(tmp_path)


def test_edges_of_speech_in_line_noise_are_found() -> None:
    noise = np.random.default_rng(1).normal(0, 0.004, 8000).astype(np.float32)
    start, end = speech_edges(
        np.concatenate([noise, tone(300, 0.5), noise]), margin_ms=100, below_peak_db=26
    )
    assert 7000 <= start <= 7300
    assert 12700 <= end <= 13000


def test_quiet_and_loud_callers_are_brought_to_one_level() -> None:
    for gain in (0.01, 0.3, 3.0):
        sound = levelled(np.clip(tone(300, 1.0) * gain, -1, 1), level_db=-20, peak_db=-3)
        assert rms_db(sound) == pytest.approx(-20, abs=0.3)


def test_mains_hum_is_taken_away_and_speech_is_not() -> None:
    assert rms_db(high_passed(tone(50, 1.0), 160)) < -60
    assert rms_db(high_passed(tone(300, 1.0), 160)) == pytest.approx(
        rms_db(tone(300, 1.0)), abs=0.1
    )


def test_sound_doubled_piece_by_piece_equals_sound_doubled_at_once() -> None:
    sound = tone(1000, 0.4)
    whole = Doubler()(sound)
    pieces = Doubler()
    joined = np.concatenate([pieces(sound[at : at + 160]) for at in range(0, len(sound), 160)])
    assert np.allclose(joined, whole, atol=1e-6)
    assert rms_db(whole[200:]) == pytest.approx(rms_db(sound), abs=0.2)


@pytest.mark.parametrize("hz", [110, 210, 1300])
def test_slowed_sound_lasts_longer_as_high_and_as_loud(hz: int) -> None:
    sound = to_speech(tone(hz, 2.0))
    slow = slowed(sound, 1.2)
    assert len(slow) == 19200
    middle = slow[2000:-2000].astype(np.float64)
    spectrum = np.abs(np.fft.rfft(middle * np.hanning(len(middle))))
    assert abs(spectrum.argmax() * 8000 / len(middle) - hz) < 3
    assert abs(rms_db(to_samples(slow)) - rms_db(to_samples(sound))) < 1
    assert len(slowed(sound[:100], 1.2)) == 120
    assert len(slowed(sound[:0], 1.2)) == 0
