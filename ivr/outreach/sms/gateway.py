"""What hands our messages on: one narrow way to send, and what can come of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

import aiohttp

from store.messages import Report
from store.models import SmsOut

CONNECT_S = 5.0
NOT_SAID = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError)
"""There was no connection, so the gateway cannot have heard of the message."""


def one_request_a_connection() -> aiohttp.TCPConnector:
    """A request on a connection that was used before may be made twice by aiohttp itself."""
    return aiohttp.TCPConnector(force_close=True)


@dataclass(frozen=True, slots=True)
class Taken:
    """The gateway has it; what becomes of it is reported later."""

    gateway_id: str = ""


@dataclass(frozen=True, slots=True)
class NotTaken:
    """The gateway surely does not have it."""

    why: str
    again: bool = True
    """Whether it may take it another time; a wrong number it never will."""
    gateway_down: bool = False
    """It would not take any other now."""


@dataclass(frozen=True, slots=True)
class Unknown:
    """It may have it: the connection broke after it was asked."""

    why: str


Answer = Taken | NotTaken | Unknown


class Gateway(Protocol):
    name: str
    """Of the gateway in the inbox."""
    repeatable: bool
    """It takes each reference once, so what is not known can be asked again."""

    async def send(self, message: SmsOut) -> Answer:
        """Hands one message over. Raises nothing but cancellation."""


@dataclass(frozen=True, slots=True)
class Incoming:
    """A message to us, as a gateway tells it."""

    gateway_id: str
    phone: str
    """As the gateway writes it."""
    text: str


@dataclass(frozen=True, slots=True)
class Reported:
    """What became of a message of ours, as a gateway tells it."""

    reference: UUID
    report: Report
    gateway_id: str
    detail: str


class BadWebhook(ValueError):
    """A request to our listener that makes no sense; the message says what is wrong with it."""


class Unsigned(BadWebhook):
    """It does not show that it comes from the gateway, or it is too old."""
