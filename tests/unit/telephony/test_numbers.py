from __future__ import annotations

import pytest

from ivr.config import OutboundSettings
from ivr.telephony.numbers import may_be_called


@pytest.mark.parametrize(
    "number", ["13812345678", "051265123456", "02165123456", "01065123456", "65123456", "6512345"]
)
def test_people_of_the_country_may_be_called(number: str) -> None:
    assert may_be_called(number, OutboundSettings().numbers)


@pytest.mark.parametrize(
    "number",
    ["", "0085212345678", "+85212345678", "110", "95588", "16812345", "12345", "1381234567x", "１"],
)
def test_others_may_not(number: str) -> None:
    assert not may_be_called(number, OutboundSettings().numbers)


def test_pattern_is_the_whole_number() -> None:
    assert may_be_called("8001", ["80[0-2]Z"])
    assert not may_be_called("8000", ["80[0-2]Z"])
    assert not may_be_called("80011", ["80[0-2]Z"])


@pytest.mark.parametrize("pattern", ["_X.", "X!", "0085X.", "1;2", "1\n2", ""])
def test_pattern_of_no_fixed_length_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match="numbers"):
        OutboundSettings(numbers=[pattern])
