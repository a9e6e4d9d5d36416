from __future__ import annotations

import threading
from datetime import datetime, timedelta
from uuid import UUID, uuid4

import pytest
from sample_order import NOW

from store import callbacks, calls, queue_visits
from store.database import Store
from store.models import (
    Call,
    Callback,
    CallbackEventKind,
    CallbackState,
    Cause,
    Next,
    Outcome,
    QueueEnd,
    Wants,
)

PHONE, OTHER = "13812345678", "13812345679"
ME, ANOTHER = "one:1:a", "one:2:b"


def at(minutes: float) -> datetime:
    return NOW + timedelta(minutes=minutes)


def ask(
    store: Store,
    minutes: float = 0,
    phone: str = PHONE,
    *,
    cause: Cause = Cause.ASKED,
    wants: Wants = Wants.OPERATOR,
    priority: int = 0,
    queued_at: datetime | None = None,
    call_id: UUID | None = None,
) -> Callback:
    row = callbacks.ask(
        store,
        phone,
        cause=cause,
        wants=wants,
        at=at(minutes),
        priority=priority,
        queued_at=queued_at,
        call_id=call_id,
    )
    assert row is not None and row.id is not None
    return row


def only(store: Store) -> Callback:
    [row] = callbacks.newest_callbacks(store)
    return row.callback


def claim(store: Store, minutes: float = 1, by: str = ME) -> UUID:
    """The attempt of the only one that is due."""
    [row] = callbacks.due(store, at(minutes))
    assert row.id is not None
    claimed = callbacks.claim(store, row.id, by, at(minutes))
    assert claimed is not None and claimed.attempt_id is not None
    return claimed.attempt_id


def kinds(store: Store) -> list[str]:
    row = only(store)
    assert row.id is not None
    return [event.kind for event in callbacks.events_of(store, [row.id])[row.id]]


def test_one_who_asks_twice_is_called_once_and_keeps_the_better_place(store: Store) -> None:
    first = ask(store, 0, priority=10)
    second = ask(store, 5, queued_at=at(-3))
    assert second.id == first.id
    row = only(store)
    assert (row.queued_at, row.priority, row.asked_at) == (at(-3), 10, at(5))


def test_asking_at_the_same_moment_makes_one(store: Store) -> None:
    together = threading.Barrier(4)

    def asks() -> None:
        together.wait()
        ask(store, call_id=uuid4())

    threads = [threading.Thread(target=asks) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert only(store).state is CallbackState.WAITING


def test_withheld_number_cannot_be_called_back(store: Store) -> None:
    asked = callbacks.ask(store, "", cause=Cause.ASKED, wants=Wants.AGENT, at=NOW)
    assert asked is None
    assert callbacks.newest_callbacks(store) == []


def test_what_is_told_again_after_it_was_done_leads_to_no_second_call(
    store: Store, call_id: UUID
) -> None:
    ask(store, call_id=call_id)
    callbacks.done(store, claim(store), at(2))
    ask(store, 3, call_id=call_id)
    assert only(store).state is CallbackState.DONE


def test_one_who_calls_and_asks_again_later_is_called_again(store: Store) -> None:
    ask(store, call_id=uuid4())
    callbacks.done(store, claim(store), at(2))
    ask(store, 60, call_id=uuid4())
    states = [row.callback.state for row in callbacks.newest_callbacks(store)]
    assert states == [CallbackState.WAITING, CallbackState.DONE]


def test_call_that_ends_in_a_call_back_says_so(store: Store, call_id: UUID) -> None:
    ask(store, call_id=call_id)
    call = calls.find_call(store, call_id)
    assert call is not None and call.outcome is Outcome.CALLBACK and call.ended_at is not None


def test_call_that_the_agent_never_saw_is_entered(store: Store) -> None:
    unseen = uuid4()
    ask(store, call_id=unseen, queued_at=at(-2))
    call = calls.find_call(store, unseen)
    assert call is not None
    assert (call.phone, call.started_at, call.outcome) == (PHONE, at(-2), Outcome.CALLBACK)


def test_call_in_which_something_was_ordered_stays_an_order(store: Store, call_id: UUID) -> None:
    calls.end_call(store, call_id, Outcome.ORDERED, Next.OPERATOR, NOW)
    ask(store, call_id=call_id)
    call = calls.find_call(store, call_id)
    assert call is not None and call.outcome is Outcome.ORDERED


def test_only_one_process_gets_a_call_back(store: Store) -> None:
    row = ask(store)
    assert row.id is not None
    together = threading.Barrier(4)
    got: list[Callback] = []

    def claims(name: str) -> None:
        together.wait()
        claimed = callbacks.claim(store, row.id or 0, name, at(1))
        if claimed is not None:
            got.append(claimed)

    threads = [threading.Thread(target=claims, args=(f"p{n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(got) == 1
    assert only(store).tries == 1


def test_claim_of_a_living_process_stays_and_that_of_a_dead_one_goes_over(store: Store) -> None:
    ask(store)
    attempt = claim(store, 1)
    callbacks.renew(store, ME, at(2))
    assert callbacks.take_over(store, ANOTHER, at(2.1), at(1.9)) == []
    [taken] = callbacks.take_over(store, ANOTHER, at(3), at(2.9))
    assert (taken.attempt_id, taken.claimed_by) == (attempt, ANOTHER)
    assert [row.attempt_id for row in callbacks.claimed(store, ANOTHER)] == [attempt]
    assert callbacks.claimed(store, ME) == []


def test_what_is_reported_late_of_an_old_attempt_changes_nothing(store: Store) -> None:
    ask(store)
    old = claim(store, 1)
    callbacks.missed(store, old, at(2), "busy", at(4))
    new = claim(store, 5)
    assert callbacks.missed(store, old, at(6), "busy", None) is None
    assert callbacks.done(store, old, at(6)) is None
    assert only(store).attempt_id == new
    assert only(store).state is CallbackState.DIALLING


def test_one_who_is_reached_and_talks_is_done(store: Store) -> None:
    ask(store)
    attempt = claim(store)
    callbacks.reached(store, attempt, at(2))
    assert only(store).state is CallbackState.REACHED
    callbacks.done(store, attempt, at(3))
    callbacks.done(store, attempt, at(4))
    row = only(store)
    assert (row.state, row.reached_call_id, row.closed_at) == (CallbackState.DONE, attempt, at(3))
    assert kinds(store) == [
        CallbackEventKind.ASKED,
        CallbackEventKind.DIALLED,
        CallbackEventKind.REACHED,
        CallbackEventKind.DONE,
    ]


def test_one_who_does_not_answer_is_due_again_when_it_is_time(store: Store) -> None:
    ask(store)
    callbacks.missed(store, claim(store, 1), at(2), "no answer", at(10))
    assert only(store).state is CallbackState.NO_ANSWER
    assert callbacks.due(store, at(9)) == []
    assert len(callbacks.due(store, at(10))) == 1


def test_one_who_was_put_off_and_asks_again_is_due_at_once(store: Store) -> None:
    ask(store)
    callbacks.missed(store, claim(store, 1), at(2), "no answer", at(100))
    ask(store, 5)
    assert len(callbacks.due(store, at(5))) == 1


def test_attempt_that_rang_nobody_is_no_try(store: Store) -> None:
    ask(store)
    callbacks.release(store, claim(store, 1), at(2), "was not dialled", at(3))
    row = only(store)
    assert (row.state, row.tries) == (CallbackState.WAITING, 0)
    assert len(callbacks.due(store, at(3))) == 1


def test_given_up_makes_room_for_a_new_one(store: Store) -> None:
    ask(store)
    callbacks.missed(store, claim(store), at(2), "no answer", None)
    assert only(store).state is CallbackState.GIVEN_UP
    ask(store, 60)
    assert len(callbacks.newest_callbacks(store)) == 2


def test_line_is_by_priority_and_then_by_waiting(store: Store) -> None:
    ask(store, 2, "13800000002")
    ask(store, 3, "13800000003", queued_at=at(1))
    ask(store, 4, "13800000004", priority=10)
    assert [row.phone[-1] for row in callbacks.due(store, at(5))] == ["4", "3", "2"]


def test_one_who_is_in_the_queue_at_this_moment_is_not_called(store: Store) -> None:
    ask(store)
    queue_visits.join(store, "1.1", PHONE, at(1))
    assert callbacks.due(store, at(2)) == []
    queue_visits.answer(store, "1.1", "op101", at(3))
    assert callbacks.due(store, at(3)) == []


def test_one_who_talks_to_the_agent_at_this_moment_is_not_called(store: Store) -> None:
    ask(store)
    calls.begin_call(store, uuid4(), PHONE, at(1))
    assert callbacks.due(store, at(2)) == []
    assert len(callbacks.due(store, at(1) + 2 * callbacks.LONGEST_CALL)) == 1


@pytest.mark.parametrize(
    ("outcome", "reason", "served"),
    [
        (Outcome.ORDERED, "", True),
        (Outcome.ABANDONED, "goodbye", True),
        (Outcome.ABANDONED, "hung up", False),
        (Outcome.FAILED, "store", False),
    ],
)
def test_one_who_hung_up_and_then_talked_to_the_agent_is_served(
    store: Store, outcome: Outcome, reason: str, served: bool
) -> None:
    ask(store, cause=Cause.ABANDONED)
    again = calls.begin_call(store, uuid4(), PHONE, at(1)).id
    calls.end_call(store, again, outcome, Next.HANGUP, at(2), reason=reason)
    closed = callbacks.close_served(store, at(3))
    assert bool(closed) is served
    assert (only(store).state is CallbackState.DONE) is served


def test_one_who_asked_for_an_operator_is_served_by_an_operator_only(store: Store) -> None:
    ask(store, cause=Cause.ASKED, wants=Wants.OPERATOR)
    again = calls.begin_call(store, uuid4(), PHONE, at(1)).id
    calls.end_call(store, again, Outcome.ORDERED, Next.HANGUP, at(2))
    assert callbacks.close_served(store, at(3)) == []
    queue_visits.join(store, "1.1", PHONE, at(4))
    queue_visits.answer(store, "1.1", "op101", at(5))
    assert len(callbacks.close_served(store, at(6))) == 1


def test_somebody_else_being_served_closes_nothing(store: Store) -> None:
    ask(store)
    queue_visits.join(store, "1.1", OTHER, at(1))
    queue_visits.answer(store, "1.1", "op101", at(2))
    assert callbacks.close_served(store, at(3)) == []


def test_operator_closes_by_hand_what_is_not_on_the_line(store: Store) -> None:
    row = ask(store)
    attempt = claim(store)
    assert row.id is not None
    given_up = CallbackState.GIVEN_UP
    assert callbacks.close_by_hand(store, row.id, given_up, at(2), "moved away") is None
    callbacks.missed(store, attempt, at(3), "busy", at(9))
    closed = callbacks.close_by_hand(store, row.id, given_up, at(4), "moved away")
    assert closed is not None and closed.state is given_up
    assert callbacks.close_by_hand(store, row.id, given_up, at(5), "again") is None


def test_hanging_up_again_in_the_call_that_called_them_back_leads_to_no_second_call_back(
    store: Store,
) -> None:
    ask(store)
    attempt = claim(store)
    callbacks.reached(store, attempt, at(2))
    queue_visits.join(store, "1.1", PHONE, at(3), call_id=attempt)
    callbacks.missed(store, attempt, at(4), "hung up", at(10))
    queue_visits.leave(store, "1.1", QueueEnd.ABANDONED, at(4))
    row = only(store)
    assert (row.state, row.due_at) == (CallbackState.NO_ANSWER, at(10))


def test_call_row_of_a_call_back_needs_no_agent(store: Store) -> None:
    """The agent writes the call when it gets it: nothing is there before."""
    ask(store)
    attempt = claim(store)
    with store.read() as session:
        assert session.get(Call, attempt) is None


def test_call_by_hand_is_due_at_once_and_goes_back_into_the_line_if_it_comes_to_nothing(
    store: Store,
) -> None:
    row = ask(store)
    assert row.id is not None
    callbacks.put_off(store, row.id, at(600))
    assert callbacks.call_by_hand(store, row.id, "op101", at(1), "wang calls") is not None
    claimed = callbacks.claim(store, row.id, ME, at(1))
    assert claimed is not None and claimed.by_hand == "op101"
    assert claimed.attempt_id is not None
    assert callbacks.call_by_hand(store, row.id, "op102", at(1), "li calls") is None
    callbacks.release(store, claimed.attempt_id, at(2), "was not dialled", at(3))
    assert (only(store).by_hand, only(store).state) == ("", CallbackState.WAITING)
