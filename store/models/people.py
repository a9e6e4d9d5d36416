"""Elders and the telephones they call from."""

from __future__ import annotations

from datetime import time
from enum import StrEnum

from sqlalchemy import UniqueConstraint
from sqlmodel import Field, SQLModel

from store.models.base import coded


class SupportClass(StrEnum):
    """What the state pays for an elder: all (援助), part (补助), nothing (自助)."""

    AIDED = "aided"
    SUBSIDISED = "subsidised"
    SELF_PAYING = "self_paying"


class Elder(SQLModel, table=True):
    __table_args__ = (UniqueConstraint("name", "address"),)

    id: int | None = Field(default=None, primary_key=True)
    name: str
    address: str
    support_class: SupportClass = Field(
        default=SupportClass.SELF_PAYING, sa_type=coded(SupportClass)
    )
    dialect: str = ""
    """As registered, a folder name below grammars/; empty if not given: see Call.dialect."""
    high_risk: bool = False
    district: str = ""
    latitude: float | None = None
    """Degrees north, of the home; None if not known."""
    longitude: float | None = None
    """Degrees east."""
    call_from: time | None = None
    """The elder's own calling hours in the site's day, and weekdays as in StandingOrder.weekdays;
    None and empty: the site's. We never call outside them by ourselves."""
    call_to: time | None = None
    call_days: str = ""
    calls_refused: bool = False
    """Wants no follow-up or greeting calls."""


class Phone(SQLModel, table=True):
    """A number an elder calls from. A couple shares its landline, so a number may have two."""

    number: str = Field(primary_key=True)
    """As store.phones.normalise gives it."""
    elder_id: int = Field(primary_key=True, foreign_key="elder.id", index=True)


class GreetingPlan(SQLModel, table=True):
    """An elder who lives alone is called to hear how they are."""

    __tablename__ = "greeting_plan"

    id: int | None = Field(default=None, primary_key=True)
    elder_id: int = Field(foreign_key="elder.id", unique=True)
    phone: str
    weekdays: str
    """As StandingOrder.weekdays."""
    at: time
    """Of the site's day."""
    active: bool = True
