"""Times as elders say them, on a Wednesday morning."""

from __future__ import annotations

import pytest

from ivr.understanding.meaning import Kind, State
from ivr.understanding.when import Part, When

from .conftest import NOW, Listen


@pytest.mark.parametrize(
    ("said", "moment"),
    [
        ("明天上午九点", "2026-11-19T09:00"),
        ("后天下午", "2026-11-20T14:00"),
        ("下个星期三", "2026-11-25T09:00"),
        ("这个星期五下午四点半", "2026-11-20T16:30"),
        ("今天晚上七点一刻", "2026-11-18T19:15"),
        ("明天三点钟", "2026-11-19T15:00"),
        ("十二月五号上午", "2026-12-05T09:00"),
        ("越快越好", "2026-11-18T10:30"),
        ("明朝上昼九点钟", "2026-11-19T09:00"),
        ("后儿后晌两点", "2026-11-20T14:00"),
        ("明天下午十六点", "2026-11-19T16:00"),
        ("明天晚上十六点半", "2026-11-19T18:30"),
    ],
)
def test_a_time_is_understood(listen: Listen, said: str, moment: str) -> None:
    meaning = listen(said, state=State.TIME)
    assert meaning.kind is Kind.TIME
    assert meaning.when is not None
    assert meaning.when.resolve(NOW).isoformat() == f"{moment}:00+08:00"


def test_a_little_is_not_one_o_clock(listen: Listen) -> None:
    meaning = listen("帮我买一点菜")
    assert meaning.code == "errands"
    assert meaning.when is None or meaning.when.clock is None


def test_a_correction_changes_only_what_it_names() -> None:
    earlier = When(day=NOW.date(), part=Part.AFTERNOON)
    later = When(day=NOW.date().replace(day=20)).merged_into(earlier)
    assert (later.day, later.part) == (NOW.date().replace(day=20), Part.AFTERNOON)


def test_a_part_of_the_day_that_is_over_means_tomorrow() -> None:
    assert When(part=Part.MORNING).resolve(NOW).isoformat() == "2026-11-19T09:00:00+08:00"


@pytest.mark.parametrize(
    ("said", "moment"),
    [
        ("后天下午三点", "2026-11-20T15:00"),
        ("星期五上午9点", "2026-11-20T09:00"),
        ("后天上午10点", "2026-11-20T10:00"),
        ("明天下午2:30", "2026-11-19T14:30"),
        ("下个星期三", "2026-11-25T09:00"),
    ],
)
def test_a_bare_time_after_a_read_back_is_a_time(listen: Listen, said: str, moment: str) -> None:
    meaning = listen(said, state=State.CONFIRM)
    assert meaning.kind is Kind.TIME
    assert meaning.when is not None
    assert meaning.when.resolve(NOW).isoformat() == f"{moment}:00+08:00"
