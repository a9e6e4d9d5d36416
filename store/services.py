"""Service items as the store knows them."""

from __future__ import annotations

from collections.abc import Iterable

from store.database import Store
from store.models import Service


def sync(store: Store, services: Iterable[Service]) -> None:
    """Takes names, units and prices over. Items no longer offered stay, orders name them.

    Done before the first call, since an order can only be for a known service. Raises StoreError.
    """
    with store.write() as session:
        for service in services:
            session.merge(service)
