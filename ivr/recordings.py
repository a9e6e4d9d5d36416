"""Sound and words of people that are kept, and for how long: where files are, who deletes them.

Three kinds of sound. What a caller said before a human took over, turn by turn: written by the
agent, for that human to listen to what was not understood. Whole calls: written by Asterisk, only
where the settings ask for it, and the caller is told. Of both the file is the only record. Voice
notes, of an address or of what was wrong: written by the agent, and the store has the path.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Collection, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NoReturn
from uuid import UUID

import structlog

from ivr.config import Settings
from ivr.telephony.pbx import Place
from store.database import Store, StoreError
from store.retention import forget_notes, forget_words, notes_needed

LOOK_S = 3600.0
DAY_S = 86400.0

log = structlog.get_logger()


def turns_folder(settings: Settings, call: UUID) -> Path:
    return settings.recordings / "turns" / str(call)


def turn_sound(settings: Settings, call: UUID, turn: int) -> Path:
    """Where the sound of Turn.index is, if it is kept."""
    return turns_folder(settings, call) / f"{turn}.wav"


def kept_recording(name: str, folder: Path) -> Path | None:
    """The file that the store has by that name, if it is below `folder` and still there."""
    path = Path(name).resolve()
    return path if path.is_relative_to(folder.resolve()) and path.is_file() else None


def kept_turns(settings: Settings, call: UUID) -> frozenset[int]:
    """Turn.index of what can be listened to."""
    return frozenset(int(path.stem) for path in turns_folder(settings, call).glob("[0-9]*.wav"))


def call_recording(place: Place, call: UUID) -> Path:
    """Where the recording of a whole call is, if there is one."""
    return place.host(place.recordings) / f"{call}.wav"


def sound_of(
    settings: Settings, place: Place | None, calls: Collection[UUID], notes: Collection[str]
) -> list[Path]:
    """All that there is of these calls, and voice notes by the paths that the store has."""
    found = [Path(note) for note in notes if Path(note).is_relative_to(settings.recordings)]
    for call in calls:
        found += turns_folder(settings, call).glob("*.wav")
        if place is not None:
            found.append(call_recording(place, call))
    return [path for path in found if path.is_file()]


def delete(settings: Settings, paths: Iterable[Path]) -> None:
    """Raises OSError at the first that cannot be deleted."""
    for path in paths:
        path.unlink(missing_ok=True)
        if path.parent.parent == settings.recordings / "turns":
            with contextlib.suppress(OSError):  # others of the same call are still there
                path.parent.rmdir()


async def keep_deleting(settings: Settings, place: Place | None, store: Store) -> NoReturn:
    """Deletes what has been kept for as long as the settings say: sound, and the words in the
    store."""
    while True:
        deleted = await asyncio.to_thread(delete_old, settings, place, time.time())
        if deleted:
            log.info("old sound deleted", files=deleted)
        now = datetime.now(UTC)
        before = now - timedelta(days=settings.recording.transcripts_days)
        try:
            forgotten = await asyncio.to_thread(forget_words, store, before)
            notes = await asyncio.to_thread(delete_old_notes, settings, store, now)
        except StoreError as error:
            log.error("old transcripts or voice notes are still there", error=str(error))
        else:
            if forgotten or notes:
                log.info("old words forgotten", calls_and_messages=forgotten, voice_notes=notes)
        await asyncio.sleep(LOOK_S)


def delete_old(settings: Settings, place: Place | None, now: float) -> int:
    """Deletes once and returns how many files; `now` in seconds since the epoch."""
    kept = settings.recording
    deleted = 0
    for path in _older(settings.recordings / "turns", now - kept.turns_days * DAY_S):
        deleted += _delete(path)
        with contextlib.suppress(OSError):  # others of the same call are still kept
            path.parent.rmdir()
    if place is not None:
        for path in _older(place.host(place.recordings), now - kept.calls_days * DAY_S):
            deleted += _delete(path)
    return deleted


def delete_old_notes(settings: Settings, store: Store, now: datetime) -> int:
    """Deletes voice notes whose time is over, with those that belong to nothing, and returns how
    many the store has forgotten. Raises StoreError.

    The file goes first: whoever is stopped in between forgets the path the next time.
    """
    before = now - timedelta(days=settings.recording.notes_days)
    needed = {Path(note).name for note in notes_needed(store)}
    for path in _older(settings.recordings, before.timestamp(), "*.wav"):
        if path.name not in needed:
            _delete(path)
    return forget_notes(store, before, lambda note: not Path(note).exists())


def _older(folder: Path, written_before: float, names: str = "**/*.wav") -> Iterator[Path]:
    for path in list(folder.glob(names)):
        with contextlib.suppress(FileNotFoundError):
            if path.stat().st_mtime < written_before:
                yield path


def _delete(path: Path) -> bool:
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        log.error("a recording that should go is still there", file=path.name, error=str(error))
        return False
    return True
