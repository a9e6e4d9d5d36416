"""Sound of people goes when its time is over, and not before."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path, PurePosixPath
from uuid import uuid4

import pytest
from sqlmodel import select

from ivr.config import RecordingSettings, Settings
from ivr.recordings import (
    DAY_S,
    call_recording,
    delete_old,
    delete_old_notes,
    kept_turns,
    turn_sound,
)
from ivr.telephony.pbx import Place
from store import services
from store.database import Store, open_store
from store.models import Complaint, OrderStatus, Service, WorkOrder

NOW = 1_800_000_000.0
AT = datetime.fromtimestamp(NOW, UTC)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path, recording=RecordingSettings(turns_days=7, calls_days=30))


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(None, PurePosixPath(tmp_path / "asterisk"), "", "", None, None)


def written(path: Path, days_ago: float) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"sound")
    os.utime(path, (NOW - days_ago * DAY_S,) * 2)
    return path


def test_sound_is_deleted_when_its_days_are_over(settings: Settings, place: Place) -> None:
    old, new = uuid4(), uuid4()
    written(turn_sound(settings, old, 1), 8)
    kept = [
        written(turn_sound(settings, new, 2), 6),
        written(call_recording(place, new), 29),
        written(settings.recordings / f"{old}-5.wav", 400),  # the voice note of an order
    ]
    gone = written(call_recording(place, old), 31)
    assert delete_old(settings, place, NOW) == 2
    assert all(path.exists() for path in kept)
    assert not gone.exists()
    assert not turn_sound(settings, old, 1).parent.exists()
    assert kept_turns(settings, new) == {2}
    assert kept_turns(settings, old) == frozenset()


def test_nothing_to_delete_is_no_error(settings: Settings) -> None:
    assert delete_old(settings, None, NOW) == 0


@pytest.fixture
def store(settings: Settings) -> Iterator[Store]:
    opened = open_store(settings.database)
    services.sync(opened, [Service(code="bathing", name="助浴", unit="hour", price_fen=1)])
    yield opened
    opened.close()


def noted(store: Store, settings: Settings, days_ago: float, status: OrderStatus) -> WorkOrder:
    """An order so old, with the voice note of its address."""
    note = written(settings.recordings / f"{uuid4()}-5.wav", days_ago)
    order = WorkOrder(
        code="bathing", phone="13812345678", price_fen=1, pay_fen=1, status=status,
        created_at=AT - timedelta(days=days_ago), note=str(note),
    )  # fmt: skip
    with store.write() as session:
        session.add(order)
    return order


def complained(store: Store, settings: Settings, order: WorkOrder, *, closed: bool) -> Path:
    """What was wrong with it, as old as it is, in the elder's voice."""
    days_ago = (AT - order.created_at) / timedelta(days=1)
    note = written(settings.recordings / f"{uuid4()}-wrong.wav", days_ago)
    with store.write() as session:
        session.add(
            Complaint(
                order_id=order.id or 0, score=1, note=str(note), at=order.created_at,
                closed_at=AT if closed else None,
            )
        )  # fmt: skip
    return note


def notes(store: Store) -> set[str | None]:
    with store.read() as session:
        return {*session.exec(select(WorkOrder.note)), *session.exec(select(Complaint.note))}


def test_voice_notes_go_when_their_days_are_over_and_nobody_needs_them(
    settings: Settings, store: Store
) -> None:
    old = noted(store, settings, 91, OrderStatus.CLOSED)
    new = noted(store, settings, 89, OrderStatus.CLOSED)
    waits = noted(store, settings, 91, OrderStatus.ACCEPTED)
    settled = complained(store, settings, old, closed=True)
    unsettled = complained(store, settings, waits, closed=False)
    nobodys = written(settings.recordings / f"{uuid4()}-7.wav", 91)
    turn = written(turn_sound(settings, uuid4(), 1), 91)  # has days of its own
    kept = {new.note, waits.note, str(unsettled)}
    assert delete_old_notes(settings, store, AT) == 2
    assert delete_old_notes(settings, store, AT) == 0
    assert notes(store) == {None, *kept}
    assert all(note is not None and Path(note).exists() for note in kept)
    assert old.note is not None
    assert not any(path.exists() for path in (Path(old.note), settled, nobodys))
    assert turn.exists()


def test_a_voice_note_whose_file_went_before_the_store_knew_is_forgotten(
    settings: Settings, store: Store
) -> None:
    order = noted(store, settings, 91, OrderStatus.CLOSED)
    assert order.note is not None
    Path(order.note).unlink()  # as after a power cut in between
    assert delete_old_notes(settings, store, AT) == 1
    assert notes(store) == {None}
