"""Registered elders and the numbers they call from.

A number may belong to two people, a couple with one landline. What both have in common (their
home, as a rule) is known when it rings; who is calling is not, until an operator asks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from sqlmodel import Session, col, select

from store import phones
from store.database import Store, StoreError
from store.models import Elder, Phone, SupportClass

SHORTEST_NUMBER = 3
"""Digits that are searched for as a part of a number."""
FEW = 200


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
    district: str | None = None
    place: tuple[float, float] | None = None
    """Degrees north and east, of the home."""


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
        if new.district is not None:
            elder.district = new.district
        if new.place is not None:
            elder.latitude, elder.longitude = new.place
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


def find_elder(store: Store, elder_id: int) -> ListedElder | None:
    """Raises StoreError."""
    with store.read() as session:
        elder = session.get(Elder, elder_id)
        return _listed(session, [elder])[0] if elder else None


def who_calls_from(store: Store, number: str) -> list[ListedElder]:
    """Everybody who has a number. Raises StoreError."""
    with store.read() as session:
        return _listed(session, _on_line(session, phones.of_caller(number)))


def search(store: Store, text: str, limit: int) -> list[ListedElder]:
    """Elders in whose name, address or numbers every word of `text` is found.

    Of a number, any part will do, in any way of writing it. Raises StoreError.
    """
    words = text.split()
    digits = phones.digits(text)
    if len(digits) >= SHORTEST_NUMBER and not text.strip("0123456789+-() "):
        words = [digits]
    rows = select(Elder).order_by(col(Elder.name), col(Elder.id)).limit(limit)
    for word in words:
        has = select(Phone.elder_id).where(col(Phone.number).contains(word, autoescape=True))
        rows = rows.where(
            col(Elder.name).contains(word, autoescape=True)
            | col(Elder.address).contains(word, autoescape=True)
            | col(Elder.id).in_(has)
        )
    with store.read() as session:
        return _listed(session, session.exec(rows).all()) if words else []


def update(
    store: Store,
    elder_id: int,
    name: str,
    address: str,
    support_class: SupportClass,
    dialect: str,
    high_risk: bool,
    district: str,
    place: tuple[float, float] | None,
) -> frozenset[str]:
    """What an operator knows better; returns the names of what was different.

    Raises Conflict when somebody else of that name is registered there, or StoreError.
    """  # fmt: skip
    new = {
        "name": name,
        "address": address,
        "support_class": support_class,
        "dialect": dialect,
        "high_risk": high_risk,
        "district": district,
        "latitude": place[0] if place else None,
        "longitude": place[1] if place else None,
    }
    with store.write() as session:
        elder = session.get(Elder, elder_id)
        if elder is None:
            raise StoreError(f"there is no elder {elder_id}")
        changed = {key for key, value in new.items() if getattr(elder, key) != value}
        for key in changed:
            setattr(elder, key, new[key])
        session.flush()
        return frozenset(changed)


def newest_elders(store: Store) -> list[ListedElder]:
    """Elders with their numbers, newest first. Raises StoreError."""
    with store.read() as session:
        return _listed(session, session.exec(select(Elder).order_by(col(Elder.id).desc())).all())


def _listed(session: Session, elders: Sequence[Elder]) -> list[ListedElder]:
    numbers: dict[int, list[str]] = {}
    rows = select(Phone).order_by(col(Phone.number))
    if len(elders) <= FEW:  # or else one look at all numbers is quicker
        rows = rows.where(col(Phone.elder_id).in_([elder.id for elder in elders]))
    for phone in session.exec(rows):
        numbers.setdefault(phone.elder_id, []).append(phone.number)
    return [ListedElder(elder, tuple(numbers.get(_id(elder), ()))) for elder in elders]


def _on_line(session: Session, number: str) -> list[Elder]:
    rows = select(Elder).join(Phone).where(Phone.number == number).order_by(col(Elder.id))
    return list(session.exec(rows))


def _id(elder: Elder) -> int:
    if elder.id is None:
        raise ValueError(f"{elder.name} is not in the store yet")
    return elder.id
