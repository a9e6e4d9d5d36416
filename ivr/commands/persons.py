"""`yihu elders export|erase`: all of one person's data, handed out or taken out."""

from __future__ import annotations

import json
import sys
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from audio.files import whole
from ivr import recordings
from ivr.commands.opened import opened_store
from ivr.config import load_settings
from ivr.telephony.pbx import find_place
from store import audit, person
from store.audit import Action
from store.database import Store
from store.person import Person
from store.phones import of_caller
from store.privacy import mask_phone

ElderId = Annotated[
    int | None, typer.Argument(help="As `yihu elders list` shows it.", metavar="ID")
]
Number = Annotated[
    str, typer.Option("--phone", help="Instead of ID: who calls from it, registered or not.")
]


def add_to(app: typer.Typer) -> None:
    app.command("export")(export)
    app.command("erase")(erase)


def export(
    elder: ElderId = None,
    phone: Number = "",
    to: Annotated[Path, typer.Option("--to", help="New ZIP file.")] = Path("person.zip"),
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """Writes everything that is kept of a person to a file: data.json and sound."""
    settings = load_settings()
    if to.exists():
        _fail(f"{to} is there already")
    with opened_store(settings) as store:
        somebody = _find(store, elder, phone)
        kept = person.kept(store, somebody)
        sound = recordings.sound_of(settings, find_place(settings), kept.calls, kept.notes)
        try:
            with whole(to, 0o600) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as out:
                out.writestr("data.json", json.dumps(kept.rows, ensure_ascii=False, indent=1))
                for path in sound:
                    out.write(path, f"sound/{path.parent.name}/{path.name}")
        except OSError as error:
            _fail(f"{error.filename or to}: {error.strerror}")
        _record(store, Action.EXPORT, somebody)
    counts = {table: len(rows) for table, rows in kept.rows.items()}
    print(f"yihu: {sum(counts.values())} rows, {len(sound)} recordings in {to}", file=sys.stderr)
    _tell_shared(somebody)
    if as_json:
        document = {"file": str(to), "rows": counts, "recordings": len(sound)}
        print(json.dumps(document, ensure_ascii=False))


def erase(
    elder: ElderId = None,
    phone: Number = "",
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """Erases a person: who they are, what they said, sound. Figures stay, without them.

    Copies of the store that were made before still have them.
    """
    settings = load_settings()
    with opened_store(settings) as store:
        somebody = _find(store, elder, phone)
        kept = person.kept(store, somebody)
        if going_on := person.unfinished(store, somebody):
            _fail(f"not now: {'; '.join(going_on)}")
        sound = recordings.sound_of(settings, find_place(settings), kept.calls, kept.notes)
        if not yes:
            named = somebody.elder_id or mask_phone(phone)
            typer.confirm(f"Erase {named} with {len(sound)} recordings?", abort=True, err=True)
        try:
            recordings.delete(settings, sound)
        except OSError as error:
            _fail(f"{error.filename}: {error.strerror}; nothing else was erased")
        counts = person.erase(store, somebody, datetime.now(UTC))
        if not store.forget_deleted():
            print("yihu: the store is busy: traces stay in its log for a while", file=sys.stderr)
    print(f"yihu: erased, with {len(sound)} recordings", file=sys.stderr)
    _tell_shared(somebody)
    if as_json:
        print(json.dumps({"rows": counts, "recordings": len(sound)}, ensure_ascii=False))


def _find(store: Store, elder: int | None, phone: str) -> Person:
    if (elder is None) == (not phone):
        raise typer.BadParameter("either ID or --phone")
    number = of_caller(phone)
    if phone and not number:
        raise typer.BadParameter(f"{phone!r} is not a telephone number")
    return person.find(store, elder, number)


def _record(store: Store, action: Action, somebody: Person) -> None:
    kind, id = "elder", str(somebody.elder_id)
    if somebody.elder_id is None:
        kind, id = "phone", somebody.numbers[0]
    audit.record(store, None, action, kind, id, datetime.now(UTC))


def _tell_shared(somebody: Person) -> None:
    for number in somebody.shared:
        print(
            f"yihu: others have {mask_phone(number)} too: what came from it without a name is"
            " left out",
            file=sys.stderr,
        )


def _fail(reason: str) -> NoReturn:
    print(f"yihu: {reason}", file=sys.stderr)
    raise typer.Exit(1)
