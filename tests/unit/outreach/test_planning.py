"""When elders are called about what is planned, and what is made of a day."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlmodel import select

from ivr.config import Settings
from ivr.outreach.planning import drafted, expire, greeting, plan
from store import elders, follow_ups, greetings, services, standing
from store.database import Store, open_store
from store.elders import Registration
from store.greetings import Greeted
from store.models import (
    Elder,
    FollowUp,
    FollowUpEnd,
    GreetingPlan,
    Service,
    StandingOrder,
    SupportClass,
    WorkOrder,
)
from store.standing import Source

BATHING = Service(code="bathing", name="助浴", unit="hour", price_fen=3500)
SITE = ZoneInfo("Asia/Shanghai")
TUESDAY = date(2026, 11, 24)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path)


def local(day: int, hour: int, minute: int = 0) -> datetime:
    """Of November 2026 at the site."""
    return datetime(2026, 11, day, hour, minute, tzinfo=SITE).astimezone(UTC)


def elder(**known: Any) -> Elder:
    return Elder(id=1, name="王秀英", address="干将路12号", **known)


def bathing(at: time, **elder: Any) -> Source:
    """Of every Tuesday."""
    known = {"support_class": SupportClass.SELF_PAYING, **elder}
    return Source(
        id=1, code="bathing", phone="13812345678", address=None, at=at, price_fen=3500,
        elder_id=1, home="干将路12号", district="", **known,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("at", "called"),
    [
        (time(14), local(24, 11)),
        (time(12), local(24, 9)),
        (time(11, 30), local(24, 9)),  # the hours begin at nine
        (time(10, 30), local(23, 15)),  # too little time on the day itself
        (time(9), local(23, 15)),
    ],
)
def test_planned_service_is_confirmed_on_the_day_or_the_afternoon_before(
    settings: Settings, at: time, called: datetime
) -> None:
    source = bathing(at)
    draft = drafted(source, TUESDAY, local(22, 12), settings)
    assert draft is not None
    assert draft.scheduled_for == datetime.combine(TUESDAY, at, settings.zone)
    assert draft.call_at == called
    assert draft.call_until == draft.scheduled_for - timedelta(hours=1)


def test_elder_is_asked_in_their_own_hours(settings: Settings) -> None:
    source = bathing(time(17), call_from=time(15), call_days="2")
    draft = drafted(source, TUESDAY, local(22, 12), settings)
    assert draft is not None and draft.call_at == local(24, 15)


def test_elder_whose_hours_leave_no_time_is_planned_a_call_that_expires(settings: Settings) -> None:
    source = bathing(time(10), call_from=time(18), call_days="2")
    draft = drafted(source, TUESDAY, local(22, 12), settings)
    assert draft is not None and draft.call_at == draft.call_until == local(24, 9)


def test_elder_pays_by_their_class(settings: Settings) -> None:
    source = bathing(time(14), support_class=SupportClass.SUBSIDISED)
    draft = drafted(source, TUESDAY, local(22, 12), settings)
    assert draft is not None and draft.pay_fen == 1750


def test_who_wants_no_calls_gets_the_service_and_no_call(settings: Settings) -> None:
    source = bathing(time(14), calls_refused=True)
    draft = drafted(source, TUESDAY, local(22, 12), settings)
    assert draft is not None and draft.call_at is None
    plan = GreetingPlan(id=1, elder_id=1, phone="1", weekdays="2", at=time(9))
    assert (
        greeting(Greeted(plan, elder(calls_refused=True)), TUESDAY, local(24, 6), settings) is None
    )


def test_what_is_over_is_not_planned(settings: Settings) -> None:
    source = bathing(time(14))
    assert drafted(source, TUESDAY, local(24, 14), settings) is None
    plan = GreetingPlan(id=1, elder_id=1, phone="1", weekdays="2", at=time(9))
    assert greeting(Greeted(plan, elder()), TUESDAY, local(24, 12), settings) is None


def test_greeting_is_at_its_time_or_when_the_hours_begin(settings: Settings) -> None:
    plan = GreetingPlan(id=1, elder_id=1, phone="1", weekdays="2", at=time(8))
    early = greeting(Greeted(plan, elder()), TUESDAY, local(24, 1), settings)
    assert early is not None
    assert (early.call_at, early.call_until) == (local(24, 9), local(24, 11))
    plan.at = time(10, 15)
    later = greeting(Greeted(plan, elder()), TUESDAY, local(24, 1), settings)
    assert later is not None and later.call_at == local(24, 10, 15)


@pytest.fixture
def store(settings: Settings) -> Iterator[Store]:
    """With a weekly bath on Tuesdays at two and a greeting on all days at ten."""
    opened = open_store(settings.database)
    services.sync(opened, [BATHING.model_copy()])
    new = Registration("13812345678", "王秀英", "干将路12号")
    id = elders.register(opened, new).elder.id or 0
    bath = StandingOrder(
        elder_id=id, phone="13812345678", code="bathing", weekdays="2", at=time(14),
        starts_on=TUESDAY,
    )  # fmt: skip
    standing.add(opened, bath)
    greetings.put(
        opened, GreetingPlan(elder_id=id, phone="13812345678", weekdays="1234567", at=time(10))
    )
    yield opened
    opened.close()


def calls(store: Store) -> list[str]:
    with store.read() as session:
        return sorted(row.purpose for row in session.exec(select(FollowUp)))


def test_tomorrows_orders_are_there_today_and_greetings_on_their_day(
    store: Store, settings: Settings
) -> None:
    plan(store, settings, local(22, 1))
    assert calls(store) == ["greeting"]
    plan(store, settings, local(23, 1))
    plan(store, settings, local(23, 2))
    assert calls(store) == ["greeting", "greeting", "plan"]
    with store.read() as session:
        (made,) = session.exec(select(WorkOrder))
    assert made.scheduled_for == local(24, 14)


def test_call_that_is_too_late_is_given_up_for_that_reason(
    store: Store, settings: Settings
) -> None:
    plan(store, settings, local(24, 1))
    expire(store, settings, local(24, 12, 59))
    assert [row.follow_up.end for row in follow_ups.newest_follow_ups(store)] == [None, None]
    expire(store, settings, local(24, 13))
    ends = [row.follow_up.end for row in follow_ups.newest_follow_ups(store)]
    assert ends == [FollowUpEnd.EXPIRED, FollowUpEnd.EXPIRED]
