"""Finding somebody, and the card of who calls: profile, calls, orders."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from aiohttp import web

from ivr.config import ROOT
from ivr.console.pages import (
    Page,
    audit,
    in_store,
    number_of,
    render,
    text_of,
)
from ivr.orders.places import read_place
from ivr.understanding.dialects import dialect_names
from store import calls, elders, orders, phones
from store.audit import Action
from store.database import Conflict
from store.elders import ListedElder
from store.models import SupportClass
from store.phones import PhoneError

FOUND = 30
HISTORY = 20


async def search(request: web.Request) -> web.StreamResponse:
    """The whole page, or the list alone while somebody types."""
    text = text_of(request.query, "q", 60)
    found = []
    if text:
        await audit(request, Action.SEARCH, "elder", "", text)
        found = await in_store(request, elders.search, text, FOUND)
    number = phones.of_caller(text)
    typing = request.headers.get("HX-Target") == "found"
    template = "_found.html" if typing else "people.html"
    return render(request, template, q=text, found=found, number=number, most=FOUND)


async def card(request: web.Request) -> web.StreamResponse:
    id = number_of(request.match_info["id"])
    listed = await in_store(request, elders.find_elder, id)
    if listed is None:
        raise web.HTTPNotFound
    await audit(request, Action.LOOK, "elder", id)
    return await _card(request, listed.elder.id, listed.phones, listed=listed)


async def caller(request: web.Request) -> web.StreamResponse:
    """Whoever calls from a number: the card of the only one who has it, or a choice."""
    number = phones.of_caller(request.match_info["number"])
    if not number:
        raise web.HTTPNotFound
    found = await in_store(request, elders.who_calls_from, number)
    if len(found) == 1:
        raise web.HTTPSeeOther(f"/people/{found[0].elder.id}")
    await audit(request, Action.LOOK, "phone", number)
    return await _card(request, None, (number,), sharing=found)


async def _card(
    request: web.Request,
    elder_id: int | None,
    numbers: tuple[str, ...],
    *,
    listed: ListedElder | None = None,
    sharing: Sequence[ListedElder] = (),
) -> web.Response:
    shown_calls = await in_store(request, calls.calls_from, elder_id, numbers, HISTORY)
    shown_orders = await in_store(request, orders.orders_for, elder_id, numbers, HISTORY)
    return render(
        request,
        "card.html",
        listed=listed,
        sharing=sharing,
        number="" if listed else numbers[0],
        calls=shown_calls,
        orders=shown_orders,
        classes=tuple(SupportClass),
        dialects=dialect_names(ROOT / "grammars"),
    )


async def change(request: web.Request) -> web.StreamResponse:
    id = number_of(request.match_info["id"])
    profile = _profile(await request.post())
    try:
        changed = await in_store(request, elders.update, id, **profile)
    except Conflict as error:  # somebody of that name lives there already
        raise web.HTTPConflict from error
    if changed:
        await audit(request, Action.CHANGE, "elder", id, ", ".join(sorted(changed)))
    raise web.HTTPSeeOther(f"/people/{id}")


async def register(request: web.Request) -> web.StreamResponse:
    fields = await request.post()
    profile = _profile(fields)
    try:
        number = phones.normalise(text_of(fields, "phone"))
    except PhoneError as error:
        raise web.HTTPBadRequest from error
    done = await in_store(request, elders.register, elders.Registration(number, **profile))
    await audit(request, Action.CHANGE, "elder", done.elder.id, done.change)
    raise web.HTTPSeeOther(f"/people/{done.elder.id}")


def _profile(fields: object) -> dict[str, Any]:
    """As `elders.update` and Registration take it. Raises HTTPBadRequest."""
    name, address = text_of(fields, "name", 60), text_of(fields, "address")
    support_class, dialect = text_of(fields, "support_class"), text_of(fields, "dialect")
    known = support_class in set(SupportClass) and (
        not dialect or dialect in dialect_names(ROOT / "grammars")
    )
    if not name or not address or not known:
        raise web.HTTPBadRequest
    try:
        place = read_place(text_of(fields, "latitude"), text_of(fields, "longitude"))
    except ValueError as error:
        raise web.HTTPBadRequest from error
    return {
        "name": name,
        "address": address,
        "support_class": SupportClass(support_class),
        "dialect": dialect,
        "high_risk": text_of(fields, "high_risk") == "yes",
        "district": text_of(fields, "district", 40),
        "place": place,
    }


PAGES: tuple[Page, ...] = (
    Page("GET", "/people", search),
    Page("POST", "/people", register),
    Page("GET", "/people/{id}", card),
    Page("POST", "/people/{id}", change),
    Page("GET", "/callers/{number}", caller),
)
