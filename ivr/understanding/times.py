"""Times by sound: the words for days, parts of the day and the clock, put together to a When."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

import numpy as np

from ivr.understanding.grammar import Dialect, Grammar, TimeWords
from ivr.understanding.pronunciation import Pronunciation
from ivr.understanding.spotting import Entry, Likeness, Spotter, character_weights, weigh
from ivr.understanding.syllables import Syllable, numeral
from ivr.understanding.when import Part, When

CLEAR = 0.74
"""Share of its weight a time word must reach to count when a time was asked for."""
WRITTEN = 1.3
"""How much more a time counts whose very characters were recognised: 三点吧 is not 三点半."""
CERTAIN = 0.84
"""The same when it was not asked for and stands beside something else."""
LATE_HOURS = {
    Part.NOON: range(13, 15),
    Part.AFTERNOON: range(13, 19),
    Part.EVENING: range(17, 24),
    Part.NIGHT: range(18, 24),
}
"""The hours from 13 on that may be said with a part of the day."""


def _spoken(number: int) -> tuple[str, ...]:
    return (numeral(number), "两") if number == 2 else (numeral(number),)


def _phrases(words: TimeWords) -> Iterator[tuple[str, str]]:
    """Pairs of label and text for everything a dialect's words can build."""
    for offset, texts in words.get("day", {}).items():
        yield from ((f"day:{offset}", text) for text in texts)
    for part, texts in words.get("part", {}).items():
        yield from ((f"part:{part}", text) for text in texts)
    yield from (("asap:", text) for text in words.get("asap", {}).get("", ()))
    week_words = words.get("week_word", {}).get("", ())
    for weekday, names in words.get("weekday", {}).items():
        for name in names:
            for week_word in week_words:
                yield f"weekday:{weekday}", week_word + name
                for week, prefixes in words.get("week", {}).items():
                    for prefix in prefixes:
                        yield f"weekday:{weekday}:{week}", prefix + week_word + name
    for weekday, texts in words.get("weekend", {}).items():
        yield from ((f"weekday:{weekday}", text) for text in texts)
    dates = words.get("date_word", {}).get("", ()) + words.get("written_date_word", {}).get("", ())
    for number in range(1, 32):
        yield from ((f"date:{number}", numeral(number) + word) for word in dates)
    for month in range(1, 13):
        for word in words.get("month_word", {}).get("", ()):
            yield from ((f"month:{month}", said + word) for said in _spoken(month))
    hour_words = words.get("hour_word", {}).get("", ())
    for hour in range(1, 25):
        for said in _spoken(hour):
            for word in hour_words:
                yield f"clock:{hour}:0", said + word
                if len(word) > 1:  # 九点半, not 九点钟半
                    continue
                for half in words.get("half", {}).get("", ()):
                    yield f"clock:{hour}:30", said + word + half
                for past, quarters in words.get("quarter", {}).items():
                    for quarter in quarters:
                        yield f"clock:{hour}:{past}", said + word + quarter
                for minute in (10, 20, 30, 40, 50):
                    yield f"clock:{hour}:{minute}", said + word + numeral(minute)


@dataclass(frozen=True, slots=True)
class Found:
    """One time word in an utterance."""

    label: str
    score: float
    clarity: float
    """Share of the phrase's weight that was heard, up to 1."""
    dialect: str
    start: int
    end: int
    """Syllables [start, end) of the utterance."""
    written: bool
    """Whether its very characters were recognised."""


def _pronunciations(grammar: Grammar) -> Iterator[tuple[Dialect, Pronunciation]]:
    """Each dialect's words in its own sounds, and as the recogniser's Mandarin would read them."""
    mandarin = Pronunciation()
    for dialect in grammar.dialects.values():
        yield dialect, dialect.pronunciation
        if dialect.pronunciation.own:
            yield dialect, mandarin


def time_entries(grammar: Grammar) -> list[Entry]:
    """Every time expression of every dialect in every pronunciation."""
    entries: dict[tuple[str, object], Entry] = {}
    mandarin_words = next(iter(grammar.dialects.values())).times
    for dialect, pronunciation in _pronunciations(grammar):
        for words in (dialect.times, {**mandarin_words, **dialect.times}):
            for label, text in _phrases(words):
                readings = tuple(pronunciation.read(text))
                entries.setdefault((label, readings), Entry(label, dialect.name, text, readings))
    return list(entries.values())


class TimeSpotter:
    """All time words of all dialects, ready to be looked for."""

    def __init__(
        self, entries: Sequence[Entry], likeness: Likeness, only_written: tuple[str, ...] = ()
    ) -> None:
        """Dates that end in a word of `only_written` count only where the characters stand so."""
        groups: dict[str, set[str]] = {}
        for entry in entries:
            groups.setdefault(entry.label, set()).add(entry.text)
        weights = character_weights(groups)
        self._spotter = Spotter(
            entries, [weigh(entry.text, weights, floor=0.3) for entry in entries], likeness
        )
        self._only_written = np.asarray(
            [
                entry.label.startswith("date:") and entry.text.endswith(only_written)
                for entry in self._spotter.entries
            ],
            dtype=bool,
        )

    def find(self, text: str, heard: tuple[Syllable, ...], clarity: float) -> list[Found]:
        """The time words in an utterance that do not overlap, the fullest first."""
        scores = self._spotter.spotted(heard, clarity)
        shares = scores / self._spotter.total
        written = self._spotter.written(text)
        unwritten = self._only_written.copy()
        unwritten[written] = False
        promising = np.flatnonzero((shares >= clarity) & ~unwritten)
        value = scores * shares
        value[written] *= WRITTEN
        ranked = promising[np.argsort(-value[promising], kind="stable")]
        labels = (self._spotter.entries[index].label for index in ranked)
        part = next((label for label in labels if label.startswith("part:")), "")
        taken: list[Found] = []
        fields: set[str] = set()
        for index in ranked[:60]:
            entry = self._spotter.entries[index]
            name = entry.label.split(":")[0]
            kind = "day" if name in ("weekday", "date") else name
            if kind in fields or (kind == "clock" and _contradicts(entry.label, part)):
                continue
            start, end = self._spotter.span(int(index), heard)
            if any(start < found.end and found.start < end for found in taken):
                continue
            fields.add(kind)
            taken.append(
                Found(entry.label, float(scores[index]), float(shares[index]), entry.dialect,
                      start, end, int(index) in written)
            )  # fmt: skip
        return taken


def _contradicts(clock: str, part: str) -> bool:
    """Whether a clock:hour:minute is never said with a part:name, as 十六点 is not with 晚上."""
    hour = int(clock.split(":")[1])
    return hour > 12 and bool(part) and hour not in LATE_HOURS.get(Part(part.split(":")[1]), ())


def on_the_clock(hour: int, minute: int, part: Part | None) -> time:
    """The 24-hour time of a spoken hour; without a part of the day, 1 to 6 are afternoon."""
    hour %= 24
    if hour <= 12:
        if part in (Part.AFTERNOON, Part.EVENING):
            hour = hour % 12 + 12
        elif part is Part.NIGHT:
            hour = hour % 12 + (12 if 5 <= hour < 12 else 0)
        elif part is Part.NOON:
            hour = hour + 12 if hour < 10 else hour
        elif part is None and 1 <= hour <= 6:
            hour += 12
    return time(hour, minute)


def _weekday(today: date, weekday: int, week: int | None) -> date:
    if week is None:  # the next one; said on the day itself, the one in a week
        return today + timedelta(days=(weekday - today.isoweekday() - 1) % 7 + 1)
    monday = today - timedelta(days=today.isoweekday() - 1)
    day = monday + timedelta(days=7 * week + weekday - 1)
    return day if day >= today else day + timedelta(days=7)


def _date(today: date, month: int | None, day: int) -> date | None:
    """The next such day of the month; None if there is none within a year (二月三十号)."""
    for ahead in range(13):
        year, number = divmod(today.year * 12 + today.month - 1 + ahead, 12)
        if month is not None and number + 1 != month:
            continue
        try:
            candidate = date(year, number + 1, day)
        except ValueError:
            continue
        if candidate >= today:
            return candidate
    return None


def to_when(found: Sequence[Found], now: datetime, *, asked: bool) -> When | None:
    """Puts the words together; None if they name no time.

    Where no time was `asked` for, a bare 一点 is "a little" and not one o'clock.
    """
    values = {f.label.split(":")[0]: f.label.split(":")[1:] for f in found}
    today = now.date()
    if "asap" in values and not values.keys() & {"day", "weekday", "date", "part", "clock"}:
        return When(asap=True)
    day: date | None = None
    if "day" in values:
        day = today + timedelta(days=int(values["day"][0]))
    elif "weekday" in values:
        weekday, *week = values["weekday"]
        day = _weekday(today, int(weekday), int(week[0]) if week else None)
    elif "date" in values:
        month = int(values["month"][0]) if "month" in values else None
        day = _date(today, month, int(values["date"][0]))
    part = Part(values["part"][0]) if "part" in values else None
    clock = None
    if "clock" in values:
        hour, minute = (int(value) for value in values["clock"])
        if asked or day or part or (hour, minute) != (1, 0):
            clock = on_the_clock(hour, minute, part)
    if day is None and part is None and clock is None:
        return None
    return When(day=day, part=part, clock=clock)
