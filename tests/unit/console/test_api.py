"""Other systems work with orders over HTTP. Each answer is held against the API's description."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio
from aiohttp import ClientSession
from aiohttp.test_utils import TestServer
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate
from sqlmodel import select
from visiting import HOME, NUMBER, Browser

from ivr.api.openapi import describe
from ivr.api.work import OPERATIONS
from ivr.catalog import load_catalog
from ivr.config import Settings
from ivr.console.app import make_app
from ivr.console.texts import load_texts
from store import api_keys, audit, elders, orders, providers
from store.database import Store
from store.elders import Registration
from store.models import Complaint, FollowUp, SmsOut, SupportClass
from store.providers import Entry

NEAR = Entry("安康家政", "13900001111", 31.31, 120.62, frozenset({"bathing", "haircut"}), "姑苏区")
FAR = replace(NEAR, name="和顺服务", phone="13900002222", latitude=31.34)
API = describe(OPERATIONS, load_texts(), "en")


@dataclass(slots=True)
class System:
    """Another system with a key."""

    session: ClientSession
    url: str
    key: str

    async def ask(
        self, method: str, path: str, expected: int = 200, params: Any = None, **body: Any
    ) -> Any:
        """The answer, which is what the description says it is."""
        headers = {"Authorization": f"Bearer {self.key}"} if self.key else {}
        sent: dict[str, Any] = {"params": params} if method == "GET" else {"json": body}
        url = f"{self.url}/api/v1{path}"
        async with self.session.request(method, url, headers=headers, **sent) as answer:
            document = await answer.json()
        assert answer.status == expected, document
        described = _described(path)[method.lower()]["responses"]
        schema = described[str(expected)]["content"]["application/json"]["schema"]
        Draft202012Validator({**schema, "components": API["components"]}).validate(document)
        return document

    async def post(self, path: str, expected: int = 200, **body: Any) -> Any:
        return await self.ask("POST", path, expected, **body)

    async def get(self, path: str, expected: int = 200, **params: Any) -> Any:
        return await self.ask("GET", path, expected, params)


def _described(path: str) -> Any:
    parts = path.split("/")
    if len(parts) > 2:
        parts[2] = "{id}"
    return API["paths"]["/api/v1" + "/".join(parts)]


@pytest.fixture
def elder_id(store: Store) -> int:
    new = Registration(
        NUMBER, "王秀英", HOME, SupportClass.SUBSIDISED, "suzhou", True, "姑苏区", (31.311, 120.621)
    )
    id = elders.register(store, new).elder.id
    assert id is not None
    return id


@pytest.fixture
def near(store: Store) -> int:
    return providers.register(store, NEAR)[0].id or 0


@pytest.fixture
def far(store: Store) -> int:
    return providers.register(store, FAR)[0].id or 0


@pytest_asyncio.fixture
async def site(settings: Settings, store: Store) -> AsyncIterator[System]:
    """Nobody yet: without a key."""
    async with TestServer(make_app(settings, store)) as server, ClientSession() as session:
        yield System(session, str(server.make_url("")).rstrip("/"), "")


@pytest.fixture
def centre(site: System, store: Store) -> System:
    return replace(site, key=api_keys.issue(store, "街道平台", None, datetime.now(UTC))[0])


@pytest.fixture
def own(site: System, store: Store, near: int) -> System:
    return replace(site, key=api_keys.issue(store, "安康的系统", near, datetime.now(UTC))[0])


@pytest.fixture
def other(site: System, store: Store, far: int) -> System:
    return replace(site, key=api_keys.issue(store, "和顺的系统", far, datetime.now(UTC))[0])


async def booked(centre: System, elder_id: int, code: str = "bathing") -> int:
    made = await centre.post(
        "/orders", 201, request_id=str(uuid4()), code=code, elder_id=elder_id,
        scheduled_for="2026-11-23T09:00:00+08:00",
    )  # fmt: skip
    id: int = made["id"]
    return id


def test_description_is_sound_openapi() -> None:
    validate(API)
    assert len(API["paths"]) > 10


async def test_order_lives_over_the_api_with_who_and_when(
    centre: System, own: System, store: Store, elder_id: int, near: int, far: int
) -> None:
    worker = (await own.post(f"/providers/{near}/workers", name="周师傅"))["workers"][0]["id"]
    await own.post(f"/providers/{near}/workers", 400, name="吴师傅", phone="12")
    id = await booked(centre, elder_id)
    ranked = (await centre.get(f"/orders/{id}/proposals"))["proposals"]
    assert [(one["provider_id"], one["unfit"]) for one in ranked] == [(near, None), (far, None)]
    assert 0.1 < ranked[0]["distance_km"] < 0.2
    assert (await centre.post(f"/orders/{id}/dispatch"))["provider_id"] == near
    await own.post(f"/orders/{id}/accept", worker_id=worker)
    await own.post(f"/orders/{id}/begin")
    await own.post(f"/orders/{id}/complete", note="水温正好")
    await centre.post(f"/orders/{id}/rating", score=1, said="来晚了")
    await centre.post(f"/orders/{id}/close", note="已道歉")
    whole = await centre.get(f"/orders/{id}")
    assert (whole["status"], whole["rating"], whole["worker_id"]) == ("closed", 1, worker)
    assert whole["scheduled_for"] == "2026-11-23T09:00:00+08:00"
    assert (whole["elder"], whole["pay_fen"]) == ("王秀英", whole["price_fen"] // 2)
    assert [(one["kind"], one["by"], one["provider"]) for one in whole["steps"]] == [
        ("created", "街道平台", ""),
        ("dispatched", "街道平台", "安康家政"),
        ("accepted", "安康的系统", "安康家政"),
        ("in_service", "安康的系统", "安康家政"),
        ("completed", "安康的系统", "安康家政"),
        ("followed_up", "", ""),
        ("closed", "街道平台", ""),
    ]
    with store.read() as session:
        (message,) = session.exec(select(SmsOut))
        (follow_up,) = session.exec(select(FollowUp))
        (complaint,) = session.exec(select(Complaint))
    assert message.phone == "13900001111"
    assert message.text.startswith(f"【一呼】新工单{id}：助浴，11月23日周一09:00，{HOME}，王秀英，")
    assert (follow_up.key, complaint.said) == (f"rating:{id}", "来晚了")


async def test_step_sent_again_after_a_lost_answer_is_not_taken_twice(
    centre: System, own: System, store: Store, elder_id: int, near: int
) -> None:
    request = {"request_id": str(uuid4()), "code": "bathing", "elder_id": elder_id}
    first, *rest = await asyncio.gather(*(centre.post("/orders", 201, **request) for _ in range(4)))
    assert {one["id"] for one in rest} == {first["id"]}
    id = first["id"]
    for system, step in (
        (centre, "dispatch"),
        (own, "accept"),
        (own, "begin"),
        (own, "complete"),
    ):
        once = await system.post(f"/orders/{id}/{step}")
        assert await system.post(f"/orders/{id}/{step}") == once
    with store.read() as session:
        assert len(session.exec(select(SmsOut)).all()) == 1
    again = await booked(centre, elder_id)
    await centre.post(f"/orders/{again}/dispatch")
    for _ in range(2):
        answer = await own.post(f"/orders/{again}/decline", note="没人")
        assert (answer["status"], answer["provider_id"]) == ("created", None)


async def test_declined_order_is_proposed_to_the_next_and_none_is_left_in_the_end(
    centre: System, own: System, other: System, elder_id: int, near: int, far: int
) -> None:
    id = await booked(centre, elder_id)
    await centre.post(f"/orders/{id}/dispatch")
    await own.post(f"/orders/{id}/decline", note="没人")
    assert (await centre.post(f"/orders/{id}/dispatch"))["provider_id"] == far
    await other.post(f"/orders/{id}/decline", note="没人")
    refused = await centre.post(f"/orders/{id}/dispatch", 409)
    assert refused["error"] == "impossible"
    chosen = await centre.post(f"/orders/{id}/dispatch", provider_id=near, note="说好了")
    assert chosen["provider_id"] == near  # who decides may override


async def test_provider_sees_and_does_its_own_orders_only(
    centre: System, own: System, other: System, elder_id: int, near: int, far: int
) -> None:
    theirs, hidden = await booked(centre, elder_id), await booked(centre, elder_id, "haircut")
    await centre.post(f"/orders/{theirs}/dispatch", provider_id=near)
    assert [one["id"] for one in (await own.get("/orders"))["orders"]] == [theirs]
    assert (await other.get("/orders"))["orders"] == []
    assert (await own.get("/orders", provider_id=far))["orders"][0]["id"] == theirs
    for id in (theirs, hidden):
        assert (await other.get(f"/orders/{id}", 404))["error"] == "not_found"
        await other.post(f"/orders/{id}/accept", 404)
    await own.get(f"/providers/{far}", 404)
    await own.post(f"/providers/{far}/workers", 404, name="周师傅")
    assert [one["id"] for one in (await own.get("/providers"))["providers"]] == [near]
    shown = await own.get(f"/orders/{theirs}")
    assert [step["by"] for step in shown["steps"]] == ["", ""]
    for path, body in (
        ("/orders", {"request_id": str(uuid4()), "code": "bathing", "elder_id": elder_id}),
        (f"/orders/{theirs}/cancel", {"note": "x"}),
        (f"/orders/{theirs}/close", {}),
        (f"/orders/{theirs}/rating", {"score": 5}),
        (f"/orders/{theirs}/dispatch", {}),
    ):
        assert (await own.post(path, 403, **body))["error"] == "forbidden"


async def test_step_that_does_not_fit_or_comes_too_late_is_refused_in_words(
    centre: System, own: System, elder_id: int, near: int
) -> None:
    id = await booked(centre, elder_id)
    seen = (await centre.get(f"/orders/{id}"))["seen"]
    await centre.post(f"/orders/{id}/dispatch", seen=seen)
    refused = await own.post(f"/orders/{id}/begin", 409)
    assert refused["error"] == "impossible"
    assert "is dispatched: in_service is possible for orders that are accepted" in refused["detail"]
    stale = await own.post(f"/orders/{id}/accept", 409, seen=seen)
    assert stale["error"] == "stale"
    assert (await own.post(f"/orders/{id}/accept", 409, worker_id=99))["error"] == "impossible"
    assert (await centre.post(f"/orders/{id}/rating", 409, score=5))["error"] == "impossible"
    assert (await centre.get(f"/orders/{id}"))["status"] == "dispatched"


async def test_dispatched_order_that_is_cancelled_or_given_away_is_told_to_the_provider(
    centre: System, store: Store, elder_id: int, near: int, far: int
) -> None:
    id = await booked(centre, elder_id)
    await centre.post(f"/orders/{id}/dispatch", provider_id=near)
    await centre.post(f"/orders/{id}/dispatch", provider_id=far)
    await centre.post(f"/orders/{id}/cancel", note="住院了")
    with store.read() as session:
        told = [(one.phone, one.text.split("：")[0]) for one in session.exec(select(SmsOut))]
    assert told == [
        ("13900001111", f"【一呼】新工单{id}"),
        ("13900001111", f"【一呼】工单{id}已改由别家服务，不用去了。"),
        ("13900002222", f"【一呼】新工单{id}"),
        ("13900002222", f"【一呼】工单{id}已取消，不用去了。"),
    ]


async def test_stranger_orders_by_number_alone(centre: System, store: Store) -> None:
    made = await centre.post(
        "/orders", 201, request_id=str(uuid4()), code="bathing", phone="138 1234 5678"
    )
    assert (made["phone"], made["elder"], made["address"]) == ("13812345678", "", None)
    assert made["pay_fen"] == made["price_fen"]


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"code": "moon_flight"}, "code"),
        ({"code": "emergency"}, "code"),
        ({"phone": "12"}, "phone"),
        ({"elder_id": 99}, "elder_id"),
        ({"scheduled_for": "2026-11-23T09:00:00"}, "scheduled_for"),
        ({"request_id": "x"}, "request_id"),
        ({"price_fen": 1}, "price_fen"),
    ],
)
async def test_order_that_makes_no_sense_is_refused_with_the_field(
    centre: System, store: Store, wrong: dict[str, object], why: str
) -> None:
    right = {"request_id": str(uuid4()), "code": "bathing", "phone": "13812345678"}
    refused = await centre.post("/orders", 400, **{**right, **wrong})
    assert refused["error"] == "invalid" and refused["detail"].startswith(why)
    assert orders.newest_orders(store) == []


async def test_orders_are_read_page_by_page(centre: System, elder_id: int) -> None:
    ids = [await booked(centre, elder_id) for _ in range(5)]
    first = await centre.get("/orders", limit=2)
    second = await centre.get("/orders", limit=2, before=first["next"])
    last = await centre.get("/orders", limit=2, before=second["next"])
    read = [one["id"] for page in (first, second, last) for one in page["orders"]]
    assert read == ids[::-1] and last["next"] is None
    assert (await centre.get("/orders", status="closed"))["orders"] == []
    assert (await centre.get("/orders", 400, status="lost"))["error"] == "invalid"


@pytest.mark.parametrize("key", ["", "yihu_wrong"])
async def test_without_a_valid_key_nothing_is_told(site: System, store: Store, key: str) -> None:
    stranger = replace(site, key=key)
    for one in OPERATIONS:
        path = one.path.replace("{id}", "1")
        refused = await stranger.ask(one.method, path, 401)
        assert refused["error"] == "unauthorized"
    assert audit.newest(store, 5) == []


async def test_revoked_key_opens_nothing_from_the_next_request_on(
    centre: System, store: Store
) -> None:
    assert (await centre.get("/services"))["services"]
    api_keys.revoke(store, "街道平台", datetime.now(UTC))
    await centre.get("/services", 401)


async def test_looks_and_changes_are_audited_with_the_name_of_the_system(
    centre: System, store: Store, elder_id: int
) -> None:
    id = await booked(centre, elder_id)
    await centre.get(f"/orders/{id}")
    rows = [row.audit for row in audit.newest(store, 2)]
    assert [(one.action, one.subject_id, one.detail) for one in rows] == [
        ("look", str(id), "街道平台"),
        ("change", str(id), "街道平台: created"),
    ]


async def test_what_is_no_operation_is_said_as_a_document(centre: System) -> None:
    for method, path, status, error in (
        ("GET", "/nothing", 404, "not_found"),
        ("DELETE", "/orders", 405, "method_not_allowed"),
    ):
        headers = {"Authorization": f"Bearer {centre.key}"}
        url = f"{centre.url}/api/v1{path}"
        async with centre.session.request(method, url, headers=headers) as answer:
            assert (answer.status, (await answer.json())["error"]) == (status, error)
    url = f"{centre.url}/api/v1/orders"
    headers = {"Authorization": f"Bearer {centre.key}"}
    async with centre.session.post(url, headers=headers, data=b"\xff{") as answer:
        assert (answer.status, (await answer.json())["error"]) == (400, "invalid")
    async with centre.session.post(url, headers=headers, data=b"1" * 100_000) as answer:
        assert (answer.status, (await answer.json())["error"]) == (413, "too_large")
    assert (await centre.get("/orders/x", 404))["error"] == "not_found"


async def test_description_and_its_page_are_there_for_everybody(browser: Browser) -> None:
    async with browser.session.get(f"{browser.url}/api/v1/openapi.json") as answer:
        assert await answer.json() == API
    page = await (await browser.get("/api/v1")).text()
    for one in OPERATIONS:
        assert f"/api/v1{one.path}" in page
    assert "接单" in page


async def test_services_are_those_that_can_be_ordered(centre: System) -> None:
    codes = {one["code"] for one in (await centre.get("/services"))["services"]}
    assert codes == set(load_catalog()) - {"emergency"}
