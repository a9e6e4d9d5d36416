"""Dispatching an order: the proposals from the store, and the step with what providers are told."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from ivr.orders.dispatcher import Candidate, Proposal, propose
from ivr.orders.places import Place
from ivr.orders.wording import Notices
from store import order_life, providers
from store.database import Store
from store.models import Provider, WorkOrder
from store.order_steps import By
from store.orders import OpenedOrder


def proposals(store: Store, order: WorkOrder, zone: ZoneInfo) -> tuple[Proposal, ...]:
    """Who might do it, the best first. Blocking. Raises StoreError."""
    begin, end = day_of(order.scheduled_for or order.created_at, zone)
    wanted = providers.wanted(store, order.id or 0, begin, end)
    if wanted is None:
        return ()
    elder = wanted.elder
    home = None
    # what is known of the elder's home says nothing of another address
    if elder is not None and order.address in (None, elder.address):
        home = place_of(elder.latitude, elder.longitude)
    candidates = [
        Candidate(
            id=one.provider.id or 0,
            name=one.provider.name,
            place=Place(one.provider.latitude, one.provider.longitude),
            district=one.provider.district,
            radius_km=one.provider.radius_km,
            orders_a_day=one.provider.orders_a_day,
            orders=one.orders,
            declined=one.declined,
            usual=one.usual,
        )
        for one in wanted.offers
    ]
    return propose(home, order.district, candidates)


def dispatch(
    store: Store,
    opened: OpenedOrder,
    provider: Provider,
    by: By,
    at: datetime,
    notices: Notices,
    detail: str = "",
) -> WorkOrder:
    """A provider is to do it, and is told. Blocking. Raises StoreError, Impossible, Stale."""
    order = opened.order
    return order_life.dispatch(
        store,
        order.id or 0,
        provider.id or 0,
        by,
        at,
        message=notices.new(order, opened.elder_name),
        seen=opened.seen,
        detail=detail,
        former_message=notices.reassigned(order),
    )


def day_of(at: datetime, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """Beginning and end of the site's day that a moment is in; one may have 23 or 25 hours."""
    day = at.astimezone(zone).date()
    begin, end = (
        datetime(one.year, one.month, one.day, tzinfo=zone).astimezone(UTC)
        for one in (day, day + timedelta(days=1))
    )
    return begin, end


def place_of(latitude: float | None, longitude: float | None) -> Place | None:
    if latitude is None or longitude is None:
        return None
    return Place(latitude, longitude)
