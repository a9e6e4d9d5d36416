"""A month of orders, lived through by the process that keeps promises in seconds.

    .venv/bin/python tests/month/month.py FOLDER --days 30 --orders 3000

Store, planning, timetable and dialler are the real ones; telephones and the clock are simulated
(telephones.py). Killed at any moment and started again with the same folder it goes on where it
was. What it took and what came of everything is one JSON document on standard output, what a day
took a line on the other.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import logging
import mmap
import resource
import struct
import sys
import time as clocks
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import structlog
from sqlalchemy import insert
from sqlmodel import SQLModel, col, func, select
from telephones import SimulatedLoop, Telephones, chance

from ivr.catalog import load_catalog
from ivr.catalog import services as catalog_rows
from ivr.config import FollowUpSettings, OutboundSettings, Settings
from ivr.outreach import dialler as dialling
from ivr.outreach.dialler import Dialler
from ivr.outreach.hours import Hours, hours_of
from ivr.outreach.timetable import Timetable
from store import follow_ups, order_life, services
from store.database import Store, open_store
from store.models import (
    OPEN_FOLLOW_UPS,
    CareAlert,
    Channel,
    Elder,
    FollowUp,
    FollowUpState,
    GreetingPlan,
    OrderStatus,
    Phone,
    SmsOut,
    StandingOrder,
    WorkOrder,
)
from store.order_steps import NOBODY

FIRST = date(2026, 11, 2)
"""A Monday."""
DOWN_S = 30
"""How long nobody is there after the process was killed."""
STANDING, ROUND_DAYS = 0.4, 10
"""Share of the orders that are standing ones; after how many days the same elder orders again."""
GREETED = 30
"""One greeting a day to so many orders."""
BUSY_S = dialling.FOLLOW_UP_S
"""How soon it is looked again while somebody is due already, who may have to wait for a line."""
FOUND_S = 120
"""How long a new process looks often for what another one left. Later it looks as rarely as
PASS_S: telephones that are simulated tell what becomes of every call."""
PASS_S = 1800
"""How often providers report and answers to messages come."""
FIRST_DUE = select(func.min(FollowUp.due_at)).where(FollowUp.state == FollowUpState.WAITING)


@dataclass(frozen=True, slots=True)
class Scale:
    days: int
    orders: int
    """A day."""
    lines: int
    calls: int
    """Out at once."""
    tail_days: int
    """After the last order: until the last answer to a message is not waited for any longer."""

    @property
    def standing(self) -> int:
        return round(self.orders * STANDING)


class Clock:
    """Simulated time, found again after the process was killed."""

    def __init__(self, path: Path, begin: datetime) -> None:
        if not path.exists():
            path.write_bytes(bytes(8))
        self._file = path.open("r+b")
        self._kept = mmap.mmap(self._file.fileno(), 8)
        (last,) = struct.unpack("d", self._kept)
        self.resumed = bool(last)
        self._begin = datetime.fromtimestamp(last + DOWN_S, UTC) if last else begin

    def __call__(self) -> datetime:
        now = self._begin + timedelta(seconds=asyncio.get_running_loop().time())
        struct.pack_into("d", self._kept, 0, now.timestamp())
        return now


def rows(new: Iterable[SQLModel]) -> list[dict[str, Any]]:
    """For a statement that inserts many at once."""
    return [one.model_dump(exclude={"id"}) for one in new]


def number_of(elder: int) -> str:
    """Seven of ten have a mobile; the others cannot be written to."""
    return f"139{elder:08}" if chance("mobile", elder) < 7000 else f"0512{60_000_000 + elder}"


def introduce(store: Store, scale: Scale, begin: datetime) -> None:
    """Elders with standing orders, elders who order by telephone, elders who live alone."""
    weekly, callers = scale.standing * 7, (scale.orders - scale.standing) * ROUND_DAYS
    alone = max(1, scale.orders // GREETED)
    elders, phones, standing, greeted = [], [], [], []
    for id in range(1, weekly + callers + alone + 1):
        narrow = chance("hours", id)
        elders.append(
            Elder(
                name=f"老人{id}", address=f"{id}号",
                call_from=time(14) if narrow < 1000 else None,
                call_to=time(12) if 1000 <= narrow < 2000 else None,
                call_days="12345" if chance("days", id) < 1000 else "",
                calls_refused=chance("refuses", id) < 100,
            )
        )  # fmt: skip
        phones.append(Phone(number=number_of(id), elder_id=id))
        hour = time(8 + chance("hour", id) % 10, 15 * (chance("quarter", id) % 4))
        if id <= weekly:
            standing.append(
                StandingOrder(
                    elder_id=id, phone=number_of(id), code="bathing", weekdays=str(1 + id % 7),
                    at=hour, starts_on=FIRST, ends_on=FIRST + timedelta(days=scale.days - 1),
                )
            )  # fmt: skip
        elif id > weekly + callers:
            greeted.append(
                GreetingPlan(elder_id=id, phone=number_of(id), weekdays="1234567", at=time(10))
            )
    with store.write() as session:
        if session.exec(select(Elder.id).limit(1)).first() is not None:
            return
        connection = session.connection()
        connection.execute(insert(Elder), rows(elders))
        connection.execute(insert(Phone), [one.model_dump() for one in phones])
        connection.execute(insert(StandingOrder), rows(standing))
        connection.execute(insert(GreetingPlan), rows(greeted))


class World:
    """People who order, providers who report, elders who answer messages."""

    def __init__(self, store: Store, settings: Settings, scale: Scale, phones: Telephones) -> None:
        self._store, self._settings, self._scale, self._phones = store, settings, scale, phones
        self._ordered: date | None = None

    async def run(self, now: Clock) -> None:
        while True:
            with self._phones.aside():
                at = now()
                self._order(at)
                self._report(at)
                self._answer(at)
            self._phones.busy.set()
            await asyncio.sleep(PASS_S)

    def _order(self, now: datetime) -> None:
        """The orders of a day that are no standing ones, all of them at midnight."""
        day = now.astimezone(self._settings.zone).date()
        nth = (day - FIRST).days
        if self._ordered == day or nth >= self._scale.days:
            return
        begin = datetime.combine(day, time(), self._settings.zone)
        weekly, by_phone = self._scale.standing * 7, self._scale.orders - self._scale.standing
        orders = []
        for number in range(by_phone):
            id = weekly + 1 + (nth % ROUND_DAYS) * by_phone + number
            minutes = 8 * 60 + chance("order", id, nth) % (10 * 60)
            orders.append(
                WorkOrder(
                    code="cleaning", elder_id=id, phone=number_of(id), address="家",
                    scheduled_for=begin + timedelta(minutes=minutes), price_fen=3500, pay_fen=3500,
                    created_at=begin,
                )
            )  # fmt: skip
        with self._store.write() as session:
            there = select(WorkOrder.id).where(
                WorkOrder.created_at == begin, col(WorkOrder.standing_id).is_(None)
            )
            if orders and session.exec(there.limit(1)).first() is None:
                session.connection().execute(insert(WorkOrder), rows(orders))
        self._ordered = day

    def _report(self, now: datetime) -> None:
        """A service lasts an hour; its provider then says that it is done."""
        lasts = timedelta(hours=1)
        over = select(WorkOrder).where(
            WorkOrder.status == OrderStatus.CREATED, col(WorkOrder.scheduled_for) <= now - lasts
        )
        with self._store.write() as session:
            for order in session.exec(over.order_by(col(WorkOrder.id))).all():
                assert order.scheduled_for is not None
                order_life.completed(session, order, NOBODY, order.scheduled_for + lasts)

    def _answer(self, now: datetime) -> None:
        """Two of five answer a message, two hours later."""
        waits = timedelta(hours=self._settings.follow_up.reply_hours - 2)
        asked = select(FollowUp).where(
            FollowUp.state == FollowUpState.MESSAGED, FollowUp.due_at <= now + waits
        )
        with self._store.write() as session:
            for row in session.exec(asked.order_by(col(FollowUp.id))).all():
                if chance("answers", row.phone, row.created_at) < 4000:
                    assert row.order_id is not None
                    follow_ups.rate(
                        session, order_id=row.order_id, score=1 + chance("score", row.phone) % 5,
                        channel=Channel.SMS, at=row.due_at - waits,
                    )  # fmt: skip


async def live(folder: Path, scale: Scale) -> dict[str, Any]:
    settings = Settings(
        data_dir=folder,
        outbound=OutboundSettings(
            gateway="127.0.0.1", max_calls=scale.calls, lines=scale.lines, spare_lines=4
        ),
        follow_up=FollowUpSettings(max_calls=scale.calls),
    )
    settings.agent.max_calls = scale.lines
    begin = datetime.combine(FIRST, time(), settings.zone)
    now = Clock(folder / "clock", begin)
    store = open_store(settings.database)
    services.sync(store, catalog_rows(load_catalog()))
    introduce(store, scale, begin)
    phones = Telephones(folder, store, settings, _hours(store, settings), now)

    async def room() -> int:
        return phones.agent_room()

    dialler = Dialler(store, phones, settings, load_catalog(), room, now)  # type: ignore[arg-type]
    timetable = Timetable(store, settings, now)
    spent = Spent(phones)
    spent.watch(timetable, "run_due", "planning_s")
    spent.watch(dialling.follow_ups, "due", "deciding_s")
    spent.watch(dialling, "decide", "deciding_s")
    spent.watch(dialler._follow_ups, "keep", "keeping_s")
    watched = (
        asyncio.create_task(dialler._attempts.listen(), name="listens"),
        asyncio.create_task(timetable.run(), name="timetable"),
        asyncio.create_task(World(store, settings, scale, phones).run(now), name="world"),
    )
    end = begin + timedelta(days=scale.days + scale.tail_days)
    day, days = now().astimezone(settings.zone).date(), []
    while now() < end:
        # after a while nobody is left whose telephone another process let ring
        dialling.LOOK_S = 10.0 if asyncio.get_running_loop().time() < FOUND_S else PASS_S
        await dialler.tick()
        phones.busy.clear()
        wait_s = _wait_s(store, phones, now())
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(phones.busy.wait(), wait_s)
        for task in watched:
            if task.done():
                task.result()
        if (today := now().astimezone(settings.zone).date()) != day:
            days.append({"day": str(day), **spent.of_day(), "wrong": len(phones.wrong)})
            print(json.dumps(days[-1]), file=sys.stderr, flush=True)
            day = today
    days.append({"day": str(day), **spent.of_day()})
    for task in watched:
        task.cancel()
    report = {**came_of(store), "days": days, "wrong": phones.wrong, "most": phones.most}
    report["memory_mb"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    store.close()
    return report


class Spent:
    """Processor time of a day, without what the simulation itself takes."""

    def __init__(self, phones: Telephones) -> None:
        self._phones = phones
        self._by: defaultdict[str, float] = defaultdict(float)
        self._begun, self._aside, self._placed = clocks.process_time(), phones.aside_s, 0

    def watch(self, what: object, method: str, name: str) -> None:
        """Tells the time of one method apart."""
        real = getattr(what, method)

        def timed(*values: Any) -> Any:
            begun = clocks.process_time()
            result = real(*values)
            self._by[name] += clocks.process_time() - begun
            return result

        setattr(what, method, timed)

    def of_day(self) -> dict[str, float]:
        now, aside = clocks.process_time(), self._phones.aside_s
        work = now - self._begun - (aside - self._aside)
        found = {"work_s": work, **self._by, "aside_s": aside - self._aside}
        found["calls"] = self._phones.placed - self._placed
        self._begun, self._aside, self._placed = now, aside, self._phones.placed
        self._by.clear()
        return {name: round(value, 2) for name, value in found.items()}


def _hours(store: Store, settings: Settings) -> dict[str, Hours]:
    everybody = select(Phone.number, Elder).join(Elder)
    with store.read() as session:
        return {
            number: hours_of(elder.call_from, elder.call_to, elder.call_days, settings.follow_up)
            for number, elder in session.exec(everybody)
        }


def _wait_s(store: Store, phones: Telephones, now: datetime) -> float:
    """Until somebody is due; the end of a call wakes the dialler earlier."""
    with phones.aside(), store.watching() as connection:
        first = connection.execute(FIRST_DUE).scalar_one()
    until_due = (first - now).total_seconds() if first is not None else PASS_S
    return min(max(BUSY_S, until_due), dialling.LOOK_S)


def came_of(store: Store) -> dict[str, Any]:
    """Everything that came of it, in an order of its own and not of the moments."""
    with store.read() as session:
        found = session.exec(
            select(FollowUp, WorkOrder.scheduled_for).outerjoin(
                WorkOrder, col(WorkOrder.id) == col(FollowUp.order_id)
            )
        )
        # numbers of orders depend on what came first, what was planned or what was ordered
        calls = {
            row.key: (f"{row.purpose} {row.phone} {at or row.key}", row.end, row.tries)
            for row, at in found
        }
        orders = session.exec(select(WorkOrder.status, func.count()).group_by(WorkOrder.status))
        by_status = {status: count for status, count in orders}
        unfinished = session.exec(
            select(func.count()).where(col(FollowUp.state).in_(OPEN_FOLLOW_UPS))
        ).one()
        unasked = session.exec(
            select(func.count())
            .select_from(WorkOrder)
            .outerjoin(
                FollowUp,
                (col(FollowUp.order_id) == col(WorkOrder.id)) & col(FollowUp.key).like("rating:%"),
            )
            .where(col(WorkOrder.completed_at).is_not(None), col(FollowUp.id).is_(None))
        ).one()
        messages = sorted(calls[key][0] for key in session.exec(select(SmsOut.key)))
        alerts = session.exec(select(func.count()).select_from(CareAlert)).one()
    return {
        "follow_ups": len(calls),
        "ends": dict(
            sorted(Counter(f"{what.split()[0]} {end}" for what, end, _ in calls.values()).items())
        ),
        "orders": by_status,
        "open": unfinished,
        "unasked": unasked,
        "messages": messages,
        "alerts": alerts,
        "each": sorted(f"{what} {end} {tries}" for what, end, tries in calls.values()),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--orders", type=int, default=3000)
    parser.add_argument("--lines", type=int, default=30)
    parser.add_argument("--calls", type=int, default=20)
    parser.add_argument("--tail-days", type=int, default=8)
    own = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    own.folder.mkdir(parents=True, exist_ok=True)
    scale = Scale(own.days, own.orders, own.lines, own.calls, own.tail_days)
    loop = SimulatedLoop()
    try:
        report = loop.run_until_complete(live(own.folder, scale))
    finally:
        loop.close()
    print(json.dumps(report, ensure_ascii=False))
    return 0


if __name__ == "__main__":
    sys.exit(main())
