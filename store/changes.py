"""Whether anything has been written: one cheap question for those who look at the store all the
time."""

from __future__ import annotations

import threading

from sqlalchemy import Connection, text
from sqlalchemy.exc import SQLAlchemyError

from store.database import Store

SQLITE = "PRAGMA data_version"
"""Another number whenever another connection has committed; of this connection only."""
POSTGRESQL = "SELECT pg_current_snapshot()::text"
"""Another text whenever a transaction that writes has begun or ended."""


class Changes:
    """Keeps a connection of its own. Blocking, for any thread."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._asking = threading.Lock()
        self._connection: Connection | None = None

    def version(self) -> object:
        """A value that is another one after something has been written; raises StoreError."""
        with self._asking, self._store.explained():
            if self._connection is None:
                self._connection = self._store.watching()
            try:
                sqlite = self._store.url.get_backend_name() == "sqlite"
                answer = self._connection.execute(text(SQLITE if sqlite else POSTGRESQL))
                version: object = answer.scalar_one()
                self._connection.rollback()  # the next question is of then, not of now
                return version
            except SQLAlchemyError:
                self._connection.close()
                self._connection = None
                raise

    def close(self) -> None:
        with self._asking:
            if self._connection is not None:
                self._connection.close()
                self._connection = None
