"""Work orders: taking one down, correcting what was misheard, finishing or cancelling it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any
from uuid import UUID, uuid4

from aiohttp import web

from ivr.catalog import support
from ivr.console.pages import (
    CATALOG,
    SETTINGS,
    VIEWER,
    Page,
    audit,
    call_id_of,
    in_store,
    number_of,
    render,
    text_of,
)
from ivr.orders import dispatching
from ivr.orders.wording import Notices
from ivr.recordings import kept_recording
from store import calls, corrections, elders, order_life, order_steps, orders, providers
from store.audit import Action
from store.models import (
    UNFINISHED,
    Call,
    Next,
    OrderEvent,
    OrderStatus,
    Outcome,
    SupportClass,
    Turn,
    WorkOrder,
)
from store.order_steps import By, Impossible
from store.orders import Content, Stale

LISTED = 100
PROPOSED = 4
"""Providers that are shown with how far they are and how busy; the others are in a list."""
TOLD: Mapping[str, Callable[..., WorkOrder]] = {
    OrderEvent.ACCEPTED: order_life.accept,
    OrderEvent.DECLINED: order_life.decline,
    OrderEvent.IN_SERVICE: order_life.begin,
}
CHANGED_MIND = "none"
"""In the place of a turn: nothing was misheard, the caller wants something else now."""


async def listed(request: web.Request) -> web.StreamResponse:
    await audit(request, Action.LOOK, "work_order", "")
    everything = request.query.get("all") == "yes"
    ask = orders.newest_orders if everything else orders.unfinished_orders
    rows = await in_store(request, ask, LISTED)
    return render(request, "orders.html", rows=rows, everything=everything)


async def show(request: web.Request) -> web.StreamResponse:
    return await order_page(request, number_of(request.match_info["id"]))


async def order_page(request: web.Request, id: int, *, stale: bool = False) -> web.Response:
    opened = await in_store(request, orders.open_order, id)
    if opened is None:
        raise web.HTTPNotFound
    await audit(request, Action.LOOK, "work_order", id)
    order = opened.order
    turns = await in_store(request, calls.turns_of, order.call_id) if order.call_id else []
    heard = [turn for turn in turns if turn.kind == "heard" and turn.heard]
    steps = [(step, _detail(step.event.detail)) for step in opened.steps]
    to_dispatch = order_steps.allowed(order, OrderEvent.DISPATCHED)
    zone = request.app[SETTINGS].zone
    ranked = await in_store(request, dispatching.proposals, order, zone) if to_dispatch else ()
    everybody = await in_store(request, providers.listed) if to_dispatch else []
    return render(
        request, "order.html", status=409 if stale else 200, stale=stale, opened=opened,
        order=order, open=order.status in UNFINISHED, steps=list(reversed(steps)), heard=heard,
        catalog=request.app[CATALOG], source=source_turn(heard, order.code),
        changed_mind=CHANGED_MIND, may=partial(order_steps.allowed, order), proposals=ranked,
        proposed=PROPOSED, everybody=[one.provider for one in everybody if one.provider.active],
        workers=await in_store(request, providers.workers_of, order.provider_id),
    )  # fmt: skip


def source_turn(heard: Sequence[Turn], code: str) -> int | None:
    """The turn an order's service was taken from, as far as can be told; None if from none."""
    same = [turn for turn in heard if turn.meaning.get("code") == code]
    return same[0].index if same else None


def _detail(text: str) -> dict[str, list[str | None]]:
    """What a correction changed: {name: [before, after]}; empty for other steps."""
    try:
        changed = json.loads(text) if text.startswith("{") else {}
    except ValueError:
        return {}
    return changed if isinstance(changed, dict) else {}


async def correct(request: web.Request) -> web.StreamResponse:
    id, fields = number_of(request.match_info["id"]), await request.post()
    opened = await in_store(request, orders.open_order, id)
    if opened is None:
        raise web.HTTPNotFound
    order, viewer, now = opened.order, request[VIEWER], datetime.now(UTC)
    content = await content_of(request, fields, order.elder_id)
    turn = text_of(fields, "turn")
    misheard = content.code != order.code and turn not in ("", CHANGED_MIND)
    meant = order.model_copy(
        update={
            "code": content.code,
            "address": content.address,
            "pay_fen": content.pay_fen,
            "scheduled_for": content.scheduled_for,
        }
    )
    message = _notices(request).changed(meant, opened.elder_name)
    try:
        changed = await in_store(
            request, orders.correct, id, content, viewer.id, now,
            number_of(text_of(fields, "seen")), message,
        )  # fmt: skip
    except Stale:
        return await order_page(request, id, stale=True)
    if misheard:
        await in_store(
            request, corrections.file_by_operator, order.call_id, number_of(turn), content.code,
            viewer.operator.name, now,
        )  # fmt: skip
    await audit(request, Action.CHANGE, "work_order", id, ", ".join(sorted(changed)))
    raise web.HTTPSeeOther(f"/orders/{id}")


async def take(request: web.Request) -> web.StreamResponse:
    id, fields = number_of(request.match_info["id"]), await request.post()
    seen, now = number_of(text_of(fields, "seen")), datetime.now(UTC)
    try:
        await in_store(request, orders.take, id, request[VIEWER].id, now, seen)
    except Stale:
        return await order_page(request, id, stale=True)
    await audit(request, Action.CHANGE, "work_order", id, "taken")
    raise web.HTTPSeeOther(f"/orders/{id}")


async def close(request: web.Request) -> web.StreamResponse:
    """Finished or cancelled; why, in words."""
    id, fields = number_of(request.match_info["id"]), await request.post()
    status, why = text_of(fields, "status"), text_of(fields, "why")
    if status not in (OrderStatus.COMPLETED, OrderStatus.CANCELLED):
        raise web.HTTPBadRequest
    if status == OrderStatus.CANCELLED and not why:
        raise web.HTTPBadRequest
    by, now = By(operator_id=request[VIEWER].id), datetime.now(UTC)
    opened = await in_store(request, orders.open_order, id)
    if opened is None:
        raise web.HTTPNotFound
    more: dict[str, Any] = {"seen": number_of(text_of(fields, "seen")), "detail": why}
    if status == OrderStatus.CANCELLED:
        more["message"] = _notices(request).cancelled(opened.order)
    step = order_life.complete if status == OrderStatus.COMPLETED else order_life.cancel
    try:
        await in_store(request, step, id, by, now, **more)
    except (Stale, Impossible):
        return await order_page(request, id, stale=True)
    await audit(request, Action.CHANGE, "work_order", id, status)
    raise web.HTTPSeeOther(f"/orders/{id}")


async def dispatch(request: web.Request) -> web.StreamResponse:
    """A provider is to do it: one that was proposed, or another that the operator knows better."""
    id, fields = number_of(request.match_info["id"]), await request.post()
    chosen = text_of(fields, "other") or text_of(fields, "provider")
    opened = await in_store(request, orders.open_order, id)
    found = await in_store(request, providers.find_listed, number_of(chosen)) if chosen else None
    if opened is None or found is None:
        raise web.HTTPBadRequest
    if opened.seen != number_of(text_of(fields, "seen")):
        return await order_page(request, id, stale=True)
    try:
        await in_store(
            request, dispatching.dispatch, opened, found.provider, By(request[VIEWER].id),
            datetime.now(UTC), _notices(request),
        )  # fmt: skip
    except (Stale, Impossible):
        return await order_page(request, id, stale=True)
    await audit(request, Action.CHANGE, "work_order", id, f"dispatched to {found.provider.name}")
    raise web.HTTPSeeOther(f"/orders/{id}")


def _notices(request: web.Request) -> Notices:
    settings = request.app[SETTINGS]
    return Notices(request.app[CATALOG], settings.zone, settings.sms.site)


async def told(request: web.Request) -> web.StreamResponse:
    """What the provider has told an operator: it accepts, it declines, somebody is there."""
    id, fields = number_of(request.match_info["id"]), await request.post()
    step, why, worker = (text_of(fields, name) for name in ("step", "why", "worker"))
    take = TOLD.get(step)
    if take is None or (step == OrderEvent.DECLINED and not why):
        raise web.HTTPBadRequest
    more: dict[str, Any] = {"seen": number_of(text_of(fields, "seen")), "detail": why}
    if worker and step != OrderEvent.DECLINED:
        more["worker_id"] = number_of(worker)
    try:
        await in_store(request, take, id, By(request[VIEWER].id), datetime.now(UTC), **more)
    except (Stale, Impossible):
        return await order_page(request, id, stale=True)
    await audit(request, Action.CHANGE, "work_order", id, step)
    raise web.HTTPSeeOther(f"/orders/{id}")


async def blank(request: web.Request) -> web.StreamResponse:
    """The form for a new order: of a call, with what the agent knew, or of an elder."""
    call_id = request.query.get("call")
    call = await in_store(request, calls.find_call, call_id_of(call_id)) if call_id else None
    if call_id and call is None:
        raise web.HTTPNotFound
    elder_id = call.elder_id if call else number_of(request.query.get("elder", ""))
    elder = await in_store(request, elders.find_elder, elder_id) if elder_id else None
    if call is None and elder is None:
        raise web.HTTPNotFound
    id = call.id if call else uuid4()
    await audit(request, Action.LOOK, "call" if call else "elder", call.id if call else elder_id)
    known = _known(call)
    return render(
        request, "new_order.html", call=call, call_id=id, elder=elder, catalog=request.app[CATALOG],
        phone=call.phone if call else next(iter(elder.phones if elder else ()), ""),
        number=await in_store(request, orders.next_number, id), code=known.get("code", ""),
        scheduled_for=_aware(known.get("scheduled_for")), said_time=known.get("said_time", ""),
        address=known.get("address") or (elder.elder.address if elder else ""),
    )  # fmt: skip


def _known(call: Call | None) -> Mapping[str, Any]:
    """The order that the agent had half taken down."""
    if call is None:
        return {}
    half = call.summary.get("order")
    return half if isinstance(half, dict) else {}


def _aware(text: object) -> datetime | None:
    try:
        at = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return at if at.tzinfo else None


async def create(request: web.Request) -> web.StreamResponse:
    """Books it; the same form sent twice books once."""
    fields, now = await request.post(), datetime.now(UTC)
    call_id, number = call_id_of(text_of(fields, "call")), number_of(text_of(fields, "number"))
    elder = text_of(fields, "elder")
    call = await in_store(request, calls.find_call, call_id)
    if call is None:
        call = await _call_for(request, call_id, number_of(elder), now)
    content = await content_of(request, fields, call.elder_id)
    booked = await book(request, call, number, content, text_of(fields, "said_time"))
    raise web.HTTPSeeOther(f"/orders/{booked.id}")


async def book(
    request: web.Request, call: Call, number: int, content: Content, said_time: str
) -> WorkOrder:
    """An order taken down by whoever is logged in; booked once for each number of a call."""
    order = WorkOrder(
        call_id=call.id,
        number=number,
        code=content.code,
        elder_id=call.elder_id,
        phone=call.phone,
        address=content.address,
        scheduled_for=content.scheduled_for,
        said_time=said_time,
        price_fen=content.price_fen,
        pay_fen=content.pay_fen,
        created_at=datetime.now(UTC),
        operator_id=request[VIEWER].id,
    )
    booked = await in_store(request, orders.book, order)
    await audit(request, Action.CHANGE, "work_order", booked.id, "created")
    return booked


async def _call_for(request: web.Request, id: UUID, elder_id: int, at: datetime) -> Call:
    """An order is of a call; where the agent saw none, the operator's own is entered."""
    elder = await in_store(request, elders.find_elder, elder_id)
    if elder is None:
        raise web.HTTPBadRequest
    phone = next(iter(elder.phones), "")
    await in_store(request, calls.begin_call, id, phone, at, elder_id)
    await in_store(
        request, calls.end_call, id, Outcome.ORDERED, Next.HANGUP, at, reason="taken by an operator"
    )
    call = await in_store(request, calls.find_call, id)
    assert call is not None
    return call


async def note(request: web.Request) -> web.StreamResponse:
    """What the caller said for an operator, as sound."""
    id = number_of(request.match_info["id"])
    opened = await in_store(request, orders.open_order, id)
    if opened is None or not opened.order.note:
        raise web.HTTPNotFound
    path = await asyncio.to_thread(
        kept_recording, opened.order.note, request.app[SETTINGS].recordings
    )
    if path is None:
        raise web.HTTPNotFound
    await audit(request, Action.LISTEN, "work_order", id)
    return web.FileResponse(path, headers={"Content-Type": "audio/wav"})


async def content_of(request: web.Request, fields: Any, elder_id: int | None) -> Content:
    """What the form says, with the price of it. Raises HTTPBadRequest."""
    code, at = text_of(fields, "code"), text_of(fields, "scheduled_for")
    item = request.app[CATALOG].get(code)
    if item is None:
        raise web.HTTPBadRequest
    try:
        local = datetime.fromisoformat(at) if at else None
    except ValueError as error:
        raise web.HTTPBadRequest from error
    settings = request.app[SETTINGS]
    elder = await in_store(request, elders.find_elder, elder_id) if elder_id else None
    support_class = elder.elder.support_class if elder else SupportClass.SELF_PAYING
    return Content(
        code=code,
        scheduled_for=local.replace(tzinfo=settings.zone).astimezone(UTC) if local else None,
        address=text_of(fields, "address") or None,
        price_fen=item.price_fen,
        pay_fen=support(item.price_fen, support_class, settings.subsidised_percent),
    )


PAGES: tuple[Page, ...] = (
    Page("GET", "/orders", listed),
    Page("POST", "/orders", create),
    Page("GET", "/orders/new", blank),
    Page("GET", "/orders/{id}", show),
    Page("POST", "/orders/{id}", correct),
    Page("POST", "/orders/{id}/take", take),
    Page("POST", "/orders/{id}/dispatch", dispatch),
    Page("POST", "/orders/{id}/told", told),
    Page("POST", "/orders/{id}/close", close),
    Page("GET", "/orders/{id}/note.wav", note),
)
