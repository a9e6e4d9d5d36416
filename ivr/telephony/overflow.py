"""Whom the agent has no place for: who they are to the queue, and whether it has a place."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from ivr.config import OutboundSettings, QueueSettings
from ivr.telephony.admission import Admit
from ivr.telephony.numbers import may_be_called
from store import callbacks, elders, operators, phones, queue_visits
from store.database import Store
from store.models import Cause, Duty, Wants

ORDINARY, HIGH_RISK = 0, 10
"""Asterisk's QUEUE_PRIO: who has more stands in front."""


def priority(store: Store, caller: str) -> int:
    """In front of whom a caller waits for an operator. Raises StoreError."""
    number = phones.of_caller(caller)
    profile = elders.find_by_phone(store, number) if number else None
    return HIGH_RISK if profile is not None and profile.high_risk else ORDINARY


def turn_away(
    store: Store,
    queue: QueueSettings,
    outbound: OutboundSettings,
    call_id: UUID,
    caller: str,
    at: datetime,
) -> Admit:
    """The queue, or a call-back where there are too many waiting for the operators on duty.

    The call-back is in the store when this returns. Who cannot be called back, or should not have
    to wait for it, is let into the queue. Raises StoreError.
    """
    number = phones.of_caller(caller)
    if not outbound.gateway or not may_be_called(number, outbound.numbers):
        return Admit.QUEUE
    if priority(store, caller) != ORDINARY:
        return Admit.QUEUE
    on_duty = sum(one.active and one.duty is Duty.ON for one in operators.everyone(store))
    if len(queue_visits.waiting(store)) < on_duty * queue.waiting_per_operator:
        return Admit.QUEUE
    callbacks.ask(store, number, cause=Cause.ADMISSION, wants=Wants.AGENT, at=at, call_id=call_id)
    return Admit.CALLBACK
