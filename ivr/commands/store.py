"""`yihu store`: copies of everything that is known, made and put back while the site runs."""

from __future__ import annotations

import json
import sys
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from ivr.commands.opened import opened_store
from ivr.config import Settings, load_settings
from store import backup as copies
from store import person
from store.database import StoreError

app = typer.Typer(help="Copies of the store.", no_args_is_help=True)

AsJson = Annotated[bool, typer.Option("--json", help="One JSON document.")]


def add_to(parent: typer.Typer) -> None:
    parent.add_typer(app, name="store")


@app.command()
def backup(
    file: Annotated[
        Path | None, typer.Argument(help="New file; default: one named after now.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Copies the store to a file while it is in use: a database (SQLite) or an archive of pg_dump.

    Sound of people is in `recordings` of the data folder, and is copied like any other file.
    """
    settings = load_settings()
    path = file or _named_after_now(settings, "yihu")
    with opened_store(settings) as store:
        size = copies.backup(store, path)
    print(f"yihu: {size} bytes in {path}", file=sys.stderr)
    if as_json:
        print(json.dumps({"file": str(path), "bytes": size}, ensure_ascii=False))


@app.command()
def restore(
    file: Annotated[Path, typer.Argument(help="What `yihu store backup` has made.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: AsJson = False,
) -> None:
    """Puts a copy in the place of the store, which is copied first; the site may be running."""
    settings = load_settings()
    before = _named_after_now(settings, "before-restore")
    if not yes:
        typer.confirm(f"Replace all that the store has by {file}?", abort=True, err=True)
    with opened_store(settings) as store:
        copies.backup(store, before)
        erased = person.erased(store)
    try:
        copies.restore(settings.database, file)
    except StoreError as error:
        print(f"yihu: {error}; the store is as it was", file=sys.stderr)
        raise typer.Exit(1) from error
    print(f"yihu: restored; what was there before is in {before}", file=sys.stderr)
    with opened_store(settings) as store:
        back = person.registered(store, erased)
    for id in back:
        print(f"yihu: erased since: `yihu elders erase {id}` once more", file=sys.stderr)
    if as_json:
        document = {"restored": str(file), "before": str(before), "erased_before": back}
        print(json.dumps(document, ensure_ascii=False))


@app.command()
def check(
    file: Annotated[Path | None, typer.Argument(help="A copy; default: the store itself.")] = None,
    as_json: AsJson = False,
) -> None:
    """Looks through the store or a copy; exit status 1 if something is wrong with it."""
    settings = load_settings()
    try:
        if file is not None:
            found = copies.check_file(file)
        else:
            with opened_store(settings) as store:
                found = copies.check(store)
    except StoreError as error:
        print(f"yihu: {error}", file=sys.stderr)
        raise typer.Exit(1) from error
    for problem in found.problems:
        print(f"yihu: {found.what}: {problem}", file=sys.stderr)
    if not found.problems:
        counted = f", {sum(found.rows.values())} rows" if found.rows else ""
        print(f"yihu: {found.what} is sound{counted}", file=sys.stderr)
    if as_json:
        document = {
            "what": found.what,
            "sound": not found.problems,
            "revision": found.revision,
            "rows": found.rows,
            "problems": found.problems,
        }
        print(json.dumps(document, ensure_ascii=False))
    if found.problems:
        raise typer.Exit(1)


def _named_after_now(settings: Settings, name: str) -> Path:
    """In the folder of backups; files sort by when they were made."""
    stamp = datetime.now(settings.zone).strftime("%Y%m%d-%H%M%S-%f")
    return settings.data_dir / "backups" / f"{name}-{stamp}.db"
