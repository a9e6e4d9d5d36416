from __future__ import annotations

from datetime import UTC, datetime, timedelta

from ivr.outreach.line import Room, to_dial
from store.models import Callback, Cause, QueueVisit, Wants

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def owed(minute: int, wants: Wants = Wants.OPERATOR, priority: int = 0) -> Callback:
    since = NOON + timedelta(minutes=minute)
    return Callback(
        id=minute,
        phone=str(minute),
        cause=Cause.ASKED,
        wants=wants,
        priority=priority,
        queued_at=since,
        asked_at=since,
        due_at=since,
    )


def waits(minute: int, priority: int = 0) -> QueueVisit:
    return QueueVisit(
        uniqueid=str(minute),
        phone=str(minute),
        priority=priority,
        joined_at=NOON + timedelta(minutes=minute),
    )


def room(
    calls: int = 9,
    agent: int | None = 0,
    operators: int = 0,
    on_duty: int | None = None,
    rung: int = 0,
) -> Room:
    return Room(calls, agent, operators, operators if on_duty is None else on_duty, rung)


def dialled(due: list[Callback], waiting: list[QueueVisit], room: Room) -> list[int | None]:
    return [one.id for one in to_dial(due, waiting, room)]


def test_as_many_are_dialled_as_operators_are_free() -> None:
    assert dialled([owed(1), owed(2), owed(3)], [], room(operators=2)) == [1, 2]


def test_operator_for_whom_a_telephone_rings_already_is_not_free() -> None:
    assert dialled([owed(1), owed(2)], [], room(operators=2, rung=1)) == [1]


def test_nobody_is_dialled_for_operators_who_are_not_there() -> None:
    assert dialled([owed(1)], [waits(2)], room(operators=0, on_duty=0)) == []


def test_who_began_to_wait_earlier_on_the_telephone_comes_first() -> None:
    assert dialled([owed(2)], [waits(1)], room(operators=1)) == []
    assert dialled([owed(2)], [waits(1)], room(operators=2)) == [2]
    assert dialled([owed(2)], [waits(3)], room(operators=1)) == [2]


def test_priority_comes_before_waiting() -> None:
    assert dialled([owed(1)], [waits(2, priority=10)], room(operators=1)) == []
    assert dialled([owed(2, priority=10)], [waits(1)], room(operators=1)) == [2]


def test_first_in_a_line_that_never_gets_shorter_is_dialled_all_the_same() -> None:
    busy = room(operators=0, on_duty=3)
    assert dialled([owed(1), owed(2)], [waits(3)], busy) == [1]
    assert dialled([owed(2)], [waits(1), waits(3)], busy) == []
    assert dialled([owed(1)], [waits(3)], room(operators=0, on_duty=3, rung=1)) == []


def test_nobody_is_made_to_wait_at_home_and_on_the_telephone_where_no_line_is() -> None:
    assert dialled([owed(1)], [], room(operators=0, on_duty=3)) == []


def test_agent_is_given_as_many_as_it_has_room_for() -> None:
    due = [owed(minute, Wants.AGENT) for minute in (1, 2, 3)]
    assert dialled(due, [waits(0)], room(agent=2)) == [1, 2]
    assert dialled(due, [], room(agent=-1)) == []


def test_operators_take_whom_the_agent_cannot_because_it_is_not_there() -> None:
    due = [owed(1, Wants.AGENT), owed(2)]
    assert dialled(due, [], room(agent=None, operators=1)) == [1]


def test_no_more_are_dialled_than_there_are_calls_out() -> None:
    due = [owed(1), owed(2, Wants.AGENT), owed(3)]
    assert dialled(due, [], room(calls=2, agent=5, operators=5)) == [1, 2]
    assert dialled(due, [], room(calls=-1, agent=5, operators=5)) == []
