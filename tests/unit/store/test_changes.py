from __future__ import annotations

from datetime import UTC, datetime

from store import queue_visits
from store.changes import Changes
from store.database import Store


def test_only_what_is_written_changes_the_version(store: Store) -> None:
    changes = Changes(store)
    try:
        before = changes.version()
        assert queue_visits.waiting(store) == []
        assert changes.version() == before
        queue_visits.join(store, "1.1", "13812345678", datetime.now(UTC))
        after = changes.version()
        assert after != before
        assert changes.version() == after
    finally:
        changes.close()


def test_another_process_is_heard_of_too(store: Store) -> None:
    other, changes = Store(store.url.render_as_string(hide_password=False)), Changes(store)
    try:
        before = changes.version()
        queue_visits.join(other, "1.1", "13812345678", datetime.now(UTC))
        assert changes.version() != before
    finally:
        changes.close()
        other.close()
