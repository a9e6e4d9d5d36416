"""Sound of people goes when its time is over, and not before."""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath
from uuid import uuid4

import pytest

from ivr.config import RecordingSettings, Settings
from ivr.recordings import DAY_S, call_recording, delete_old, kept_turns, turn_sound
from ivr.telephony.pbx import Place

NOW = 1_800_000_000.0


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path, recording=RecordingSettings(turns_days=7, calls_days=30))


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(None, PurePosixPath(tmp_path / "asterisk"), "", "", None, None)


def written(path: Path, days_ago: float) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"sound")
    os.utime(path, (NOW - days_ago * DAY_S,) * 2)
    return path


def test_sound_is_deleted_when_its_days_are_over(settings: Settings, place: Place) -> None:
    old, new = uuid4(), uuid4()
    written(turn_sound(settings, old, 1), 8)
    kept = [
        written(turn_sound(settings, new, 2), 6),
        written(call_recording(place, new), 29),
        written(settings.recordings / f"{old}-5.wav", 400),  # the voice note of an order
    ]
    gone = written(call_recording(place, old), 31)
    assert delete_old(settings, place, NOW) == 2
    assert all(path.exists() for path in kept)
    assert not gone.exists()
    assert not turn_sound(settings, old, 1).parent.exists()
    assert kept_turns(settings, new) == {2}
    assert kept_turns(settings, old) == frozenset()


def test_nothing_to_delete_is_no_error(settings: Settings) -> None:
    assert delete_old(settings, None, NOW) == 0
