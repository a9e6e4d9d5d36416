from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

import pytest
from sample_order import NOW
from sample_order import order as sample_order
from sqlmodel import select

from store import calls, complaints, elders, follow_ups, orders, switches
from store.database import Store
from store.elders import Registration
from store.follow_ups import Again, GiveUp, InVain, Message
from store.models import (
    CareAlert,
    Channel,
    Complaint,
    FollowUp,
    FollowUpEnd,
    FollowUpEventKind,
    FollowUpState,
    Next,
    OrderEvent,
    OrderStatus,
    Outcome,
    Purpose,
    Rating,
    SmsOut,
    SmsState,
    WorkOrder,
)

PHONE = "13812345678"
ME, ANOTHER = "one:1:a", "one:2:b"


def at(minutes: float) -> datetime:
    return NOW + timedelta(minutes=minutes)


@pytest.fixture
def order(store: Store, call_id: UUID) -> WorkOrder:
    """One that is completed, and its follow-up planned."""
    calls.end_call(store, call_id, Outcome.ORDERED, Next.HANGUP, NOW)
    order = orders.book(store, sample_order(call_id))
    with store.write() as session:
        order = session.get_one(WorkOrder, order.id)
        order.status = OrderStatus.COMPLETED
        follow_ups.plan_rating(session, order, at(0))
    return order


def only(store: Store) -> FollowUp:
    [row] = follow_ups.newest_follow_ups(store)
    return row.follow_up


def kinds(store: Store) -> list[str]:
    row = only(store)
    assert row.id is not None
    return [event.kind for event in follow_ups.events_of(store, [row.id])[row.id]]


def claim(store: Store, minutes: float = 1, by: str = ME) -> UUID:
    """The attempt of the only one that is due."""
    [due] = follow_ups.due(store, at(minutes), 10)
    with store.write() as session:
        [row] = follow_ups.claim(session, [due.id], by, at(minutes))
    return row.attempt_id


def miss(store: Store, attempt: UUID, next: follow_ups.Next, minutes: float = 2) -> None:
    with store.write() as session:
        for one in follow_ups.of_attempts(session, [attempt]).values():
            follow_ups.missed(session, [InVain(one.open, at(minutes), "no answer", next)])


def rate(store: Store, order: WorkOrder, score: int, said: str = "", minutes: float = 3) -> None:
    assert order.id is not None
    with store.write() as session:
        follow_ups.rate(
            session,
            order_id=order.id,
            score=score,
            channel=Channel.VOICE,
            said=said,
            at=at(minutes),
        )


def stands(store: Store, order: WorkOrder) -> OrderStatus:
    assert order.id is not None
    opened = orders.open_order(store, order.id)
    assert opened is not None
    return opened.order.status


def test_an_order_completed_twice_is_asked_about_once(store: Store, order: WorkOrder) -> None:
    with store.write() as session:
        again = follow_ups.plan_rating(session, order, at(9))
    assert again == only(store).id
    assert only(store).due_at == at(0)


def test_one_is_dialled_by_one_process_only(store: Store, order: WorkOrder) -> None:
    [due] = follow_ups.due(store, at(1), 10)
    claim(store)
    with store.write() as session:
        assert follow_ups.claim(session, [due.id], ANOTHER, at(1)) == []
    assert follow_ups.due(store, at(1), 10) == []


def test_nobody_is_claimed_while_everything_is_paused(store: Store, order: WorkOrder) -> None:
    switches.switch(store, switches.OUTGOING, True, at(0))
    [due] = follow_ups.due(store, at(1), 10)
    with store.write() as session:
        assert follow_ups.claim(session, [due.id], ME, at(1)) == []
    switches.switch(store, switches.OUTGOING, False, at(2))
    claim(store, 3)


def test_what_a_dead_process_had_claimed_is_taken_over(store: Store, order: WorkOrder) -> None:
    attempt = claim(store)
    with store.write() as session:
        assert follow_ups.take_over(session, ANOTHER, at(2), at(1)) == []
        follow_ups.renew(session, ME, at(2))
        [row] = follow_ups.take_over(session, ANOTHER, at(4), at(3))
    assert row.attempt_id == attempt and row.claimed_by == ANOTHER


def test_an_attempt_that_never_rang_is_no_try(store: Store, order: WorkOrder) -> None:
    attempt = claim(store)
    with store.write() as session:
        follow_ups.release(session, attempt, at(1), "no line free", at(2))
    assert only(store).tries == 0
    assert follow_ups.due(store, at(1), 10) == []
    assert claim(store, 2) != attempt


def test_one_who_is_not_reached_is_called_again_later(store: Store, order: WorkOrder) -> None:
    attempt = claim(store)
    miss(store, attempt, Again(at(60)))
    miss(store, attempt, GiveUp(FollowUpEnd.NO_ANSWER))  # said twice, and late
    row = only(store)
    assert (row.state, row.due_at, row.tries) == (FollowUpState.WAITING, at(60), 1)
    assert kinds(store) == [
        FollowUpEventKind.PLANNED,
        FollowUpEventKind.DIALLED,
        FollowUpEventKind.NOT_REACHED,
    ]


def test_one_who_is_never_reached_gets_one_message(store: Store, order: WorkOrder) -> None:
    for _ in range(2):
        miss(store, only(store).attempt_id or claim(store), Message(PHONE, "满意吗？", at(99)))
    with store.read() as session:
        [message] = session.exec(select(SmsOut))
    assert (message.key, message.phone) == (f"rating:{order.id}", PHONE)
    assert only(store).state is FollowUpState.MESSAGED
    with store.write() as session:
        assert follow_ups.unanswered(session, at(98), 10) == []
        [late] = follow_ups.unanswered(session, at(99), 10)
        follow_ups.settle(session, late, FollowUpEnd.NO_ANSWER, at(99))
    assert only(store).state is FollowUpState.GIVEN_UP
    assert stands(store, order) is OrderStatus.CLOSED


def test_who_could_not_get_the_message_is_not_waited_for(store: Store, order: WorkOrder) -> None:
    miss(store, claim(store), Message(PHONE, "满意吗？", at(99)))
    with store.write() as session:
        message = session.exec(select(SmsOut)).one()
        message.state = SmsState.FAILED
    with store.write() as session:
        [late] = follow_ups.unanswered(session, at(2), 10)
        assert session.get_one(FollowUp, late).order_id == order.id


def test_a_good_rating_closes_the_order(store: Store, order: WorkOrder) -> None:
    claim(store)
    rate(store, order, 5, "蛮好")
    row = only(store)
    assert (row.state, row.end) == (FollowUpState.DONE, FollowUpEnd.RATED)
    assert stands(store, order) is OrderStatus.CLOSED
    with store.read() as session:
        [rating] = session.exec(select(Rating))
        assert session.exec(select(Complaint)).all() == []
    assert (rating.score, rating.said, rating.follow_up_id) == (5, "蛮好", row.id)


def test_a_bad_rating_is_a_complaint_at_once_and_what_was_wrong_is_added(
    store: Store, order: WorkOrder
) -> None:
    rate(store, order, 2)
    assert stands(store, order) is OrderStatus.FOLLOWED_UP
    assert order.id is not None
    with store.write() as session:
        complaints.raise_complaint(session, order.id, 2, at(4), "来得太晚", "/a.wav")
    with store.read() as session:
        [complaint] = session.exec(select(Complaint))
    assert (complaint.score, complaint.said, complaint.note) == (2, "来得太晚", "/a.wav")
    assert complaint.closed_at is None


def test_the_last_word_counts_and_saying_it_again_changes_nothing(
    store: Store, order: WorkOrder
) -> None:
    rate(store, order, 5)
    for _ in range(2):
        rate(store, order, 1, "其实不好")
    assert order.id is not None
    opened = orders.open_order(store, order.id)
    assert opened is not None
    assert [step.event.kind for step in opened.steps] == [
        OrderEvent.CREATED,
        OrderEvent.CLOSED,
        OrderEvent.FOLLOWED_UP,
    ]
    with store.read() as session:
        [rating] = session.exec(select(Rating))
    assert rating.score == 1


def test_a_cancelled_order_is_not_asked_about(store: Store, order: WorkOrder) -> None:
    assert order.id is not None
    with store.write() as session:
        follow_ups.order_gone(session, order.id, at(1))
    assert only(store).end is FollowUpEnd.ORDER_GONE
    assert follow_ups.due(store, at(2), 10) == []


def test_a_withheld_number_is_given_up_at_once(store: Store) -> None:
    with store.write() as session:
        follow_ups.plan(session, "plan:1", Purpose.PLAN, "", at=at(0), due_at=at(0))
    row = only(store)
    assert (row.state, row.end) == (FollowUpState.GIVEN_UP, FollowUpEnd.BAD_NUMBER)


def test_an_elder_alone_who_does_not_answer_raises_an_alert(store: Store) -> None:
    elder = elders.register(store, Registration(PHONE, "王秀英", "学府路1号")).elder
    with store.write() as session:
        follow_ups.plan(
            session,
            "greeting:1:2026-11-23",
            Purpose.GREETING,
            PHONE,
            at=at(0),
            due_at=at(0),
            elder_id=elder.id,
        )
    miss(store, claim(store), GiveUp(FollowUpEnd.NO_ANSWER))
    with store.read() as session:
        [alert] = session.exec(select(CareAlert))
    assert alert.elder_id == elder.id


def test_one_who_calls_in_is_asked_what_is_open(store: Store, order: WorkOrder) -> None:
    errand = follow_ups.errand_of(store, UUID(int=7), PHONE)
    assert errand is not None and errand.order is not None and errand.order.id == order.id
    rate(store, order, 4)
    assert follow_ups.errand_of(store, UUID(int=7), PHONE) is None


def test_messages_go_to_a_mobile_of_the_elder_who_wants_them(store: Store) -> None:
    elders.register(store, Registration("051265123456", "王秀英", "学府路1号"))
    elder = elders.register(store, Registration(PHONE, "王秀英", "学府路1号")).elder
    with store.write() as session:
        follow_ups.plan(
            session,
            "rating:9",
            Purpose.RATING,
            "051265123456",
            at=at(0),
            due_at=at(0),
            elder_id=elder.id,
        )
    attempt = claim(store)
    with store.write() as session:
        attempted = follow_ups.of_attempts(session, [attempt])[attempt].due
        assert follow_ups.dialled(session, [attempted.id]) == {attempted.id: [at(1)]}
        assert follow_ups.written(session, attempted.id).phone == PHONE
