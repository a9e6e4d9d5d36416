"""What monitoring sees of what is open at the site; counted when it is asked for."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import structlog
from prometheus_client import Gauge

from ivr.telephony.ami import Ami
from store.database import Store, StoreError
from store.workload import workload

STORE_UP = Gauge("yihu_store_up", "Whether the store could be read when this was asked for.")
MANAGER_UP = Gauge("yihu_manager_connected", "Whether there is a connection to Asterisk's manager.")
CALLS = Gauge("yihu_calls_open", "Calls that the store has as under way with the agent.")
WAITING = Gauge("yihu_queue_waiting", "Callers who wait for an operator.")
LONGEST_WAIT = Gauge("yihu_queue_longest_wait_seconds", "How long the first of them has waited.")
CALLBACKS = Gauge("yihu_callbacks_open", "People who are owed a call.")
ALARMS = Gauge("yihu_alarms_open", "Emergencies that nobody has closed.")
CARE_ALERTS = Gauge("yihu_care_alerts_open", "Elders who did not answer, not looked after yet.")
COMPLAINTS = Gauge("yihu_complaints_open", "Complaints that are not closed.")
ORDERS = Gauge("yihu_orders_open", "Orders that are not closed, by where they are.", ["status"])
FOLLOW_UPS = Gauge("yihu_follow_ups_open", "Follow-ups that are not done, by purpose.", ["purpose"])
SMS = Gauge("yihu_sms_open", "Messages that are not known to be sent, by state.", ["state"])
SMS_UNREAD = Gauge("yihu_sms_unread", "Messages to us that nothing has read yet.")
OPERATORS = Gauge("yihu_operators", "Operators by what they are doing.", ["duty"])
PAUSED = Gauge("yihu_outgoing_paused", "Whether calls and messages out are switched off.")

log = structlog.get_logger()


async def refresh(store: Store, ami: Ami) -> None:
    """What cannot be counted keeps its last value, and the store counts as down."""
    MANAGER_UP.set(ami.connected)
    try:
        now = await asyncio.to_thread(workload, store, datetime.now(UTC))
    except StoreError as error:
        STORE_UP.set(0)
        log.error("nothing can be counted", error=str(error))
        return
    STORE_UP.set(1)
    for gauge, value in (
        (CALLS, now.calls),
        (WAITING, now.waiting),
        (LONGEST_WAIT, now.longest_wait_s),
        (CALLBACKS, now.callbacks),
        (ALARMS, now.alarms),
        (CARE_ALERTS, now.care_alerts),
        (COMPLAINTS, now.complaints),
        (SMS_UNREAD, now.sms_unread),
        (PAUSED, now.paused),
    ):
        gauge.set(value)
    for labelled, counts in (
        (ORDERS, now.orders),
        (FOLLOW_UPS, now.follow_ups),
        (SMS, now.sms),
        (OPERATORS, now.operators),
    ):
        for code, count in counts.items():
            labelled.labels(code.value).set(count)
