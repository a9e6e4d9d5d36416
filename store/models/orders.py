"""Services, and the work orders made for them."""

from __future__ import annotations

import uuid
from datetime import date, datetime, time
from enum import StrEnum

from sqlalchemy import Text, UniqueConstraint
from sqlmodel import Field, SQLModel

from store.models.base import UtcDateTime, coded


class OrderStatus(StrEnum):
    """Where an order is in its life; it may be cancelled until it is completed."""

    CREATED = "created"
    DISPATCHED = "dispatched"
    """A provider has been told of it."""
    ACCEPTED = "accepted"
    IN_SERVICE = "in_service"
    COMPLETED = "completed"
    """The service has been done; it is to be followed up."""
    FOLLOWED_UP = "followed_up"
    """It was rated badly, and the complaint is open."""
    CLOSED = "closed"
    CANCELLED = "cancelled"


UNFINISHED = frozenset(
    {
        OrderStatus.CREATED,
        OrderStatus.DISPATCHED,
        OrderStatus.ACCEPTED,
        OrderStatus.IN_SERVICE,
    }
)


class OrderEvent(StrEnum):
    CREATED = "created"
    NOTE = "note"
    """A voice note was attached."""
    TAKEN = "taken"
    CORRECTED = "corrected"
    """The detail says what it was and what it is now."""
    DISPATCHED = "dispatched"
    ACCEPTED = "accepted"
    DECLINED = "declined"
    """The provider cannot do it: it waits for another."""
    IN_SERVICE = "in_service"
    COMPLETED = "completed"
    FOLLOWED_UP = "followed_up"
    CLOSED = "closed"
    CANCELLED = "cancelled"


class Service(SQLModel, table=True):
    """A service item, copied from the catalogue whenever the agent starts."""

    code: str = Field(primary_key=True)
    name: str
    unit: str
    price_fen: int


class WorkOrder(SQLModel, table=True):
    __tablename__ = "work_order"
    __table_args__ = (
        UniqueConstraint("call_id", "number"),
        UniqueConstraint("standing_id", "planned_on"),
    )

    id: int | None = Field(default=None, primary_key=True)
    call_id: uuid.UUID | None = Field(default=None, foreign_key="call.id")
    """None: it comes of a standing order, or of another system."""
    number: int = 1
    """Counts the orders of a call from 1; with the call's id it makes booking idempotent."""
    standing_id: int | None = Field(default=None, foreign_key="standing_order.id")
    planned_on: date | None = None
    """The site's day that the standing order is for; makes planning idempotent."""
    request_id: uuid.UUID | None = Field(default=None, unique=True)
    """What another system calls it; makes booking over the API idempotent."""
    code: str = Field(foreign_key="service.code", index=True)
    elder_id: int | None = Field(default=None, foreign_key="elder.id", index=True)
    phone: str
    address: str | None = None
    """None: an operator takes it from the voice note or asks."""
    scheduled_for: datetime | None = Field(default=None, sa_type=UtcDateTime, index=True)
    said_time: str = ""
    """The time in the caller's words."""
    status: OrderStatus = Field(default=OrderStatus.CREATED, sa_type=coded(OrderStatus))
    price_fen: int
    """Full price of one unit at the time of the order."""
    pay_fen: int
    """What the elder pays of it."""
    created_at: datetime = Field(sa_type=UtcDateTime)
    note: str | None = None
    """Path of the voice note."""
    operator_id: int | None = Field(default=None, foreign_key="operator.id")
    """Who has taken it."""
    provider_id: int | None = Field(default=None, foreign_key="provider.id", index=True)
    worker_id: int | None = Field(default=None, foreign_key="worker.id", index=True)
    district: str = ""
    """Of the elder when it was booked: reports are by district."""
    started_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    """When the service began."""
    completed_at: datetime | None = Field(default=None, sa_type=UtcDateTime, index=True)


class WorkOrderEvent(SQLModel, table=True):
    """What happened to an order, never changed afterwards."""

    __tablename__ = "work_order_event"

    id: int | None = Field(default=None, primary_key=True)
    order_id: int = Field(foreign_key="work_order.id", index=True)
    kind: OrderEvent = Field(sa_type=coded(OrderEvent))
    at: datetime = Field(sa_type=UtcDateTime)
    detail: str = Field(default="", sa_type=Text)
    operator_id: int | None = Field(default=None, foreign_key="operator.id")
    """Whose doing it was; None with neither of the others either: the caller's, or the system's."""
    provider_id: int | None = Field(default=None, foreign_key="provider.id")
    """Whose doing it was, or who the order was dispatched to."""
    api_key_id: int | None = Field(default=None, foreign_key="api_key.id")
    """Whose system told us."""


class Provider(SQLModel, table=True):
    """A business that does services (加盟企业)."""

    id: int | None = Field(default=None, primary_key=True)
    name: str = Field(unique=True)
    phone: str
    """Gets the text messages."""
    district: str = ""
    latitude: float
    """Degrees north, of where its workers set out from."""
    longitude: float
    """Degrees east."""
    radius_km: float = 5.0
    """How far away it serves."""
    orders_a_day: int = 20
    """More are not proposed to it for one day."""
    active: bool = True


class ProviderService(SQLModel, table=True):
    """A service item that a provider offers."""

    __tablename__ = "provider_service"

    provider_id: int = Field(primary_key=True, foreign_key="provider.id")
    code: str = Field(primary_key=True, foreign_key="service.code")


class Worker(SQLModel, table=True):
    """Somebody who comes to the elder's home (服务人员)."""

    __table_args__ = (UniqueConstraint("provider_id", "name"),)

    id: int | None = Field(default=None, primary_key=True)
    provider_id: int = Field(foreign_key="provider.id", index=True)
    name: str
    phone: str = ""
    active: bool = True


class ApiKey(SQLModel, table=True):
    """Lets another system use the HTTP API."""

    __tablename__ = "api_key"

    id: int | None = Field(default=None, primary_key=True)
    name: str = Field(unique=True)
    key_hash: str = Field(unique=True)
    """SHA-256 of the key in hex: who reads the store cannot use it."""
    provider_id: int | None = Field(default=None, foreign_key="provider.id")
    """Only this provider's orders; None: the centre's own systems, all of them."""
    created_at: datetime = Field(sa_type=UtcDateTime)
    revoked_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class StandingOrder(SQLModel, table=True):
    """A service at the same time on the same days of every week."""

    __tablename__ = "standing_order"

    id: int | None = Field(default=None, primary_key=True)
    elder_id: int = Field(foreign_key="elder.id", index=True)
    phone: str
    """Called to confirm each time."""
    code: str = Field(foreign_key="service.code")
    weekdays: str
    """ISO weekdays as digits: "2" is every Tuesday, "135" Monday, Wednesday and Friday."""
    at: time
    """Of the site's day."""
    address: str | None = None
    """None: the elder's own."""
    provider_id: int | None = Field(default=None, foreign_key="provider.id")
    """Whose orders these are; None: dispatched like any other."""
    starts_on: date
    ends_on: date | None = None
    """The last day."""
    active: bool = True
