"""Templates made into pages, in the viewer's language and the site's time."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from ivr.catalog import Item
from ivr.console.texts import LANGUAGES, Texts
from store.privacy import mask_phone

TEMPLATES = Path(__file__).parent / "templates"
STATIC = Path(__file__).parent / "static"


class Screens:
    def __init__(self, texts: Texts, catalog: Mapping[str, Item], zone: ZoneInfo) -> None:
        self.texts = texts
        self._catalog = catalog
        self._zone = zone
        self._environments = {language: self._environment(language) for language in LANGUAGES}

    def html(self, language: str, template: str, **values: Any) -> str:
        return self._environments[language].get_template(template).render(values)

    def text(self, language: str, key: str, **values: object) -> str:
        return self.texts.say(language, key, **values)

    def _environment(self, language: str) -> Environment:
        environment = Environment(
            loader=FileSystemLoader(TEMPLATES),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        environment.globals.update(
            t=partial(self.texts.say, language),
            language=language,
            service=partial(self.service, language),
            meaning=partial(self._meaning, language),
            stored=partial(self._stored, language),
            coded=partial(self._coded, language),
            since=since,
            now=lambda: datetime.now(self._zone),
        )
        environment.filters.update(
            clock=self._clock,
            day=partial(self._day, language),
            moment=partial(self._moment, language),
            field_time=self._field_time,
            masked=lambda number: mask_phone(number) if number else "",
            yuan=yuan,
            lasted=lasted,
        )
        return environment

    def service(self, language: str, code: str) -> str:
        """家庭保洁, or Cleaning; the code itself where the catalogue has it no more."""
        if language == "zh" and code in self._catalog:
            return self._catalog[code].name
        return code.replace("_", " ").capitalize()

    def _meaning(self, language: str, code: str) -> str:
        """What was understood: an act (yes, again) or a service."""
        key = f"act.{code}"
        said = key in self.texts.keys
        return self.texts.say(language, key) if said else self.service(language, code)

    def _stored(self, language: str, name: str, value: str | None) -> str:
        """A value of an order, as a correction's record has it."""
        if not value:
            return ""
        if name == "scheduled_for":
            return self._moment(language, datetime.fromisoformat(value))
        return self.service(language, value) if name == "code" else value

    def _coded(self, language: str, section: str, code: str) -> str:
        """The text of a stored code, or the code itself: a new one must not break a page."""
        key = f"{section}.{code}"
        return self.texts.say(language, key) if key in self.texts.keys else code

    def _clock(self, at: datetime) -> str:
        return f"{at.astimezone(self._zone):%H:%M}"

    def _day(self, language: str, at: datetime) -> str:
        """11月23日 周一, Mon 23 Nov; with the year where it is another."""
        local = at.astimezone(self._zone)
        weekday = self.texts.say(language, f"time.weekday.d{local.weekday()}")
        month = self.texts.say(language, f"time.month.m{local.month}")
        key = "time.day" if local.year == datetime.now(self._zone).year else "time.day_of_year"
        return self.texts.say(
            language, key, year=local.year, month=month, day=local.day, weekday=weekday
        )

    def _moment(self, language: str, at: datetime) -> str:
        """14:05 today, or else with the day."""
        local = at.astimezone(self._zone)
        if local.date() == datetime.now(self._zone).date():
            return self._clock(at)
        return f"{self._day(language, at)} {self._clock(at)}"

    def _field_time(self, at: datetime | None) -> str:
        """As a field of type datetime-local has it."""
        return f"{at.astimezone(self._zone):%Y-%m-%dT%H:%M}" if at else ""


def since(at: datetime) -> Markup:
    """How long ago, which the browser keeps counting."""
    stamp = at.astimezone(UTC).isoformat(timespec="seconds")
    return Markup('<time class="since" datetime="{0}">{1}</time>').format(
        stamp, lasted(datetime.now(UTC) - at)
    )


def lasted(duration: Any) -> str:
    """A timedelta as 0:42, 12:05, 1:02:07."""
    seconds = max(0, int(duration.total_seconds()))
    hours, rest = divmod(seconds, 3600)
    minutes, seconds = divmod(rest, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


def yuan(fen: int) -> str:
    """3500 -> ¥35, 1750 -> ¥17.50."""
    return f"¥{fen // 100}" if fen % 100 == 0 else f"¥{fen / 100:.2f}"
