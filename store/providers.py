"""Businesses that do services (加盟企业): what they offer, who works for them, their load."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from sqlmodel import Session, col, func, select

from store.database import Store, StoreError
from store.elders import Change
from store.models import (
    Elder,
    OrderEvent,
    OrderStatus,
    Provider,
    ProviderService,
    StandingOrder,
    Worker,
    WorkOrder,
    WorkOrderEvent,
)


@dataclass(frozen=True, slots=True)
class Entry:
    """What is to be known of a provider; the fields are those of the table."""

    name: str
    phone: str
    latitude: float
    longitude: float
    codes: frozenset[str]
    """Of the services it offers."""
    district: str = ""
    radius_km: float = 5.0
    orders_a_day: int = 20


class ListedProvider(NamedTuple):
    provider: Provider
    codes: tuple[str, ...]
    workers: tuple[Worker, ...]
    unfinished: int
    """Orders that it has now."""


class Offer(NamedTuple):
    """A provider that may be asked to do an order."""

    provider: Provider
    orders: int
    """That it has already for that day."""
    declined: bool
    """It has said that it cannot do this one."""
    usual: bool
    """It does the standing order that this one comes of."""


class Wanted(NamedTuple):
    """An order for which a provider is looked for, and where it is."""

    order: WorkOrder
    elder: Elder | None
    offers: list[Offer]


def register(store: Store, entry: Entry) -> tuple[Provider, Change]:
    """Adds a provider, or brings the one of that name up to date. Raises StoreError."""
    with store.write() as session:
        known = session.exec(select(Provider).where(Provider.name == entry.name)).one_or_none()
        provider = known or Provider(name=entry.name, phone=entry.phone, latitude=0, longitude=0)
        session.add(provider)
        changed = _write(session, provider, entry)
        change = Change.UPDATED if changed else Change.UNCHANGED
        return provider, change if known else Change.ADDED


def update(store: Store, id: int, entry: Entry, active: bool) -> frozenset[str]:
    """Returns the names of what was different.

    Raises Conflict when another provider has that name, or StoreError.
    """
    with store.write() as session:
        provider = session.get(Provider, id, with_for_update=True)
        if provider is None:
            raise StoreError(f"there is no provider {id}")
        changed = _write(session, provider, entry)
        if provider.active != active:
            provider.active = active
            changed |= {"active"}
        session.flush()
        return changed


def find(store: Store, name: str) -> Provider | None:
    """By its whole name. Raises StoreError."""
    with store.read() as session:
        return session.exec(select(Provider).where(Provider.name == name)).one_or_none()


def find_listed(store: Store, id: int) -> ListedProvider | None:
    """Raises StoreError."""
    with store.read() as session:
        provider = session.get(Provider, id)
        return _listed(session, [provider])[0] if provider else None


def listed(store: Store) -> list[ListedProvider]:
    """All, by name, those that take no orders any more last. Raises StoreError."""
    rows = select(Provider).order_by(col(Provider.active).desc(), col(Provider.name))
    with store.read() as session:
        return _listed(session, session.exec(rows).all())


def add_worker(store: Store, provider_id: int, name: str, phone: str) -> Worker:
    """Adds a worker, or brings the one of that name up to date. Raises StoreError."""
    with store.write() as session:
        if session.get(Provider, provider_id) is None:
            raise StoreError(f"there is no provider {provider_id}")
        same = select(Worker).where(Worker.provider_id == provider_id, Worker.name == name)
        worker = session.exec(same).one_or_none() or Worker(provider_id=provider_id, name=name)
        worker.phone, worker.active = phone, True
        session.add(worker)
        session.flush()
        return worker


def workers_of(store: Store, provider_id: int | None) -> list[Worker]:
    """Who may be sent, by name. Raises StoreError."""
    if provider_id is None:
        return []
    rows = select(Worker).where(Worker.provider_id == provider_id, col(Worker.active))
    with store.read() as session:
        return list(session.exec(rows.order_by(col(Worker.name))))


def dismiss_worker(store: Store, provider_id: int, worker_id: int) -> None:
    """Is sent to nobody any more; what they have done stays. Raises StoreError."""
    with store.write() as session:
        worker = session.get(Worker, worker_id)
        if worker is None or worker.provider_id != provider_id:
            raise StoreError(f"there is no worker {worker_id} of provider {provider_id}")
        worker.active = False


def wanted(store: Store, order_id: int, begin: datetime, end: datetime) -> Wanted | None:
    """Who may do an order: active providers that offer the service, with what they have to do
    between `begin` and `end`, the day of the order. Raises StoreError."""
    with store.read() as session:
        order = session.get(WorkOrder, order_id)
        if order is None:
            return None
        elder = session.get(Elder, order.elder_id) if order.elder_id else None
        offering = (
            select(Provider)
            .join(ProviderService, col(ProviderService.provider_id) == col(Provider.id))
            .where(ProviderService.code == order.code, col(Provider.active))
            .order_by(col(Provider.id))
        )
        busy = _orders_of_day(session, begin, end, order_id)
        declined = set(
            session.exec(
                select(WorkOrderEvent.provider_id).where(
                    WorkOrderEvent.order_id == order_id,
                    WorkOrderEvent.kind == OrderEvent.DECLINED,
                )
            )
        )
        standing = session.get(StandingOrder, order.standing_id) if order.standing_id else None
        usual = standing.provider_id if standing else None
        offers = [
            Offer(one, busy.get(one.id, 0), one.id in declined, one.id == usual)
            for one in session.exec(offering)
        ]
        return Wanted(order, elder, offers)


def _orders_of_day(
    session: Session, begin: datetime, end: datetime, but: int
) -> dict[int | None, int]:
    """Provider -> how many orders it has for a day, without the one that is looked at."""
    at = func.coalesce(col(WorkOrder.scheduled_for), col(WorkOrder.created_at))
    rows = (
        select(WorkOrder.provider_id, func.count())
        .where(
            at >= begin,
            at < end,
            col(WorkOrder.provider_id).is_not(None),
            WorkOrder.id != but,
            WorkOrder.status != OrderStatus.CANCELLED,
        )
        .group_by(col(WorkOrder.provider_id))
    )
    return {provider: count for provider, count in session.exec(rows)}


def _write(session: Session, provider: Provider, entry: Entry) -> frozenset[str]:
    """Returns the names of what was different."""
    names = ("name", "phone", "latitude", "longitude", "district", "radius_km", "orders_a_day")
    changed = {name for name in names if getattr(provider, name) != getattr(entry, name)}
    for name in changed:
        setattr(provider, name, getattr(entry, name))
    session.flush()
    offered = {
        row.code: row
        for row in session.exec(
            select(ProviderService).where(ProviderService.provider_id == provider.id)
        )
    }
    for code in offered.keys() - entry.codes:
        session.delete(offered[code])
    for code in sorted(entry.codes - offered.keys()):
        session.add(ProviderService(provider_id=provider.id or 0, code=code))
    return frozenset(changed | ({"services"} if offered.keys() != entry.codes else set()))


def _listed(session: Session, rows: Sequence[Provider]) -> list[ListedProvider]:
    ids: Collection[int] = [row.id for row in rows if row.id is not None]
    codes: dict[int, list[str]] = {}
    offered = select(ProviderService).where(col(ProviderService.provider_id).in_(ids))
    for service in session.exec(offered.order_by(col(ProviderService.code))):
        codes.setdefault(service.provider_id, []).append(service.code)
    workers: dict[int, list[Worker]] = {}
    theirs = select(Worker).where(col(Worker.provider_id).in_(ids), col(Worker.active))
    for worker in session.exec(theirs.order_by(col(Worker.name))):
        workers.setdefault(worker.provider_id, []).append(worker)
    has = (
        select(WorkOrder.provider_id, func.count())
        .where(
            col(WorkOrder.provider_id).in_(ids),
            col(WorkOrder.status).in_(
                (OrderStatus.DISPATCHED, OrderStatus.ACCEPTED, OrderStatus.IN_SERVICE)
            ),
        )
        .group_by(col(WorkOrder.provider_id))
    )
    unfinished = {provider: count for provider, count in session.exec(has)}
    return [
        ListedProvider(
            row,
            tuple(codes.get(row.id or 0, ())),
            tuple(workers.get(row.id or 0, ())),
            unfinished.get(row.id, 0),
        )
        for row in rows
    ]
