"""Any gateway over HTTP: it takes our signed requests and makes signed ones to us: docs/sms.md.

It takes each reference once: asked again with one that it has, it says so and sends nothing.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID

import aiohttp

from ivr.config import HttpGatewaySettings
from ivr.outreach.sms.gateway import (
    CONNECT_S,
    NOT_SAID,
    Answer,
    BadWebhook,
    Incoming,
    NotTaken,
    Reported,
    Taken,
    Unknown,
)
from ivr.outreach.sms.signing import signed
from store.messages import Report
from store.models import SmsOut

NAME = "http"
PATH = "/sms/http"
RECEIVED, REPORTED = "message.received", "message.report"
ANSWER_BYTES = 2000


class HttpGateway:
    name = NAME
    repeatable = True

    def __init__(
        self,
        settings: HttpGatewaySettings,
        http: aiohttp.ClientSession,
        ours: str,
        now: Callable[[], datetime],
    ) -> None:
        """`ours`: the address of our listener as the gateway sees it, http://host:port."""
        self._settings = settings
        self._http = http
        self._webhook = f"{ours}{PATH}"
        self._now = now

    async def send(self, message: SmsOut) -> Answer:
        reference = str(message.reference)
        content = {
            "reference": reference,
            "to": message.phone,
            "text": message.text,
            "webhook": self._webhook,
        }
        body = json.dumps(content, ensure_ascii=False).encode()
        secret = self._settings.secret.get_secret_value()
        headers = signed(secret, reference, self._now(), body)
        limits = aiohttp.ClientTimeout(total=self._settings.timeout_s, sock_connect=CONNECT_S)
        try:
            async with self._http.post(
                self._settings.url,
                data=body,
                headers={"Content-Type": "application/json"} | headers,
                timeout=limits,
                allow_redirects=False,
            ) as response:
                return _answered(response.status, await response.content.read(ANSWER_BYTES))
        except NOT_SAID as error:
            return NotTaken(f"the gateway is not there: {type(error).__name__}", gateway_down=True)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            return Unknown(f"the gateway did not answer: {type(error).__name__}")


def _answered(status: int, body: bytes) -> Answer:
    text = " ".join(body.decode("utf-8", "replace").split())
    why = f"the gateway: {status} {text}".strip()
    if status in (200, 201, 202, 409):  # 409: it has that reference already
        return Taken(_id_in(text))
    if status in (401, 403, 404, 408, 429, 503):
        return NotTaken(why, gateway_down=True)
    if 400 <= status < 500:
        return NotTaken(why, again=False)
    return Unknown(why)


def _id_in(text: str) -> str:
    try:
        content = json.loads(text)
    except ValueError:
        return ""
    return str(content.get("id", "")) if isinstance(content, dict) else ""


def read_webhook(body: bytes) -> Incoming | Reported:
    """Of a request whose signature has been checked. Raises BadWebhook."""
    try:
        content = json.loads(body)
        kind, data = content["type"], content["data"]
        if kind == RECEIVED:
            return Incoming(_text(data, "id"), _text(data, "from"), _text(data, "text", True))
        if kind == REPORTED:
            return Reported(
                UUID(_text(data, "reference")),
                Report(_text(data, "status")),
                str(data.get("id") or ""),
                str(data.get("detail") or ""),
            )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BadWebhook(f"{type(error).__name__} {error}") from error
    raise BadWebhook(f"the type {kind!r} is neither {RECEIVED} nor {REPORTED}")


def _text(data: dict[str, Any], name: str, may_be_empty: bool = False) -> str:
    value = data[name]
    if not isinstance(value, str) or not (value or may_be_empty):
        raise ValueError(f"{name} is no text")
    return value
