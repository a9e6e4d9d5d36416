from __future__ import annotations

import pytest

from store.phones import PhoneError, normalise, of_caller
from store.privacy import mask_address, mask_phone


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("138 1234 5678", "13812345678"),
        ("+86 138-1234-5678", "13812345678"),
        ("008613812345678", "13812345678"),
        ("8613812345678", "13812345678"),
        ("013812345678", "13812345678"),
        ("１３８１２３４５６７８", "13812345678"),
        ("0512-65123456", "051265123456"),
        ("(0512) 65123456", "051265123456"),
        ("+8651265123456", "051265123456"),
        ("+86 10 65123456", "01065123456"),
        ("0931-2123456", "09312123456"),
        ("65123456", "65123456"),
        ("1001", "1001"),
        ("+852 2345 6789", "+85223456789"),
    ],
)
def test_number_is_kept_in_one_way(written: str, kept: str) -> None:
    assert normalise(written) == kept
    assert normalise(kept) == kept
    assert of_caller(written) == kept


@pytest.mark.parametrize("written", ["", "1381234567", "1.38E+10", "王秀英", "12"])
def test_slip_of_the_pen_is_no_number(written: str) -> None:
    with pytest.raises(PhoneError, match="is not a telephone number"):
        normalise(written)


def test_whatever_an_exchange_sends_is_kept_or_withheld() -> None:
    assert of_caller("12345") == "12345"
    assert of_caller("1381234567") == "1381234567"
    assert of_caller("anonymous") == ""
    assert of_caller("") == ""


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        ("13812345678", "138****5678"),
        ("051265123456", "0512****3456"),
        ("65123456", "****56"),
        ("1001", "****01"),
        ("", "****"),
    ],
)
def test_log_does_not_tell_a_number(number: str, shown: str) -> None:
    assert mask_phone(number) == shown


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("江苏省苏州市姑苏区平江路128号501室", "江苏省苏州市姑苏区****"),
        ("苏州市昆山市玉山镇1号", "苏州市昆山市****"),
        ("苏州市彩香小区12幢", "苏州市****"),
        ("平江路128号", "平江****"),
        ("苏州市平江路超市楼上", "苏州市****"),
        ("", ""),
    ],
)
def test_log_does_not_tell_an_address(address: str, shown: str) -> None:
    assert mask_address(address) == shown
