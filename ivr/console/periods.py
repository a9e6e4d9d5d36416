"""The days that a report is about, as its address names them: ?from=2026-11-01&to=2026-11-22."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import NamedTuple

from aiohttp import web

from ivr.console.pages import SETTINGS

LONGEST_DAYS = 366


class Period(NamedTuple):
    begin: date
    end: date

    @property
    def days(self) -> int:
        return (self.end - self.begin).days + 1


def last_days(today: date, days: int) -> Period:
    """The last so many, today among them."""
    return Period(today - timedelta(days=days - 1), today)


def today_of(request: web.Request) -> date:
    """The site's day."""
    return datetime.now(request.app[SETTINGS].zone).date()


def period_of(request: web.Request, default: Period) -> Period:
    """Of the address, `default` for what it does not name. Raises HTTPBadRequest."""
    try:
        begin = date.fromisoformat(request.query.get("from") or default.begin.isoformat())
        end = date.fromisoformat(request.query.get("to") or default.end.isoformat())
    except ValueError as error:
        raise web.HTTPBadRequest from error
    if not 0 <= (end - begin).days < LONGEST_DAYS:
        raise web.HTTPBadRequest
    return Period(begin, end)
