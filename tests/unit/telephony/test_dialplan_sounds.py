"""What the dialplan plays by itself."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from audio.sound import PROMPT_DB, frame_levels, read_wav
from ivr.config import ROOT
from ivr.telephony.sounds import COMPANY_GAP_S, write_music, write_sentences


@pytest.fixture
def sounds(tmp_path: Path) -> Path:
    write_sentences(tmp_path, lambda text: np.full(80 * len(text), 3000, np.int16))

    return tmp_path


def test_every_sound_that_the_dialplan_names_is_written(sounds: Path) -> None:
    files = [*(ROOT / "dialplans").glob("*.conf"), *(ROOT / "asterisk/templates").glob("*.conf")]
    text = "\n".join(path.read_text() for path in files)
    named = set(
        re.findall(r"(?:\$\{YIHU_SOUNDS\}|\{\{ place\.sounds \}\})/([\w/-]+)(?=[,)?:\s])", text)
    )
    folders = {"hold", "company", "place", "minutes"}
    assert {"wait", "promised", "place/next", "company/01"} <= named
    assert [name for name in named - folders if not (sounds / f"{name}.wav").is_file()] == []


def test_every_place_that_the_queue_may_say_is_spoken(sounds: Path) -> None:
    queues = (ROOT / "asterisk/templates/yihu-queues.conf").read_text()
    limit = re.search(r"announce-position-limit = (\d+)", queues)
    assert limit is not None
    places = {path.stem for path in (sounds / "place").glob("*.wav")}
    assert places >= {"next", *map(str, range(2, int(limit[1]) + 1))}


def test_every_waiting_time_that_the_dialplan_may_say_is_spoken(sounds: Path) -> None:
    operators = (ROOT / "dialplans/operators.conf").read_text()
    most = re.search(r"MINUTES\} > (\d+)\]\?more", operators)
    assert most is not None
    minutes = {path.stem for path in (sounds / "minutes").glob("*.wav")}
    assert minutes == {"more", *map(str, range(1, int(most[1]) + 1))}


def test_who_waits_for_help_is_left_time_between_the_sentences(sounds: Path) -> None:
    for path in (sounds / "company").glob("*.wav"):
        gap = read_wav(path)[-round(COMPANY_GAP_S * 8000) :]
        assert len(gap) == COMPANY_GAP_S * 8000
        assert not gap.any()


def test_music_is_as_loud_as_the_voice(tmp_path: Path) -> None:
    write_music(tmp_path / "hold.wav")
    levels = frame_levels(read_wav(tmp_path / "hold.wav"))
    loud = levels[levels > levels.max() - 25]
    assert abs(10 * np.log10(np.mean(10 ** (loud / 10))) - PROMPT_DB) < 1
