"""What came of orders, for a supervisor: by provider, worker, service, district and month.

Figures, charts and who is rated best, and the same to take away as CSV and as a workbook.
"""

from __future__ import annotations

import asyncio
import unicodedata
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from aiohttp import web

from ivr.console import sheets
from ivr.console.charts import Chart, columns, rows
from ivr.console.pages import SCREENS, SETTINGS, Page, audit, in_store, language_of, render
from ivr.console.periods import Period, last_days, period_of, today_of
from ivr.console.sheets import Cell, Sheet
from ivr.ranking import FEWEST, Placed, ranking
from store import reports
from store.audit import Action
from store.models import Role
from store.reports import SCORES, By, Report, Results, Row

RANKED = (By.PROVIDER, By.WORKER)
"""Those who can be better or worse than others."""
DRAWN = 12
"""The busiest so many are in the charts; all are in the table."""
MONTHS_NAMED = 7
"""About so many have room under a chart."""
NAME_ROOM = 18
"""Beside a row of a chart, in narrow characters; a Chinese one takes two."""

Figure = Callable[[Results], float | int | None]
CELLS: dict[str, Figure] = {
    "orders": lambda one: one.orders,
    "completed": lambda one: one.completed,
    "cancelled": lambda one: one.cancelled,
    "on_time": lambda one: _percent(one.on_time_share),
    "ratings": lambda one: one.ratings,
    "mean": lambda one: None if one.mean is None else round(one.mean, 2),
    "score1": lambda one: one.scores[0],
    "score2": lambda one: one.scores[1],
    "score3": lambda one: one.scores[2],
    "score4": lambda one: one.scores[3],
    "score5": lambda one: one.scores[4],
    "content": lambda one: _percent(one.content_share),
    "complaints": lambda one: one.complaints,
    "open": lambda one: one.open_complaints,
    "to_close": lambda one: _hours(one.to_close),
    "calls": lambda one: _percent(one.calls_share),
    "sms": lambda one: _percent(one.sms_share),
}
"""The columns of the table and of what is taken away; None where there is nothing to tell."""


class Titled(NamedTuple):
    """A row of the report in the viewer's words."""

    title: str
    row: Row
    placed: Placed[Row] | None
    """None where nobody is ranked."""


async def show(request: web.Request) -> web.StreamResponse:
    period, by = _period(request), _by(request)
    await audit(request, Action.LOOK, "report", f"{by} {period.begin} {period.end}")
    found = await _report(request, period, by)
    titled = _titled(request, by, found)
    drawn = titled[:DRAWN] if by is not By.MONTH else titled
    today = today_of(request)
    return render(
        request,
        "reports.html",
        period=period,
        presets=_presets(today),
        today=today,
        by=by,
        parts=tuple(By),
        whole=found.whole,
        charts=_charts([one.row.results for one in drawn], by),
        titles=[one.title for one in drawn],
        shorts=[_short(one.title) for one in drawn],
        left_out=len(titled) - len(drawn),
        rows=[
            (one.title, {name: figure(one.row.results) for name, figure in CELLS.items()})
            for one in titled
        ],
        cells=tuple(CELLS),
        ranked=sorted((one for one in titled if one.placed), key=_best_first),
        fewest=FEWEST,
        late_minutes=int(reports.LATE_AFTER.total_seconds() // 60),
    )


async def as_csv(request: web.Request) -> web.StreamResponse:
    period, by = _period(request), _by(request)
    await audit(request, Action.LOOK, "report", f"{by} {period.begin} {period.end}", "csv")
    sheet = _sheet(request, by, await _report(request, period, by))
    name = f"yihu-{period.begin}-{period.end}-{by}.csv"
    return sheets.download(sheets.as_csv(sheet.heads, sheet.rows), name)


async def as_xlsx(request: web.Request) -> web.StreamResponse:
    """All parts, a sheet each."""
    period = _period(request)
    await audit(request, Action.LOOK, "report", f"{period.begin} {period.end}", "xlsx")
    made = [_sheet(request, by, await _report(request, period, by)) for by in By]
    body = await asyncio.to_thread(sheets.as_xlsx, made)
    return sheets.download(body, f"yihu-{period.begin}-{period.end}.xlsx")


async def _report(request: web.Request, period: Period, by: By) -> Report:
    zone: ZoneInfo = request.app[SETTINGS].zone
    return await in_store(request, reports.report, period.begin, period.end, zone, by)


def _period(request: web.Request) -> Period:
    """Of the address; the last 30 days without one. Raises HTTPBadRequest."""
    return period_of(request, last_days(today_of(request), 30))


def _by(request: web.Request) -> By:
    try:
        return By(request.query.get("by", By.PROVIDER))
    except ValueError as error:
        raise web.HTTPBadRequest from error


def _presets(today: date) -> dict[str, Period]:
    """Periods that are asked for often, by the name of their text."""
    this_month = today.replace(day=1)
    before = this_month - timedelta(days=1)
    return {
        "month": last_days(today, 30),
        "this_month": Period(this_month, today),
        "last_month": Period(before.replace(day=1), before),
        "year": last_days(today, 365),
    }


def _titled(request: web.Request, by: By, found: Report) -> list[Titled]:
    places: dict[object, Placed[Row]] = {}
    if by in RANKED:
        known = [(row, row.results.scores) for row in found.rows if row.key is not None]
        places = {placed.one.key: placed for placed in ranking(known)}
    return [Titled(_title(request, by, row), row, places.get(row.key)) for row in found.rows]


def _title(request: web.Request, by: By, row: Row) -> str:
    screens, language = request.app[SCREENS], language_of(request)
    if isinstance(row.key, date):
        return f"{row.key:%Y-%m}"
    if row.key is None or row.key == "":
        return screens.text(language, f"reports.unknown.{by}")
    if by is By.SERVICE:
        return screens.service(language, str(row.key))
    return f"{row.name}（{row.of}）" if row.of else row.name or str(row.key)


def _best_first(one: Titled) -> tuple[bool, float, str]:
    assert one.placed is not None
    return one.placed.place is None, -one.placed.interval.low, one.title


def _sheet(request: web.Request, by: By, found: Report) -> Sheet:
    def text(key: str) -> str:
        return request.app[SCREENS].text(language_of(request), key)

    heads = [text(f"reports.by.{by}"), *(text(f"reports.cell.{name}") for name in CELLS)]
    if by in RANKED:
        heads += [text(f"reports.cell.{name}") for name in ("low", "high", "place")]
    told: list[list[Cell]] = []
    for title, row, placed in _titled(request, by, found):
        told.append([title, *(figure(row.results) for figure in CELLS.values())])
        if by in RANKED:
            told[-1] += _place(placed)
    return Sheet(text(f"reports.by.{by}"), heads, told)


def _place(placed: Placed[Row] | None) -> list[Cell]:
    if placed is None or not sum(placed.one.results.scores):
        return [None, None, None]
    return [round(placed.interval.low, 2), round(placed.interval.high, 2), placed.place]


def _charts(results: Sequence[Results], by: By) -> tuple[Chart, ...]:
    """Months follow each other as columns, everything else stands below each other."""

    def chart(
        name: str,
        parts: tuple[str, ...],
        values: Sequence[tuple[float, ...] | None],
        percent: bool = False,
    ) -> Chart:
        top = 100 if percent else None
        if by is By.MONTH:
            every = -(-len(values) // MONTHS_NAMED)
            return Chart("reports", name, parts, columns(values, top=top, every=every), percent)
        return Chart("reports", name, parts, rows(values, top=top), percent)

    orders = [
        (one.completed, one.orders - one.completed - one.cancelled, one.cancelled)
        for one in results
    ]
    scores = [
        tuple(100 * n / one.ratings for n in one.scores) if one.ratings else None for one in results
    ]
    complaints = [(one.complaints - one.open_complaints, one.open_complaints) for one in results]
    return (
        chart("orders", ("good", "open", "bad"), orders),
        chart("scores", tuple(f"score{score}" for score in SCORES), scores, True),
        chart("on_time", ("good",), [_part(one.on_time_share) for one in results], True),
        chart("complaints", ("human", "bad"), complaints),
        chart("calls", ("human",), [_part(one.calls_share) for one in results], True),
        chart("sms", ("human",), [_part(one.sms_share) for one in results], True),
    )


def _part(share: float | None) -> tuple[float, ...] | None:
    return None if share is None else (100 * share,)


def _short(title: str) -> str:
    """As much of it as has room beside a row."""
    room = NAME_ROOM
    for n, character in enumerate(title):
        room -= 2 if unicodedata.east_asian_width(character) in "WF" else 1
        if room < 0:
            return f"{title[: n - 1]}…"
    return title


def _percent(share: float | None) -> float | None:
    return None if share is None else round(100 * share, 1)


def _hours(duration: timedelta | None) -> float | None:
    return None if duration is None else round(duration.total_seconds() / 3600, 1)


PAGES: tuple[Page, ...] = (
    Page("GET", "/reports", show, Role.SUPERVISOR),
    Page("GET", "/reports.csv", as_csv, Role.SUPERVISOR),
    Page("GET", "/reports.xlsx", as_xlsx, Role.SUPERVISOR),
)
