"""Copying the store while it is in use, putting a copy back, and seeing whether one is sound.

A copy of SQLite is a database again, made and put back with SQLite's own backup interface; one of
PostgreSQL is an archive of pg_dump, put back in one transaction. Whoever reads or writes meanwhile
finds the old contents or the new ones, also when the process is killed, and a copy is there whole
or not at all.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from alembic.config import Config
from alembic.script import ScriptDirectory
from psycopg.conninfo import make_conninfo
from sqlalchemy import inspect
from sqlalchemy.engine import URL
from sqlmodel import SQLModel, text

from store.database import BUSY_MS, FOREIGN_KEY_CHECK, MIGRATIONS, Store, StoreError, open_store

ARCHIVE = b"PGDMP"
"""How an archive of pg_dump begins."""
SQLITE = b"SQLite format 3\0"
LOCKED_S = 60.0
"""A restore waits so long for those who are writing."""
VERSIONS = "alembic_version"


@dataclass(slots=True)
class Checked:
    """What is in a store or a copy, and what is wrong with it."""

    what: str
    """File, or database without its password."""
    revision: str = ""
    """Of its tables; empty if it has none."""
    rows: dict[str, int] = field(default_factory=dict)
    """By table; empty for an archive of pg_dump."""
    problems: list[str] = field(default_factory=list)


def backup(store: Store, file: Path) -> int:
    """Copies the store as it is at one moment to a new file (mode 0600); gives its size in bytes.

    Raises StoreError, also when the copy is not sound or the file is there already.
    """
    if file.exists():
        raise StoreError(f"{file} is there already")
    draft = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        with _explained(file):
            file.parent.mkdir(parents=True, exist_ok=True)
            os.close(os.open(draft, os.O_CREAT | os.O_EXCL, 0o600))
            if _is_sqlite(store.url):
                with _opened(Path(store.url.database or "")) as source, _opened(draft) as copy:
                    source.backup(copy)
                    copy.execute("PRAGMA journal_mode=DELETE").close()  # one file, whole
            else:
                _run(
                    ["pg_dump", "--format=custom", f"--file={draft}", _conninfo(store.url)],
                    store.url,
                )
            if problems := check_file(draft).problems:
                raise StoreError(f"the copy is not sound: {problems[0]}")
            with draft.open("rb") as copied:
                os.fsync(copied.fileno())
            os.link(draft, file)  # unlike a rename, it takes nobody's place
            return file.stat().st_size
    finally:
        draft.unlink(missing_ok=True)


def restore(url: str, file: Path) -> None:
    """Puts a copy in the place of what is in the store, with its schema brought up to date.

    Raises StoreError, and then the store is as it was.
    """
    checked = check_file(file)
    if checked.problems:
        raise StoreError(f"{file} is not sound: {checked.problems[0]}")
    if checked.revision not in known_revisions():
        raise StoreError(
            f"{file} is of a newer version of yihu or not of yihu at all"
            f" (its revision is {checked.revision or 'none'}); install that version first"
        )
    store = Store(url)
    try:
        archive = _begins(file) == ARCHIVE
        if archive == _is_sqlite(store.url):
            kind = "SQLite" if archive else "PostgreSQL"
            raise StoreError(f"{file} cannot be put into a database of {kind}")
        with _explained(file):
            if archive:
                _restore_archive(store, file)
                store.migrate()
            else:
                _restore_sqlite(Path(store.url.database or ""), file)
    finally:
        store.close()


def check(store: Store) -> Checked:
    """Looks through all of the store in use. Raises StoreError when it cannot be read."""
    if _is_sqlite(store.url):
        return check_file(Path(store.url.database or ""))
    found = Checked(store.url.render_as_string())
    with store.read() as session:
        connection = session.connection()
        tables = set(inspect(connection).get_table_names())
        found.rows = {
            name: connection.execute(text(f'SELECT count(*) FROM "{name}"')).scalar_one()
            for name in sorted(tables)
        }
        if VERSIONS in tables:
            rows = connection.execute(text(f"SELECT version_num FROM {VERSIONS}")).scalars()
            found.revision = ",".join(rows)
    found.problems = _schema_problems(found.revision, tables)
    return found


def check_file(file: Path) -> Checked:
    """The same of a copy, or of an SQLite database that may be in use. Raises StoreError."""
    with _explained(file):
        beginning = _begins(file)
    if beginning == ARCHIVE:
        return _check_archive(file)
    found = Checked(str(file))
    if not SQLITE.startswith(beginning) or not beginning:
        found.problems.append("is neither an SQLite database nor an archive of pg_dump")
        return found
    try:
        with _opened(file, write=False) as database:
            sound = [row[0] for row in database.execute("PRAGMA integrity_check(10)")]
            found.problems += [] if sound == ["ok"] else sound
            lost = database.execute(FOREIGN_KEY_CHECK).fetchmany(10)
            found.problems += [f"a row of {row[0]} refers to what is gone: {row}" for row in lost]
            listed = database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
            tables = {row[0] for row in listed if not row[0].startswith("sqlite_")}
            found.rows = {
                name: database.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0]
                for name in sorted(tables)
            }
            if VERSIONS in tables:
                rows = database.execute(f"SELECT version_num FROM {VERSIONS}")
                found.revision = ",".join(row[0] for row in rows)
            found.problems += _schema_problems(found.revision, tables)
    except sqlite3.DatabaseError as error:
        if getattr(error, "sqlite_errorname", "").startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")):
            found.problems.append(str(error))
        else:
            raise StoreError(f"{file}: {error}") from error
    return found


def known_revisions() -> frozenset[str]:
    """Versions of the schema that can be brought up to date."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    scripts = ScriptDirectory.from_config(config).walk_revisions()
    return frozenset(script.revision for script in scripts)


def _schema_problems(revision: str, tables: set[str]) -> list[str]:
    """What of it cannot be used by this version; an older schema can."""
    if not revision:
        return ["has no tables of yihu"]
    newest = max(known_revisions())
    missing = set(SQLModel.metadata.tables) - tables if revision == newest else set()
    return [f"the table {name} is missing" for name in sorted(missing)]


# --- SQLite ---


def _is_sqlite(url: URL) -> bool:
    return url.get_backend_name() == "sqlite"


@contextmanager
def _opened(file: Path, *, write: bool = True) -> Iterator[sqlite3.Connection]:
    """A file that exists, without any transaction begun for us."""
    mode = "rw" if write else "ro"
    address = f"{file.absolute().as_uri()}?mode={mode}"
    opened = sqlite3.connect(address, uri=True, timeout=BUSY_MS / 1000, isolation_level=None)
    with closing(opened):
        yield opened


def _restore_sqlite(database: Path, file: Path) -> None:
    """Through a copy beside the database, so that nobody sees a schema of the past."""
    draft = database.with_name(f".{database.name}.restore")
    try:
        os.close(os.open(draft, os.O_CREAT | os.O_TRUNC, 0o600))
        with _opened(file, write=False) as source, _opened(draft) as copy:
            source.backup(copy)
        open_store(f"sqlite:///{draft}").close()
        began = time.monotonic()

        def waited(status: int, remaining: int, total: int) -> None:
            if status != sqlite3.SQLITE_DONE and time.monotonic() - began > LOCKED_S:
                raise StoreError(f"the database {database} is written to all the time; try again")

        with _opened(draft) as source, _opened(database) as target:
            source.backup(target, progress=waited, sleep=0.05)
    finally:
        for name in (draft.name, f"{draft.name}-wal", f"{draft.name}-shm"):
            draft.with_name(name).unlink(missing_ok=True)


# --- PostgreSQL ---


def _conninfo(url: URL) -> str:
    """As libpq wants it, without the password: all users of a machine see command lines."""
    given = {"host": url.host, "port": url.port, "user": url.username, "dbname": url.database}
    return make_conninfo("", **{k: str(v) for k, v in {**given, **url.query}.items() if v})


def _run(command: list[str], url: URL | None = None) -> str:
    """One of PostgreSQL's own programs; gives what it prints. Raises StoreError."""
    if not shutil.which(command[0]):
        raise StoreError(f"{command[0]} is missing: install postgresql-client")
    password = {"PGPASSWORD": url.password} if url is not None and url.password else {}
    waits = {"PGOPTIONS": f"-c lock_timeout={LOCKED_S:.0f}s", "PGCONNECT_TIMEOUT": "5"}
    done = subprocess.run(
        command, env={**os.environ, **waits, **password}, capture_output=True, text=True
    )
    if done.returncode:
        said = (done.stderr.strip() or f"ended with {done.returncode}").splitlines()
        raise StoreError(f"{command[0]}: {said[0]}")
    return done.stdout


def _check_archive(file: Path) -> Checked:
    """Reads all of it."""
    found = Checked(str(file))
    try:
        with open(os.devnull, "w") as nowhere:
            _run(["pg_restore", f"--file={nowhere.name}", str(file)])
        listed = _run(["pg_restore", "--list", str(file)])
        entries = (line.split() for line in listed.splitlines() if " TABLE public " in line)
        tables = {entry[entry.index("TABLE") + 2] for entry in entries if "DATA" not in entry}
        data = _run(["pg_restore", "--data-only", f"--table={VERSIONS}", "--file=-", str(file)])
        lines = data.splitlines()
        begins = next((n for n, line in enumerate(lines) if line.startswith("COPY ")), None)
        if begins is not None:
            found.revision = lines[begins + 1].strip()
        found.problems += _schema_problems(found.revision, tables)
    except StoreError as error:
        found.problems.append(str(error))
    return found


def _restore_archive(store: Store, file: Path) -> None:
    """In one transaction, with the tables that the archive knows nothing of taken away first."""
    with tempfile.TemporaryDirectory(prefix="yihu-restore-") as folder:
        script = Path(folder) / "restore.sql"
        _run(
            [
                *("pg_restore", "--clean", "--if-exists", "--no-owner", "--no-privileges"),
                *(f"--file={script}", str(file)),
            ]
        )
        ours = ", ".join(f'"{name}"' for name in SQLModel.metadata.tables)
        _run(
            [
                *("psql", "--no-psqlrc", "--quiet", "--single-transaction"),
                *("--set=ON_ERROR_STOP=1", f"--command=DROP TABLE IF EXISTS {ours} CASCADE"),
                *(f"--file={script}", _conninfo(store.url)),
            ],
            store.url,
        )


# --- both ---


def _begins(file: Path) -> bytes:
    with file.open("rb") as opened:
        head = opened.read(len(SQLITE))
    return ARCHIVE if head.startswith(ARCHIVE) else head


@contextmanager
def _explained(file: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise StoreError(f"{file}: {error}") from error
    except OSError as error:
        raise StoreError(f"{error.filename or file}: {error.strerror}") from error
