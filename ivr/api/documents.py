"""What goes in and out of the HTTP API. The OpenAPI description is made of these classes."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from store.models import OrderEvent, OrderStatus

Words = Annotated[str, Field(max_length=200)]
Reason = Annotated[str, Field(min_length=1, max_length=200)]
Id = Annotated[int, Field(ge=1, lt=2**31)]


class Document(BaseModel):
    model_config = ConfigDict(use_attribute_docstrings=True, extra="forbid")


# --- out ---


class OrderDocument(Document):
    id: int
    code: str
    """Of the service, as in /services."""
    service: str
    status: OrderStatus
    elder: str
    """Name; empty if not known."""
    phone: str
    address: str | None
    """None: to be asked."""
    district: str
    scheduled_for: datetime | None
    """None: to be agreed with the elder."""
    said_time: str
    """The time in the elder's words."""
    price_fen: int
    pay_fen: int
    """What the elder pays of it."""
    created_at: datetime
    started_at: datetime | None
    completed_at: datetime | None
    provider_id: int | None
    worker_id: int | None


class StepDocument(Document):
    id: int
    kind: OrderEvent
    at: datetime
    by: str
    """Operator or system; empty for the elder and the centre's own system. Providers are not told
    the names of operators."""
    provider: str
    """Whose doing it was, or who the order was dispatched to."""
    detail: str


class WholeOrder(OrderDocument):
    steps: list[StepDocument]
    """All that happened to it, oldest first."""
    seen: int
    """The last step: sent along with a change, it is refused (409) if there is a newer one."""
    rating: int | None
    """1 (very bad) to 5 (very good)."""


class OrderPage(Document):
    orders: list[OrderDocument]
    """Newest first."""
    next: int | None
    """Where more follow: `before` of the next request."""


class ProposalDocument(Document):
    provider_id: int
    provider: str
    distance_km: float | None
    """Along the great circle, from where its workers set out to the elder's home; None if that is
    not known."""
    orders: int
    """That it has already for the day of the order."""
    orders_a_day: int
    unfit: str | None
    """Why it is not proposed: declined, too_far, full, elsewhere; None if it is."""


class ProposalList(Document):
    proposals: list[ProposalDocument]
    """All that offer the service, the best first."""


class WorkerDocument(Document):
    id: int
    name: str
    phone: str


class ProviderDocument(Document):
    id: int
    name: str
    phone: str
    district: str
    latitude: float
    longitude: float
    radius_km: float
    orders_a_day: int
    active: bool
    services: list[str]
    """Codes."""
    workers: list[WorkerDocument]


class ProviderList(Document):
    providers: list[ProviderDocument]


class ServiceDocument(Document):
    code: str
    name: str
    category: str
    unit: str
    price_fen: int
    """Of one unit."""


class ServiceList(Document):
    services: list[ServiceDocument]


class Failure(Document):
    error: str
    """invalid, unauthorized, forbidden, not_found, method_not_allowed, impossible, stale,
    too_large, unavailable or failed."""
    detail: str
    """In words."""


# --- in ---


class OrdersWanted(Document):
    """The query of a list of orders."""

    status: OrderStatus | None = None
    provider_id: Id | None = None
    """A provider's key sees its own only."""
    before: Id | None = None
    """Only those with a smaller id."""
    limit: Annotated[int, Field(ge=1, le=200)] = 50


class NewOrder(Document):
    request_id: UUID
    """Made by whoever asks: sent again with the same one, nothing is booked twice."""
    code: str
    elder_id: Id | None = None
    phone: Words = ""
    """Instead of elder_id: as registered, or a stranger's."""
    address: Words | None = None
    """Without one it is the elder's own."""
    scheduled_for: AwareDatetime | None = None
    said_time: Words = ""


class Change(Document):
    seen: Id | None = None
    """The last step known of the order; without it the change is made whatever happened before."""
    note: Words = ""


class Dispatch(Change):
    provider_id: Id | None = None
    """Without one, the first proposal."""


class Work(Change):
    worker_id: Id | None = None
    """Who does it, of the order's provider."""


class Ended(Change):
    note: Reason
    """Why."""


class Rated(Document):
    score: Annotated[int, Field(ge=1, le=5)]
    """1 (very bad) to 5 (very good); up to 2 it is a complaint."""
    said: Words = ""


class NewWorker(Document):
    name: Annotated[str, Field(min_length=1, max_length=60)]
    phone: Words = ""
