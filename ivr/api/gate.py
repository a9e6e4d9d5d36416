"""Who may use the API: who sends a key. What an operation refuses is told as a document."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

import structlog
from aiohttp import web
from pydantic import BaseModel, ValidationError

from ivr.api.documents import Failure
from ivr.catalog import Item
from ivr.config import Settings
from ivr.console.pages import CATALOG, SETTINGS, in_store
from ivr.orders.wording import Notices
from store import api_keys, audit
from store.audit import Action
from store.database import StoreError
from store.models import ApiKey
from store.order_steps import By, Impossible
from store.orders import Stale

T = TypeVar("T")
log = structlog.get_logger()

STATUS = {
    400: "invalid",
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    413: "too_large",
}


class Refused(Exception):
    """The operation is not done: `status` and what to tell."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status = status


@dataclass(frozen=True, slots=True)
class Asked:
    """A request with a valid key."""

    request: web.Request
    key: ApiKey

    @property
    def settings(self) -> Settings:
        return self.request.app[SETTINGS]

    @property
    def zone(self) -> ZoneInfo:
        return self.settings.zone

    @property
    def catalog(self) -> Mapping[str, Item]:
        return self.request.app[CATALOG]

    @property
    def notices(self) -> Notices:
        return Notices(self.catalog, self.zone, self.settings.sms.site)

    @property
    def by(self) -> By:
        return By(provider_id=self.key.provider_id, api_key_id=self.key.id)

    async def store(self, ask: Callable[..., T], *args: Any, **more: Any) -> T:
        return await in_store(self.request, ask, *args, **more)

    async def audit(self, action: Action, kind: str, id: object, detail: str = "") -> None:
        """Done before anything is shown. Raises StoreError."""
        told = f"{self.key.name}: {detail}" if detail else self.key.name
        await in_store(
            self.request, audit.record, None, action, kind, str(id), datetime.now(UTC), told
        )


Handler = Callable[..., Awaitable[BaseModel]]


@dataclass(frozen=True, slots=True)
class Operation:
    """Something that the API does."""

    name: str
    """Of its texts, and in the OpenAPI description."""
    method: str
    path: str
    """Below /api/v1."""
    handler: Handler
    """Called with Asked, and the body or query if there is one."""
    answer: type[BaseModel]
    asks: type[BaseModel] | None = None
    """The body, or the query of a GET."""
    centre: bool = False
    """Not for providers' keys."""
    status: int = 200


def guarded(operation: Operation) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def handle(request: web.Request) -> web.Response:
        try:
            asked = Asked(request, await _key(request))
            if operation.centre and asked.key.provider_id is not None:
                raise Refused(403, "this is not for a provider's key")
            wanted = await _wanted(request, operation)
            answer = await operation.handler(asked, *wanted)
        except Refused as error:
            return failure(error.status, STATUS[error.status], str(error))
        except Stale as error:
            return failure(409, "stale", str(error))
        except Impossible as error:
            return failure(409, "impossible", str(error))
        except StoreError as error:
            log.error("the store did not do it", path=request.path, error=str(error))
            return failure(503, "unavailable", "the database cannot be used at the moment")
        text = answer.model_dump_json()
        return web.Response(text=text, status=operation.status, content_type="application/json")

    return handle


def failure(status: int, error: str, detail: str) -> web.Response:
    document = Failure(error=error, detail=detail)
    response = web.Response(
        text=document.model_dump_json(), status=status, content_type="application/json"
    )
    if status == 401:
        response.headers["WWW-Authenticate"] = "Bearer"
    return response


async def _key(request: web.Request) -> ApiKey:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise Refused(401, "send your key: Authorization: Bearer yihu_...")
    found = await in_store(request, api_keys.find, token.strip())
    if found is None:
        log.warning("wrong API key", path=request.path, address=request.remote)
        raise Refused(401, "the key is wrong or has been revoked")
    return found


async def _wanted(request: web.Request, operation: Operation) -> tuple[BaseModel, ...]:
    if operation.asks is None:
        return ()
    try:
        if operation.method == "GET":
            return (operation.asks.model_validate(dict(request.query)),)
        return (operation.asks.model_validate_json(await request.read() or b"{}"),)
    except ValidationError as error:
        wrong = "; ".join(
            f"{'.'.join(str(part) for part in one['loc']) or 'the body'}: {one['msg']}"
            for one in error.errors(include_url=False)
        )
        raise Refused(400, wrong) from error
    except web.HTTPRequestEntityTooLarge as error:
        raise Refused(413, "too much") from error
