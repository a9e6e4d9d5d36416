"""The console as an application on a port, with a store of its own and people in it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from aiohttp import ClientSession, CookieJar
from aiohttp.test_utils import TestServer
from visiting import HOME, NUMBER, PASSWORD, Browser

from ivr.catalog import load_catalog
from ivr.catalog import services as catalog_rows
from ivr.config import Settings
from ivr.console.app import make_app
from ivr.console.passwords import hash_password
from store import elders, operators, services
from store.database import Store, open_store
from store.elders import Registration
from store.models import Operator, Role, SupportClass


@pytest.fixture(scope="session")
def password_hash() -> str:
    return hash_password(PASSWORD)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path)


@pytest.fixture
def store(settings: Settings, password_hash: str) -> Iterator[Store]:
    """With one operator of each role, named after it."""
    opened = open_store(settings.database)
    services.sync(opened, catalog_rows(load_catalog()))
    for role in Role:
        operators.add(opened, role.value, f"{role} 王", role, password_hash, "sip secret")
    yield opened
    opened.close()


@pytest_asyncio.fixture
async def browser(settings: Settings, store: Store) -> AsyncIterator[Browser]:
    async with (
        TestServer(make_app(settings, store)) as server,
        ClientSession(cookie_jar=CookieJar(unsafe=True)) as session,
    ):
        yield Browser(session, str(server.make_url("")).rstrip("/"))


@pytest.fixture
def operator(store: Store) -> Operator:
    found = operators.find(store, "operator")
    assert found is not None
    return found


@pytest.fixture
def elder_id(store: Store) -> int:
    new = Registration(NUMBER, "王秀英", HOME, SupportClass.SUBSIDISED, "suzhou", True)
    id = elders.register(store, new).elder.id
    assert id is not None
    return id
