from __future__ import annotations

import pytest

from ivr.outreach.sms.parts import Coded, coded


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a" * 160, Coded(False, 1)),
        ("a" * 161, Coded(False, 2)),
        ("a" * 306, Coded(False, 2)),
        ("a" * 307, Coded(False, 3)),
        ("€" * 80, Coded(False, 1)),  # each takes two places
        ("€" * 81, Coded(False, 2)),
        ("好" * 70, Coded(True, 1)),
        ("好" * 71, Coded(True, 2)),
        ("好" * 134, Coded(True, 2)),
        ("好" * 135, Coded(True, 3)),
        ("👍" * 35, Coded(True, 1)),  # two UTF-16 units each
        ("👍" * 36, Coded(True, 2)),
        ("👍" * 67, Coded(True, 3)),  # 33 a part: none is cut in half
        ("a好", Coded(True, 1)),
        ("", Coded(False, 1)),
    ],
)
def test_parts_are_those_the_handset_gets(text: str, expected: Coded) -> None:
    assert coded(text) == expected
