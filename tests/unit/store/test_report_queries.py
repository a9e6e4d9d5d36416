"""What a supervisor reads of providers: counted by hand, and what the store should find."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from store import services
from store.database import Store
from store.models import (
    Channel,
    Complaint,
    FollowUp,
    FollowUpState,
    OrderStatus,
    Provider,
    Purpose,
    Rating,
    Service,
    SmsOut,
    SmsPurpose,
    SmsState,
    Worker,
    WorkOrder,
)
from store.reports import By, Report, Results, report

SITE = ZoneInfo("Asia/Shanghai")
DAY = date(2026, 11, 22)
MINUTE = timedelta(minutes=1)
PINGJIANG, CANGLANG = 1, 2
ZHANG, LI = 1, 2


def at(clock: str, day: date = DAY) -> datetime:
    return datetime.combine(day, datetime.strptime(clock, "%H:%M").time(), SITE)


@pytest.fixture(autouse=True)
def _providers(store: Store) -> None:
    services.sync(
        store,
        [
            Service(code="bathing", name="助浴", unit="hour", price_fen=3500),
            Service(code="cleaning", name="家庭保洁", unit="hour", price_fen=3500),
        ],
    )
    with store.write() as session:
        for name in ("平江家政", "沧浪助老"):
            session.add(Provider(name=name, phone="0512", latitude=31.3, longitude=120.6))
        session.flush()
        for provider, name in ((PINGJIANG, "张师傅"), (CANGLANG, "李师傅")):
            session.add(Worker(provider_id=provider, name=name))


def order(
    store: Store,
    planned: datetime | None = None,
    *,
    made: datetime | None = None,
    late: timedelta | None = None,
    status: OrderStatus = OrderStatus.COMPLETED,
    provider: int | None = None,
    worker: int | None = None,
    code: str = "bathing",
    district: str = "姑苏区",
) -> int:
    """One that began as late as given after the time it was for."""
    over = status in (OrderStatus.COMPLETED, OrderStatus.FOLLOWED_UP, OrderStatus.CLOSED)
    row = WorkOrder(
        code=code,
        phone="13812345678",
        scheduled_for=planned,
        status=status,
        price_fen=3500,
        pay_fen=3500,
        created_at=made or at("08:00"),
        provider_id=provider,
        worker_id=worker,
        district=district,
        started_at=planned + late if planned and late is not None else None,
        completed_at=at("18:00") if over else None,
    )
    with store.write() as session:
        session.add(row)
    return row.id or 0


def ask(
    store: Store, order_id: int, tries: int, sms: SmsState | None = None, key: str = "rating"
) -> None:
    purpose = Purpose.RATING if key == "rating" else Purpose.PLAN
    with store.write() as session:
        follow_up = FollowUp(
            key=f"{key}:{order_id}",
            purpose=purpose,
            order_id=order_id,
            phone="13812345678",
            created_at=at("18:00"),
            due_at=at("18:00"),
            state=FollowUpState.DONE,
            tries=tries,
        )
        session.add(follow_up)
        session.flush()
        if sms is not None:
            message = SmsOut(
                key=f"rating:{order_id}",
                phone="13812345678",
                text="请评价",
                purpose=SmsPurpose.RATING,
                follow_up_id=follow_up.id,
                state=sms,
                created_at=at("18:00"),
                due_at=at("18:00"),
            )
            session.add(message)


def rate(store: Store, order_id: int, score: int, channel: Channel = Channel.VOICE) -> None:
    with store.write() as session:
        session.add(Rating(order_id=order_id, score=score, channel=channel, at=at("19:00")))


def complain(store: Store, order_id: int, closed_after: timedelta | None = None) -> None:
    raised = at("19:00")
    with store.write() as session:
        closed = raised + closed_after if closed_after is not None else None
        session.add(Complaint(order_id=order_id, score=1, at=raised, closed_at=closed))


def read(store: Store, by: By = By.SERVICE, begin: date = DAY, end: date = DAY) -> Report:
    return report(store, begin, end, SITE, by)


def whole(store: Store) -> Results:
    return read(store).whole


def test_a_day_without_orders_has_no_shares(store: Store) -> None:
    found = read(store)
    assert found.whole == Results() and found.rows == ()
    assert found.whole.on_time_share is None and found.whole.mean is None


def test_a_quarter_of_an_hour_is_still_on_time_and_a_minute_more_is_not(store: Store) -> None:
    for late in (-20 * MINUTE, timedelta(), 15 * MINUTE, 16 * MINUTE):
        order(store, at("10:00"), late=late)
    order(store, at("10:00"))  # nobody knows when it began
    order(store, None, status=OrderStatus.CANCELLED)
    found = whole(store)
    assert (found.orders, found.completed, found.cancelled) == (6, 5, 1)
    assert (found.timed, found.on_time, found.on_time_share) == (4, 3, 0.75)


def test_order_belongs_to_the_sites_day_that_it_was_for(store: Store) -> None:
    order(store, at("23:59"))
    order(store, at("00:00"))
    order(store, at("00:00", DAY + timedelta(days=1)))
    order(store, at("10:00", DAY - timedelta(days=1)), made=at("08:00"))
    order(store, None, made=at("00:30"))
    order(store, None, made=at("08:00", DAY - timedelta(days=1)))
    assert whole(store).orders == 3


def test_ratings_are_counted_by_score(store: Store) -> None:
    for score in (5, 5, 4, 1):
        rate(store, order(store, at("10:00")), score)
    order(store, at("10:00"))
    found = whole(store)
    assert (found.scores, found.ratings, found.mean) == ((1, 0, 0, 1, 2), 4, 3.75)
    assert (found.content_share, found.rated_share) == (0.75, 0.8)


def test_half_of_the_closed_complaints_took_no_longer_than_is_told(store: Store) -> None:
    for hours in (1, 3, 50, None):
        after = None if hours is None else timedelta(hours=hours)
        complain(store, order(store, at("10:00")), after)
    found = whole(store)
    assert (found.complaints, found.open_complaints) == (4, 1)
    assert found.to_close == timedelta(hours=3)


def test_answers_to_calls_and_to_messages_are_told_apart(store: Store) -> None:
    by_voice, by_key, by_sms, no_answer, failed, by_sms_unasked = (
        order(store, at("10:00")) for _ in range(6)
    )
    ask(store, by_voice, 1)
    rate(store, by_voice, 5)
    ask(store, by_key, 2)
    rate(store, by_key, 4, Channel.KEYPAD)
    ask(store, by_sms, 3, SmsState.DELIVERED)
    rate(store, by_sms, 3, Channel.SMS)
    ask(store, no_answer, 3, SmsState.SENT)
    ask(store, failed, 0, SmsState.FAILED)
    ask(store, failed, 1, key="plan")  # whether to come at all is another question
    rate(store, by_sms_unasked, 2, Channel.OPERATOR)
    found = whole(store)
    assert (found.called, found.answered_calls, found.calls_share) == (4, 2, 0.5)
    assert (found.written_to, found.answered_sms, found.sms_share) == (2, 1, 0.5)


def test_providers_and_workers_are_told_by_name_the_busiest_first(store: Store) -> None:
    rate(store, order(store, at("10:00"), provider=CANGLANG, worker=LI), 2)
    for _ in range(2):
        rate(store, order(store, at("10:00"), provider=PINGJIANG, worker=ZHANG), 5)
    order(store, None, status=OrderStatus.CREATED)
    by_provider = read(store, By.PROVIDER).rows
    assert [(row.key, row.name, row.results.orders, row.results.mean) for row in by_provider] == [
        (PINGJIANG, "平江家政", 2, 5),
        (None, "", 1, None),
        (CANGLANG, "沧浪助老", 1, 2),
    ]
    by_worker = read(store, By.WORKER).rows
    assert [(row.name, row.of) for row in by_worker] == [
        ("张师傅", "平江家政"),
        ("", ""),
        ("李师傅", "沧浪助老"),
    ]


def test_parts_add_up_to_the_whole(store: Store) -> None:
    for n in range(12):
        one = order(
            store,
            at("10:00"),
            late=n * 3 * MINUTE,
            provider=(PINGJIANG, CANGLANG, None)[n % 3],
            code=("bathing", "cleaning")[n % 2],
            district=("姑苏区", "吴中区", "")[n % 3],
        )
        ask(store, one, n % 3)
        rate(store, one, n % 5 + 1)
        if n % 4 == 0:
            complain(store, one, n * MINUTE)
    for by in By:
        found = read(store, by)
        assert found.whole == whole(store)
        for name in ("orders", "timed", "on_time", "ratings", "complaints", "answered_calls"):
            parts = sum(getattr(row.results, name) for row in found.rows)
            assert parts == getattr(found.whole, name), (by, name)
    assert {row.key for row in read(store, By.DISTRICT).rows} == {"姑苏区", "吴中区", ""}
    assert {row.key for row in read(store, By.SERVICE).rows} == {"bathing", "cleaning"}


def test_months_begin_at_the_sites_midnight_and_quiet_ones_are_told_too(store: Store) -> None:
    order(store, at("23:30", date(2026, 9, 30)))
    order(store, at("00:30", date(2026, 10, 1)))
    order(store, at("10:00", date(2026, 10, 20)))
    order(store, at("10:00", date(2026, 12, 1)))
    found = read(store, By.MONTH, date(2026, 9, 30), date(2026, 12, 1))
    assert [(row.key, row.results.orders) for row in found.rows] == [
        (date(2026, 9, 1), 1),
        (date(2026, 10, 1), 2),
        (date(2026, 11, 1), 0),
        (date(2026, 12, 1), 1),
    ]


def test_period_that_ends_before_it_begins_is_refused(store: Store) -> None:
    with pytest.raises(ValueError, match="before"):
        read(store, By.MONTH, DAY, DAY - timedelta(days=1))
