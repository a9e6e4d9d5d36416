"""Times, numbers and addresses as they are said to be understood by ear."""

from __future__ import annotations

import re
from datetime import date, datetime, time

from ivr.dialogue.prompts import PAUSE_MS
from ivr.dialogue.step import Piece

MAX_ADDRESS = 10
"""Characters of an address in a read-back; of a longer one the end is said."""

AS_SOON_AS_POSSIBLE = "尽快"
DAYS = ("今天", "明天", "后天", "大后天")
WEEKDAYS = tuple(f"星期{name}" for name in "一二三四五六日")
PARTS = {0: "夜里", 5: "早上", 9: "上午", 12: "中午", 13: "下午", 18: "晚上"}
"""First hour of each part of the day -> how it is said."""
QUARTERS = {0: "", 15: "一刻", 30: "半", 45: "三刻"}

_DIGITS = "零一二三四五六七八九"
_BY_DIGIT = str.maketrans("0123456789", "零幺二三四五六七八九")
_REGION = re.compile(r"^.*(?:省|自治区|[^小社园景片]区|市|县|镇|乡)(?=.{2})")
_UNIT = re.compile(r".+?(?:路|街|巷|弄|里|村|苑|园|庭|小区|社区|号楼|号|幢|栋|楼|单元|层|室)|.+")


def number(value: int) -> str:
    """1 to 99 as a quantity: 二十八. Raises ValueError outside."""
    if not 0 < value < 100:
        raise ValueError(f"{value} is not between 1 and 99")
    tens, ones = divmod(value, 10)
    return ("" if not tens else "十" if tens == 1 else f"{_DIGITS[tens]}十") + (
        _DIGITS[ones] if ones else ""
    )


def months() -> list[str]:
    return [f"{number(month)}月" for month in range(1, 13)]


def dates() -> list[str]:
    return [f"{number(day)}号" for day in range(1, 32)]


def hour(value: int, minute: int = 0) -> str:
    """A full hour or a quarter of one on the 12-hour clock: 两点, 九点半, 十二点一刻."""
    on_dial = value % 12 or 12
    return f"{'两' if on_dial == 2 else number(on_dial)}点{QUARTERS[minute]}"


def minutes(value: int) -> str:
    """Minutes after the hour that are no quarter: 零五分, 二十分."""
    return f"{'零' if value < 10 else ''}{number(value)}分"


def day(moment: date, today: date) -> tuple[Piece, ...]:
    """明天，星期一 or 十二月六号，星期日: always with the weekday, so that a slip is noticed."""
    ahead = (moment - today).days
    comma = PAUSE_MS["，"]
    weekday = Piece(WEEKDAYS[moment.weekday()])
    if 0 <= ahead < len(DAYS):
        return Piece(DAYS[ahead], pause_ms=comma), weekday
    month = Piece(f"{number(moment.month)}月")
    return month, Piece(f"{number(moment.day)}号", pause_ms=comma), weekday


def clock(at: time) -> tuple[Piece, ...]:
    """上午九点半; a time is a multiple of five minutes."""
    part = Piece([name for first, name in PARTS.items() if first <= at.hour][-1])
    if at.minute in QUARTERS:
        return part, Piece(hour(at.hour, at.minute))
    return part, Piece(hour(at.hour)), Piece(minutes(at.minute))


def moment(at: datetime, today: date) -> tuple[Piece, ...]:
    """明天，星期一，上午九点半"""
    *begin, weekday = day(at.date(), today)
    return (*begin, Piece(weekday.text, pause_ms=PAUSE_MS["，"]), *clock(at.time()))


def caller(surname: str) -> str:
    """How a caller is addressed by surname, whatever their sex: 王老师."""
    return f"{surname}老师"


def address(written: str) -> str:
    """The end of an address, short enough for the ear, its numbers as one says them.

    江苏省苏州市姑苏区平江路128号501室 -> 平江路幺二八号五零幺室 is too long, so 幺二八号五零幺室.
    """
    plain = re.sub(r"[^\w]|_", "", written)
    local = _REGION.sub("", plain)
    said = ""
    for unit in reversed(_UNIT.findall(local)):
        longer = _numbers_by_ear(unit) + said
        if len(longer) > MAX_ADDRESS:
            break
        said = longer
    return said or _numbers_by_ear(local)[-MAX_ADDRESS:]


def _numbers_by_ear(text: str) -> str:
    """Up to 99 as a quantity, longer ones digit by digit with 幺 for one."""

    def say(match: re.Match[str]) -> str:
        digits = match.group()
        if len(digits) < 3 and int(digits):
            return number(int(digits))
        return digits.translate(_BY_DIGIT)

    return re.sub("[0-9]+", say, text)
