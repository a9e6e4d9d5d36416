"""A time as elders say it: tomorrow, in the afternoon, as soon as possible."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from enum import StrEnum


class Part(StrEnum):
    """A part of the day."""

    EARLY = "early"
    MORNING = "morning"
    NOON = "noon"
    AFTERNOON = "afternoon"
    EVENING = "evening"
    NIGHT = "night"


START_OF = {
    Part.EARLY: time(8),
    Part.MORNING: time(9),
    Part.NOON: time(12),
    Part.AFTERNOON: time(14),
    Part.EVENING: time(18),
    Part.NIGHT: time(20),
}
"""When a visit in that part of the day is taken to start, if no clock time was said."""


@dataclass(frozen=True, slots=True)
class When:
    """What was said of the time; parts not said are None."""

    day: date | None = None
    part: Part | None = None
    clock: time | None = None
    """On the 24-hour clock, the part of the day already applied."""
    asap: bool = False

    def merged_into(self, earlier: When | None) -> When:
        """A correction changes what it names and keeps the rest (不是，是后天)."""
        if earlier is None or self.asap:
            return self
        merged = replace(
            earlier,
            day=self.day or earlier.day,
            part=self.part or (None if self.clock else earlier.part),
            clock=self.clock or (None if self.part else earlier.clock),
            asap=False,
        )
        return merged

    def resolve(self, now: datetime) -> datetime:
        """The moment meant, in the time zone of `now`; always in the future."""
        if self.asap:
            return now.replace(second=0, microsecond=0)
        at = self.clock or (START_OF[self.part] if self.part else time(9))
        day = self.day or now.date()
        moment = datetime.combine(day, at, tzinfo=now.tzinfo)
        if moment <= now and self.day is None:
            moment += timedelta(days=1)
        return moment
