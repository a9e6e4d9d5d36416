"""A call on its way to an operator: who rings, what the agent knows, and the order half made.

Every page of whoever's telephone rings says so at once and opens the call; an emergency is said on
everybody's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from aiohttp import web

from ivr.config import Settings
from ivr.console import orders as order_pages
from ivr.console.live import AT_ONCE_S, Fragment, Topic, shown
from ivr.console.pages import (
    CATALOG,
    SETTINGS,
    VIEWER,
    Page,
    Viewer,
    audit,
    call_id_of,
    in_store,
    number_of,
    render,
    text_of,
)
from ivr.console.transcript import Line, lines
from ivr.recordings import kept_turns
from store import (
    alarms,
    callbacks,
    calls,
    corrections,
    elders,
    handovers,
    operator_calls,
    operators,
    orders,
)
from store.audit import Action
from store.database import Store
from store.elders import ListedElder
from store.handovers import Place, Whereabouts
from store.models import Alarm, Call, Next, OperatorCall, Outcome, WorkOrder
from store.orders import ListedOrder

HISTORY = 5
UNDERSTOOD = ("unsure_between", "wanted_next")
"""Services in Call.summary that are shown beside the order, several in a text."""


# --- whose telephone rings ---


@dataclass(frozen=True, slots=True)
class Rings:
    """A telephone that rings, or is talked on."""

    call_id: UUID
    extension: str
    name: str
    """Of the caller; empty if not registered."""
    phone: str
    high_risk: bool
    rang_at: datetime
    answered_at: datetime | None


def _look_rings(store: Store, _: str) -> tuple[Rings, ...]:
    return tuple(_rings(store, one) for one in operator_calls.present(store))


def _rings(store: Store, one: OperatorCall) -> Rings:
    arrived = handovers.arrived(store, one.call_id)
    phone = arrived.phone if arrived else ""
    people = elders.who_calls_from(store, phone)
    return Rings(
        call_id=one.call_id,
        extension=one.extension,
        name=_names(people),
        phone=phone,
        high_risk=any(listed.elder.high_risk for listed in people),
        rang_at=one.rang_at,
        answered_at=one.answered_at,
    )


def _show_rings(fragment: Fragment, viewer: Viewer, rings: tuple[Rings, ...]) -> str:
    own = [one for one in rings if one.extension == viewer.operator.extension]
    return fragment("_ringing.html", own=own)


def _names(people: Sequence[ListedElder]) -> str:
    return " / ".join(listed.elder.name for listed in people)


# --- emergencies ---


@dataclass(frozen=True, slots=True)
class Help:
    """Somebody calls for help."""

    id: int
    call_id: UUID
    name: str
    phone: str
    address: str
    raised_at: datetime
    answered_at: datetime | None
    answered_by: str
    closed_at: datetime | None
    closed_by: str

    @property
    def waited(self) -> timedelta | None:
        return self.answered_at - self.raised_at if self.answered_at else None


def _look_alarms(store: Store, _: str) -> tuple[Help, ...]:
    found = helps_of(store, alarms.open_alarms(store))
    return tuple(sorted(found, key=lambda help: help.answered_at is not None))


def helps_of(store: Store, raised: Sequence[Alarm]) -> list[Help]:
    """Alarms with the names of people. Raises StoreError."""
    found = []
    everyone = operators.everyone(store) if raised else []
    names = {one.extension: one.display_name for one in everyone}
    closers = {one.id: one.display_name for one in everyone}
    for alarm in raised:
        people = elders.who_calls_from(store, alarm.phone)
        addresses = " / ".join(dict.fromkeys(listed.elder.address for listed in people))
        found.append(
            Help(
                id=alarm.id or 0,
                call_id=alarm.call_id,
                name=_names(people),
                phone=alarm.phone,
                address=addresses,
                raised_at=alarm.raised_at,
                answered_at=alarm.answered_at,
                answered_by=names.get(alarm.answered_by, alarm.answered_by),
                closed_at=alarm.closed_at,
                closed_by=closers.get(alarm.closed_by, ""),
            )
        )
    return found


def _show_alarms(fragment: Fragment, viewer: Viewer, helps: tuple[Help, ...]) -> str:
    return fragment("_alarms.html", helps=helps)


async def close_alarm(request: web.Request) -> web.StreamResponse:
    id = number_of(request.match_info["id"])
    if await in_store(request, alarms.close, id, request[VIEWER].id, datetime.now(UTC)) is None:
        raise web.HTTPNotFound
    await audit(request, Action.CHANGE, "alarm", id, "closed")
    raise web.HTTPSeeOther("/board")


# --- the call ---


@dataclass(frozen=True, slots=True)
class Context:
    """Everything about a call that its operator should know."""

    call_id: UUID
    call: Call | None
    """None if the agent never saw it."""
    told: Call | None
    """The one in which the agent was told what is wanted: this one, or that of which somebody is
    called back; None if there is none."""
    phone: str
    """Empty if withheld."""
    began_at: datetime
    people: list[ListedElder]
    lines: tuple[Line, ...]
    orders: list[WorkOrder]
    before: list[ListedOrder]
    """Earlier orders, newest first."""

    @property
    def alone(self) -> ListedElder | None:
        return self.people[0] if len(self.people) == 1 else None

    @property
    def known(self) -> Mapping[str, Any]:
        return self.told.summary if self.told else {}

    @property
    def half(self) -> Mapping[str, str]:
        """The order that was being made."""
        found = self.known.get("order")
        return found if isinstance(found, dict) else {}

    @property
    def scheduled_for(self) -> datetime | None:
        try:
            return datetime.fromisoformat(self.half.get("scheduled_for", ""))
        except ValueError:
            return None

    @property
    def address(self) -> str:
        """Empty where none is known, or the caller has said that the one on file is wrong."""
        if "address_wrong" in self.half:
            return ""
        return self.half.get("address") or (self.alone.elder.address if self.alone else "")

    @property
    def said(self) -> list[Line]:
        """What the service may have been misheard in, the latest first."""
        return [line for line in reversed(self.lines) if line.kind == "heard" and line.text]

    @property
    def source(self) -> int | None:
        """The turn in which the service was most likely misheard: of those that it was taken from,
        the least certain; None if there is none."""
        code = self.half.get("code")
        taken = [line for line in self.said if code and line.code == code]
        return min(taken, key=lambda line: line.confidence).index if taken else None

    def services(self, name: str) -> list[str]:
        """Codes in one of UNDERSTOOD."""
        return str(self.known.get(name, "")).split()


def look(store: Store, settings: Settings, call_id: UUID) -> Context | None:
    """None if nobody knows of the call. Raises StoreError."""
    arrived = handovers.arrived(store, call_id)
    if arrived is None:
        return None
    call, phone = calls.find_call(store, call_id), arrived.phone
    told = call if call and call.summary else _called_back_for(store, call_id) or call
    turns = calls.turns_of(store, told.id) if told else []
    people = elders.who_calls_from(store, phone)
    elder = call.elder_id if call else people[0].elder.id if len(people) == 1 else None
    earlier = orders.orders_for(store, elder, (phone,), HISTORY + 1) if phone else []
    return Context(
        call_id=call_id,
        call=call,
        told=told,
        phone=phone,
        began_at=arrived.began_at,
        people=people,
        lines=lines(turns, kept_turns(settings, told.id) if told else ()),
        orders=orders.orders_of(store, call_id),
        before=[one for one in earlier if one.order.call_id != call_id][:HISTORY],
    )


def _called_back_for(store: Store, call_id: UUID) -> Call | None:
    """The call of which this one is a call-back."""
    owed = callbacks.of_attempt(store, call_id)
    return calls.find_call(store, owed.call_id) if owed and owed.call_id else None


async def show(request: web.Request) -> web.StreamResponse:
    id = call_id_of(request.match_info["call"])
    context = await in_store(request, look, request.app[SETTINGS], id)
    if context is None:
        raise web.HTTPNotFound
    await audit(request, Action.LOOK, "call", id, "transfer")
    return render(
        request,
        "transfer.html",
        context=context,
        understood=UNDERSTOOD,
        state=await shown(request, f"transfer:{id}"),
        catalog=request.app[CATALOG],
        changed_mind=order_pages.CHANGED_MIND,
        number=await in_store(request, orders.next_number, id),
    )


async def book(request: web.Request) -> web.StreamResponse:
    """Books the order as the operator has corrected it; sent twice it books once."""
    id, fields = call_id_of(request.match_info["call"]), await request.post()
    viewer, now = request[VIEWER], datetime.now(UTC)
    context = await in_store(request, look, request.app[SETTINGS], id)
    if context is None:
        raise web.HTTPNotFound
    call = context.call
    if call is None:
        call = await in_store(request, _enter, context, now)
    content = await order_pages.content_of(request, fields, call.elder_id)
    said_time = context.half.get("said_time", "")
    number = number_of(text_of(fields, "number"))
    await order_pages.book(request, call, number, content, said_time)
    turn = text_of(fields, "turn")
    misheard = content.code != context.half.get("code")
    if context.told and misheard and turn not in ("", order_pages.CHANGED_MIND):
        await in_store(
            request, corrections.file_by_operator, context.told.id, number_of(turn), content.code,
            viewer.operator.name, now,
        )  # fmt: skip
    raise web.HTTPSeeOther(f"/transfer/{id}")


def _enter(store: Store, context: Context, at: datetime) -> Call:
    """The call that the agent never saw: its order needs it."""
    elder = context.alone.elder.id if context.alone else None
    calls.begin_call(store, context.call_id, context.phone, context.began_at, elder)
    calls.end_call(
        store, context.call_id, Outcome.OPERATOR, Next.OPERATOR, at, reason="agent absent"
    )
    call = calls.find_call(store, context.call_id)
    assert call is not None
    return call


# --- where the caller is ---


def _look_state(store: Store, argument: str) -> Whereabouts:
    try:
        return handovers.whereabouts(store, UUID(argument))
    except ValueError:
        return Whereabouts(Place.OVER, None)


def _show_state(fragment: Fragment, viewer: Viewer, state: Whereabouts) -> str:
    own = viewer.operator.extension in state.extensions
    return fragment("_transfer_state.html", state=state, own=own)


PAGES: tuple[Page, ...] = (
    Page("GET", "/transfer/{call}", show),
    Page("POST", "/transfer/{call}", book),
    Page("POST", "/alarms/{id}/close", close_alarm),
)
TOPICS: tuple[Topic, ...] = (
    Topic("ringing", _look_rings, _show_rings, every_s=AT_ONCE_S),
    Topic("alarms", _look_alarms, _show_alarms, every_s=AT_ONCE_S),
    Topic("transfer", _look_state, _show_state),
)
