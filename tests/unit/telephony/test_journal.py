"""What the dialplan has promised gets into the store, once, and nothing else does."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from ivr.telephony.astdb import lines
from ivr.telephony.journal import Entry, entry_of, told, write
from store import alarms, callbacks, calls, orders
from store.database import Store, open_store
from store.models import Callback, Cause, Service, Wants, WorkOrder
from store.services import sync

CALL = UUID("a034ffb4-5a9d-46a8-a923-e8532b815012")
JOINED = 1795337287
SHOWN = f"""\
/yihu-callback/{CALL}: 051265123456|{JOINED}|10
/yihu-callback/not-a-call                         : 051265123456|{JOINED}|0
/yihu/phones                                      : PJSIP/op101&PJSIP/op102
2 results found.
"""
"""What `database show` prints."""


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store(f"sqlite:///{tmp_path / 'yihu.sqlite3'}")


def owed(store: Store) -> list[Callback]:
    return [row.callback for row in callbacks.newest_callbacks(store)]


def test_what_asterisk_has_kept_is_read(store: Store) -> None:
    entry = Entry("yihu-callback", CALL, ("051265123456", str(JOINED), "10"))
    first, other, phones = lines(SHOWN)
    assert (entry_of(first), entry_of(other)) == (entry, None)
    assert phones == ("yihu", "phones", "PJSIP/op101&PJSIP/op102")
    value = f"051265123456|{JOINED}|10"
    event = {"Event": "UserEvent", "UserEvent": "YihuCallback", "Call": str(CALL), "Value": value}
    assert told(event) == entry


@pytest.mark.parametrize(
    "event",
    [
        {"UserEvent": "Other", "Call": str(CALL), "Value": "x"},
        {"UserEvent": "YihuAlarm", "Call": "x", "Value": "x"},
        {"UserEvent": "YihuAlarm"},
        {},
    ],
)
def test_event_that_is_none_of_ours_or_cannot_be_read_is_passed_over(
    event: dict[str, str],
) -> None:
    assert told(event) is None


def test_call_back_keeps_the_place_and_is_one_however_often_it_is_told(store: Store) -> None:
    entry = Entry("yihu-callback", CALL, ("+8651265123456", str(JOINED), "10"))
    write(store, entry)
    write(store, entry)
    [row] = owed(store)
    assert (row.phone, row.call_id) == ("051265123456", CALL)
    assert (row.priority, row.queued_at) == (10, datetime.fromtimestamp(JOINED, UTC))
    assert (row.cause, row.wants) == (Cause.ASKED, Wants.OPERATOR)


@pytest.mark.parametrize(
    ("channel", "who"),
    [
        ("PJSIP/op101-0000002a", "op101"),
        ("PJSIP/operator-00000001", "operator"),
        ("Local/13711111111@oncall-00000003;1", "13711111111"),
        ("Something/else", "Something/else"),
    ],
)
def test_who_answered_an_emergency_is_named(store: Store, channel: str, who: str) -> None:
    write(store, Entry("yihu-alarm", CALL, ("051265123456", str(JOINED))))
    write(store, Entry("yihu-answered", CALL, (channel, str(JOINED + 5))))
    [alarm] = alarms.open_alarms(store)
    assert alarm.answered_by == who
    assert alarm.answered_at == datetime.fromtimestamp(JOINED + 5, UTC)


def test_one_who_was_cut_off_from_the_agent_is_called_back_by_it_unless_they_have_ordered(
    store: Store,
) -> None:
    fields = ("051265123456", str(JOINED), "10", "1795337287.4")
    entry = Entry("yihu-talking", CALL, fields)
    write(store, entry)
    write(store, entry)
    [row] = owed(store)
    assert (row.cause, row.wants, row.priority) == (Cause.CUT_OFF, Wants.AGENT, 10)

    ordered = uuid4()
    calls.begin_call(store, ordered, "051265120000", datetime.now(UTC))
    sync(store, [Service(code="bathing", name="助浴", unit="hour", price_fen=3500)])
    order = WorkOrder(
        call_id=ordered,
        code="bathing",
        phone="051265120000",
        price_fen=3500,
        pay_fen=3500,
        created_at=datetime.now(UTC),
    )
    orders.book(store, order)
    write(store, Entry("yihu-talking", ordered, ("051265120000", *fields[1:])))
    assert [one.phone for one in owed(store)] == [row.phone]


@pytest.mark.parametrize(
    "entry",
    [
        Entry("yihu-callback", uuid4(), ("051265123456",)),
        Entry("yihu-callback", uuid4(), ("051265123456", "soon", "0")),
        Entry("yihu-alarm", uuid4(), ()),
    ],
)
def test_entry_that_makes_no_sense_changes_nothing(store: Store, entry: Entry) -> None:
    with pytest.raises(ValueError):
        write(store, entry)
    assert owed(store) == []
    assert alarms.open_alarms(store) == []
