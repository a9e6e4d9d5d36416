"""What a report costs on a store of many orders: `python tests/load/reports.py [--days N]`.

Orders of 60 providers with 600 workers, 3,000 a day, each with its follow-up, most rated.
"""

from __future__ import annotations

import argparse
import random
import resource
import tempfile
import time
from datetime import UTC, date, datetime, timedelta
from itertools import count
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import insert

from ivr.catalog import load_catalog
from ivr.catalog import services as catalog_rows
from store import services
from store.database import Store, open_store
from store.models import (
    Channel,
    Complaint,
    FollowUp,
    FollowUpEnd,
    FollowUpState,
    OrderStatus,
    Provider,
    Purpose,
    Rating,
    Worker,
    WorkOrder,
)
from store.reports import By, report

A_DAY = 3000
PROVIDERS, WORKERS = 60, 600
SITE = ZoneInfo("Asia/Shanghai")
LAST = date(2026, 11, 22)


def fill(store: Store, days: int) -> None:
    chance, codes, ids = random.Random(1), list(load_catalog()), count(1)
    services.sync(store, catalog_rows(load_catalog()))
    with store.write() as session:
        for n in range(PROVIDERS):
            session.add(Provider(name=f"企业{n}", phone="0512", latitude=31.3, longitude=120.6))
        session.flush()
        for n in range(WORKERS):
            session.add(Worker(provider_id=n % PROVIDERS + 1, name=f"{n}号"))
    for before in range(days, 0, -1):
        begin = datetime(LAST.year, LAST.month, LAST.day, 9, tzinfo=SITE)
        begin += timedelta(days=1 - before)
        rows: dict[type, list[dict[str, Any]]] = {
            WorkOrder: [], FollowUp: [], Rating: [], Complaint: []
        }  # fmt: skip
        for _ in range(A_DAY):
            one(rows, next(ids), begin + timedelta(minutes=chance.randrange(540)), codes, chance)
        with store.write() as session:
            for table, values in rows.items():
                session.connection().execute(insert(table), values)


def one(
    rows: dict[type, list[dict[str, Any]]],
    id: int,
    at: datetime,
    codes: list[str],
    chance: random.Random,
) -> None:
    """An order, and what came of it."""
    worker, score = chance.randrange(WORKERS), chance.choices((1, 2, 3, 4, 5), (1, 2, 8, 30, 59))[0]
    rows[WorkOrder].append(
        {
            "id": id, "code": chance.choice(codes), "phone": "13812345678", "scheduled_for": at,
            "status": OrderStatus.CLOSED, "price_fen": 3500, "pay_fen": 3500, "created_at": at,
            "provider_id": worker % PROVIDERS + 1, "worker_id": worker + 1,
            "district": f"{worker % 7}区", "completed_at": at + timedelta(hours=2),
            "started_at": at + timedelta(minutes=chance.choice((0, 5, 10, 20))),
        }
    )  # fmt: skip
    rows[FollowUp].append(
        {
            "key": f"rating:{id}", "purpose": Purpose.RATING, "order_id": id,
            "phone": "13812345678", "created_at": at, "due_at": at, "state": FollowUpState.DONE,
            "tries": chance.choice((1, 1, 2, 3)), "end": FollowUpEnd.RATED, "closed_at": at,
        }
    )  # fmt: skip
    if chance.random() < 0.7:
        rows[Rating].append({"order_id": id, "score": score, "channel": Channel.VOICE, "at": at})
        if score < 3:
            closed = at + timedelta(hours=chance.randrange(90))
            rows[Complaint].append({"order_id": id, "score": score, "at": at, "closed_at": closed})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--days", type=int, default=30)
    days = parser.parse_args().days
    with tempfile.TemporaryDirectory() as folder:
        store = open_store(f"sqlite:///{folder}/yihu.sqlite3")
        fill(store, days)
        for by in By:
            begun, clock = time.process_time(), datetime.now(UTC)
            found = report(store, LAST - timedelta(days=days - 1), LAST, SITE, by)
            cpu_s, wall = time.process_time() - begun, datetime.now(UTC) - clock
            print(
                f"{by:9} {found.whole.orders} orders, {len(found.rows)} rows:"
                f" {cpu_s:.2f} s CPU, {wall.total_seconds():.2f} s"
            )
        store.close()
    print(f"peak {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10} MB, filling included")


if __name__ == "__main__":
    main()
