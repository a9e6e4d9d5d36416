"""The businesses that do the services: everybody looks them up, supervisors keep them."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from ivr.console.pages import CATALOG, Page, audit, in_store, number_of, render, text_of
from ivr.orders.places import read_place
from store import orders, phones, providers
from store.audit import Action
from store.database import Conflict
from store.elders import Change
from store.models import Role
from store.providers import Entry

HISTORY = 20
MOST_KM = 1000


async def listed(request: web.Request) -> web.StreamResponse:
    rows = await in_store(request, providers.listed)
    return render(request, "providers.html", rows=rows)


async def blank(request: web.Request) -> web.StreamResponse:
    return render(request, "provider.html", listed=None, catalog=request.app[CATALOG])


async def show(request: web.Request) -> web.StreamResponse:
    id = number_of(request.match_info["id"])
    found = await in_store(request, providers.find_listed, id)
    if found is None:
        raise web.HTTPNotFound
    await audit(request, Action.LOOK, "provider", id)
    theirs = await in_store(request, orders.find_orders, None, id, None, HISTORY)
    return render(
        request, "provider.html", listed=found, orders=theirs, catalog=request.app[CATALOG]
    )


async def create(request: web.Request) -> web.StreamResponse:
    entry = _entry(request, await request.post())
    if await in_store(request, providers.find, entry.name) is not None:
        raise web.HTTPConflict
    made, _ = await in_store(request, providers.register, entry)
    await audit(request, Action.CHANGE, "provider", made.id, Change.ADDED)
    raise web.HTTPSeeOther(f"/providers/{made.id}")


async def change(request: web.Request) -> web.StreamResponse:
    id, fields = number_of(request.match_info["id"]), await request.post()
    if await in_store(request, providers.find_listed, id) is None:
        raise web.HTTPNotFound
    entry, active = _entry(request, fields), text_of(fields, "active") == "yes"
    try:
        changed = await in_store(request, providers.update, id, entry, active)
    except Conflict as error:  # another one has that name
        raise web.HTTPConflict from error
    if changed:
        await audit(request, Action.CHANGE, "provider", id, ", ".join(sorted(changed)))
    raise web.HTTPSeeOther(f"/providers/{id}")


async def add_worker(request: web.Request) -> web.StreamResponse:
    id, fields = number_of(request.match_info["id"]), await request.post()
    name, phone = text_of(fields, "name", 60), text_of(fields, "phone", 30)
    if not name or await in_store(request, providers.find_listed, id) is None:
        raise web.HTTPBadRequest
    number = _number(phone) if phone else ""
    worker = await in_store(request, providers.add_worker, id, name, number)
    await audit(request, Action.CHANGE, "provider", id, f"worker {worker.id} added")
    raise web.HTTPSeeOther(f"/providers/{id}")


async def dismiss_worker(request: web.Request) -> web.StreamResponse:
    id, worker = (number_of(request.match_info[name]) for name in ("id", "worker"))
    found = await in_store(request, providers.find_listed, id)
    if found is None or worker not in [one.id for one in found.workers]:
        raise web.HTTPNotFound
    await in_store(request, providers.dismiss_worker, id, worker)
    await audit(request, Action.CHANGE, "provider", id, f"worker {worker} taken off")
    raise web.HTTPSeeOther(f"/providers/{id}")


def _entry(request: web.Request, fields: Any) -> Entry:
    """What the form says. Raises HTTPBadRequest."""
    name, codes = text_of(fields, "name", 60), frozenset(fields.getall("code", ()))
    try:
        place = read_place(text_of(fields, "latitude"), text_of(fields, "longitude"))
        radius_km = float(text_of(fields, "radius_km"))
        most = number_of(text_of(fields, "orders_a_day", 4))
    except ValueError as error:
        raise web.HTTPBadRequest from error
    if not name or place is None or not codes <= request.app[CATALOG].keys():
        raise web.HTTPBadRequest
    if not 0 < radius_km < MOST_KM:
        raise web.HTTPBadRequest
    phone = _number(text_of(fields, "phone", 30))
    return Entry(name, phone, *place, codes, text_of(fields, "district", 40), radius_km, most)


def _number(text: str) -> str:
    try:
        return phones.normalise(text)
    except phones.PhoneError as error:
        raise web.HTTPBadRequest from error


PAGES: tuple[Page, ...] = (
    Page("GET", "/providers", listed),
    Page("POST", "/providers", create, Role.SUPERVISOR),
    Page("GET", "/providers/new", blank, Role.SUPERVISOR),
    Page("GET", "/providers/{id}", show),
    Page("POST", "/providers/{id}", change, Role.SUPERVISOR),
    Page("POST", "/providers/{id}/workers", add_worker, Role.SUPERVISOR),
    Page("POST", "/providers/{id}/workers/{worker}", dismiss_worker, Role.SUPERVISOR),
)
