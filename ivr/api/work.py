"""The operations of the API: orders through their life, and who does them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from ivr.api.documents import (
    Change,
    Dispatch,
    Ended,
    NewOrder,
    NewWorker,
    OrderDocument,
    OrderPage,
    OrdersWanted,
    ProposalDocument,
    ProposalList,
    ProviderDocument,
    ProviderList,
    Rated,
    ServiceDocument,
    ServiceList,
    StepDocument,
    WholeOrder,
    Work,
    WorkerDocument,
)
from ivr.api.gate import Asked, Operation, Refused
from ivr.catalog import support
from ivr.orders import dispatching
from ivr.understanding.meaning import EMERGENCY
from store import elders, follow_ups, order_life, orders, providers
from store.audit import Action
from store.database import Store
from store.models import Channel, Elder, OrderEvent, SupportClass, WorkOrder
from store.order_steps import Impossible
from store.orders import OpenedOrder
from store.phones import PhoneError, normalise
from store.providers import ListedProvider

STEPS: Mapping[OrderEvent, Callable[..., WorkOrder]] = {
    OrderEvent.ACCEPTED: order_life.accept,
    OrderEvent.DECLINED: order_life.decline,
    OrderEvent.IN_SERVICE: order_life.begin,
    OrderEvent.COMPLETED: order_life.complete,
    OrderEvent.CLOSED: order_life.close,
    OrderEvent.CANCELLED: order_life.cancel,
}


async def services(asked: Asked) -> ServiceList:
    return ServiceList(
        services=[
            ServiceDocument(
                code=code, name=item.name, category=item.category, unit=item.unit,
                price_fen=item.price_fen,
            )
            for code, item in asked.catalog.items()
            if code != EMERGENCY
        ]
    )  # fmt: skip


# --- looking ---


async def list_orders(asked: Asked, wanted: OrdersWanted) -> OrderPage:
    own = asked.key.provider_id
    await asked.audit(Action.LOOK, "work_order", "")
    rows = await asked.store(
        orders.find_orders,
        wanted.status,
        wanted.provider_id if own is None else own,
        wanted.before,
        wanted.limit,
    )
    listed = [OrderDocument(**_fields(asked, one.order, one.elder_name)) for one in rows]
    return OrderPage(orders=listed, next=listed[-1].id if len(rows) == wanted.limit else None)


async def show_order(asked: Asked) -> WholeOrder:
    opened = await _opened(asked)
    await asked.audit(Action.LOOK, "work_order", opened.order.id)
    return await _whole(asked, opened.order.id or 0)


async def proposals(asked: Asked) -> ProposalList:
    opened = await _opened(asked)
    await asked.audit(Action.LOOK, "work_order", opened.order.id, "proposals")
    ranked = await asked.store(dispatching.proposals, opened.order, asked.zone)
    return ProposalList(
        proposals=[
            ProposalDocument(
                provider_id=one.candidate.id,
                provider=one.candidate.name,
                distance_km=None if one.distance_km is None else round(one.distance_km, 2),
                orders=one.candidate.orders,
                orders_a_day=one.candidate.orders_a_day,
                unfit=one.unfit,
            )
            for one in ranked
        ]
    )


# --- an order's life ---


async def create(asked: Asked, new: NewOrder) -> WholeOrder:
    item = asked.catalog.get(new.code)
    if item is None or new.code == EMERGENCY:
        raise Refused(400, f"code: {new.code!r} is no service that can be ordered, see /services")
    elder, phone = await asked.store(_whose, new)
    price = item.price_fen
    pays = elder.support_class if elder else SupportClass.SELF_PAYING
    order = WorkOrder(
        request_id=new.request_id,
        code=new.code,
        elder_id=elder.id if elder else None,
        phone=phone,
        address=new.address or (elder.address if elder else None),
        scheduled_for=new.scheduled_for,
        said_time=new.said_time,
        price_fen=price,
        pay_fen=support(price, pays, asked.settings.subsidised_percent),
        created_at=datetime.now(UTC),
    )
    booked = await asked.store(orders.book_request, order, asked.by)
    await asked.audit(Action.CHANGE, "work_order", booked.id, "created")
    return await _whole(asked, booked.id or 0)


def _whose(store: Store, new: NewOrder) -> tuple[Elder | None, str]:
    """The elder, if it is known which, and the number. Raises Refused."""
    if new.elder_id is not None:
        listed = elders.find_elder(store, new.elder_id)
        if listed is None:
            raise Refused(400, f"elder_id: there is no elder {new.elder_id}")
        return listed.elder, next(iter(listed.phones), "")
    phone = _phone(new.phone, "; or give elder_id")
    found = elders.who_calls_from(store, phone)
    return found[0].elder if len(found) == 1 else None, phone


def _phone(text: str, remedy: str) -> str:
    """Raises Refused."""
    try:
        return normalise(text)
    except PhoneError as error:
        raise Refused(400, f"phone: {error}{remedy}") from error


async def dispatch(asked: Asked, wanted: Dispatch) -> WholeOrder:
    opened = await _opened(asked)
    id = wanted.provider_id
    if _repeated(asked, opened, OrderEvent.DISPATCHED) and id in (None, opened.order.provider_id):
        return await _whole(asked, opened.order.id or 0)
    _fresh(opened, wanted)
    if id is None:
        ranked = await asked.store(dispatching.proposals, opened.order, asked.zone)
        id = next((one.candidate.id for one in ranked if one.unfit is None), None)
        if id is None:
            raise Impossible("no provider that is near offers it and has room")
    found = await asked.store(providers.find_listed, id)
    if found is None:
        raise Refused(400, f"provider_id: there is no provider {id}")
    await asked.store(
        dispatching.dispatch, opened, found.provider, asked.by, datetime.now(UTC), asked.notices,
        wanted.note,
    )  # fmt: skip
    await asked.audit(Action.CHANGE, "work_order", opened.order.id, "dispatched")
    return await _whole(asked, opened.order.id or 0)


async def accept(asked: Asked, work: Work) -> WholeOrder:
    return await _work(asked, work, OrderEvent.ACCEPTED)


async def begin(asked: Asked, work: Work) -> WholeOrder:
    return await _work(asked, work, OrderEvent.IN_SERVICE)


async def complete(asked: Asked, work: Work) -> WholeOrder:
    return await _work(asked, work, OrderEvent.COMPLETED)


async def decline(asked: Asked, why: Ended) -> WholeOrder:
    return await _end(asked, why, OrderEvent.DECLINED)


async def cancel(asked: Asked, why: Ended) -> WholeOrder:
    return await _end(asked, why, OrderEvent.CANCELLED)


async def close(asked: Asked, change: Change) -> WholeOrder:
    return await _end(asked, change, OrderEvent.CLOSED)


async def rate(asked: Asked, rated: Rated) -> WholeOrder:
    opened = await _opened(asked)
    id, now = opened.order.id or 0, datetime.now(UTC)
    if opened.order.completed_at is None:
        raise Impossible(f"the order {id} has not been completed")
    await asked.store(_rate, id, rated, now)
    await asked.audit(Action.CHANGE, "work_order", id, f"rated {rated.score}")
    return await _whole(asked, id)


def _rate(store: Store, id: int, rated: Rated, at: datetime) -> None:
    with store.write() as session:
        follow_ups.rate(
            session,
            order_id=id,
            score=rated.score,
            channel=Channel.OPERATOR,
            at=at,
            said=rated.said,
        )


async def _work(asked: Asked, work: Work, kind: OrderEvent) -> WholeOrder:
    """A step of whoever does the work."""
    opened = await _opened(asked)
    id = opened.order.id or 0
    if not _repeated(asked, opened, kind):
        _fresh(opened, work)
        await asked.store(
            STEPS[kind], id, asked.by, datetime.now(UTC), worker_id=work.worker_id,
            seen=opened.seen, detail=work.note,
        )  # fmt: skip
        await asked.audit(Action.CHANGE, "work_order", id, kind)
    return await _whole(asked, id)


async def _end(asked: Asked, why: Change, kind: OrderEvent) -> WholeOrder:
    opened = await _opened(asked)
    order, now = opened.order, datetime.now(UTC)
    id = order.id or 0
    if not _repeated(asked, opened, kind):
        _fresh(opened, why)
        more = {}
        if kind is OrderEvent.CANCELLED:
            more["message"] = asked.notices.cancelled(order)
        await asked.store(STEPS[kind], id, asked.by, now, detail=why.note, seen=opened.seen, **more)
        await asked.audit(Action.CHANGE, "work_order", id, kind)
    return await _whole(asked, id)


def _repeated(asked: Asked, opened: OpenedOrder, kind: OrderEvent) -> bool:
    """The same system has just taken this step: its first answer was lost."""
    last = opened.steps[-1].event
    return last.kind is kind and last.api_key_id == asked.key.id


def _fresh(opened: OpenedOrder, change: Change) -> None:
    """Raises Stale."""
    if change.seen is not None and change.seen != opened.seen:
        raise orders.Stale(f"the order {opened.order.id} has changed meanwhile")


# --- providers ---


async def list_providers(asked: Asked) -> ProviderList:
    own = asked.key.provider_id
    rows = await asked.store(providers.listed)
    shown = [row for row in rows if own in (None, row.provider.id)]
    return ProviderList(providers=[_provider(row) for row in shown])


async def show_provider(asked: Asked) -> ProviderDocument:
    id = _id(asked)
    found = await asked.store(providers.find_listed, id)
    if found is None or asked.key.provider_id not in (None, id):
        raise Refused(404, f"there is no provider {id}")
    return _provider(found)


async def add_worker(asked: Asked, new: NewWorker) -> ProviderDocument:
    provider = await show_provider(asked)
    phone = _phone(new.phone, "") if new.phone else ""
    await asked.store(providers.add_worker, provider.id, new.name, phone)
    await asked.audit(Action.CHANGE, "provider", provider.id, "worker added")
    return await show_provider(asked)


# --- documents ---


def _id(asked: Asked) -> int:
    text = asked.request.match_info["id"]
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise Refused(404, "there is no such thing")
    return int(text)


async def _opened(asked: Asked) -> OpenedOrder:
    """The order of the address; a provider's key opens only what is its own. Raises Refused."""
    id, own = _id(asked), asked.key.provider_id
    opened = await asked.store(orders.open_order, id)
    if opened is None or (own is not None and opened.order.provider_id != own):
        last = opened.steps[-1].event if opened else None
        declined = last and last.kind is OrderEvent.DECLINED and last.api_key_id == asked.key.id
        if not declined or opened is None:
            raise Refused(404, f"there is no order {id}")
    return opened


async def _whole(asked: Asked, id: int) -> WholeOrder:
    opened = await asked.store(orders.open_order, id)
    assert opened is not None
    rating = await asked.store(follow_ups.rating_of, id)
    centre = asked.key.provider_id is None
    return WholeOrder(
        **_fields(asked, opened.order, opened.elder_name),
        steps=[
            StepDocument(
                id=step.event.id or 0,
                kind=step.event.kind,
                at=step.event.at.astimezone(asked.zone),
                by=step.by if centre or step.event.api_key_id == asked.key.id else "",
                provider=step.provider,
                detail=step.event.detail if step.event.kind is not OrderEvent.NOTE else "",
            )
            for step in opened.steps
        ],
        seen=opened.seen,
        rating=rating.score if rating else None,
    )


def _fields(asked: Asked, order: WorkOrder, elder_name: str) -> dict[str, Any]:
    def at(time: datetime | None) -> datetime | None:
        zone: ZoneInfo = asked.zone
        return time.astimezone(zone) if time else None

    item = asked.catalog.get(order.code)
    return {
        "id": order.id,
        "code": order.code,
        "service": item.name if item else order.code,
        "status": order.status,
        "elder": elder_name,
        "phone": order.phone,
        "address": order.address,
        "district": order.district,
        "scheduled_for": at(order.scheduled_for),
        "said_time": order.said_time,
        "price_fen": order.price_fen,
        "pay_fen": order.pay_fen,
        "created_at": at(order.created_at),
        "started_at": at(order.started_at),
        "completed_at": at(order.completed_at),
        "provider_id": order.provider_id,
        "worker_id": order.worker_id,
    }


def _provider(row: ListedProvider) -> ProviderDocument:
    one = row.provider
    return ProviderDocument(
        id=one.id or 0,
        name=one.name,
        phone=one.phone,
        district=one.district,
        latitude=one.latitude,
        longitude=one.longitude,
        radius_km=one.radius_km,
        orders_a_day=one.orders_a_day,
        active=one.active,
        services=list(row.codes),
        workers=[
            WorkerDocument(id=worker.id or 0, name=worker.name, phone=worker.phone)
            for worker in row.workers
        ],
    )


OPERATIONS: tuple[Operation, ...] = (
    Operation("services", "GET", "/services", services, ServiceList),
    Operation("list_orders", "GET", "/orders", list_orders, OrderPage, OrdersWanted),
    Operation("create", "POST", "/orders", create, WholeOrder, NewOrder, True, 201),
    Operation("show_order", "GET", "/orders/{id}", show_order, WholeOrder),
    Operation("proposals", "GET", "/orders/{id}/proposals", proposals, ProposalList, centre=True),
    Operation("dispatch", "POST", "/orders/{id}/dispatch", dispatch, WholeOrder, Dispatch, True),
    Operation("accept", "POST", "/orders/{id}/accept", accept, WholeOrder, Work),
    Operation("decline", "POST", "/orders/{id}/decline", decline, WholeOrder, Ended),
    Operation("begin", "POST", "/orders/{id}/begin", begin, WholeOrder, Work),
    Operation("complete", "POST", "/orders/{id}/complete", complete, WholeOrder, Work),
    Operation("rate", "POST", "/orders/{id}/rating", rate, WholeOrder, Rated, True),
    Operation("close", "POST", "/orders/{id}/close", close, WholeOrder, Change, True),
    Operation("cancel", "POST", "/orders/{id}/cancel", cancel, WholeOrder, Ended, True),
    Operation("list_providers", "GET", "/providers", list_providers, ProviderList),
    Operation("show_provider", "GET", "/providers/{id}", show_provider, ProviderDocument),
    Operation(
        "add_worker", "POST", "/providers/{id}/workers", add_worker, ProviderDocument, NewWorker
    ),
)
