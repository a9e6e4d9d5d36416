"""Those who take calls, what they are doing, and what they have looked at."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import Text
from sqlmodel import Field, SQLModel

from store.models.base import UtcDateTime, coded


class Role(StrEnum):
    """What an operator may do: their own work; also see everybody's; also change the site."""

    OPERATOR = "operator"
    SUPERVISOR = "supervisor"
    ADMIN = "admin"


class Duty(StrEnum):
    """Whether the operators' queue rings somebody."""

    OFF = "off"
    ON = "on"
    PAUSED = "paused"


class Operator(SQLModel, table=True):
    """Somebody who takes calls or looks after those who do."""

    id: int | None = Field(default=None, primary_key=True)
    name: str = Field(unique=True)
    """What they log in with."""
    display_name: str
    password_hash: str
    """Argon2's own notation, with its parameters and salt."""
    role: Role = Field(default=Role.OPERATOR, sa_type=coded(Role))
    extension: str = Field(unique=True)
    """SIP user of their telephone, such as op101."""
    sip_secret: str
    active: bool = True
    """False: may not log in any more, and keeps their history."""
    language: str = "zh"
    """Of the console's pages: zh or en."""
    duty: Duty = Field(default=Duty.OFF, sa_type=coded(Duty))
    duty_reason: str = ""
    """Why paused."""
    duty_since: datetime | None = Field(default=None, sa_type=UtcDateTime)


class OperatorDuty(SQLModel, table=True):
    """Somebody went on duty, paused or went off; never changed afterwards."""

    __tablename__ = "operator_duty"

    id: int | None = Field(default=None, primary_key=True)
    operator_id: int = Field(foreign_key="operator.id", index=True)
    at: datetime = Field(sa_type=UtcDateTime, index=True)
    duty: Duty = Field(sa_type=coded(Duty))
    reason: str = ""


class LoginSession(SQLModel, table=True):
    __tablename__ = "login_session"

    id: str = Field(primary_key=True)
    """SHA-256 of the token in the browser's cookie, in hex: who reads the store cannot use it."""
    operator_id: int = Field(foreign_key="operator.id", index=True)
    csrf: str
    created_at: datetime = Field(sa_type=UtcDateTime)
    seen_at: datetime = Field(sa_type=UtcDateTime)
    expires_at: datetime = Field(sa_type=UtcDateTime, index=True)


class LoginFailure(SQLModel, table=True):
    """A wrong name or password, kept to slow guessing down."""

    __tablename__ = "login_failure"

    id: int | None = Field(default=None, primary_key=True)
    name: str = Field(index=True)
    """As it was typed."""
    address: str = Field(index=True)
    """Where from."""
    at: datetime = Field(sa_type=UtcDateTime, index=True)


class Audit(SQLModel, table=True):
    """Who looked at or changed a person's data; never changed afterwards."""

    id: int | None = Field(default=None, primary_key=True)
    at: datetime = Field(sa_type=UtcDateTime, index=True)
    operator_id: int | None = Field(default=None, foreign_key="operator.id", index=True)
    """None: the system itself, or the command line."""
    action: str
    subject_kind: str
    """Table of what was looked at or changed."""
    subject_id: str
    detail: str = Field(default="", sa_type=Text)


class Switch(SQLModel, table=True):
    """Something that a person has switched off for the whole site, such as all calls out."""

    name: str = Field(primary_key=True)
    off: bool = False
    at: datetime = Field(sa_type=UtcDateTime)
    operator_id: int | None = Field(default=None, foreign_key="operator.id")
    """None: the command line."""
    reason: str = ""
