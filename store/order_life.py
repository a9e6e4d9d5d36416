"""The life of an order: each step with who took it and when, and refused where it does not fit.

A step and what follows from it are one transaction: who completes an order plans its rating, who
dispatches it has a message to the provider in the outbox. Names in the past tense are for
transactions of the caller's.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime

from sqlmodel import Session

from store.database import Store
from store.follow_ups import order_gone, plan_rating
from store.models import (
    UNFINISHED,
    OrderEvent,
    Provider,
    Worker,
    WorkOrder,
)
from store.order_steps import By, Impossible, entered, id_of, step, tell
from store.orders import Stale, last_step, plain

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

    def change(session: Session, order: WorkOrder) -> None:
        dispatched(session, order, provider_id, by, at, message, detail, former_message)

    return _taken(store, order_id, seen, change)


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

    def change(session: Session, order: WorkOrder) -> None:
        _send(session, order, worker_id)
        step(session, order, OrderEvent.ACCEPTED, by, at, detail)

    return _taken(store, order_id, seen, change)


def decline(
    store: Store, order_id: int, by: By, at: datetime, *, detail: str, seen: int | None = None
) -> WorkOrder:
    """The provider cannot do it, and it waits for another one.

    Raises StoreError, Impossible, Stale.
    """

    def change(session: Session, order: WorkOrder) -> None:
        event = step(session, order, OrderEvent.DECLINED, by, at, detail)
        event.provider_id = order.provider_id
        order.provider_id = order.worker_id = None

    return _taken(store, order_id, seen, change)


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

    def change(session: Session, order: WorkOrder) -> None:
        _send(session, order, worker_id)
        step(session, order, OrderEvent.IN_SERVICE, by, at, detail)
        order.started_at = at

    return _taken(store, order_id, seen, change)


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

    def change(session: Session, order: WorkOrder) -> None:
        _send(session, order, worker_id)
        completed(session, order, by, at, detail)

    return _taken(store, order_id, seen, change)


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

    def change(session: Session, order: WorkOrder) -> None:
        cancelled(session, order, by, at, detail, message)

    return _taken(store, order_id, seen, change)


def close(
    store: Store, order_id: int, by: By, at: datetime, *, seen: int | None = None, detail: str = ""
) -> WorkOrder:
    """Nothing is left to do for it. Raises StoreError, Impossible, Stale."""

    def change(session: Session, order: WorkOrder) -> None:
        step(session, order, OrderEvent.CLOSED, by, at, detail)

    return _taken(store, order_id, seen, change)


# --- steps inside a transaction of the caller's ---


def dispatched(
    session: Session,
    order: WorkOrder,
    provider_id: int,
    by: By,
    at: datetime,
    message: str,
    detail: str = "",
    former_message: str = "",
) -> None:
    """A provider is to do it, and gets `message`; one who was to do it gets `former_message`.

    Raises Impossible.
    """
    provider = session.get(Provider, provider_id)
    if provider is None or not provider.active:
        raise Impossible(f"there is no provider {provider_id} who takes orders")
    event = step(session, order, OrderEvent.DISPATCHED, by, at, detail)
    event.provider_id = provider_id
    if order.provider_id != provider_id:
        tell(session, order, event, at, former_message, ":former")
    order.provider_id, order.worker_id = provider_id, None
    tell(session, order, event, at, message)


def completed(session: Session, order: WorkOrder, by: By, at: datetime, detail: str = "") -> None:
    """The service has been done. Raises Impossible."""
    step(session, order, OrderEvent.COMPLETED, by, at, detail)
    order.completed_at = at
    plan_rating(session, order, at)


def cancelled(
    session: Session, order: WorkOrder, by: By, at: datetime, detail: str, message: str = ""
) -> None:
    """It is not wanted any more, and nothing is asked about it. Raises Impossible."""
    event = step(session, order, OrderEvent.CANCELLED, by, at, detail)
    tell(session, order, event, at, message)
    order_gone(session, id_of(order), at)


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
    event = entered(session, order, OrderEvent.CORRECTED, by, at, json.dumps(changed))
    tell(session, order, event, at, message)


def _taken(
    store: Store, order_id: int, seen: int | None, change: Callable[[Session, WorkOrder], None]
) -> WorkOrder:
    with store.write() as session:
        order = session.get(WorkOrder, order_id, with_for_update=True)
        if order is None:
            raise Impossible(f"there is no order {order_id}")
        if seen is not None and last_step(session, order_id) != seen:
            raise Stale(f"the order {order_id} has changed meanwhile")
        change(session, order)
        return order


def _send(session: Session, order: WorkOrder, worker_id: int | None) -> None:
    """A worker of the order's provider does it."""
    if worker_id is None:
        return
    worker = session.get(Worker, worker_id)
    if worker is None or not worker.active or worker.provider_id != order.provider_id:
        raise Impossible(f"there is no worker {worker_id} of the provider of order {order.id}")
    order.worker_id = worker_id
