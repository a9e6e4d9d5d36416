"""The steps of an order's life: what each makes of an order, and from where it can be taken."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, bindparam, insert, update
from sqlmodel import Session, col

from store.database import StoreError, defaults
from store.messages import queue_sms
from store.models import (
    UNFINISHED,
    OrderEvent,
    OrderStatus,
    Provider,
    SmsPurpose,
    WorkOrder,
    WorkOrderEvent,
)


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
    # somebody may say only later that it was bad
    OrderEvent.FOLLOWED_UP: Rule(
        OrderStatus.FOLLOWED_UP, frozenset({OrderStatus.COMPLETED, OrderStatus.CLOSED})
    ),
    OrderEvent.CLOSED: Rule(
        OrderStatus.CLOSED, frozenset({OrderStatus.COMPLETED, OrderStatus.FOLLOWED_UP})
    ),
    OrderEvent.CANCELLED: Rule(OrderStatus.CANCELLED, UNFINISHED),
}


def allowed(order: WorkOrder, step: OrderEvent) -> bool:
    return order.status in RULES[step].follows


def step(
    session: Session, order: WorkOrder, kind: OrderEvent, by: By, at: datetime, detail: str = ""
) -> WorkOrderEvent:
    """Takes it, in the caller's transaction. Raises Impossible."""
    if not allowed(order, kind):
        places = ", ".join(sorted(RULES[kind].follows))
        raise Impossible(
            f"the order {order.id} is {order.status}: {kind} is possible for orders that are"
            f" {places}"
        )
    order.status = RULES[kind].becomes
    return entered(session, order, kind, by, at, detail)


def close_completed(
    connection: Connection, order_id: int, by: By, at: datetime, detail: str
) -> None:
    """Closes an order that waits for nothing but this; any other stays as it is."""
    if connection.execute(_CLOSE, {"order": order_id}).scalar_one_or_none() is not None:
        what = {"order_id": order_id, "kind": OrderEvent.CLOSED, "at": at, "detail": detail}
        connection.execute(_ENTER, {**_ENTRY, **what, "operator_id": by.operator_id})


_CLOSE = (
    update(WorkOrder)
    .where(col(WorkOrder.id) == bindparam("order"), col(WorkOrder.status) == OrderStatus.COMPLETED)
    .values(status=RULES[OrderEvent.CLOSED].becomes)
    .returning(col(WorkOrder.id))
)
_ENTER = insert(WorkOrderEvent)
_ENTRY = defaults(WorkOrderEvent)


def entered(
    session: Session, order: WorkOrder, kind: OrderEvent, by: By, at: datetime, detail: str = ""
) -> WorkOrderEvent:
    """Writes down what has happened, in the caller's transaction."""
    event = WorkOrderEvent(
        order_id=id_of(order),
        kind=kind,
        at=at,
        detail=detail,
        operator_id=by.operator_id,
        provider_id=by.provider_id,
        api_key_id=by.api_key_id,
    )
    session.add(event)
    return event


def tell(
    session: Session,
    order: WorkOrder,
    event: WorkOrderEvent,
    at: datetime,
    message: str,
    suffix: str = "",
) -> None:
    """The provider who is to do the order gets a message of what has happened."""
    provider = session.get(Provider, order.provider_id or 0)
    if message and provider is not None:
        session.flush()
        queue_sms(
            session,
            key=f"dispatch:{order.id}:{event.id}{suffix}",
            phone=provider.phone,
            text=message,
            purpose=SmsPurpose.DISPATCH,
            at=at,
            order_id=order.id,
        )


def id_of(order: WorkOrder) -> int:
    if order.id is None:
        raise ValueError("an order lives once it has been booked")
    return order.id
