"""Whom the agent has no place for: who they are to the queue, and whether it has a place."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from ivr.config import OutboundSettings, QueueSettings
from ivr.telephony.admission import Admit
from ivr.telephony.numbers import may_be_called
from store import callbacks, elders, operators, phones, queue_visits
from store.database import Store
from store.models import Cause, Duty, Wants

ON_THE_WAY = timedelta(seconds=10)
"""Who is not in the queue so long after being sent there has hung up, or was answered at once."""
ORDINARY, HIGH_RISK = 0, 10
"""Asterisk's QUEUE_PRIO: who has more stands in front."""


def priority(store: Store, caller: str) -> int:
    """In front of whom a caller waits for an operator. Raises StoreError."""
    number = phones.of_caller(caller)
    profile = elders.find_by_phone(store, number) if number else None
    return HIGH_RISK if profile is not None and profile.high_risk else ORDINARY


class Turnstile:
    """The queue, or a call-back where there are too many waiting for the operators on duty.

    Who is sent to the queue hears a sentence before they stand in it: of several who come within
    seconds, the later ones count those before them.
    """

    def __init__(self, store: Store, queue: QueueSettings, outbound: OutboundSettings) -> None:
        self._store = store
        self._queue = queue
        self._outbound = outbound
        self._on_the_way: dict[UUID, datetime] = {}

    def turn_away(self, call_id: UUID, caller: str, at: datetime) -> Admit:
        """Where a caller goes whom the agent has no place for.

        A call-back is in the store when this returns. Who cannot be called back, or should not have
        to wait for it, is let into the queue. One at a time, or a place is given twice. Raises
        StoreError.
        """
        answer = self._turn_away(call_id, caller, at)
        if answer is Admit.QUEUE:
            self._on_the_way[call_id] = at
        return answer

    def _turn_away(self, call_id: UUID, caller: str, at: datetime) -> Admit:
        store, number = self._store, phones.of_caller(caller)
        if not self._outbound.gateway or not may_be_called(number, self._outbound.numbers):
            return Admit.QUEUE
        if priority(store, caller) != ORDINARY:
            return Admit.QUEUE
        on_duty = sum(one.active and one.duty is Duty.ON for one in operators.everyone(store))
        if self._ahead(at) < on_duty * self._queue.waiting_per_operator:
            return Admit.QUEUE
        callbacks.ask(
            store, number, cause=Cause.ADMISSION, wants=Wants.AGENT, at=at, call_id=call_id
        )
        return Admit.CALLBACK

    def _ahead(self, at: datetime) -> int:
        """Who stands in the queue, and who is on the way to it."""
        waiting = queue_visits.waiting(self._store)
        arrived = {visit.call_id for visit in waiting}
        self._on_the_way = {
            call: sent
            for call, sent in list(self._on_the_way.items())
            if call not in arrived and at - sent < ON_THE_WAY
        }
        return len(waiting) + len(self._on_the_way)
