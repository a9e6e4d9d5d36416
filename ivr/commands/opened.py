"""This site's store, for commands."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import typer

from ivr.config import Settings
from store.database import Store, StoreError, open_store


@contextmanager
def opened_store(settings: Settings) -> Iterator[Store]:
    """The store with its schema up to date; ends the command with 1 when it fails."""
    try:
        store = open_store(settings.database)
        try:
            yield store
        finally:
            store.close()
    except StoreError as error:
        print(f"yihu: {error}", file=sys.stderr)
        raise typer.Exit(1) from error
