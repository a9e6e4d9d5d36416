"""Opening the store: SQLite by default, PostgreSQL by URL, transactions, migrations, errors."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from sqlalchemy import ColumnElement, Connection, Engine, create_engine, event, make_url, or_
from sqlalchemy.engine import URL
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError, SQLAlchemyError
from sqlalchemy.orm import Mapped
from sqlmodel import Session, SQLModel, text

MIGRATIONS = Path(__file__).parent / "migrations"

BUSY_MS = 5000
"""How long a transaction waits for another one's lock: a call cannot wait longer."""
MIGRATION_LOCK = 0x79696875
"""PostgreSQL's advisory lock held while migrating ("yihu")."""
FOREIGN_KEY_CHECK = "PRAGMA foreign_key_check"
BEGIN = "yihu_begin"
"""Execution option: how SQLite begins transactions, DEFERRED for reading, IMMEDIATE to write."""


class StoreError(Exception):
    """The database did not do it, and nothing of it was kept; says which one and what to do."""


class Conflict(StoreError):
    """Someone else has written what may exist only once, or something it refers to is missing."""


class Store:
    """Transactions on one database. Blocking, for any thread; asyncio goes through to_thread."""

    def __init__(self, url: str) -> None:
        """Creates the file of an SQLite database (mode 0600) and its folder.

        Raises StoreError when that cannot be done or the URL is none.
        """
        try:
            self.url = make_url(url)
            self._engine = _engine(self.url)
        except ArgumentError as error:  # the URL may hold a password, so it is not shown
            raise StoreError(
                "database_url in the settings is not a database URL, such as"
                " sqlite:////folder/file or postgresql+psycopg://user:password@host/name"
            ) from error
        self._writing = self._engine.execution_options(**{BEGIN: "IMMEDIATE"})

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A consistent view. Raises StoreError."""
        with self.explained(), Session(self._engine, expire_on_commit=False) as session:
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        """All of it is on disk when the block has ended, or none of it. Raises StoreError."""
        with (
            self.explained(),
            Session(self._writing, expire_on_commit=False) as session,
            session.begin(),
        ):
            session.connection()  # takes the lock now: what follows waits for nobody
            yield session

    @contextmanager
    def lean(self) -> Iterator[Connection]:
        """As `write`, for what is done thousands of times a day with prepared statements: a session
        costs as much as two of them. Raises StoreError."""
        with self.explained(), self._writing.begin() as connection:
            yield connection

    @contextmanager
    def lent(self) -> Iterator[Engine]:
        """To a library that keeps its own table here, in transactions of its own.

        Raises StoreError.
        """
        with self.explained():
            yield self._writing

    def migrate(self) -> None:
        """Brings the schema up to date; several processes may do so at once. Raises StoreError."""
        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
        with self.explained(), self._unreferenced() as connection, connection.begin():
            if self.url.get_backend_name() == "postgresql":
                connection.execute(text(f"SELECT pg_advisory_xact_lock({MIGRATION_LOCK})"))
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
            if lost := connection.execute(text(FOREIGN_KEY_CHECK)).all() if self._sqlite else []:
                raise StoreError(f"the database {self.url.database} refers to what is gone: {lost}")

    @contextmanager
    def _unreferenced(self) -> Iterator[Connection]:
        """A connection on which SQLite lets a table be made anew that others refer to."""
        with self._writing.connect() as connection:
            if not self._sqlite:
                yield connection
                return
            driver = connection.connection.driver_connection
            assert driver is not None
            driver.execute("PRAGMA foreign_keys=OFF").close()  # not possible inside a transaction
            try:
                yield connection
            finally:
                driver.execute("PRAGMA foreign_keys=ON").close()

    @property
    def _sqlite(self) -> bool:
        return self.url.get_backend_name() == "sqlite"

    def forget_deleted(self) -> bool:
        """What was deleted goes from SQLite's log as well, where it could still be read; False
        where somebody has been reading what was there before for longer than BUSY_MS. Raises
        StoreError.
        """
        if not self._sqlite:
            return True
        with self.explained(), self._engine.connect() as connection:
            driver = connection.connection.driver_connection
            assert driver is not None
            busy, *_ = driver.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        return not busy

    def watching(self) -> Connection:
        """A connection for whoever asks the same again and again, and closes it."""
        return self._engine.connect()

    def close(self) -> None:
        self._engine.dispose()

    @contextmanager
    def explained(self) -> Iterator[None]:
        """What the database says against it, as a StoreError."""
        try:
            yield
        except IntegrityError as error:
            raise Conflict(_explanation(self.url, error)) from error
        except SQLAlchemyError as error:
            raise StoreError(_explanation(self.url, error)) from error


@contextmanager
def reading(where: Store | Session) -> Iterator[Session]:
    """Of the store a view of its own, or else the one that is there. Raises StoreError."""
    if isinstance(where, Store):
        with where.read() as session:
            yield session
    else:
        yield where


@contextmanager
def looking(where: Store | Session | Connection) -> Iterator[Connection]:
    """The same for prepared statements. Raises StoreError."""
    if isinstance(where, Store):
        with where.explained(), where.watching() as connection:
            yield connection
    else:
        yield connection_of(where)


def one_of(column: Mapped[Any], codes: Iterable[str]) -> ColumnElement[bool]:
    """What IN says, for statements that are executed all the time: SQLAlchemy writes one with IN
    anew each time."""
    return or_(*(column == code for code in codes))


def connection_of(where: Session | Connection) -> Connection:
    """What prepared statements are executed on."""
    return where.connection() if isinstance(where, Session) else where


@contextmanager
def session_on(connection: Connection) -> Iterator[Session]:
    """A session inside the transaction of `lean`, for what is rarely done there."""
    with Session(connection, expire_on_commit=False) as session:
        yield session
        session.flush()


def defaults(table: type[SQLModel]) -> dict[str, Any]:
    """What a row has where nothing else is said: a statement that inserts many at once, which is
    several times as fast as the session, does not know."""
    fields = table.model_fields.items()
    return {
        name: field.get_default()
        for name, field in fields
        if name != "id" and not field.is_required()
    }


def open_store(url: str) -> Store:
    """The store at `url` with its schema up to date. Raises StoreError."""
    store = Store(url)
    store.migrate()
    return store


def _engine(url: URL) -> Engine:
    if url.get_backend_name() != "sqlite":
        connect_args = {"connect_timeout": 5, "options": f"-c lock_timeout={BUSY_MS}"}
        return create_engine(url, pool_pre_ping=True, pool_timeout=5, connect_args=connect_args)
    if not url.database or url.database == ":memory:":
        raise StoreError("the store needs a file: sqlite:////folder/file")
    path = Path(url.database)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(path, os.O_CREAT | os.O_RDONLY, 0o600))
    except OSError as error:
        raise StoreError(f"the database {path} cannot be opened: {error.strerror}") from error
    engine = create_engine(url, pool_timeout=5, connect_args={"timeout": BUSY_MS / 1000})

    @event.listens_for(engine, "connect")
    def set_up(connection: sqlite3.Connection, _: Any) -> None:
        connection.isolation_level = None  # transactions begin where begin() says so
        pragmas = ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "secure_delete=ON")
        for pragma in pragmas:  # the last: what is deleted of people cannot be read in the file
            connection.execute(f"PRAGMA {pragma}").close()

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        # a transaction that will write takes its lock at once: one that began by reading could
        # not wait for another writer, SQLite refuses it
        how = connection.get_execution_options().get(BEGIN, "DEFERRED")
        connection.exec_driver_sql(f"BEGIN {how}")

    return engine


def _explanation(url: URL, error: SQLAlchemyError) -> str:
    shown = url.database if url.get_backend_name() == "sqlite" else url.render_as_string()
    reason: object = error
    if isinstance(error, DBAPIError):
        reason = error.orig
        name = str(getattr(error.orig, "sqlite_errorname", ""))
        for prefix, remedy in _REMEDIES.items():
            if name.startswith(prefix):
                return f"the database {shown} {remedy} ({reason})"
    return f"the database {shown}: {' '.join(str(reason).split())}"


_REMEDIES = {
    "SQLITE_BUSY": f"has been locked by another program for {BUSY_MS // 1000} s;"
    " find it with `fuser` on that file, or try again",
    "SQLITE_LOCKED": "is locked; try again",
    "SQLITE_FULL": "has no room left: free space on its disk, then try again",
    "SQLITE_IOERR": "cannot be read or written: check that its disk has room and is sound",
    "SQLITE_READONLY": "is read-only: check who owns the file and its folder, and how the disk is"
    " mounted",
    "SQLITE_CANTOPEN": "cannot be opened: check who owns the file and its folder",
    "SQLITE_CORRUPT": "is damaged: stop yihu and put a backup in its place",
    "SQLITE_NOTADB": "is not a database: check database_url in the settings",
}
"""Beginning of SQLite's error name -> what is wrong and what to do."""
