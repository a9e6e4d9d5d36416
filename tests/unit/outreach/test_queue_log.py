from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

import pytest

from ivr.outreach.queue_log import extension_of, read
from store.models import QueueEnd

CALL = UUID("6f1c2d3e-0000-4000-8000-000000000001")
EPOCH = datetime.fromtimestamp(0, UTC)
LOG = f"""\
1763800000|NONE|NONE|NONE|QUEUESTART|
1763800001|1.1|operators|NONE|YIHU|{CALL}|10
1763800001|1.1|operators|NONE|ENTERQUEUE||13812345678|1
1763800002|1.2|operators|NONE|ENTERQUEUE||051265123456|2
1763800003|1.3|operators|NONE|ENTERQUEUE||unknown|3
1763800005|1.1|operators|PJSIP/op101|RINGNOANSWER|5000
1763800010|1.1|operators|PJSIP/op101|CONNECT|9|1.9|3
1763800011|1.2|operators|NONE|ABANDON|2|2|9
1763800020|1.3|operators|NONE|EXITWITHKEY|9|1
1763800021|1.3|operators|NONE|ENTERQUEUE||unknown|1
1763800030|1.1|operators|PJSIP/op101|COMPLETEAGENT|9|20|1
1763800031|1.4|another|NONE|ENTERQUEUE||13812345679|1
1763800032|1.5|operators|NONE|ENTERQUEUE||13812345670|1
1763800033|1.5|operators|NONE|EXITWITHKEY|1|1
1763800034|1.7|operators|NONE|ENTERQUEUE||13812345671|2
1763800036|1.7|operators|NONE|EXITWITHKEY|\x01|2
1763800037|1.7|operators|NONE|ENTERQUEUE||13812345671|2
1763800040|1.7|operators|NONE|ABANDON|2|2|3
1763800041|1.8|operators|NONE|ENTERQUEUE||13812345672|1
1763800042|1.8|operators|NONE|WITHDRAW|1|1|1|callback
1763800043|1.9|operators|NONE|ENTERQUEUE||13812345673|1
1763800044|1.9|operators|NONE|WITHDRAW|1|1|1|emergency
cut sho
x|1.6|operators|NONE|ENTERQUEUE||13812345670|1
"""


def test_visits_are_read_with_their_ends() -> None:
    visits = read(LOG.splitlines(), "operators", EPOCH)
    assert [(v.uniqueid, v.phone, v.how) for v in visits] == [
        ("1.1", "13812345678", QueueEnd.ANSWERED),
        ("1.2", "051265123456", QueueEnd.ABANDONED),
        ("1.3", "", QueueEnd.EMERGENCY),
        ("1.3", "", None),
        ("1.5", "13812345670", QueueEnd.CALLBACK),
        ("1.7", "13812345671", QueueEnd.ABANDONED),
        ("1.8", "13812345672", QueueEnd.CALLBACK),
        ("1.9", "13812345673", QueueEnd.EMERGENCY),
    ]
    first = visits[0]
    assert (first.call_id, first.priority, first.answered_by) == (CALL, 10, "op101")
    assert first.left_at is not None and first.talk_ended_at is not None
    assert (first.left_at - first.joined_at).total_seconds() == 9
    assert (first.talk_ended_at - first.left_at).total_seconds() == 20


def test_what_began_earlier_is_left_out() -> None:
    since = datetime.fromtimestamp(1763800020, UTC)
    visits = read(LOG.splitlines(), "operators", since)
    assert [visit.uniqueid for visit in visits] == ["1.3", "1.5", "1.7", "1.8", "1.9"]


@pytest.mark.parametrize(
    "interface", ["PJSIP/op101", "PJSIP/op101-0000002a", "op101", "Local/op101"]
)
def test_extension_of_an_operator(interface: str) -> None:
    assert extension_of(interface) == "op101"
