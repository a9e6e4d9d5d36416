"""The API on the console's server, its description, and a page of that for people."""

from __future__ import annotations

from aiohttp import web

from ivr.api.gate import guarded
from ivr.api.openapi import describe
from ivr.api.work import OPERATIONS
from ivr.console.pages import SCREENS, Page, language_of, render

ROOT = "/api/v1"


def add_api(app: web.Application) -> None:
    for operation in OPERATIONS:
        app.router.add_route(operation.method, f"{ROOT}{operation.path}", guarded(operation))


async def description(request: web.Request) -> web.Response:
    return web.json_response(describe(OPERATIONS, request.app[SCREENS].texts, "en"))


async def page(request: web.Request) -> web.Response:
    language = language_of(request)
    document = describe(OPERATIONS, request.app[SCREENS].texts, language)
    return render(request, "api.html", api=document, schemas=document["components"]["schemas"])


PAGES: tuple[Page, ...] = (
    Page("GET", f"{ROOT}/openapi.json", description, role=None),
    Page("GET", f"{ROOT}", page, role=None),
)
"""Open to all: there is nothing about anybody in them."""
