from __future__ import annotations

from datetime import datetime, timedelta
from uuid import uuid4

import pytest
from sample_order import NOW

from store import messages, switches
from store.database import Store
from store.elders import Registration, register
from store.messages import Report
from store.models import SmsOut, SmsPurpose, SmsState, SmsStop

PHONE, OTHER, LANDLINE = "13812345678", "13812345679", "051265123456"
ME, ANOTHER = "one:1:a", "one:2:b"
ALL = tuple(SmsPurpose)


def at(minutes: float) -> datetime:
    return NOW + timedelta(minutes=minutes)


def queue(
    store: Store,
    key: str = "rating:1",
    minutes: float = 0,
    phone: str = PHONE,
    purpose: SmsPurpose = SmsPurpose.RATING,
    due: float | None = None,
) -> int | None:
    with store.write() as session:
        return messages.queue_sms(
            session,
            key=key,
            phone=phone,
            text="您好",
            purpose=purpose,
            at=at(minutes),
            due_at=None if due is None else at(due),
        )


def claimed(store: Store, minutes: float = 0, by: str = ME, limit: int = 9) -> list[SmsOut]:
    return messages.claim(store, by, at(minutes), limit, ALL)


def handed_over(store: Store) -> int:
    """The id of a message that is being handed over."""
    queue(store)
    [row] = claimed(store)
    assert row.id is not None
    return row.id


def only(store: Store) -> SmsOut:
    [row] = messages.newest_out(store)
    return row


def test_message_is_queued_once_however_often_it_is_asked_for(store: Store) -> None:
    first, second = queue(store), queue(store, minutes=5)
    assert first is not None and first == second
    assert only(store).created_at == NOW


def test_who_wants_no_messages_gets_those_they_ask_for_only(store: Store) -> None:
    queue(store, "rating:1")
    queue(store, "order:1", purpose=SmsPurpose.DISPATCH)
    with store.write() as session:
        messages.stop(session, PHONE, NOW)
        messages.stop(session, PHONE, at(1))  # said twice
    assert queue(store, "rating:2") is None
    assert queue(store, "notice:2", purpose=SmsPurpose.NOTICE) is None
    assert queue(store, "rating:3", phone=OTHER) is not None
    assert queue(store, "reply:1", purpose=SmsPurpose.REPLY) is not None
    assert [row.key for row in claimed(store)] == ["reply:1", "order:1", "rating:3"]
    [waited] = messages.newest_out(store, states=[SmsState.FAILED])
    assert (waited.key, waited.detail) == ("rating:1", messages.STOPPED)
    with store.write() as session:
        assert messages.start(session, PHONE)
    with store.write() as session:
        assert not messages.start(session, PHONE)
    assert queue(store, "rating:2") is not None


def test_stop_that_comes_while_a_message_is_being_queued_still_counts(store: Store) -> None:
    queue(store)
    with store.write() as session:
        session.add(SmsStop(phone=PHONE, at=NOW))
    assert claimed(store) == []
    assert only(store).state is SmsState.FAILED


def test_message_is_claimed_when_it_is_due_by_one_process(store: Store) -> None:
    queue(store, due=10)
    assert claimed(store, 9) == []
    assert [row.tries for row in claimed(store, 10)] == [1]
    assert claimed(store, 10, ANOTHER) == []


def test_answers_go_before_questions(store: Store) -> None:
    queue(store, "rating:1")
    queue(store, "reply:1", 1, purpose=SmsPurpose.REPLY)
    assert [row.key for row in claimed(store, 2, limit=1)] == ["reply:1"]


def test_questions_wait_while_only_answers_may_go(store: Store) -> None:
    queue(store)
    assert messages.claim(store, ME, NOW, 9, [SmsPurpose.REPLY]) == []
    assert only(store).state is SmsState.QUEUED


def test_only_answers_go_while_everything_out_is_switched_off(store: Store) -> None:
    queue(store, "rating:1")
    queue(store, "reply:1", purpose=SmsPurpose.REPLY)
    switches.switch(store, switches.OUTGOING, True, NOW)
    assert [row.key for row in claimed(store)] == ["reply:1"]
    switches.switch(store, switches.OUTGOING, False, NOW)
    assert [row.key for row in claimed(store)] == ["rating:1"]


def test_message_the_gateway_has_not_taken_is_handed_over_again(store: Store) -> None:
    id = handed_over(store)
    messages.not_sent(store, id, ME, "refused to connect", at(2))
    assert claimed(store, 1) == []
    [again] = claimed(store, 2)
    assert (again.id, again.tries) == (id, 2)
    messages.not_sent(store, id, ME, "no such number", None)
    assert (only(store).state, only(store).detail) == (SmsState.FAILED, "no such number")


def test_message_that_may_have_been_sent_is_not_sent_again(store: Store) -> None:
    messages.not_known(store, handed_over(store), ME, "no answer")
    assert claimed(store, 60) == []
    assert (only(store).state, only(store).detail) == (SmsState.UNCERTAIN, "no answer")


def test_what_a_dead_process_was_handing_over_is_uncertain(store: Store) -> None:
    handed_over(store)
    assert messages.recover(store, at(-1), repeatable=False) == []
    [lost] = messages.recover(store, at(1), repeatable=False)
    assert lost.state is SmsState.UNCERTAIN
    assert claimed(store, 60) == []


def test_gateway_that_knows_references_is_asked_again(store: Store) -> None:
    id = handed_over(store)
    [lost] = messages.recover(store, at(1), repeatable=True)
    assert lost.state is SmsState.QUEUED
    [again] = claimed(store, 1, ANOTHER)
    assert again.id == id
    messages.not_sent(store, id, ME, "who had lost the claim", None)
    assert only(store).state is SmsState.SENDING


@pytest.mark.parametrize("told", [Report.ACCEPTED, Report.DELIVERED, Report.FAILED])
def test_report_settles_what_was_uncertain(store: Store, told: Report) -> None:
    messages.not_known(store, handed_over(store), ME, "no answer")
    messages.report(store, only(store).reference, told, at(1))
    expected = SmsState.SENT if told is Report.ACCEPTED else SmsState(told)
    assert (only(store).state, only(store).sent_at) == (expected, at(1))


def test_reports_out_of_order_leave_it_delivered(store: Store) -> None:
    id = handed_over(store)
    reference = only(store).reference
    messages.report(store, reference, Report.DELIVERED, at(1))
    messages.report(store, reference, Report.ACCEPTED, at(2))
    messages.report(store, reference, Report.FAILED, at(3), "expired")
    messages.sent(store, id, at(4), "g1", 2)
    row = only(store)
    assert (row.state, row.reported_at, row.gateway_id, row.parts) == (
        SmsState.DELIVERED,
        at(1),
        "g1",
        2,
    )
    assert messages.report(store, uuid4(), Report.DELIVERED, at(5)) is None


def test_person_sends_again_what_failed(store: Store) -> None:
    id = handed_over(store)
    assert messages.send_again(store, id, at(1)) is None
    messages.not_known(store, id, ME, "no answer")
    assert messages.send_again(store, id, at(1)) is not None
    assert [row.id for row in claimed(store, 1)] == [id]


def test_message_to_us_is_kept_once(store: Store) -> None:
    assert messages.receive(store, "kannel", "m1", PHONE, "5", NOW) is not None
    assert messages.receive(store, "kannel", "m1", PHONE, "5", at(1)) is None
    assert messages.receive(store, "http", "m1", PHONE, "5", at(1)) is not None
    assert [row.gateway for row in messages.newest_in(store)] == ["http", "kannel"]
    assert len(messages.unread(store, 9)) == 2


def test_elder_on_a_landline_is_written_to_on_their_mobile(store: Store) -> None:
    for number in (LANDLINE, PHONE):
        elder = register(store, Registration(number, "王阿婆", "观前街1号")).elder
    with store.read() as session:
        assert messages.number_for(session, LANDLINE, elder.id) == PHONE
        assert messages.number_for(session, OTHER, elder.id) == OTHER
        assert messages.number_for(session, LANDLINE, None) is None
    with store.write() as session:
        messages.stop(session, PHONE, NOW)
        assert messages.number_for(session, LANDLINE, elder.id) is None
