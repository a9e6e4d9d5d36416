"""Work that is done again and again at certain times, kept in the store by APScheduler.

APScheduler's own loop moves a job on to its next time before it has run, so that whoever is killed
in between has left it out. Here a job is run first and moved on afterwards: what a process did not
end, the next one does again. Each job may therefore be run twice and must not mind. The clock is
the one that is passed in.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import NoReturn

import structlog
from apscheduler.job import Job
from apscheduler.jobstores.sqlalchemy import SQLAlchemyJobStore
from apscheduler.schedulers.base import BaseScheduler
from apscheduler.triggers.cron import CronTrigger

from ivr.config import Settings
from ivr.outreach.planning import expire, plan
from store.database import Store, StoreError

LOOK_S = 30.0
"""How often it is looked at the clock; at the store only when a job is due."""

Work = Callable[[Store, Settings, datetime], None]
"""Blocking. Raises StoreError."""

JOBS: Mapping[str, tuple[Work, str]] = {
    "plan": (plan, "5 * * * *"),
    "expire": (expire, "*/30 * * * *"),
}
"""What is done, and when by the site's clock, as crontab has it."""

NEVER = datetime.max.replace(tzinfo=UTC)

log = structlog.get_logger()


def by_name() -> None:
    """What the store has as a job's function: what is really done is found by its name."""


class Kept(BaseScheduler):
    """Jobs and their next times. Stays paused: it runs nothing by itself."""

    def shutdown(self, wait: bool = True) -> None:
        super().shutdown(wait)

    def wakeup(self) -> None:
        """Nobody sleeps."""


class Timetable:
    def __init__(
        self,
        store: Store,
        settings: Settings,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        jobs: Mapping[str, tuple[Work, str]] = JOBS,
    ) -> None:
        """Takes up what is in the store; a job that is new, or at other times than before, is due
        at once. Raises StoreError."""
        wanted = {
            name: (work, CronTrigger.from_crontab(when, settings.zone))
            for name, (work, when) in jobs.items()
        }
        self._store, self._settings, self._now = store, settings, now
        self._work = {name: work for name, (work, _) in jobs.items()}
        self._kept = Kept(timezone=settings.zone)
        with store.lent() as engine:
            self._kept.add_jobstore(SQLAlchemyJobStore(engine=engine))
            self._kept.start(paused=True)
            for job in self._kept.get_jobs():
                if job.id not in wanted or repr(job.trigger) != repr(wanted[job.id][1]):
                    job.remove()
            for name, (_, trigger) in wanted.items():
                if self._kept.get_job(name) is None:
                    self._kept.add_job(by_name, trigger, id=name, next_run_time=now())
        self.next_at = now()
        """When the next job is due, or the first look."""

    async def run(self) -> NoReturn:
        """Until cancelled. A job that fails is run again at the next look."""
        while True:
            if self._now() >= self.next_at:
                await asyncio.to_thread(self.run_due)
            await asyncio.sleep(LOOK_S)

    def run_due(self) -> None:
        """Runs what is due, once each, however often it was missed."""
        try:
            with self._store.lent():
                jobs = self._kept.get_jobs()
            self.next_at = min((self._run(job) for job in jobs), default=NEVER)
        except StoreError as error:
            log.warning("the timetable waits", reason=str(error))

    def _run(self, job: Job) -> datetime:
        """Runs it if it is due; returns when it is next."""
        now, due = self._now(), job.next_run_time
        if due > now:
            return due
        try:
            self._work[job.id](self._store, self._settings, now)
        except StoreError as error:
            log.warning("done again later", job=job.id, reason=str(error))
            return due
        next = job.trigger.get_next_fire_time(now, now)
        with self._store.lent():
            job.modify(next_run_time=next)
        return next
