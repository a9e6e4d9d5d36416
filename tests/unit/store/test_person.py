"""What is kept of one person is handed out whole, and erased without a trace of them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, time, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from sample_order import NOW, order
from sqlmodel import SQLModel, select

from store import audit, calls, elders, orders, person
from store.database import Conflict, Store, StoreError
from store.models import (
    Alarm,
    Callback,
    CallbackEvent,
    CallbackEventKind,
    CallbackState,
    CareAlert,
    Cause,
    Channel,
    Complaint,
    Correction,
    FollowUp,
    FollowUpEvent,
    FollowUpEventKind,
    FollowUpState,
    GreetingPlan,
    Known,
    Next,
    OperatorCall,
    OrderStatus,
    Outcome,
    Purpose,
    QueueVisit,
    Rating,
    SmsIn,
    SmsOut,
    SmsPurpose,
    SmsState,
    SmsStop,
    StandingOrder,
    Turn,
    Wants,
    WorkOrder,
)

NUMBER, NAME, HOME, WORDS = "051265123456", "王秀英", "姑苏区平江路12号", "我想请人帮我洗澡"
SECRETS = (NUMBER, NAME, HOME, WORDS)


def lived(store: Store, number: str, name: str, home: str, words: str) -> int:
    """Somebody with a row in every table that people have rows in; all that is to end has ended."""
    elder_id = elders.register(store, elders.Registration(number, name, home)).elder.id
    assert elder_id is not None
    call_id = calls.begin_call(store, uuid4(), number, NOW, elder_id).id
    calls.end_call(
        store, call_id, Outcome.ORDERED, Next.HANGUP, NOW, summary={"surname": name, "words": words}
    )
    booked = order(call_id)
    booked.phone, booked.elder_id, booked.address, booked.said_time = number, elder_id, home, words
    order_id = orders.book(store, booked).id
    assert order_id is not None
    orders.attach_note(store, order_id, f"/notes/{words}.wav", NOW)
    audit.record(store, None, "look", "elder", str(elder_id), NOW, words)
    audit.record(store, None, "look", "phone", number, NOW)
    audit.record(store, None, "search", "elder", "", NOW, name)
    with store.write() as session:

        def add(row: Any) -> Any:
            session.add(row)
            session.flush()
            return row

        session.get_one(WorkOrder, order_id).status = OrderStatus.CLOSED
        add(Turn(call_id=call_id, index=0, kind="heard", heard=words, said=name, started_at=NOW))
        add(
            Correction(
                call_id=call_id, turn=0, heard=words, code="bathing", known=Known.CONFIRMED,
                dialect="suzhou", engine="whisper", engine_version="1", at=NOW,
            )
        )  # fmt: skip
        standing = add(
            StandingOrder(
                elder_id=elder_id, phone=number, code="bathing", weekdays="2", at=time(9),
                address=home, starts_on=date(2026, 11, 1),
            )
        )  # fmt: skip
        planned = order(call_id)
        planned.call_id, planned.standing_id, planned.planned_on = None, standing.id, NOW.date()
        planned.phone, planned.elder_id, planned.status = number, elder_id, OrderStatus.CANCELLED
        add(planned)
        add(GreetingPlan(elder_id=elder_id, phone=number, weekdays="1", at=time(9)))
        asked = add(
            FollowUp(
                key=f"rating:{order_id}", purpose=Purpose.RATING, order_id=order_id,
                elder_id=elder_id, phone=number, created_at=NOW, due_at=NOW, detail=words,
            )
        )  # fmt: skip
        add(
            FollowUpEvent(
                follow_up_id=asked.id, at=NOW, kind=FollowUpEventKind.CHANGED, detail=words
            )
        )
        greeted = add(
            FollowUp(
                key=f"greeting:{elder_id}", purpose=Purpose.GREETING, elder_id=elder_id,
                phone=number, created_at=NOW, due_at=NOW, state=FollowUpState.GIVEN_UP,
            )
        )  # fmt: skip
        add(
            CareAlert(
                follow_up_id=greeted.id, elder_id=elder_id, raised_at=NOW, closed_at=NOW,
                detail=words,
            )
        )  # fmt: skip
        reply = add(
            SmsIn(gateway="g", gateway_id=str(elder_id), phone=number, text=words, received_at=NOW)
        )
        add(
            Rating(
                order_id=order_id, score=1, channel=Channel.SMS, said=words, sms_id=reply.id, at=NOW
            )
        )
        add(
            Complaint(
                order_id=order_id, score=1, said=words, note=f"/notes/{name}.wav", at=NOW,
                closed_at=NOW, remedy=name,
            )
        )  # fmt: skip
        to_them = {"phone": number, "purpose": SmsPurpose.RATING, "created_at": NOW, "due_at": NOW}
        add(SmsOut(key=f"rating:{order_id}", text=name, order_id=order_id, **to_them))
        add(
            SmsOut(
                key=f"dispatch:{order_id}", phone="13900000000", text=f"{name} {home}",
                purpose=SmsPurpose.DISPATCH, order_id=order_id, created_at=NOW, due_at=NOW,
                state=SmsState.SENT,
            )
        )  # fmt: skip
        add(SmsStop(phone=number, at=NOW))
        owed = add(
            Callback(
                phone=number, elder_id=elder_id, call_id=call_id, cause=Cause.ASKED,
                wants=Wants.AGENT, queued_at=NOW, asked_at=NOW, due_at=NOW, detail=words,
            )
        )  # fmt: skip
        add(CallbackEvent(callback_id=owed.id, at=NOW, kind=CallbackEventKind.ASKED, detail=words))
        add(QueueVisit(call_id=call_id, uniqueid=f"1.{elder_id}", phone=number, joined_at=NOW))
        add(OperatorCall(uniqueid=f"2.{elder_id}", call_id=call_id, extension="op101", rang_at=NOW))
        add(Alarm(call_id=call_id, phone=number, raised_at=NOW, closed_at=NOW))
    return elder_id


def everything(store: Store) -> Iterator[str]:
    """Every row of every table."""
    with store.read() as session:
        for table in SQLModel.metadata.sorted_tables:
            for row in session.connection().execute(table.select()):
                yield f"{table.name}: {row}"


def test_every_table_is_either_of_people_or_known_not_to_be(store: Store) -> None:
    elder_id = lived(store, *SECRETS)
    of_people = set(person.kept(store, person.find(store, elder_id)).rows)
    others = {str(table.__tablename__) for table in person.NOT_OF_PEOPLE}
    assert of_people | others == set(SQLModel.metadata.tables)
    assert of_people & others == set()


def test_all_that_is_known_is_handed_out_and_nothing_of_others(store: Store) -> None:
    lived(store, "13812345678", "李建国", "昆山市前进路1号", "修水管")
    elder_id = lived(store, *SECRETS)
    kept = person.kept(store, person.find(store, number=NUMBER))
    told = str(kept.rows)
    assert all(secret in told for secret in SECRETS)
    assert "李建国" not in told and "13812345678" not in told
    assert kept.rows["elder"][0]["id"] == elder_id
    assert set(kept.notes) == {f"/notes/{WORDS}.wav", f"/notes/{NAME}.wav"}
    assert len(kept.calls) == 1


def test_who_is_erased_is_nowhere_any_more_and_figures_stay(store: Store) -> None:
    elder_id = lived(store, *SECRETS)
    other = lived(store, "13812345678", "李建国", "昆山市前进路1号", "修水管")
    before = {line for line in everything(store) if "李建国" in line or "13812345678" in line}
    erased = person.erase(store, person.find(store, elder_id), NOW + timedelta(days=1))
    assert erased["work_order"] == 2 and erased["turn"] == 1
    lines = list(everything(store))
    assert [line for line in lines if any(secret in line for secret in SECRETS)] == []
    assert before <= set(lines)
    with store.read() as session:
        assert {row.price_fen for row in session.exec(select(WorkOrder))} == {3500}
        assert len(session.exec(select(WorkOrder)).all()) == 4
        assert len(session.exec(select(Rating)).all()) == 2
        states = {row.phone: row.state for row in session.exec(select(Callback))}
        assert states == {"": CallbackState.GIVEN_UP, "13812345678": CallbackState.WAITING}
    assert person.erased(store) == {elder_id}
    assert person.registered(store, [elder_id, other]) == [other]


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
def test_who_is_erased_cannot_be_read_in_the_files_either(store: Store) -> None:
    elder_id = lived(store, *SECRETS)
    path = Path(store.url.database or "")

    def found() -> set[str]:
        files = [file.read_bytes() for file in path.parent.glob(f"{path.name}*")]
        return {secret for secret in SECRETS if any(secret.encode() in file for file in files)}

    assert found() == set(SECRETS)
    person.erase(store, person.find(store, elder_id), NOW)
    assert store.forget_deleted()
    assert found() == set()


def test_number_that_a_couple_shares_stays_with_the_other(store: Store) -> None:
    elder_id = lived(store, *SECRETS)
    elders.register(store, elders.Registration(NUMBER, "李建国", HOME))
    unnamed = calls.begin_call(store, uuid4(), NUMBER, NOW).id
    found = person.find(store, elder_id)
    assert (found.numbers, found.shared) == ((), (NUMBER,))
    person.erase(store, found, NOW)
    call = calls.find_call(store, unnamed)
    assert call is not None and call.phone == NUMBER
    assert [row.elder.name for row in elders.who_calls_from(store, NUMBER)] == ["李建国"]
    assert [line for line in everything(store) if NAME in line or WORDS in line] == []


def test_caller_who_is_not_registered_is_found_by_number(store: Store) -> None:
    lived(store, "13812345678", "李建国", "昆山市前进路1号", "修水管")
    stranger = calls.begin_call(store, uuid4(), "13912345678", NOW).id
    calls.end_call(store, stranger, Outcome.ABANDONED, Next.HANGUP, NOW)
    found = person.find(store, number="13912345678")
    assert set(person.kept(store, found).rows) == {"call"}
    assert person.erase(store, found, NOW) == {"call": 1}
    assert not any("13912345678" in line for line in everything(store))


@pytest.mark.parametrize("what", ["call", "order", "alarm"])
def test_nobody_is_erased_while_something_of_theirs_goes_on(store: Store, what: str) -> None:
    elder_id = lived(store, *SECRETS)
    new: UUID = calls.begin_call(store, uuid4(), NUMBER, NOW, elder_id).id
    if what != "call":
        calls.end_call(store, new, Outcome.ORDERED, Next.HANGUP, NOW)
    if what == "order":
        orders.book(store, order(new))
    if what == "alarm":
        with store.write() as session:
            session.add(Alarm(call_id=new, phone=NUMBER, raised_at=NOW))
    before = list(everything(store))
    found = person.find(store, elder_id)
    assert len(person.unfinished(store, found)) == 1
    with pytest.raises(Conflict, match="not now"):
        person.erase(store, found, NOW)
    assert list(everything(store)) == before


def test_somebody_whom_nobody_knows_is_named(store: Store) -> None:
    with pytest.raises(StoreError, match="no elder 77"):
        person.find(store, 77)


def test_number_of_several_asks_which(store: Store) -> None:
    ids = [
        elders.register(store, elders.Registration(NUMBER, name, HOME)).elder.id
        for name in (NAME, "李建国")
    ]
    with pytest.raises(StoreError, match=f"elders {ids[0]}, {ids[1]}"):
        person.find(store, number=NUMBER)
