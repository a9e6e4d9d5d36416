"""The service items of grammars/catalog.yaml, and what an elder pays for them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Literal

import yaml
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError, with_config

from ivr.config import ROOT
from ivr.understanding.meaning import EMERGENCY
from store.models import Service, SupportClass

CATALOG = ROOT / "grammars" / "catalog.yaml"

Text = Annotated[str, Field(min_length=1)]


class Unit(StrEnum):
    """What a price is for."""

    HOUR = "hour"
    VISIT = "visit"
    MEAL = "meal"
    CALL = "call"
    NONE = "none"


@with_config(ConfigDict(extra="forbid"))
@dataclass(frozen=True, slots=True)
class Item:
    """A service item; the fields are explained at the top of catalog.yaml."""

    name: Text
    spoken: Text
    short: Annotated[str, Field(min_length=2, max_length=4)]
    category: Text
    unit: Unit
    price_fen: Annotated[int, Field(ge=0)]
    ask: frozenset[Literal["time"]]


class CatalogError(Exception):
    """catalog.yaml cannot be used; names the file and each item that is wrong."""


_ITEMS = TypeAdapter(dict[Text, Item])


def load_catalog(path: Path = CATALOG) -> Mapping[str, Item]:
    """Service code -> item, in the order of the file. Raises CatalogError.

    The codes are the file's own: a new service is an entry there and sentences in the grammars.
    Only the emergency must be among them, since it is handled like no other.
    """
    try:
        items = _ITEMS.validate_python(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise CatalogError(f"{path}: {error}") from error
    except ValidationError as error:
        wrong = "; ".join(
            f"{'.'.join(str(part) for part in e['loc']) or 'the file'}: {e['msg']}"
            for e in error.errors()
        )
        raise CatalogError(f"{path}: {wrong}") from error
    if EMERGENCY not in items:
        raise CatalogError(f"{path}: the item {EMERGENCY!r} is missing; no site can be without it")
    return MappingProxyType(items)


def services(catalog: Mapping[str, Item]) -> list[Service]:
    """Rows for `store.services.sync`."""
    return [
        Service(code=code, name=item.name, unit=item.unit, price_fen=item.price_fen)
        for code, item in catalog.items()
    ]


def support(price_fen: int, support_class: SupportClass, subsidised_percent: int) -> int:
    """What an elder pays of a price, in fen.

    `subsidised_percent` is the share an elder of that class pays; fractions are in their favour.
    """
    match support_class:
        case SupportClass.AIDED:
            return 0
        case SupportClass.SUBSIDISED:
            return price_fen * subsidised_percent // 100
        case SupportClass.SELF_PAYING:
            return price_fen
