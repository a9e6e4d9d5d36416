"""How callers were served, for a supervisor: figures, charts, the same as a table and as CSV."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from aiohttp import web

from ivr.console import sheets
from ivr.console.charts import Chart, columns
from ivr.console.pages import SCREENS, SETTINGS, Page, audit, in_store, language_of, render
from ivr.console.periods import Period, last_days, period_of, today_of
from ivr.console.transfer import Help, helps_of
from store import alarms
from store.audit import Action
from store.database import Store
from store.figures import Figures, Report, bounds, report
from store.models import Role

NORM_PERCENT = 95
"""GB/T 33358: so many of a hundred calls are answered, and in time."""
HOURS_BETWEEN = 3
"""The hours under a chart: 0, 3, 6, ..."""
DAYS_NAMED = 8
"""About so many days have room under one."""


Cell = Callable[[Figures], float | int | None]
CELLS: dict[str, Cell] = {
    "calls": lambda one: one.calls,
    "answered_share": lambda one: _percent(one.answered_share),
    "in_time_share": lambda one: _percent(one.in_time_share),
    "agent_alone": lambda one: one.agent_alone,
    "agent_share": lambda one: _percent(one.agent_share),
    "queued": lambda one: one.queued,
    "wait_half": lambda one: _rounded(one.wait_s(50)),
    "wait_most": lambda one: _rounded(one.wait_s(90)),
    "gave_up": lambda one: one.gave_up,
    "callbacks": lambda one: one.callbacks,
    "reached": lambda one: one.reached,
}
"""The columns of the table and of the CSV; None where there is nothing to tell."""


async def show(request: web.Request) -> web.StreamResponse:
    period = _period(request)
    found = await _report(request, period)
    zone = request.app[SETTINGS].zone
    today = today_of(request)
    helps = await in_store(request, _helps, *bounds(period.begin, period.end, zone))
    if helps:
        await audit(request, Action.LOOK, "alarm", f"{period.begin} {period.end}")
    return render(
        request,
        "supervisor.html",
        period=period,
        presets=_presets(today),
        today=today,
        whole=found.whole,
        norm=NORM_PERCENT,
        charts=_charts(found.hours),
        day_chart=_calls("days", list(found.days.values()), every=-(-period.days // DAYS_NAMED)),
        hour_titles=[str(hour) for hour in range(len(found.hours))],
        day_titles=[f"{day.month}/{day.day}" for day in found.days],
        rows=[(hour, {name: cell(one) for name, cell in CELLS.items()})
              for hour, one in enumerate(found.hours)],
        cells=tuple(CELLS),
        helps=helps,
    )  # fmt: skip


async def as_csv(request: web.Request) -> web.StreamResponse:
    """By the hour of the day, or by day (`by=day`)."""
    period, by = (
        _period(request),
        request.query.get("by", "hour"),
    )
    found = await _report(request, period)
    rows: Iterable[tuple[str, Figures]]
    if by == "day":
        rows = [(day.isoformat(), one) for day, one in found.days.items()]
    elif by == "hour":
        rows = [(f"{hour:02}:00", one) for hour, one in enumerate(found.hours)]
    else:
        raise web.HTTPBadRequest
    screens, language = request.app[SCREENS], language_of(request)
    names = (f"supervisor.{by}", *(f"supervisor.cell.{name}" for name in CELLS))
    heads = [screens.text(language, name) for name in names]
    told = [[label, *(cell(one) for cell in CELLS.values())] for label, one in rows]
    return sheets.download(sheets.as_csv(heads, told), f"yihu-{period.begin}-{period.end}-{by}.csv")


def _helps(store: Store, begin: datetime, end: datetime) -> list[Help]:
    return helps_of(store, alarms.raised_between(store, begin, end))


async def _report(request: web.Request, period: Period) -> Report:
    zone: ZoneInfo = request.app[SETTINGS].zone
    return await in_store(request, report, period.begin, period.end, zone)


def _period(request: web.Request) -> Period:
    """Of the address; today without one. Raises HTTPBadRequest."""
    return period_of(request, last_days(today_of(request), 1))


def _presets(today: date) -> dict[str, Period]:
    """Periods that are asked for often, by the name of their text."""
    return {
        "today": last_days(today, 1),
        "yesterday": Period(today - timedelta(days=1), today - timedelta(days=1)),
        "week": last_days(today, 7),
        "month": last_days(today, 30),
    }


def _charts(hours: Iterable[Figures]) -> tuple[Chart, ...]:
    hours = list(hours)
    in_time = [None if one.in_time_share is None else (100 * one.in_time_share,) for one in hours]
    waits = [_half_and_most(one) for one in hours]
    owed = [
        (one.reached, one.callbacks - one.reached - one.not_reached, one.not_reached)
        for one in hours
    ]
    queue = [(one.queued - one.gave_up, one.gave_up) for one in hours]
    return (
        _calls("calls", hours, HOURS_BETWEEN),
        Chart(
            "supervisor",
            "in_time",
            ("good",),
            columns(in_time, top=100, mark=NORM_PERCENT, every=HOURS_BETWEEN),
            percent=True,
        ),
        _chart("waits", ("half", "most"), waits),
        _chart("gave_up", ("queued", "bad"), queue),
        Chart(
            "supervisor", "callbacks", ("good", "open", "bad"), columns(owed, every=HOURS_BETWEEN)
        ),
    )


def _calls(name: str, figures: list[Figures], every: int) -> Chart:
    parts = [
        (one.agent_alone, one.answered - one.agent_alone, one.calls - one.answered)
        for one in figures
    ]
    return _chart(name, ("agent", "human", "bad"), parts, every)


def _chart(
    name: str,
    parts: tuple[str, ...],
    values: Sequence[Sequence[float] | None],
    every: int = HOURS_BETWEEN,
) -> Chart:
    return Chart("supervisor", name, parts, columns(values, every=every))


def _half_and_most(one: Figures) -> tuple[float, float] | None:
    half, most = one.wait_s(50), one.wait_s(90)
    return None if half is None or most is None else (half, most - half)


def _percent(share: float | None) -> float | None:
    return None if share is None else round(100 * share, 1)


def _rounded(seconds: float | None) -> int | None:
    return None if seconds is None else round(seconds)


PAGES: tuple[Page, ...] = (
    Page("GET", "/supervisor", show, Role.SUPERVISOR),
    Page("GET", "/supervisor.csv", as_csv, Role.SUPERVISOR),
)
