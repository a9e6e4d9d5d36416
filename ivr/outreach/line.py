"""Whom to dial now: one line of those who wait on the telephone and at home. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from ivr.config import FollowUpSettings, OutboundSettings
from store.models import Callback, QueueVisit, Wants


@dataclass(frozen=True, slots=True)
class Room:
    """What there is room for at this moment."""

    calls: int
    """Further calls out."""
    agent: int | None
    """Callers that the agent could take; None where there is no agent: operators take them."""
    operators: int
    """Operators who are on duty, not paused and not on the telephone."""
    on_duty: int
    """Operators on duty, not paused."""
    rung: int
    """People being called for an operator, who do not talk to one yet."""


def free_calls(own: OutboundSettings, out: int, used: int) -> int:
    """How many more calls may go out, with `out` of ours out and `used` lines taken by callers and
    called: so many lines stay free for callers."""
    calls = own.max_calls - out
    return min(calls, own.lines - own.spare_lines - used) if own.lines else calls


def for_follow_ups(own: FollowUpSettings, out: int, calls: int, agent: int | None) -> int:
    """How many follow-ups may be dialled, with `out` of them out and `calls` and `agent` as in Room
    when those who have asked for a call are served."""
    if agent is None:
        return 0
    return max(0, min(own.max_calls - out, calls, agent - own.spare_agent))


def to_dial(due: Sequence[Callback], waiting: Sequence[QueueVisit], room: Room) -> list[Callback]:
    """Those of `due` to dial now; both in their own order.

    For the agent: as many as it can take. For the operators: whose turn it would be if they stood
    in the queue. Where everybody is busy and others wait, the first in line is dialled all the
    same, one at a time: a line that never gets shorter must not keep them waiting for ever. They
    are put at the head of the queue when they answer.
    """
    there = room.agent is not None
    for_agent = [one for one in due if there and one.wants is Wants.AGENT]
    for_operators = [one for one in due if not there or one.wants is Wants.OPERATOR]
    turns = room.operators - room.rung
    if waiting and not room.rung and room.on_duty:
        turns = max(1, turns)
    chosen = []
    behind = list(waiting)
    for one in for_operators:
        while behind and _place(behind[0]) < _place(one):
            behind.pop(0)
            turns -= 1
        if turns <= 0:
            break
        chosen.append(one)
        turns -= 1
    both = sorted([*for_agent[: max(0, room.agent or 0)], *chosen], key=_place)
    return both[: max(0, room.calls)]


def _place(one: Callback | QueueVisit) -> tuple[int, datetime]:
    since = one.queued_at if isinstance(one, Callback) else one.joined_at
    return -one.priority, since
