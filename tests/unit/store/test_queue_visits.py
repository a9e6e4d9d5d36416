from __future__ import annotations

from datetime import datetime, timedelta
from uuid import uuid4

import pytest
from sample_order import NOW
from sqlmodel import col, select

from store import callbacks, queue_visits
from store.database import Store
from store.models import Callback, Cause, QueueEnd, QueueVisit, Wants
from store.queue_visits import Logged

PHONE = "13812345678"
CHANNEL = "1763800000.1"


def at(minutes: float) -> datetime:
    return NOW + timedelta(minutes=minutes)


def visits(store: Store) -> list[QueueVisit]:
    with store.read() as session:
        return list(session.exec(select(QueueVisit).order_by(col(QueueVisit.id))))


def owed(store: Store) -> list[Callback]:
    return [row.callback for row in callbacks.newest_callbacks(store)]


def test_wait_and_talk_are_kept_with_their_times(store: Store) -> None:
    call_id = uuid4()
    queue_visits.join(store, CHANNEL, PHONE, at(0), call_id=call_id, priority=10)
    assert [visit.phone for visit in queue_visits.waiting(store)] == [PHONE]
    queue_visits.answer(store, CHANNEL, "op101", at(1))
    assert [visit.call_id for visit in queue_visits.talking(store)] == [call_id]
    queue_visits.end_talk(store, CHANNEL, at(3))
    assert queue_visits.talking(store) == []
    [visit] = visits(store)
    assert (visit.call_id, visit.priority, visit.how) == (call_id, 10, QueueEnd.ANSWERED)
    assert (visit.left_at, visit.answered_at, visit.talk_ended_at) == (at(1), at(1), at(3))
    assert visit.answered_by == "op101"
    assert queue_visits.waiting(store) == [] and owed(store) == []


def test_whoever_hangs_up_is_owed_a_call_with_their_place(store: Store) -> None:
    queue_visits.join(store, CHANNEL, PHONE, at(0), priority=10)
    grace = timedelta(seconds=15)
    queue_visits.leave(store, CHANNEL, QueueEnd.ABANDONED, at(5), grace)
    [row] = owed(store)
    assert (row.cause, row.wants, row.priority) == (Cause.ABANDONED, Wants.OPERATOR, 10)
    assert (row.queued_at, row.due_at) == (at(0), at(5) + grace)


@pytest.mark.parametrize("how", [QueueEnd.CALLBACK, QueueEnd.EMERGENCY])
def test_whoever_leaves_by_a_key_is_owed_nothing_for_it(store: Store, how: QueueEnd) -> None:
    queue_visits.join(store, CHANNEL, PHONE, at(0))
    queue_visits.leave(store, CHANNEL, how, at(5))
    assert owed(store) == []


def test_withheld_number_is_owed_nothing(store: Store) -> None:
    queue_visits.join(store, CHANNEL, "", at(0))
    queue_visits.leave(store, CHANNEL, QueueEnd.ABANDONED, at(5))
    assert owed(store) == []


def test_telling_twice_changes_nothing(store: Store) -> None:
    for _ in range(2):
        queue_visits.join(store, CHANNEL, PHONE, at(0))
    for _ in range(2):
        queue_visits.leave(store, CHANNEL, QueueEnd.ABANDONED, at(1))
    queue_visits.answer(store, CHANNEL, "op101", at(2))
    assert [visit.how for visit in visits(store)] == [QueueEnd.ABANDONED]
    assert len(owed(store)) == 1


def test_log_tells_what_nobody_saw(store: Store) -> None:
    """Seen joining, and left unseen; not seen at all; still there."""
    queue_visits.join(store, "1", "13800000001", at(0.5))
    queue_visits.join(store, "3", "13800000003", at(0.5))
    logged = [
        Logged("1", at(0), "13800000001", left_at=at(2), how=QueueEnd.ABANDONED),
        Logged("2", at(1), "13800000002", left_at=at(3), how=QueueEnd.ABANDONED),
        Logged(
            "4",
            at(1),
            "13800000004",
            left_at=at(2),
            how=QueueEnd.ANSWERED,
            answered_by="op101",
            talk_ended_at=at(4),
        ),
        Logged("3", at(1), "13800000003"),
    ]
    for _ in range(2):
        queue_visits.catch_up(store, logged, {"3"}, at(5))
        assert {row.phone for row in owed(store)} == {"13800000001", "13800000002"}
        assert [visit.phone for visit in queue_visits.waiting(store)] == ["13800000003"]
    assert {visit.uniqueid: visit.how for visit in visits(store)} == {
        "1": QueueEnd.ABANDONED,
        "2": QueueEnd.ABANDONED,
        "3": None,
        "4": QueueEnd.ANSWERED,
    }


def test_second_wait_of_the_same_channel_is_a_visit_of_its_own(store: Store) -> None:
    queue_visits.join(store, CHANNEL, PHONE, at(0))
    queue_visits.leave(store, CHANNEL, QueueEnd.EMERGENCY, at(1))
    logged = [
        Logged(CHANNEL, at(0), PHONE, left_at=at(1), how=QueueEnd.EMERGENCY),
        Logged(CHANNEL, at(2), PHONE, left_at=at(3), how=QueueEnd.ABANDONED),
    ]
    queue_visits.catch_up(store, logged, set(), at(4))
    assert [visit.how for visit in visits(store)] == [QueueEnd.EMERGENCY, QueueEnd.ABANDONED]
    assert len(owed(store)) == 1


def test_whoever_was_cut_off_is_owed_a_call(store: Store) -> None:
    queue_visits.join(store, CHANNEL, PHONE, at(0))
    queue_visits.catch_up(store, [Logged(CHANNEL, at(0), PHONE)], set(), at(1))
    assert [visit.how for visit in visits(store)] == [QueueEnd.FAILED]
    assert [row.phone for row in owed(store)] == [PHONE]


def test_one_who_was_talking_to_an_operator_when_asterisk_died_is_owed_a_call(store: Store) -> None:
    queue_visits.join(store, CHANNEL, PHONE, at(0))
    queue_visits.answer(store, CHANNEL, "op101", at(1))
    queue_visits.catch_up(store, [], {CHANNEL}, at(2))
    assert visits(store)[0].talk_ended_at is None
    queue_visits.catch_up(store, [], set(), at(3))
    assert visits(store)[0].talk_ended_at == at(3)
    [row] = owed(store)
    assert (row.phone, row.cause, row.queued_at) == (PHONE, Cause.CUT_OFF, at(3))
    assert callbacks.close_served(store, at(4)) == [], "that talk was before"


def test_talk_that_ended_while_nobody_looked_is_not_taken_for_cut_off(store: Store) -> None:
    queue_visits.join(store, CHANNEL, PHONE, at(0))
    queue_visits.answer(store, CHANNEL, "op101", at(1))
    told = Logged(
        CHANNEL,
        at(0),
        PHONE,
        left_at=at(1),
        how=QueueEnd.ANSWERED,
        answered_by="op101",
        talk_ended_at=at(2),
    )
    queue_visits.catch_up(store, [told], set(), at(3))
    assert owed(store) == []
