"""Asterisk's own record of its queues: what happened while nobody listened. Pure.

A line is `time|channel|queue|member|EVENT|data...`. The dialplan adds YIHU|call|priority before a
caller joins, since app_queue knows nothing of calls.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from uuid import UUID

from store.models import QueueEnd
from store.phones import of_caller
from store.queue_visits import Logged

ENDS = {
    "CONNECT": QueueEnd.ANSWERED,
    "ABANDON": QueueEnd.ABANDONED,
    "EXITWITHTIMEOUT": QueueEnd.CALLBACK,
    "EXITEMPTY": QueueEnd.CALLBACK,
}
"""Who leaves otherwise is promised a call by the dialplan, which is kept on its own."""
KEYS = {"1": QueueEnd.CALLBACK, "9": QueueEnd.EMERGENCY}
"""Keys that end a wait. After any other, and what Asterisk takes for one, the dialplan lets the
caller in again at their place: the wait goes on."""
WITHDRAWN = {"emergency": QueueEnd.EMERGENCY}
"""Who has said what they want, and outreach has taken them out of the queue; others: CALLBACK."""
TALK_ENDS = ("COMPLETEAGENT", "COMPLETECALLER", "BLINDTRANSFER", "ATTENDEDTRANSFER")
OWN = "YIHU"


def extension_of(interface: str) -> str:
    """PJSIP/op101 -> op101, and of a channel PJSIP/op101-0000002a as well."""
    user = interface.partition("/")[2] or interface
    return user.rpartition("-")[0] or user


def read(lines: Iterable[str], queue: str, since: datetime) -> list[Logged]:
    """The visits of a queue that began at `since` or later, in the order of joining.

    Lines that are cut short or strange are passed over.
    """
    calls: dict[str, tuple[UUID | None, int]] = {}
    last: dict[str, Logged] = {}
    visits: list[Logged] = []
    for line in lines:
        fields = line.rstrip("\n").split("|")
        if len(fields) < 5 or fields[2] != queue:
            continue
        clock, uniqueid, _, member, event, *data = fields
        try:
            at = datetime.fromtimestamp(float(clock), UTC)
        except ValueError:
            continue
        if event == OWN:
            calls[uniqueid] = _call(data)
        elif event == "ENTERQUEUE" and (uniqueid not in last or last[uniqueid].how):
            call_id, priority = calls.get(uniqueid, (None, 0))
            phone = of_caller(data[1]) if len(data) > 1 else ""
            last[uniqueid] = Logged(uniqueid, at, phone, call_id, priority)
            visits.append(last[uniqueid])
        elif (visit := last.get(uniqueid)) is not None:
            if event == "EXITWITHKEY" and visit.how is None:
                visit.how = KEYS.get(data[0] if data else "")
                visit.left_at = at if visit.how else None
            elif event == "WITHDRAW" and visit.how is None:
                wish = data[3] if len(data) > 3 else ""
                visit.how, visit.left_at = WITHDRAWN.get(wish, QueueEnd.CALLBACK), at
            elif event in ENDS and visit.how is None:
                visit.how, visit.left_at = ENDS[event], at
                if event == "CONNECT":
                    visit.answered_by = extension_of(member)
            elif event in TALK_ENDS:
                visit.talk_ended_at = at
    return [visit for visit in visits if visit.joined_at >= since]


def _call(data: list[str]) -> tuple[UUID | None, int]:
    try:
        return UUID(data[0]), int(data[1] or 0)
    except (ValueError, IndexError):
        return None, 0
