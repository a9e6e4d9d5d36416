"""Whether confidence can be believed."""

from __future__ import annotations

from ivr.reliability import Bin, calibration_error, reliability


def test_confidence_is_compared_with_the_share_that_was_right() -> None:
    judged = [(0.75, True)] * 3 + [(0.75, False)] + [(0.125, False)] * 4
    low, high = reliability(judged)
    assert low == Bin(0.1, 0.2, 4, 0.125, 0.0)
    assert high == Bin(0.7, 0.8, 4, 0.75, 0.75)
    assert calibration_error([low, high]) == 0.0625  # half of them 0.125 too sure


def test_certainty_falls_into_the_last_bin() -> None:
    assert [one.high for one in reliability([(1.0, True)])] == [1.0]


def test_nothing_judged_is_no_error() -> None:
    assert reliability([]) == []
    assert calibration_error([]) == 0.0
