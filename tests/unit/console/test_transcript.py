"""What was not heard for certain is marked where it stands."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest

from ivr.console.transcript import Part, lines, parts
from store.models import Turn


def readings(*texts: str, step: float = 0.2) -> list[dict[str, object]]:
    return [{"text": text, "score": -step * n} for n, text in enumerate(texts)]


@pytest.mark.parametrize(
    ("others", "marked"),
    [
        (("我要打汤",), [Part("我要打"), Part("扬", ("汤",))]),
        (("我要打汤", "我要帮扬"), [Part("我要"), Part("打", ("帮",)), Part("扬", ("汤",))]),
        (("我要打汤", "我要搭汤"), [Part("我要"), Part("打扬", ("打汤", "搭汤"))]),
        (("我要打汤", "我要打帮"), [Part("我要打"), Part("扬", ("汤", "帮"))]),
        (("我要打扬。",), [Part("我要打扬")]),
        (("我要打羊", "我要大阳"), [Part("我要打扬")]),  # it sounds the same
        (("我要打",), [Part("我要打"), Part("扬", ("",))]),
        (("我要打扬水",), [Part("我要打"), Part("扬", ("扬水",))]),
        (("你我要打扬",), [Part("我", ("你我",)), Part("要打扬")]),
        ((), [Part("我要打扬")]),
    ],
)
def test_only_what_other_readings_say_otherwise_is_in_doubt(
    others: tuple[str, ...], marked: list[Part]
) -> None:
    heard = "我要打扬"
    found = parts(heard, readings(heard, *others))
    assert list(found) == marked
    assert "".join(part.text for part in found) == heard


def test_a_far_less_likely_reading_raises_no_doubt() -> None:
    assert parts("我要洗澡", readings("我要洗澡", "我要喜糕", step=3.0)) == (Part("我要洗澡"),)


def test_longer_stretches_hide_the_doubts_inside_them() -> None:
    found = parts("明天上午九点", readings("明天上午九点", "明年三月八点", "明天上五九点"))
    assert "".join(part.text for part in found) == "明天上午九点"
    assert found[0] == Part("明")


def turn(index: int, **fields: Any) -> Turn:
    return Turn(call_id=uuid4(), index=index, started_at=datetime.now(UTC), **fields)


def test_a_turn_is_doubtful_where_the_agent_was_not_sure() -> None:
    sure = {"kind": "service", "code": "bathing", "confidence": 0.9}
    found = lines(
        [
            turn(0, kind="start", said="您好"),
            turn(1, kind="heard", heard="我要洗澡", meaning=sure),
            turn(2, kind="heard", heard="嗯", meaning={**sure, "confidence": 0.5}),
            turn(3, kind="heard", heard="月亮真圆", meaning={"kind": "oos", "confidence": 0.9}),
            turn(4, kind="heard"),
            turn(5, kind="digit", heard="0"),
        ],
        playable={2, 3},
    )
    assert [line.doubtful for line in found] == [False, False, True, True, True, False]
    assert [line.playable for line in found] == [False, False, True, True, False, False]
    assert (found[1].code, found[1].text, found[0].heard) == ("bathing", "我要洗澡", ())
