"""Whatever callers say, in whatever order: what must hold in every call."""

from datetime import date, time, timedelta

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from talk import CATALOG, NOW, PROMPTS

from ivr.dialogue import spoken
from ivr.dialogue.clarification import YES
from ivr.dialogue.conversation import Caller, advance, begin
from ivr.dialogue.pieces import caller_pieces, fixed_pieces
from ivr.dialogue.prompts import LONGEST_SECONDS, plain, seconds
from ivr.dialogue.state import Errand, Stage
from ivr.dialogue.step import (
    Book,
    Booked,
    BookingFailed,
    Digit,
    Hangup,
    Heard,
    Kept,
    NoteRecorded,
    NotKept,
    RecordNote,
    Say,
    Settle,
    Silence,
    ToEmergency,
    ToOperator,
)
from ivr.dialogue.turns import MAX_TURNS
from ivr.understanding.meaning import Act, Candidate, Kind, Meaning
from ivr.understanding.when import Part, When
from store.models import Purpose

FIXED = set(fixed_pieces(CATALOG, PROMPTS))
LONG_HOME = Caller("欧阳", "江苏省苏州市工业园区独墅湖大道888号翰林缘花园8幢1单元2603室")
"""What is said of it, 八幢一单元二六零三室, is as long as an address gets."""

codes = st.sampled_from(list(CATALOG))
confidences = st.sampled_from([0.1, 0.32, 0.5, 0.65, 0.8, 0.95])
whens = st.builds(
    When,
    day=st.none() | st.dates(date(2026, 11, 20), date(2027, 3, 1)),
    part=st.none() | st.sampled_from(Part),
    clock=st.none() | st.builds(time, st.integers(0, 23), st.integers(0, 59)),
    asap=st.sampled_from([False, False, False, True]),
)
good_whens = st.builds(
    When, day=st.dates(date(2026, 11, 24), date(2027, 1, 31)), part=st.sampled_from(Part)
)
candidates = st.lists(st.builds(Candidate, codes, confidences), max_size=3).map(tuple)
common = {
    "confidence": confidences,
    "candidates": candidates,
    "when": st.none() | whens,
    "text": st.sampled_from(["", "时间不对", "地址", "服务项目"]),
}
meanings = st.one_of(
    st.builds(
        Meaning,
        kind=st.just(Kind.SERVICE),
        code=codes,
        also=st.just(()) | st.lists(codes, max_size=6).map(tuple),
        **common,
    ),
    st.builds(Meaning, kind=st.just(Kind.ACT), code=st.sampled_from(Act), **common),
    st.builds(Meaning, kind=st.sampled_from([Kind.TIME, Kind.OOS, Kind.RATING]), **common),
)
YES_NOW = Meaning(Kind.ACT, Act.YES, confidence=0.95)
events = st.one_of(
    st.builds(Heard, meanings | st.just(YES_NOW), st.just(NOW)),
    st.builds(Digit, st.sampled_from("0123456789*#"), st.just(NOW)),
    st.just(Silence()),
)
talkative = st.one_of(  # stays in the conversation, so that calls become long
    st.builds(
        Heard,
        st.builds(
            Meaning,
            kind=st.just(Kind.SERVICE),
            code=codes.filter(lambda code: code != "emergency"),
            confidence=st.sampled_from([0.6, 0.95]),
            candidates=candidates,
            when=st.none() | good_whens,
            also=st.lists(codes.filter(lambda code: code != "emergency"), max_size=3).map(tuple),
        ),
        st.just(NOW),
    ),
    st.builds(Heard, st.builds(Meaning, kind=st.just(Kind.TIME), when=whens), st.just(NOW)),
    st.builds(Heard, st.builds(Meaning, kind=st.just(Kind.TIME), when=good_whens), st.just(NOW)),
    *[st.just(Heard(YES_NOW, NOW))] * 3,
    st.just(Heard(Meaning(Kind.ACT, Act.NO, confidence=0.9), NOW)),
    st.just(Heard(Meaning(Kind.ACT, Act.CANCEL, confidence=0.9, text="取消"), NOW)),
    st.just(Heard(Meaning(Kind.OOS, candidates=(Candidate("emergency", 0.65),)), NOW)),
    st.just(Heard(Meaning(Kind.ACT, Act.REPEAT, confidence=0.9), NOW)),
)
errands = st.none() | st.builds(
    Errand,
    purpose=st.sampled_from(Purpose),
    code=codes,
    scheduled_for=st.just(NOW + timedelta(days=2)),
    ours=st.booleans(),
)
callers = st.sampled_from([Caller(), Caller("王", "平江路28号"), LONG_HOME])

LATE = When(day=date(2026, 12, 28), clock=time(12, 55))
"""The longest time there is."""
TIMED = Meaning(Kind.TIME, confidence=0.9, when=LATE)
NEVER_MIND = Heard(Meaning(Kind.ACT, Act.CANCEL, confidence=0.9, text="算了"), NOW)
NOT_UNDERSTOOD = Heard(Meaning(Kind.OOS), NOW)


def read_back_of(draft, agreed):
    """What a caller must have heard before this is booked; `agreed`: addresses said yes to."""
    time_said = ""
    if draft.when and draft.when.asap:
        time_said = "尽快，"
    elif draft.scheduled_for:
        time_said = plain(spoken.moment(draft.scheduled_for, NOW.date())) + "，"
    unheard = draft.address and draft.address not in agreed
    address = f"{spoken.address(draft.address)}，" if unheard else ""
    return f"{CATALOG[draft.code].spoken}，{time_said}{address}对吗？"


def is_yes(event):
    if isinstance(event, Digit):
        return event.key == "1"
    if not isinstance(event, Heard):
        return False
    return event.meaning.code == Act.YES and event.meaning.confidence >= YES


def play(caller, heard, store_works=True, note=5.0, errand=None):
    """The call; checks each step; yields (event, stage before, step)."""
    allowed = FIXED | set(caller_pieces(caller))
    step = begin(caller, CATALOG, PROMPTS, NOW, errand)
    last_question = ""
    number = 1
    agreed = set()
    pending = list(heard)
    event = None
    ended = False
    while True:
        for action in step.actions:
            assert not ended, "nothing may happen after the end"
            match action:
                case Say(pieces=pieces):
                    text = plain(pieces)
                    assert {piece.text for piece in pieces} <= allowed
                    assert text.count("？") <= 1, text
                    assert seconds(pieces) <= LONGEST_SECONDS, text
                    last_question = text
                case Book(draft=draft, number=n):
                    assert is_yes(event)
                    assert last_question.endswith(read_back_of(draft, agreed))
                    assert n == number
                    number += 1
                    agreed.add(draft.address)
                    pending.insert(0, Booked(n) if store_works else BookingFailed())
                case Settle():
                    pending.insert(0, Kept() if store_works else NotKept())
                case RecordNote():
                    pending.insert(0, NoteRecorded(note))
                case Hangup() | ToOperator() | ToEmergency():
                    ended = True
        assert ended == step.state.over
        if not pending:
            return step
        before = step.state
        assert before.known is not None
        assert before.prompt_text
        event = pending.pop(0)
        step = advance(before, event)
        yield event, before, step


def service(code, **rest):
    return Heard(Meaning(Kind.SERVICE, code, confidence=0.95, **rest), NOW)


@pytest.mark.parametrize("code", [code for code in CATALOG if code != "emergency"])
def test_no_prompt_is_too_long_for_any_service(code):
    yes, no = Digit("1", NOW), Digit("2", NOW)
    perhaps = Heard(Meaning(Kind.SERVICE, "emergency", confidence=0.65), NOW)
    other = next(iter(CATALOG)) if code != "haircut" else "pedicure"
    pair = (Candidate(code, 0.6), Candidate(other, 0.55))
    between = Meaning(Kind.SERVICE, code, confidence=0.6, candidates=pair)
    for caller, note in ((Caller(), 5.0), (Caller(), 0.0), (LONG_HOME, 0.0)):
        for heard in (
            [service(code, when=LATE), NOT_UNDERSTOOD, yes],
            [service(code, when=LATE), Silence(), yes],
            [service(code, when=LATE), perhaps, no, yes],
            [service("haircut", when=LATE), service(code), perhaps, no, yes],
            [service("haircut", when=LATE, also=(code,)), yes, perhaps, no, yes],
            [service("haircut", when=LATE, also=(code,)), NEVER_MIND, perhaps, no, yes],
            [service("haircut", also=(code,)), Digit("*", NOW), Heard(TIMED, NOW), yes, yes],
            [service(code), NOT_UNDERSTOOD, Heard(TIMED, NOW), yes, no],
            [Heard(between, NOW), Silence(), Digit("1", NOW)],
        ):
            for _ in play(caller, heard, note=note):
                pass


@settings(max_examples=500, deadline=None)
@given(callers, st.lists(events, max_size=25), st.booleans(), st.sampled_from([0.0, 5.0]), errands)
def test_every_call(caller, heard, store_works, note, errand):
    for _ in play(caller, heard, store_works, note, errand):
        pass


@settings(max_examples=500, deadline=None)
@given(callers, st.lists(talkative, min_size=10, max_size=40))
def test_every_long_call(caller, heard):
    for _ in play(caller, heard):
        pass


@settings(max_examples=250, deadline=None)
@given(callers, st.lists(talkative | events, max_size=12), st.sampled_from([Silence(), None]))
def test_two_failures_in_a_row_lead_to_a_human_or_a_goodbye(caller, heard, first):
    for _, before, _ in play(caller, heard):
        if before.over or before.stage in (Stage.BOOKING, Stage.ADDRESS):
            continue
        once = advance(before, first or NOT_UNDERSTOOD)
        twice = advance(once.state, NOT_UNDERSTOOD)
        assert twice.state.over
        last = (once if once.state.over else twice).actions[-1]
        silent_end = before.stage in (Stage.MORE, Stage.UNDO) and first
        assert isinstance(last, Hangup if silent_end else ToOperator | ToEmergency)


@settings(max_examples=100, deadline=None)
@given(callers, st.lists(talkative, min_size=MAX_TURNS + 10, max_size=MAX_TURNS + 10))
@example(Caller(), [Heard(YES_NOW, NOW)] * (MAX_TURNS + 10))
def test_every_call_ends(caller, heard):
    *_, (_, _, step) = play(caller, heard)
    assert step.state.over


@settings(max_examples=100, deadline=None)
@given(callers, st.lists(talkative | events, max_size=12), errands)
def test_help_is_one_word_away(caller, heard, errand):
    cry = Heard(Meaning(Kind.SERVICE, "emergency", confidence=0.9), NOW)
    murmur = Heard(Meaning(Kind.OOS, candidates=(Candidate("emergency", 0.65),)), NOW)
    for _, before, _ in play(caller, heard, errand=errand):
        if before.over:
            continue
        assert isinstance(advance(before, cry).actions[-1], ToEmergency)
        asked = advance(before, murmur)
        assert asked.state.stage in (Stage.EMERGENCY, Stage.DONE)
        assert isinstance(advance(before, Digit("9", NOW)).actions[-1], ToEmergency)


@settings(max_examples=100, deadline=None)
@given(callers, st.lists(talkative | events, max_size=12), errands)
def test_a_human_is_one_word_away(caller, heard, errand):
    request = Heard(Meaning(Kind.ACT, Act.OPERATOR, confidence=0.9), NOW + timedelta(seconds=1))
    for _, before, _ in play(caller, heard, errand=errand):
        if not before.over:
            last = advance(before, request).actions[-1]
            assert isinstance(last, ToOperator | ToEmergency)
