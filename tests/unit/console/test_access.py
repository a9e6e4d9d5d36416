"""Who gets in, who gets where, and what a stranger cannot do."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from aiohttp import ClientSession
from aiohttp.test_utils import TestServer
from visiting import PASSWORD, Browser

from ivr.config import Settings
from ivr.console.app import make_app
from store import audit, operators, sessions
from store.database import Store
from store.models import Duty, LoginSession, Operator, Role

HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}
OPEN_TO_ALL = {"/", "/login", "/healthz", "/readyz", "/events", "/api/v1", "/api/v1/openapi.json"}
"""The API's description tells of nobody. /events says to everybody else that they are logged out,
and nothing more."""


async def test_right_password_opens_the_pages(browser: Browser, store: Store) -> None:
    assert (await browser.get("/board")).headers["Location"] == "/login"
    assert (await browser.log_in("operator")).headers["Location"] == "/duty"
    assert (await browser.get("/board")).status == 200
    assert [row.audit.action for row in audit.newest(store, 2)] == ["look", "login"]


async def test_session_token_and_password_are_not_in_the_store(
    browser: Browser, store: Store, operator: Operator
) -> None:
    await browser.log_in("operator")
    (cookie,) = (c for c in browser.session.cookie_jar if c.key == "yihu_session")
    assert operator.password_hash.startswith("$argon2id$")
    with store.read() as session:
        assert session.get(LoginSession, cookie.value) is None
    assert sessions.find_session(store, cookie.value, datetime.now(UTC), timedelta(1)) is not None


async def test_cookie_is_out_of_reach_of_scripts_and_other_sites(browser: Browser) -> None:
    response = await browser.log_in("operator")
    cookie = response.headers.getall("Set-Cookie")[0]
    assert "HttpOnly" in cookie and "SameSite=Strict" in cookie


async def test_on_https_the_cookie_never_goes_in_the_clear(
    settings: Settings, store: Store
) -> None:
    settings.console.certificate = settings.data_dir / "site.pem"
    async with (
        TestServer(make_app(settings, store)) as server,
        ClientSession() as session,
        session.get(server.make_url("/login")) as response,
    ):
        assert "; Secure" in response.headers["Set-Cookie"]
        assert "max-age" in response.headers["Strict-Transport-Security"]


async def test_every_page_but_the_log_in_needs_somebody_logged_in(
    browser: Browser, settings: Settings, store: Store
) -> None:
    asked = 0
    for route in make_app(settings, store).router.routes():
        resource = route.resource
        assert resource is not None
        path = resource.canonical.replace("{", "").replace("}", "")
        if path in OPEN_TO_ALL or path.startswith("/static") or route.method == "HEAD":
            continue
        response = await browser.session.request(
            route.method, f"{browser.url}{path}", allow_redirects=False
        )
        assert response.status == 401, f"{route.method} {path} answers {response.status}"
        asked += 1
    assert asked > 20


@pytest.mark.parametrize(
    ("name", "path", "status"),
    [
        ("operator", "/audit", 403),
        ("supervisor", "/audit", 403),
        ("admin", "/audit", 200),
        ("operator", "/supervisor", 403),
        ("supervisor", "/supervisor", 200),
    ],
)
async def test_role_decides_what_is_seen(
    browser: Browser, store: Store, name: str, path: str, status: int
) -> None:
    await browser.log_in(name)
    assert (await browser.get(path)).status == status
    refused = [row.audit for row in audit.newest(store, 5) if row.audit.action == "refused"]
    assert [one.subject_id for one in refused] == ([path] if status == 403 else [])


@pytest.mark.parametrize("token", ["", "forged", "x" * 43])
async def test_change_with_a_forged_or_missing_token_is_refused(
    browser: Browser, store: Store, token: str
) -> None:
    await browser.log_in("operator")
    response = await browser.post("/duty", token=token, duty="on")
    assert response.status == 403
    assert _duty(store) is Duty.OFF
    assert (await browser.post("/duty", duty="on")).status == 303
    assert _duty(store) is Duty.ON


async def test_token_of_somebody_else_is_refused(browser: Browser, store: Store) -> None:
    await browser.log_in("supervisor")
    stolen = browser.csrf
    browser.session.cookie_jar.clear()
    await browser.log_in("operator")
    assert (await browser.post("/duty", token=stolen, duty="on")).status == 403


async def test_log_in_form_sent_by_another_site_is_refused(browser: Browser) -> None:
    response = await browser.post("/login", token="forged", name="operator", password=PASSWORD)
    assert response.status == 403


async def test_guessing_locks_the_name_for_that_address_and_says_no_more(
    browser: Browser, store: Store
) -> None:
    for _ in range(sessions.TRIES):
        assert (await browser.log_in("operator", "guess guess")).status == 401
    assert (await browser.log_in("operator", PASSWORD)).status == 429
    assert (await browser.log_in("admin", PASSWORD)).status == 303
    refused = [row for row in audit.newest(store, 10) if row.audit.action == "login_refused"]
    assert len(refused) == sessions.TRIES + 1


async def test_logging_in_again_and_again_locks_nobody(browser: Browser) -> None:
    for _ in range(sessions.TRIES + 2):
        browser.session.cookie_jar.clear()
        assert (await browser.log_in("operator")).status == 303


async def test_guesses_at_the_same_moment_are_all_counted(browser: Browser) -> None:
    await browser.get("/login")
    guesses = [browser.post("/login", name="operator", password="guess") for _ in range(12)]
    statuses = [response.status for response in await asyncio.gather(*guesses)]
    assert statuses.count(401) == sessions.TRIES
    assert statuses.count(429) == 12 - sessions.TRIES


def test_one_address_cannot_try_one_password_on_everybody(store: Store) -> None:
    now = datetime.now(UTC)
    tries = [sessions.reserve_try(store, f"name{n}", "10.0.0.1", now) for n in range(30)]
    assert sum(one is not None for one in tries) == sessions.TRIES_OF_ADDRESS
    assert sessions.reserve_try(store, "name1", "10.0.0.2", now) is not None
    assert sessions.reserve_try(store, "name1", "10.0.0.1", now + sessions.WINDOW * 1.1)


async def test_unknown_name_and_wrong_password_get_the_same_answer(browser: Browser) -> None:
    wrong = await (await browser.log_in("operator", "guess")).text()
    unknown = await (await browser.log_in("nobody", "guess")).text()
    assert wrong.replace("operator", "nobody") == unknown


async def test_new_password_or_shutting_out_ends_the_session(
    browser: Browser, store: Store, password_hash: str
) -> None:
    await browser.log_in("operator")
    operators.change_password(store, "operator", password_hash)
    assert (await browser.get("/board")).headers["Location"] == "/login"
    await browser.log_in("operator")
    await browser.post("/duty", duty="on")
    operators.set_active(store, "operator", False, datetime.now(UTC))
    assert (await browser.get("/board")).headers["Location"] == "/login"
    assert (await browser.log_in("operator")).status == 401
    assert _duty(store) is Duty.OFF


NEW = "battery staple"


@pytest.mark.parametrize(
    ("old", "new", "again"),
    [("guess guess", NEW, NEW), (PASSWORD, NEW, "staple battery"), (PASSWORD, "short", "short")],
)
async def test_own_password_is_not_changed_by_mistake_or_by_somebody_else(
    browser: Browser, old: str, new: str, again: str
) -> None:
    await browser.log_in("operator")
    await browser.get("/password")
    assert (await browser.post("/password", old=old, new=new, again=again)).status == 400
    assert (await browser.log_in("operator")).status == 303


async def test_own_password_is_changed_and_every_session_ended(browser: Browser) -> None:
    await browser.log_in("operator")
    await browser.get("/password")
    done = await browser.post("/password", old=PASSWORD, new=NEW, again=NEW)
    assert done.headers["Location"] == "/login"
    assert (await browser.get("/board")).headers["Location"] == "/login"
    assert (await browser.log_in("operator", PASSWORD)).status == 401
    assert (await browser.log_in("operator", NEW)).status == 303


def test_idle_session_ends_unless_its_owner_is_on_duty(store: Store, operator: Operator) -> None:
    now, idle = datetime.now(UTC), timedelta(minutes=30)
    assert operator.id is not None
    token, _ = sessions.open_session(store, operator.id, now, timedelta(hours=12))
    later = now + timedelta(hours=1)
    assert sessions.find_session(store, token, later, idle) is None
    operators.set_duty(store, operator.id, Duty.ON, "", now)
    assert sessions.find_session(store, token, later, idle) is not None
    assert sessions.find_session(store, token, now + timedelta(hours=13), idle) is None


async def test_logging_out_goes_off_duty_and_cannot_be_undone_with_the_old_cookie(
    browser: Browser, store: Store
) -> None:
    await browser.log_in("operator")
    await browser.post("/duty", duty="on")
    (cookie,) = (c.value for c in browser.session.cookie_jar if c.key == "yihu_session")
    assert (await browser.post("/logout")).headers["Location"] == "/login"
    assert _duty(store) is Duty.OFF
    browser.session.cookie_jar.update_cookies({"yihu_session": cookie})
    assert (await browser.get("/board")).headers["Location"] == "/login"


@pytest.mark.parametrize("path", ["/login", "/board", "/nothing", "/static/console.css"])
async def test_headers_keep_other_sites_and_inline_scripts_out(browser: Browser, path: str) -> None:
    await browser.log_in("operator")
    headers = (await browser.get(path)).headers
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy and "http" not in policy
    for name, value in HEADERS.items():
        if name != "Cache-Control" or not path.startswith("/static"):
            assert headers[name] == value
    assert "aiohttp" not in headers["Server"].lower() and "python" not in headers["Server"].lower()


async def test_live_events_are_for_those_with_the_right_only(
    browser: Browser, store: Store
) -> None:
    events = f"{browser.url}/events?watch=talks"
    async with browser.session.get(events) as response:
        assert await response.text() == "event: signed-out\ndata: \n\n"
    await browser.log_in("operator")
    async with browser.session.get(events) as response:
        assert response.content_type == "text/event-stream"
        assert b"retry" in await response.content.readline()
    assert (await browser.session.get(f"{browser.url}/events?watch=nothing")).status == 400
    looked = [row.audit for row in audit.newest(store, 1)]
    assert [(one.action, one.subject_kind, one.subject_id) for one in looked] == [
        ("look", "live", "talks")
    ]


async def test_what_is_typed_is_shown_as_text(browser: Browser, store: Store) -> None:
    await browser.log_in("operator")
    page = await (await browser.get("/people", params={"q": "<script>alert(1)</script>"})).text()
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert" in page


async def test_store_that_fails_is_a_page_in_words(
    browser: Browser, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    await browser.log_in("operator")
    with store.write() as session:
        session.connection().exec_driver_sql("ALTER TABLE work_order RENAME TO gone")
    response = await browser.get("/orders")
    assert response.status == 503
    assert "数据库" in await response.text()


def _duty(store: Store) -> Duty:
    found = operators.find(store, Role.OPERATOR.value)
    assert found is not None
    return found.duty
