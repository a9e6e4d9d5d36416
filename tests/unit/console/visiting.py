"""Visiting the console without a browser."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime

from aiohttp import ClientResponse, ClientSession

PASSWORD = "correct horse"
NUMBER = "051265123450"
HOME = "姑苏区干将路12号"
NOW = datetime(2026, 11, 22, 1, tzinfo=UTC)
"""Where and when an elder of the tests calls from."""


@dataclass(slots=True)
class Browser:
    """As much of one as a request needs: cookies, and the token of the page it was on last."""

    session: ClientSession
    url: str
    csrf: str = ""

    async def get(self, path: str, params: dict[str, str] | None = None) -> ClientResponse:
        headers = {"Accept": "text/html"}
        response = await self.session.get(
            f"{self.url}{path}", headers=headers, params=params, allow_redirects=False
        )
        found = re.search(r'name="csrf" value="([^"]+)"', await response.text(errors="replace"))
        self.csrf = found[1] if found else self.csrf
        return response

    async def post(self, path: str, token: str | None = None, **fields: str) -> ClientResponse:
        """With the page's token, unless another is given."""
        data = {"csrf": self.csrf if token is None else token, **fields}
        return await self.session.post(f"{self.url}{path}", data=data, allow_redirects=False)

    async def log_in(self, name: str, password: str = PASSWORD) -> ClientResponse:
        await self.get("/login")
        response = await self.post("/login", name=name, password=password)
        if response.status == 303:
            await self.get("/duty")
        return response
