"""What brings the queue to what the store says."""

from __future__ import annotations

from ivr.telephony.members import Member, changes, members
from store.models import Duty, Operator

ON, PAUSED = Member(False), Member(True, "吃饭")


def operator(extension: str, duty: Duty, reason: str = "") -> Operator:
    return Operator(
        name=extension,
        display_name=extension,
        password_hash="",
        extension=extension,
        sip_secret="",
        duty=duty,
        duty_reason=reason,
    )


def test_who_is_on_duty_or_paused_is_a_member() -> None:
    everyone = [
        operator("op101", Duty.ON),
        operator("op102", Duty.PAUSED, "吃饭\r\nAction: Command"),
        operator("op103", Duty.OFF),
    ]
    assert members(everyone) == {
        "PJSIP/op101": ON,
        "PJSIP/op102": Member(True, "吃饭 Action: Command"),
    }


def test_nothing_is_done_where_all_is_right() -> None:
    assert changes({"PJSIP/op101": ON}, {"PJSIP/op101": ON}) == []


def test_members_are_added_paused_and_removed() -> None:
    wanted = {"PJSIP/op101": ON, "PJSIP/op102": PAUSED, "PJSIP/op103": ON}
    present = {"PJSIP/op103": PAUSED, "PJSIP/op104": ON}
    done = [(name, fields["Interface"], fields.get("Paused")) for name, fields in
            changes(wanted, present)]  # fmt: skip
    assert done == [
        ("QueueRemove", "PJSIP/op104", None),
        ("QueueAdd", "PJSIP/op101", "false"),
        ("QueueAdd", "PJSIP/op102", "true"),
        ("QueuePause", "PJSIP/op102", "true"),
        ("QueuePause", "PJSIP/op103", "false"),
    ]
