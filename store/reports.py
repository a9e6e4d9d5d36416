"""What came of the orders of a period: by provider, worker, service, district or month.

What each figure says, so that nobody has to guess:

- An order belongs to the moment it was for; where no time was ever set, to that at which it was
  made. What came of it later, such as its rating, is counted there too.
- *On time*: the service began no later than LATE_AFTER after the time it was for. Orders of which
  either is not known count neither way, and early is not late.
- *Called*: those whom we have dialled to ask; *answered by telephone*: the score that counts was
  said or keyed in, in our call or in theirs.
- *Written to*: those of whom the gateway took our message; *answered by SMS*: the score that counts
  came in a message.
- *Time to close*: of the complaints that are closed, half took no longer.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import StrEnum
from statistics import median
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, FunctionElement, Subquery, case, literal
from sqlalchemy import select as columns
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlmodel import Session, col, func, select

from store.database import Store
from store.figures import bounds
from store.models import (
    Channel,
    Complaint,
    FollowUp,
    OrderStatus,
    Provider,
    Purpose,
    Rating,
    SmsOut,
    SmsPurpose,
    SmsState,
    Worker,
    WorkOrder,
)

LATE_AFTER = timedelta(minutes=15)
SCORES = (1, 2, 3, 4, 5)
CONTENT = (4, 5)
"""The scores of those who are content."""


class By(StrEnum):
    """What a report is divided by."""

    PROVIDER = "provider"
    WORKER = "worker"
    SERVICE = "service"
    DISTRICT = "district"
    MONTH = "month"


@dataclass(frozen=True, slots=True)
class Results:
    orders: int = 0
    completed: int = 0
    cancelled: int = 0
    timed: int = 0
    """Those of which it is known whether they were on time."""
    on_time: int = 0
    scores: tuple[int, ...] = (0,) * len(SCORES)
    """How many gave each score, 1 first."""
    complaints: int = 0
    open_complaints: int = 0
    to_close: timedelta | None = None
    """Median; None where none is closed."""
    called: int = 0
    answered_calls: int = 0
    written_to: int = 0
    answered_sms: int = 0

    @property
    def ratings(self) -> int:
        return sum(self.scores)

    @property
    def mean(self) -> float | None:
        points = sum(score * n for score, n in zip(SCORES, self.scores, strict=True))
        return points / self.ratings if self.ratings else None

    @property
    def on_time_share(self) -> float | None:
        return _share(self.on_time, self.timed)

    @property
    def content_share(self) -> float | None:
        return _share(sum(self.scores[score - 1] for score in CONTENT), self.ratings)

    @property
    def rated_share(self) -> float | None:
        return _share(self.ratings, self.completed)

    @property
    def calls_share(self) -> float | None:
        return _share(self.answered_calls, self.called)

    @property
    def sms_share(self) -> float | None:
        return _share(self.answered_sms, self.written_to)


@dataclass(frozen=True, slots=True)
class Row:
    """A part of the report."""

    key: int | str | date | None
    """Id of the provider or worker, code, district, first day of the month; None and empty:
    not known."""
    name: str
    """Of the provider or worker; empty for the others, and where it is not known."""
    of: str
    """A worker's provider; empty for the others."""
    results: Results


@dataclass(frozen=True, slots=True)
class Report:
    whole: Results
    rows: tuple[Row, ...]
    """Those with the most orders first; months in their order."""


@dataclass(slots=True)
class _Part:
    """Results while they are gathered."""

    orders: Counter[str] = field(default_factory=Counter)
    scores: Counter[int] = field(default_factory=Counter)
    asked: Counter[str] = field(default_factory=Counter)
    complaints: int = 0
    closed_after: list[timedelta] = field(default_factory=list)

    def add(self, other: _Part) -> None:
        self.orders += other.orders
        self.scores += other.scores
        self.asked += other.asked
        self.complaints += other.complaints
        self.closed_after += other.closed_after

    def results(self) -> Results:
        return Results(
            orders=self.orders["orders"],
            completed=self.orders["completed"],
            cancelled=self.orders["cancelled"],
            timed=self.orders["timed"],
            on_time=self.orders["on_time"],
            scores=tuple(self.scores[score] for score in SCORES),
            complaints=self.complaints,
            open_complaints=self.complaints - len(self.closed_after),
            to_close=_median(self.closed_after),
            called=self.asked["called"],
            answered_calls=self.asked["answered_calls"],
            written_to=self.asked["written_to"],
            answered_sms=self.asked["answered_sms"],
        )


def report(store: Store, begin: date, end: date, zone: ZoneInfo, by: By) -> Report:
    """From the beginning of one day to the end of another, in the site's time. Raises StoreError.

    Raises ValueError when `end` is before `begin`.
    """
    if end < begin:
        raise ValueError(f"{end} is before {begin}")
    months = _months(begin, end)
    with store.read() as session:
        found = _gather(session, _orders(by, begin, end, months, zone))
        names = _names(session, by)
    whole = _Part()
    for part in found.values():
        whole.add(part)
    if by is By.MONTH:
        rows = [
            Row(month, "", "", found.get(n, _Part()).results()) for n, month in enumerate(months)
        ]
    else:
        rows = [
            Row(key, *names.get(key, ("", "")), results=part.results())
            for key, part in found.items()
        ]
        rows.sort(key=lambda row: (-row.results.orders, row.name, str(row.key)))
    return Report(whole.results(), tuple(rows))


class _seconds(FunctionElement[int]):  # lower case, as functions of SQL are
    """Whole seconds from the first moment to the second."""

    inherit_cache = True


@compiles(_seconds, "sqlite")
def _seconds_in_sqlite(element: _seconds, compiler: SQLCompiler, **more: Any) -> str:
    begin, end = (compiler.process(clause, **more) for clause in element.clauses)
    return f"(CAST(strftime('%s', {end}) AS INTEGER) - CAST(strftime('%s', {begin}) AS INTEGER))"


@compiles(_seconds, "postgresql")
def _seconds_in_postgresql(element: _seconds, compiler: SQLCompiler, **more: Any) -> str:
    begin, end = (compiler.process(clause, **more) for clause in element.clauses)
    return f"floor(extract(epoch FROM {end} - {begin}))"


def _orders(by: By, begin: date, end: date, months: Sequence[date], zone: ZoneInfo) -> Subquery:
    """The orders of the period, each with the part it belongs to."""
    first, after = bounds(begin, end, zone)
    planned, made = col(WorkOrder.scheduled_for), col(WorkOrder.created_at)
    part: dict[By, Any] = {
        By.PROVIDER: col(WorkOrder.provider_id),
        By.WORKER: col(WorkOrder.worker_id),
        By.SERVICE: col(WorkOrder.code),
        By.DISTRICT: col(WorkOrder.district),
    }
    key = part[by] if by in part else _number_of_month(func.coalesce(planned, made), months, zone)
    return (
        columns(
            key.label("part"),
            col(WorkOrder.id),
            col(WorkOrder.status),
            planned,
            col(WorkOrder.started_at),
            col(WorkOrder.completed_at),
        )
        .where(
            ((planned >= first) & (planned < after))
            | (planned.is_(None) & (made >= first) & (made < after))
        )
        .subquery("orders")
    )


def _gather(session: Session, orders: Subquery) -> dict[Any, _Part]:
    parts: defaultdict[Any, _Part] = defaultdict(_Part)
    connection, its = session.connection(), orders.c
    timed = its.started_at.is_not(None) & its.scheduled_for.is_not(None)
    late_s = _seconds(its.scheduled_for, its.started_at)
    counted = columns(
        its.part,
        func.count().label("orders"),
        _those(its.completed_at.is_not(None)).label("completed"),
        _those(its.status == OrderStatus.CANCELLED).label("cancelled"),
        _those(timed).label("timed"),
        _those(timed & (late_s <= int(LATE_AFTER.total_seconds()))).label("on_time"),
    ).group_by(its.part)
    for row in connection.execute(counted).mappings():
        parts[row["part"]].orders.update({name: row[name] for name in row if name != "part"})

    rated = (
        columns(its.part, col(Rating.score), func.count())
        .join(Rating, col(Rating.order_id) == its.id)
        .group_by(its.part, col(Rating.score))
    )
    for part, score, n in connection.execute(rated):
        parts[part].scores[score] += n

    complained = columns(its.part, col(Complaint.at), col(Complaint.closed_at)).join(
        Complaint, col(Complaint.order_id) == its.id
    )
    for part, at, closed_at in connection.execute(complained):
        parts[part].complaints += 1
        if closed_at is not None:
            parts[part].closed_after.append(max(timedelta(), closed_at - at))

    called = col(FollowUp.tries) > 0
    written_to = (
        columns(col(SmsOut.id))
        .where(
            col(SmsOut.follow_up_id) == col(FollowUp.id),
            col(SmsOut.purpose) == SmsPurpose.RATING,
            col(SmsOut.state).in_((SmsState.SENT, SmsState.DELIVERED)),
        )
        .exists()
    )
    by_telephone = col(Rating.channel).in_((Channel.VOICE, Channel.KEYPAD))
    by_sms = col(Rating.channel) == Channel.SMS
    asked = (
        columns(
            its.part,
            _those(called).label("called"),
            _those(called & by_telephone).label("answered_calls"),
            _those(written_to).label("written_to"),
            _those(written_to & by_sms).label("answered_sms"),
        )
        .join(FollowUp, col(FollowUp.order_id) == its.id)
        .outerjoin(Rating, col(Rating.order_id) == its.id)
        .where(col(FollowUp.purpose) == Purpose.RATING)
        .group_by(its.part)
    )
    for row in connection.execute(asked).mappings():
        parts[row["part"]].asked.update({name: row[name] for name in row if name != "part"})
    return dict(parts)


def _those(which: ColumnElement[bool]) -> ColumnElement[int]:
    """How many they are."""
    return func.count().filter(which)


def _months(begin: date, end: date) -> list[date]:
    """The first days of the months that the period touches."""
    first = begin.year * 12 + begin.month - 1
    last = end.year * 12 + end.month - 1
    return [date(n // 12, n % 12 + 1, 1) for n in range(first, last + 1)]


def _number_of_month(
    moment: ColumnElement[datetime], months: Sequence[date], zone: ZoneInfo
) -> ColumnElement[int]:
    """Which of them it is in, in the site's time."""
    begins = [bounds(month, month, zone)[0] for month in months]
    before = [(moment < begin, number) for number, begin in enumerate(begins[1:])]
    return case(*before, else_=len(before)) if before else literal(0)


def _names(session: Session, by: By) -> dict[Any, tuple[str, str]]:
    """Key -> the part's name, and its provider's."""
    if by is By.PROVIDER:
        return {id: (name, "") for id, name in session.exec(select(Provider.id, Provider.name))}
    if by is By.WORKER:
        workers = select(Worker.id, Worker.name, Provider.name).join(Provider)
        return {id: (name, of) for id, name, of in session.exec(workers)}
    return {}


def _median(durations: Sequence[timedelta]) -> timedelta | None:
    if not durations:
        return None
    return timedelta(seconds=median(one.total_seconds() for one in durations))


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
