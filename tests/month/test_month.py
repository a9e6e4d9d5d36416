"""Weeks of orders in simulated time, with the real store, planning, timetable and dialler.

The whole month of 3,000 orders a day: .venv/bin/python tests/month/month.py FOLDER
"""

from __future__ import annotations

import json
import os
import random
import signal
import struct
import subprocess
import sys
import time
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

MONTH = Path(__file__).with_name("month.py")
MONDAY = datetime(2026, 11, 2, tzinfo=ZoneInfo("Asia/Shanghai"))
CALLS = 4
"""Out at once."""
Report = dict[str, Any]


def begin(folder: Path, days: int, orders: int) -> subprocess.Popen[str]:
    command = [sys.executable, str(MONTH), str(folder), "--days", str(days)]
    scale = ["--orders", str(orders), "--lines", "12", "--calls", str(CALLS)]
    environment = {**os.environ, "YIHU_CONFIG": "/nonexistent"}
    return subprocess.Popen([*command, *scale], stdout=subprocess.PIPE, text=True, env=environment)


def report_of(process: subprocess.Popen[str]) -> Report:
    said, _ = process.communicate()
    assert process.returncode == 0
    found: Report = json.loads(said)
    return found


def dialled(folder: Path) -> list[tuple[str, int]]:
    """Every telephone that rang, and the how manieth time it was."""
    lines = (folder / "calls.jsonl").read_text().splitlines()
    entries = [json.loads(line) for line in lines]
    return sorted((one["phone"], one["count"]) for one in entries if "call" in one)


def ended(report: Report) -> list[str]:
    """What came of each; whoever starts again late plans a day that is not lived through."""
    return [one for one in report["each"] if " None " not in one]


def random_moments() -> random.Random:
    seed = random.randrange(2**32)
    print(f"killed at the moments of seed {seed}")
    return random.Random(seed)


def wait_for(process: subprocess.Popen[str], clock: Path, moment: datetime) -> bool:
    """Until it is that late in there; False if everything was over before."""
    while process.poll() is None:
        kept = clock.read_bytes() if clock.exists() else b""
        if len(kept) == 8 and struct.unpack("d", kept)[0] >= moment.timestamp():
            return True
        time.sleep(0.002)
    return False


def killed(folder: Path, days: int, orders: int, times: int, chance: random.Random) -> Report:
    """The same with a process that is killed so often while people are called."""
    moments = sorted(
        MONDAY + timedelta(days=chance.randrange(days), hours=9, seconds=chance.randrange(36_000))
        for _ in range(times)
    )
    kills = 0
    process = begin(folder, days, orders)
    for moment in moments:
        if wait_for(process, folder / "clock", moment):
            process.send_signal(signal.SIGKILL)
            process.communicate()
            kills += 1
            process = begin(folder, days, orders)
    assert kills == times
    return report_of(process)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Report]:
    """Two days that nothing happens to."""
    folder = tmp_path_factory.mktemp("whole")
    return folder, report_of(begin(folder, 2, 20))


def test_everybody_is_asked_or_given_up_for_a_reason_and_nobody_is_called_out_of_hours(
    whole: tuple[Path, Report],
) -> None:
    report = whole[1]
    assert report["wrong"] == []
    assert (report["open"], report["unasked"]) == (0, 0)
    assert sum(report["orders"].values()) == 2 * 20
    assert set(report["orders"]) <= {"closed", "followed_up", "cancelled"}
    assert not any(end.endswith("None") for end in report["ends"])
    assert report["ends"]["rating rated"] > 20 and report["ends"]["plan confirmed"] > 5
    assert report["messages"]
    assert 0 < report["most"] <= CALLS
    assert report["memory_mb"] < 500


def test_calls_and_messages_are_the_same_however_often_the_process_is_killed(
    whole: tuple[Path, Report], tmp_path: Path
) -> None:
    folder, report = whole
    again = killed(tmp_path, 2, 20, 3, random_moments())
    assert again["wrong"] == []
    assert dialled(tmp_path) == dialled(folder)
    assert ended(again) == ended(report)
    assert again["messages"] == report["messages"]
    assert (again["orders"], again["alerts"]) == (report["orders"], report["alerts"])


@pytest.mark.faults
def test_week_with_many_kills_is_the_week_without(tmp_path: Path) -> None:
    report = report_of(begin(tmp_path / "whole", 7, 120))
    again = killed(tmp_path / "killed", 7, 120, 25, random_moments())
    assert report["wrong"] == again["wrong"] == []
    assert dialled(tmp_path / "killed") == dialled(tmp_path / "whole")
    assert (ended(again), again["messages"]) == (ended(report), report["messages"])
