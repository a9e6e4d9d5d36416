"""How well callers were served: read from the calls, the queue and the call-backs of a period.

What each figure says, so that nobody has to guess:

- A *call* is somebody who rang in, whether the agent, the queue or nobody took it. Calls that the
  house made are none.
- *Answered* means that the agent or an operator spoke; *in time* within IN_TIME_S of ringing, as
  GB/T 33358 asks for.
- *By the agent alone*: ordered, and no operator was needed.
- *Queued*: waited for an operator. The wait ends with an operator's voice, or the caller *gives
  up*.
- A call-back is *reached* when they answered. Those who had rung again and been served before it
  was dialled needed none and count neither way.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import NamedTuple, TypeVar
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import exists, or_
from sqlmodel import Session, col, select

from store.database import Store
from store.models import Call, Callback, CallbackState, FollowUp, Outcome, QueueEnd, QueueVisit

IN_TIME_S = 15.0
HOURS = range(24)

K = TypeVar("K", bound=Hashable)


class Wait(NamedTuple):
    """Somebody stood in the operators' queue."""

    began_at: datetime
    answered_s: float | None
    """None if no operator answered."""
    gave_up: bool


class Ring(NamedTuple):
    """Somebody rang in."""

    at: datetime
    answered_s: float | None
    """Until the first voice, the agent's or an operator's; None if there was none."""
    agent_alone: bool


class Owed(NamedTuple):
    """Somebody was to be called back."""

    at: datetime
    """When they began to wait."""
    reached: bool
    given_up: bool
    needless: bool
    """They had been served before they were dialled."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What the figures are made of."""

    rings: tuple[Ring, ...] = ()
    waits: tuple[Wait, ...] = ()
    owed: tuple[Owed, ...] = ()


@dataclass(frozen=True, slots=True)
class Figures:
    calls: int = 0
    answered: int = 0
    in_time: int = 0
    agent_alone: int = 0
    queued: int = 0
    queue_answered: int = 0
    queue_in_time: int = 0
    gave_up: int = 0
    waits_s: tuple[float, ...] = field(default=(), repr=False)
    """Of those whom an operator answered, in rising order."""
    callbacks: int = 0
    """Those that were needed."""
    reached: int = 0
    not_reached: int = 0
    """Given up; the others that are not reached are still open."""

    @property
    def answered_share(self) -> float | None:
        return _share(self.answered, self.calls)

    @property
    def in_time_share(self) -> float | None:
        return _share(self.in_time, self.calls)

    @property
    def agent_share(self) -> float | None:
        return _share(self.agent_alone, self.calls)

    @property
    def queue_in_time_share(self) -> float | None:
        return _share(self.queue_in_time, self.queued)

    @property
    def gave_up_share(self) -> float | None:
        return _share(self.gave_up, self.queued)

    @property
    def reached_share(self) -> float | None:
        return _share(self.reached, self.callbacks)

    def wait_s(self, percent: float) -> float | None:
        """The wait that so many per cent did not exceed (nearest rank); None without any."""
        if not self.waits_s:
            return None
        return self.waits_s[max(0, math.ceil(len(self.waits_s) * percent / 100) - 1)]


@dataclass(frozen=True, slots=True)
class Report:
    """A period, as a whole and in parts."""

    whole: Figures
    hours: tuple[Figures, ...]
    """24 of them, by the hour of the day in which somebody rang, all days together."""
    days: Mapping[date, Figures]
    """In their order, also those on which nobody rang."""


def report(store: Store, begin: date, end: date, zone: ZoneInfo) -> Report:
    """From the beginning of one day to the end of another, in the site's time. Raises StoreError.

    Raises ValueError when `end` is before `begin`.
    """
    if end < begin:
        raise ValueError(f"{end} is before {begin}")
    facts = gather(store, *bounds(begin, end, zone))
    days = [begin + timedelta(days=n) for n in range((end - begin).days + 1)]
    by_hour = _parted(facts, lambda at: at.astimezone(zone).hour)
    by_day = _parted(facts, lambda at: at.astimezone(zone).date())
    return Report(
        figures(facts),
        tuple(figures(by_hour.get(hour, Facts())) for hour in HOURS),
        {day: figures(by_day.get(day, Facts())) for day in days},
    )


def bounds(begin: date, end: date, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """The first moment of one day, and the one at which another is over."""
    midnight = datetime.min.time()
    after = end + timedelta(days=1)
    return datetime.combine(begin, midnight, zone), datetime.combine(after, midnight, zone)


def figures(facts: Facts) -> Figures:
    answered = [ring.answered_s for ring in facts.rings if ring.answered_s is not None]
    waited = [wait.answered_s for wait in facts.waits if wait.answered_s is not None]
    needed = [owed for owed in facts.owed if not owed.needless]
    return Figures(
        calls=len(facts.rings),
        answered=len(answered),
        in_time=_in_time(answered),
        agent_alone=sum(ring.agent_alone for ring in facts.rings),
        queued=len(facts.waits),
        queue_answered=len(waited),
        queue_in_time=_in_time(waited),
        gave_up=sum(wait.gave_up for wait in facts.waits),
        waits_s=tuple(sorted(waited)),
        callbacks=len(needed),
        reached=sum(owed.reached for owed in needed),
        not_reached=sum(owed.given_up for owed in needed),
    )


def gather(store: Store, begin: datetime, end: datetime) -> Facts:
    """What began in [begin, end). Raises StoreError."""
    with store.read() as session:
        waits, unseen = _waits(session, begin, end)
        rings = [*_rings(session, begin, end), *unseen]
        return Facts(tuple(rings), tuple(waits), tuple(_owed(session, begin, end)))


def _rings(session: Session, begin: datetime, end: datetime) -> Iterable[Ring]:
    """Calls that the agent has seen, or that it was told of."""
    placed = select(Callback.reached_call_id).where(col(Callback.reached_call_id).is_not(None))
    dialled = select(Callback.attempt_id).where(col(Callback.attempt_id).is_not(None))
    rows = select(Call.id, Call.started_at, Call.answered_at, Call.outcome).where(
        Call.started_at >= begin,
        Call.started_at < end,
        col(Call.id).not_in(placed),
        col(Call.id).not_in(dialled),
        ~exists().where(col(FollowUp.attempt_id) == col(Call.id)),
        or_(col(Call.outcome).is_(None), col(Call.outcome) != Outcome.FOLLOWED_UP),
    )
    operators = {
        call: answered
        for call, answered in session.exec(
            select(QueueVisit.call_id, QueueVisit.answered_at).where(
                QueueVisit.joined_at >= begin, col(QueueVisit.answered_at).is_not(None)
            )
        )
    }
    queued = set(
        session.exec(
            select(QueueVisit.call_id).where(
                QueueVisit.joined_at >= begin, col(QueueVisit.call_id).is_not(None)
            )
        )
    )
    for call, started, answered, outcome in session.exec(rows):
        first = answered or operators.get(call)
        alone = outcome is Outcome.ORDERED and call not in queued
        yield Ring(started, _seconds(started, first), alone)


def _waits(session: Session, begin: datetime, end: datetime) -> tuple[list[Wait], list[Ring]]:
    """Waits, and the callers among them of whom the agent knows nothing.

    Who was put into the queue twice in one call, waited once.
    """
    rows = session.exec(
        select(QueueVisit)
        .where(QueueVisit.joined_at >= begin, QueueVisit.joined_at < end)
        .order_by(col(QueueVisit.joined_at), col(QueueVisit.id))
    )
    callers: dict[UUID | str, list[QueueVisit]] = {}
    for visit in rows:
        callers.setdefault(visit.call_id or visit.uniqueid, []).append(visit)
    named = [caller for caller in callers if isinstance(caller, UUID)]
    known = _known(session, named) | _placed(session, named)
    waits, unseen = [], []
    for caller, visits in callers.items():
        began = visits[0].joined_at
        answered = next((v.answered_at for v in visits if v.answered_at is not None), None)
        gave_up = answered is None and visits[-1].how is QueueEnd.ABANDONED
        waits.append(Wait(began, _seconds(began, answered), gave_up))
        if caller not in known:
            unseen.append(Ring(began, _seconds(began, answered), False))
    return waits, unseen


def _known(session: Session, calls: list[UUID]) -> set[UUID]:
    found: set[UUID] = set()
    for some in _some(calls):
        found.update(session.exec(select(Call.id).where(col(Call.id).in_(some))))
    return found


def _placed(session: Session, calls: list[UUID]) -> set[UUID]:
    """Those that the house made."""
    found: set[UUID] = set()
    for some in _some(calls):
        for column in (
            col(Callback.reached_call_id),
            col(Callback.attempt_id),
            col(FollowUp.attempt_id),
        ):
            found.update(filter(None, session.exec(select(column).where(column.in_(some)))))
    return found


def _some(calls: list[UUID], most: int = 500) -> Iterable[list[UUID]]:
    """As many at a time as every database takes in one statement."""
    return (calls[start : start + most] for start in range(0, len(calls), most))


def _owed(session: Session, begin: datetime, end: datetime) -> Iterable[Owed]:
    rows = select(Callback.queued_at, Callback.state, Callback.reached_call_id).where(
        Callback.queued_at >= begin, Callback.queued_at < end
    )
    for queued, state, reached_call in session.exec(rows):
        reached = reached_call is not None
        yield Owed(
            queued,
            reached,
            given_up=state is CallbackState.GIVEN_UP and not reached,
            needless=state is CallbackState.DONE and not reached,
        )


def _parted(facts: Facts, part: Callable[[datetime], K]) -> dict[K, Facts]:
    """By what `part` says of when they began."""
    rings: dict[K, list[Ring]] = {}
    waits: dict[K, list[Wait]] = {}
    owed: dict[K, list[Owed]] = {}
    for ring in facts.rings:
        rings.setdefault(part(ring.at), []).append(ring)
    for wait in facts.waits:
        waits.setdefault(part(wait.began_at), []).append(wait)
    for one in facts.owed:
        owed.setdefault(part(one.at), []).append(one)
    return {
        key: Facts(tuple(rings.get(key, ())), tuple(waits.get(key, ())), tuple(owed.get(key, ())))
        for key in {*rings, *waits, *owed}
    }


def _in_time(seconds: Iterable[float]) -> int:
    return sum(second <= IN_TIME_S for second in seconds)


def _seconds(begin: datetime, end: datetime | None) -> float | None:
    return None if end is None else max(0.0, (end - begin).total_seconds())


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
