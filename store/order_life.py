"""The life of an order: each step with who took it and when, and refused where it does not fit.

A step and what follows from it are one transaction: who completes an order plans its rating, who
dispatches it has a message to the provider in the outbox. Names in the past tense are for
transactions of the caller's.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from sqlmodel import Session

from store.database import Store, StoreError
from store.follow_ups import order_gone, plan_rating
from store.messages import queue_sms
from store.models import (
    UNFINISHED,
    OrderEvent,
    OrderStatus,
    Provider,
    SmsPurpose,
    Worker,
    WorkOrder,
    WorkOrderEvent,
)
from store.orders import Stale, last_step, plain


class Impossible(StoreError):
    """The order cannot take this step from where it is; names both."""


@dataclass(frozen=True, slots=True)
class By:
    """Who takes a step."""

    operator_id: int | None = None
    provider_id: int | None = None
    api_key_id: int | None = None
    """Whose system told us; with a provider it is the provider's."""


NOBODY = By()
"""The elder, or the system itself."""


class Rule(NamedTuple):
    """What a step makes of an order, and from where it can be taken."""

    becomes: OrderStatus
    follows: frozenset[OrderStatus]


DONE = frozenset({OrderStatus.COMPLETED, OrderStatus.FOLLOWED_UP})

RULES: Mapping[OrderEvent, Rule] = {
    OrderEvent.DISPATCHED: Rule(
        OrderStatus.DISPATCHED,
        frozenset({OrderStatus.CREATED, OrderStatus.DISPATCHED, OrderStatus.ACCEPTED}),
    ),
    OrderEvent.ACCEPTED: Rule(OrderStatus.ACCEPTED, frozenset({OrderStatus.DISPATCHED})),
    OrderEvent.DECLINED: Rule(
        OrderStatus.CREATED, frozenset({OrderStatus.DISPATCHED, OrderStatus.ACCEPTED})
    ),
    OrderEvent.IN_SERVICE: Rule(OrderStatus.IN_SERVICE, frozenset({OrderStatus.ACCEPTED})),
    # who rings up to say that it has been done need not have told every step before
    OrderEvent.COMPLETED: Rule(OrderStatus.COMPLETED, UNFINISHED),
    OrderEvent.FOLLOWED_UP: Rule(OrderStatus.FOLLOWED_UP, frozenset({OrderStatus.COMPLETED})),
    OrderEvent.CLOSED: Rule(OrderStatus.CLOSED, DONE),
    OrderEvent.CANCELLED: Rule(OrderStatus.CANCELLED, UNFINISHED),
}


def allowed(order: WorkOrder, step: OrderEvent) -> bool:
    return order.status in RULES[step].follows


# --- steps that are transactions of their own ---


def dispatch(
    store: Store,
    order_id: int,
    provider_id: int,
    by: By,
    at: datetime,
    *,
    message: str,
    seen: int | None = None,
    detail: str = "",
    former_message: str = "",
) -> WorkOrder:
    """A provider is to do it, and gets `message`; one who was to do it gets `former_message`.

    With `seen`, the last step that whoever decides this knows, anything newer is Stale. Raises
    StoreError, Impossible, Stale.
    """

    def step(session: Session, order: WorkOrder) -> None:
        provider = session.get(Provider, provider_id)
        if provider is None or not provider.active:
            raise Impossible(f"there is no provider {provider_id} who takes orders")
        former = order.provider_id if order.provider_id != provider_id else None
        event = _step(session, order, OrderEvent.DISPATCHED, by, at, detail)
        event.provider_id = provider_id
        _tell(session, order, event, at, former_message, former)
        order.provider_id, order.worker_id = provider_id, None
        _tell(session, order, event, at, message)

    return _taken(store, order_id, seen, step)


def accept(
    store: Store,
    order_id: int,
    by: By,
    at: datetime,
    *,
    worker_id: int | None = None,
    seen: int | None = None,
    detail: str = "",
) -> WorkOrder:
    """The provider does it, and sends this worker. Raises StoreError, Impossible, Stale."""

    def step(session: Session, order: WorkOrder) -> None:
        _send(session, order, worker_id)
        _step(session, order, OrderEvent.ACCEPTED, by, at, detail)

    return _taken(store, order_id, seen, step)


def decline(
    store: Store, order_id: int, by: By, at: datetime, *, detail: str, seen: int | None = None
) -> WorkOrder:
    """The provider cannot do it, and it waits for another one.

    Raises StoreError, Impossible, Stale.
    """

    def step(session: Session, order: WorkOrder) -> None:
        event = _step(session, order, OrderEvent.DECLINED, by, at, detail)
        event.provider_id = order.provider_id
        order.provider_id = order.worker_id = None

    return _taken(store, order_id, seen, step)


def begin(
    store: Store,
    order_id: int,
    by: By,
    at: datetime,
    *,
    worker_id: int | None = None,
    seen: int | None = None,
    detail: str = "",
) -> WorkOrder:
    """Somebody is at the elder's home. Raises StoreError, Impossible, Stale."""

    def step(session: Session, order: WorkOrder) -> None:
        _send(session, order, worker_id)
        _step(session, order, OrderEvent.IN_SERVICE, by, at, detail)
        order.started_at = at

    return _taken(store, order_id, seen, step)


def complete(
    store: Store,
    order_id: int,
    by: By,
    at: datetime,
    *,
    worker_id: int | None = None,
    seen: int | None = None,
    detail: str = "",
) -> WorkOrder:
    """The service has been done; how it was is asked. Raises StoreError, Impossible, Stale."""

    def step(session: Session, order: WorkOrder) -> None:
        _send(session, order, worker_id)
        completed(session, order, by, at, detail)

    return _taken(store, order_id, seen, step)


def cancel(
    store: Store,
    order_id: int,
    by: By,
    at: datetime,
    *,
    detail: str,
    message: str = "",
    seen: int | None = None,
) -> WorkOrder:
    """It is not wanted any more; a provider who was to do it gets `message`.

    Raises StoreError, Impossible, Stale.
    """
    return _taken(
        store, order_id, seen,
        lambda session, order: cancelled(session, order, by, at, detail, message),
    )  # fmt: skip


def close(
    store: Store, order_id: int, by: By, at: datetime, *, seen: int | None = None, detail: str = ""
) -> WorkOrder:
    """Nothing is left to do for it. Raises StoreError, Impossible, Stale."""
    return _taken(
        store, order_id, seen, lambda session, order: closed(session, order, by, at, detail)
    )


# --- steps inside a transaction of the caller's ---


def completed(session: Session, order: WorkOrder, by: By, at: datetime, detail: str = "") -> None:
    """The service has been done. Raises Impossible."""
    _step(session, order, OrderEvent.COMPLETED, by, at, detail)
    order.completed_at = at
    plan_rating(session, order, at)


def followed_up(session: Session, order: WorkOrder, by: By, at: datetime, detail: str = "") -> None:
    """It was rated badly, and somebody has to look after the complaint. Raises Impossible."""
    _step(session, order, OrderEvent.FOLLOWED_UP, by, at, detail)


def closed(session: Session, order: WorkOrder, by: By, at: datetime, detail: str = "") -> None:
    """Nothing is left to do for it. Raises Impossible."""
    _step(session, order, OrderEvent.CLOSED, by, at, detail)


def cancelled(
    session: Session, order: WorkOrder, by: By, at: datetime, detail: str, message: str = ""
) -> None:
    """It is not wanted any more, and nothing is asked about it. Raises Impossible."""
    event = _step(session, order, OrderEvent.CANCELLED, by, at, detail)
    _tell(session, order, event, at, message)
    order_gone(session, _id(order), at)


def rescheduled(
    session: Session, order: WorkOrder, to: datetime, by: By, at: datetime, message: str = ""
) -> None:
    """It is wanted at another time. Raises Impossible."""
    if order.status not in UNFINISHED:
        raise Impossible(f"the order {order.id} is {order.status}: it cannot be moved any more")
    if order.scheduled_for == to:
        return
    changed = {"scheduled_for": (plain(order.scheduled_for), plain(to))}
    order.scheduled_for = to
    event = _entered(session, order, OrderEvent.CORRECTED, by, at, json.dumps(changed))
    _tell(session, order, event, at, message)


def _taken(
    store: Store, order_id: int, seen: int | None, step: Callable[[Session, WorkOrder], None]
) -> WorkOrder:
    with store.write() as session:
        order = session.get(WorkOrder, order_id, with_for_update=True)
        if order is None:
            raise Impossible(f"there is no order {order_id}")
        if seen is not None and last_step(session, order_id) != seen:
            raise Stale(f"the order {order_id} has changed meanwhile")
        step(session, order)
        return order


def _step(
    session: Session, order: WorkOrder, kind: OrderEvent, by: By, at: datetime, detail: str
) -> WorkOrderEvent:
    if not allowed(order, kind):
        places = ", ".join(sorted(RULES[kind].follows))
        raise Impossible(
            f"the order {order.id} is {order.status}: {kind} is possible for orders that are"
            f" {places}"
        )
    order.status = RULES[kind].becomes
    return _entered(session, order, kind, by, at, detail)


def _entered(
    session: Session, order: WorkOrder, kind: OrderEvent, by: By, at: datetime, detail: str
) -> WorkOrderEvent:
    event = WorkOrderEvent(
        order_id=_id(order),
        kind=kind,
        at=at,
        detail=detail,
        operator_id=by.operator_id,
        provider_id=by.provider_id,
        api_key_id=by.api_key_id,
    )
    session.add(event)
    session.flush()
    return event


def _tell(
    session: Session,
    order: WorkOrder,
    event: WorkOrderEvent,
    at: datetime,
    message: str,
    provider_id: int | None = None,
) -> None:
    """The provider of the order, or this one, gets a message about what has happened."""
    provider = session.get(Provider, provider_id or order.provider_id or 0)
    if message and provider is not None:
        queue_sms(
            session,
            key=f"dispatch:{order.id}:{event.id}" + (":former" if provider_id else ""),
            phone=provider.phone,
            text=message,
            purpose=SmsPurpose.DISPATCH,
            at=at,
            order_id=order.id,
        )


def _send(session: Session, order: WorkOrder, worker_id: int | None) -> None:
    """A worker of the order's provider does it."""
    if worker_id is None:
        return
    worker = session.get(Worker, worker_id)
    if worker is None or not worker.active or worker.provider_id != order.provider_id:
        raise Impossible(f"there is no worker {worker_id} of the provider of order {order.id}")
    order.worker_id = worker_id


def _id(order: WorkOrder) -> int:
    if order.id is None:
        raise ValueError("an order lives once it has been booked")
    return order.id
