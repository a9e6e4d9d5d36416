"""Registered elders and the numbers they call from.

A number may belong to two people, a couple with one landline. What both have in common (their
home, as a rule) is known when it rings; who is calling is not, until an operator asks.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from sqlmodel import Session, col, select

from store import phones
from store.database import Store
from store.models import Elder, Phone, SupportClass


@dataclass(frozen=True, slots=True)
class Registration:
    """What is to be known of an elder; None leaves what is known as it is."""

    phone: str
    """As store.phones.normalise gives it."""
    name: str
    address: str
    support_class: SupportClass | None = None
    dialect: str | None = None
    high_risk: bool | None = None


class Change(StrEnum):
    ADDED = "added"
    UPDATED = "updated"
    UNCHANGED = "unchanged"


@dataclass(frozen=True, slots=True)
class Registered:
    elder: Elder
    change: Change
    shares_with: tuple[str, ...]
    """Names of others with the same number."""


@dataclass(frozen=True, slots=True)
class Profile:
    """What a telephone number tells of who is calling."""

    elder_id: int | None
    """None if several elders share the number."""
    name: str
    """Empty if several elders share the number."""
    address: str | None
    support_class: SupportClass
    dialect: str
    high_risk: bool
    """Of any of them."""


class ListedElder(NamedTuple):
    elder: Elder
    phones: tuple[str, ...]


def register(store: Store, new: Registration, *, replace: bool = False) -> Registered:
    """Adds an elder, or a number to an elder, or brings an elder up to date. Raises StoreError.

    Someone of the same name and address, or of the same name and number, is the same person.
    Another name on a known number is a second person on that line; with `replace` the number is
    taken from whoever had it.
    """
    with store.write() as session:
        on_line = _on_line(session, new.phone)
        at_home = select(Elder).where(Elder.name == new.name, Elder.address == new.address)
        elder = session.exec(at_home).one_or_none() or next(
            (other for other in on_line if other.name == new.name), None
        )
        known = elder is not None
        if elder is None:
            elder = Elder(name=new.name, address=new.address)
            session.add(elder)
        elder.address = new.address
        if new.support_class is not None:
            elder.support_class = new.support_class
        if new.dialect is not None:
            elder.dialect = new.dialect
        if new.high_risk is not None:
            elder.high_risk = new.high_risk
        changed = session.is_modified(elder)
        session.flush()
        others = [other for other in on_line if other is not elder]
        # a namesake elsewhere who had this number is the same person after a move
        leaving = [other for other in others if replace or other.name == new.name]
        for other in leaving:
            session.delete(session.get_one(Phone, (new.phone, other.id)))
        if elder not in on_line:
            session.add(Phone(number=new.phone, elder_id=_id(elder)))
            changed = True
        if not known:
            change = Change.ADDED
        else:
            change = Change.UPDATED if changed or leaving else Change.UNCHANGED
        shares_with = tuple(other.name for other in others if other not in leaving)
        return Registered(elder, change, shares_with)


def find_by_phone(store: Store, number: str) -> Profile | None:
    """Whoever calls from a number, in any way of writing it. Raises StoreError."""
    with store.read() as session:
        elders = _on_line(session, phones.of_caller(number))
    if not elders:
        return None
    alone = elders[0] if len(elders) == 1 else None
    addresses = {elder.address for elder in elders}
    classes = {elder.support_class for elder in elders}
    dialects = {elder.dialect for elder in elders}
    return Profile(
        elder_id=alone.id if alone else None,
        name=alone.name if alone else "",
        address=addresses.pop() if len(addresses) == 1 else None,
        support_class=classes.pop() if len(classes) == 1 else SupportClass.SELF_PAYING,
        dialect=dialects.pop() if len(dialects) == 1 else "",
        high_risk=any(elder.high_risk for elder in elders),
    )


def newest_elders(store: Store) -> list[ListedElder]:
    """Elders with their numbers, newest first. Raises StoreError."""
    with store.read() as session:
        numbers: dict[int, list[str]] = {}
        for phone in session.exec(select(Phone).order_by(col(Phone.number))):
            numbers.setdefault(phone.elder_id, []).append(phone.number)
        elders = session.exec(select(Elder).order_by(col(Elder.id).desc())).all()
        return [ListedElder(elder, tuple(numbers.get(_id(elder), ()))) for elder in elders]


def _on_line(session: Session, number: str) -> list[Elder]:
    rows = select(Elder).join(Phone).where(Phone.number == number).order_by(col(Elder.id))
    return list(session.exec(rows))


def _id(elder: Elder) -> int:
    if elder.id is None:
        raise ValueError(f"{elder.name} is not in the store yet")
    return elder.id
