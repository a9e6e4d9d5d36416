"""Whatever is typed into the pages' forms and addresses, no page breaks."""

from __future__ import annotations

import asyncio
import re
from typing import Any
from urllib.parse import quote

from aiohttp import ClientSession, ClientTimeout, CookieJar
from aiohttp.test_utils import TestServer
from hypothesis import HealthCheck, given
from hypothesis import settings as trying
from hypothesis import strategies as st
from visiting import Browser

from ivr.config import ROOT, Settings
from ivr.console.app import make_app
from store.database import Store

LEFT_OUT = frozenset({"/logout", "/live", "/static", "/password"})
"""Whoever does these is not logged in any more, or waits for ever."""
NUMBERS = st.integers(-1, 3).map(str)
VALUES = st.one_of(
    NUMBERS,
    st.text(max_size=30),
    st.sampled_from(
        [
            "",
            "9" * 30,
            "2026-11-22",
            "2026-13-45",
            "2026-11-22T09:00",
            "09:00",
            "25:61",
            "1e309",
            "NaN",
            "-0",
            "bathing",
            "operator",
            "on",
            "yes",
            "'; DROP TABLE elder; --",
            "<script>alert(1)</script>",
            "../../etc/passwd",
            "00000000-0000-0000-0000-000000000000",
            "١٢٣",
            "²",
            "a\0b",
            "\ud800".encode("utf-8", "surrogatepass").decode("utf-8", "replace"),
        ]
    ),
)


def test_no_page_breaks_whatever_is_typed(settings: Settings, store: Store, elder_id: int) -> None:
    """As somebody who may do everything."""
    app = make_app(settings, store)
    pages = sorted(
        {
            (route.method, route.resource.canonical)
            for route in app.router.routes()
            if route.resource is not None
            and not route.resource.canonical.startswith(tuple(LEFT_OUT))
        }
    )
    names = sorted(form_fields())

    async def begin() -> tuple[TestServer, ClientSession, Browser]:
        server = TestServer(app)
        await server.start_server()
        session = ClientSession(cookie_jar=CookieJar(unsafe=True), timeout=ClientTimeout(total=20))
        browser = Browser(session, str(server.make_url("")).rstrip("/"))
        assert (await browser.log_in("admin")).status == 303
        return server, session, browser

    async def end(server: TestServer, session: ClientSession) -> None:
        await session.close()
        await server.close()

    with asyncio.Runner() as runner:
        server, session, browser = runner.run(begin())

        @given(data=st.data())
        @trying(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
        def visit(data: Any) -> None:
            method, page = data.draw(st.sampled_from(pages))
            path = re.sub(r"\{[^}]*\}", lambda _: quoted(data.draw(VALUES)), page)
            fields = data.draw(st.dictionaries(st.sampled_from(names), VALUES, max_size=8))
            asked = runner.run(ask(browser, method, path, fields))
            assert asked < 500, f"{method} {path} {fields}"

        visit()
        runner.run(end(server, session))


async def ask(browser: Browser, method: str, path: str, fields: dict[str, str]) -> int:
    more: dict[str, Any] = {"params": fields} if method == "GET" else {"data": fields}
    if method != "GET":
        more["data"] = {"csrf": browser.csrf, **fields}
    async with browser.session.request(
        method, f"{browser.url}{path}", allow_redirects=False, **more
    ) as response:
        return response.status


def quoted(value: str) -> str:
    return quote(value, safe="") or "0"


def form_fields() -> set[str]:
    """Names of all fields that the pages have."""
    found = set()
    for template in (ROOT / "ivr" / "console" / "templates").glob("*.html"):
        found |= set(re.findall(r'name="([a-z_]+)"', template.read_text()))
    return found - {"csrf", "viewport"}
