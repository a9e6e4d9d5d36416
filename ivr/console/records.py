"""Who looked at or changed what: the audit."""

from __future__ import annotations

from aiohttp import web

from ivr.console.pages import Page, in_store, number_of, render
from store import audit as audits
from store.models import Role

A_PAGE = 50


async def show(request: web.Request) -> web.StreamResponse:
    before = request.query.get("before")
    older = number_of(before) if before else None
    rows = await in_store(request, audits.newest, A_PAGE, older)
    last = rows[-1].audit.id if len(rows) == A_PAGE else None
    return render(request, "records.html", rows=rows, last=last)


PAGES: tuple[Page, ...] = (Page("GET", "/audit", show, Role.ADMIN),)
