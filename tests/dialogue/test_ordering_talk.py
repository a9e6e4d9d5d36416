"""Ordering as the caller hears it."""

import pytest
from talk import CATALOG, HOME, NOW, PROMPTS, Call, conversation

from ivr.dialogue.conversation import Caller, advance, begin
from ivr.dialogue.state import Stage
from ivr.dialogue.step import Book, Booked, Hangup, Heard, NoteRecorded, Silence, ToOperator
from ivr.understanding.meaning import EMERGENCY, Act, Candidate, Kind, Meaning, State

STRANGER = Caller()
READ_BACK = "您要上门帮忙洗澡，明天，星期一，上午九点，平江路二十八号，对吗？"
MORE = "您还需要别的服务吗？"
BOOKED = "<订1 bathing 11-23 09:00>订好了。上门帮忙洗澡，明天，星期一，上午九点。"


def test_known_caller_is_greeted_by_name():
    assert Call().log == ["您好。王老师，这里是一呼养老热线。请问您需要什么服务？"]
    assert Call(STRANGER).log == ["您好。这里是一呼养老热线。请问您需要什么服务？"]


def test_the_name_is_left_out_while_its_sound_is_missing():
    say = begin(HOME, CATALOG, PROMPTS, NOW).actions[0]
    assert [piece.text for piece in say.pieces if piece.optional] == ["王老师"]


def test_order_in_three_answers():
    assert conversation("助浴", "明天上午", "对", "不用了") == [
        "您要上门帮忙洗澡。您希望什么时候？",
        READ_BACK,
        BOOKED + MORE,
        "好的，祝您身体健康，再见。<挂断>",
    ]


def test_order_in_one_breath():
    assert conversation("助浴，明天上午九点半", "[1]") == [
        "您要上门帮忙洗澡，明天，星期一，上午九点半，平江路二十八号，对吗？",
        "<订1 bathing 11-23 09:30>订好了。上门帮忙洗澡，明天，星期一，上午九点半。" + MORE,
    ]


@pytest.mark.parametrize("again", ["助浴", "明天上午", "助浴，明天上午"])
def test_who_says_once_more_what_was_read_back_is_told_that_a_yes_is_needed(again: str) -> None:
    assert conversation("助浴，明天上午", again, "对", "不用了") == [
        READ_BACK,
        "对的话，请说对。" + READ_BACK,
        BOOKED + MORE,
        "好的，祝您身体健康，再见。<挂断>",
    ]
    assert conversation("助浴，明天上午", again, again)[-1].endswith("<人工 unclear>")


def test_nothing_is_said_to_be_booked_before_it_is_on_disk():
    call = Call(HOME)
    call.answers = {}
    call.says("助浴，明天上午")
    assert call.says("对") == "<订1 bathing 11-23 09:00>"
    assert call.says("喂") == ""
    assert call.says("[1]") == ""
    step = advance(call.state, Booked(7))
    assert step.actions
    assert advance(step.state, Booked(7)).actions == ()


def test_caller_without_address_leaves_it_as_a_note():
    assert conversation("助浴，明天上午", "对", caller=STRANGER) == [
        "您要上门帮忙洗澡，明天，星期一，上午九点，对吗？",
        BOOKED + "请您说一下家里的地址。<录音>地址记下了。" + MORE,
    ]


def test_caller_who_says_no_address_is_called_back_for_it():
    call = Call(STRANGER, note=0.0)
    call.says("助浴，明天上午")
    assert call.says("对").endswith("没关系，我们会打电话问您地址。" + MORE)


def test_address_is_asked_once_a_call():
    last = conversation("助浴，明天上午", "对", "修脚，后天", "上午", "对", caller=STRANGER)[-1]
    assert last == "<订2 pedicure 11-24 09:00>订好了。上门修脚，后天，星期二，上午九点。" + MORE


def test_store_that_fails_leads_to_a_human_and_no_promise():
    call = Call(store_works=False)
    call.says("助浴，明天上午")
    said = call.says("对")
    assert said.endswith("对不起，刚才没有订上，我给您转人工。<人工 booking_failed>")
    assert "订好了" not in said


def test_service_without_a_time_is_not_asked_for_one():
    assert conversation("健康咨询", "对") == [
        "您要请医生做健康咨询，平江路二十八号，对吗？",
        "<订1 doctor_consult>订好了。请医生做健康咨询。" + MORE,
    ]


class TestClarification:
    def test_two_close_services_become_one_question(self):
        assert conversation("理发|修脚", "修脚?", "明天上午") == [
            "您是要理发，还是要修脚",
            "您要上门修脚。您希望什么时候？",
            "您要上门修脚，明天，星期一，上午九点，平江路二十八号，对吗？",
        ]

    def test_time_named_with_two_close_services_is_kept(self):
        assert conversation("理发|修脚，明天上午", "理发?")[-1].startswith("您要上门理发，明天")

    @pytest.mark.parametrize(
        ("answer", "service"), [("对", "理发"), ("[1]", "理发"), ("[2]", "修脚")]
    )
    def test_short_answers_to_which(self, answer, service):
        assert conversation("理发|修脚", answer)[-1] == f"您要上门{service}。您希望什么时候？"

    def test_neither_of_two_is_asked_openly_and_not_proposed_again(self):
        said = conversation("理发|修脚", "不对", "理发?")
        assert said[1].endswith("请问您需要什么服务？")
        assert said[2].endswith("<人工 unclear>")

    def test_another_service_than_the_two(self):
        assert conversation("理发|修脚", "送餐")[-1] == "您要送饭上门。您希望什么时候？"

    def test_single_middling_service_goes_on_to_the_read_back(self):
        assert conversation("助浴?，明天上午") == [READ_BACK]

    def test_asked_again_with_an_example_then_a_human(self):
        assert conversation("今天天气不错", "我跟你讲") == [
            "我没听明白。您可以说，我要理发，或者，水管漏了。请问您需要什么服务？",
            "对不起，我没听明白，我给您转人工。<人工 unclear>",
        ]

    def test_need_half_heard_twice_is_taken(self):
        assert conversation("助浴??", "助浴??", "明天上午")[1:] == [
            "您要上门帮忙洗澡。您希望什么时候？",
            READ_BACK,
        ]

    def test_two_half_heard_twice_become_one_question(self):
        assert conversation("理发|修脚??", "修脚|理发??")[-1] == "您是要理发，还是要修脚"

    @pytest.mark.parametrize("again", ["理发??", "我跟你讲"])
    def test_what_is_half_heard_once_is_not_enough(self, again):
        assert conversation("助浴??", again)[-1].endswith("<人工 unclear>")

    def test_clear_need_is_not_doubted_for_what_was_half_heard_before(self):
        assert conversation("助浴??", "理发")[-1] == "您要上门理发。您希望什么时候？"

    def test_half_heard_need_is_forgotten_once_another_is_understood(self):
        assert conversation("助浴??", "理发，明天上午", "不对", "服务", "助浴??")[-1] == (
            "我没听明白。您可以说，我要理发，或者，水管漏了。请问您需要什么服务？"
        )

    def test_need_that_the_caller_said_no_to_is_not_taken_for_being_half_heard_twice(self):
        murmur = Heard(Meaning(Kind.OOS, candidates=(Candidate("bathing", 0.44),)), NOW)
        call = Call()
        for line in ("助浴，明天上午", "不对", "服务"):
            call.says(line)
        assert call.state.stage is Stage.SERVICE
        state = advance(call.state, murmur).state
        assert isinstance(advance(state, murmur).actions[-1], ToOperator)

    def test_silence_is_asked_again_then_a_human(self):
        assert conversation("(静)", "(静)") == [
            "我在听。请问您需要什么服务？",
            "对不起，我没听明白，我给您转人工。<人工 silent>",
        ]

    def test_failures_far_apart_lead_to_a_human_in_the_end(self):
        said = conversation("嗯", "助浴", "嗯", "明天上午", "嗯", "不对", "嗯")
        assert said[-1].endswith("<人工 unclear>")


class TestTime:
    @pytest.mark.parametrize(
        ("answer", "moment"),
        [
            ("下午", "今天，星期日，下午两点"),
            ("三点", "今天，星期日，下午三点"),
            ("明天上午九点半", "明天，星期一，上午九点半"),
            ("尽快", "尽快"),
        ],
    )
    def test_time_is_read_back_with_its_weekday(self, answer, moment):
        said = conversation("助浴", answer)[-1]
        assert said == f"您要上门帮忙洗澡，{moment}，平江路二十八号，对吗？"

    def test_day_alone_is_asked_for_its_part(self):
        assert conversation("助浴", "明天", "下午") == [
            "您要上门帮忙洗澡。您希望什么时候？",
            "明天，星期一，上午还是下午？",
            "您要上门帮忙洗澡，明天，星期一，下午两点，平江路二十八号，对吗？",
        ]

    def test_day_without_part_becomes_the_morning(self):
        assert conversation("助浴，明天", "(静)")[-1] == READ_BACK
        assert conversation("助浴，明天", "随便的呀")[-1] == READ_BACK

    def test_time_in_the_past_is_said_to_be_past(self):
        said = conversation("助浴", "今天早上", "明天上午")
        assert said[1:] == ["这个时间已经过了。您希望什么时候？", READ_BACK]

    def test_time_too_far_ahead_is_asked_again(self):
        assert conversation("助浴，明年五月") == ["三个月以后的，我还订不了。您希望什么时候？"]

    def test_time_named_before_the_service_is_kept(self):
        assert conversation("明天上午", "助浴") == ["请问您需要什么服务？", READ_BACK]

    def test_caller_changes_the_service_instead_of_naming_a_time(self):
        assert conversation("助浴", "送餐")[-1] == "您要送饭上门。您希望什么时候？"

    def test_unclear_time_is_asked_again_with_an_example(self):
        assert conversation("助浴", "嗯", "嗯")[1:] == [
            "我没听明白。您可以说，明天上午九点。您希望什么时候？",
            "对不起，我没听明白，我给您转人工。<人工 unclear>",
        ]


class TestReadBack:
    def test_correction_changes_one_thing(self):
        assert conversation("助浴，明天上午九点半", "不对，后天", "对") == [
            "您要上门帮忙洗澡，明天，星期一，上午九点半，平江路二十八号，对吗？",
            "好的，您要上门帮忙洗澡，后天，星期二，上午九点半，平江路二十八号，对吗？",
            "<订1 bathing 11-24 09:30>订好了。上门帮忙洗澡，后天，星期二，上午九点半。" + MORE,
        ]

    @pytest.mark.parametrize("line", ["不对，修脚", "修脚", "不对，修脚?"])
    def test_correction_of_the_service_keeps_the_time(self, line):
        said = conversation("助浴，明天上午", line)[-1]
        assert said == "好的，您要上门修脚，明天，星期一，上午九点，平江路二十八号，对吗？"

    @pytest.mark.parametrize("line", ["下午", "不对，下午", "对，下午"])
    def test_correction_of_the_part_keeps_the_day(self, line):
        said = conversation("助浴，明天上午", line)[-1]
        assert said == "好的，您要上门帮忙洗澡，明天，星期一，下午两点，平江路二十八号，对吗？"

    def test_yes_with_the_same_time_again_is_a_yes(self):
        assert conversation("助浴，明天上午", "对，明天上午")[-1] == BOOKED + MORE

    def test_yes_with_another_service_does_not_book(self):
        assert "<订" not in conversation("助浴，明天上午", "对，修脚")[-1]

    def test_bare_no_is_asked_what_is_wrong(self):
        said = conversation("助浴，明天上午", "不对", "后天")
        assert said[1] == "哪里不对？请您说要改的服务，或者时间。"
        assert said[2].startswith("好的，您要上门帮忙洗澡，后天，星期二，上午九点")

    @pytest.mark.parametrize(
        ("topic", "question"),
        [
            ("时间不对", "您希望什么时候？"),
            ("服务错了", "请问您需要什么服务？"),
            ("地址变了", "地址等一下再说。您要上门帮忙洗澡，明天，星期一，上午九点，对吗？"),
        ],
    )
    def test_naming_what_is_wrong(self, topic, question):
        assert conversation("助浴，明天上午", "不对", topic)[-1] == question
        assert conversation("助浴，明天上午", f"不对，{topic}")[-1] == question

    def test_wrong_address_is_taken_as_a_note(self):
        said = conversation("助浴，明天上午", "不对", "地址变了", "对")[-1]
        assert "请您说一下家里的地址。<录音>" in said

    def test_service_named_as_wrong_keeps_the_time(self):
        said = conversation("助浴，明天上午", "不对", "服务错了", "修脚")[-1]
        assert said.startswith("您要上门修脚，明天，星期一，上午九点")

    @pytest.mark.parametrize("line", ["嗯", "修脚?", "(静)", "助浴", "[7]"])
    def test_unclear_answer_is_asked_once_more_then_a_human(self, line):
        said = conversation("助浴，明天上午", line, line)
        assert said[1].endswith(READ_BACK)
        assert "<人工" in said[2]


class TestSeveral:
    def test_services_in_one_breath_become_orders_one_after_the_other(self):
        assert conversation("理发，还要修脚，明天上午", "对", "对", "不用了") == [
            "我们先订上门理发，明天，星期一，上午九点，平江路二十八号，对吗？",
            "<订1 haircut 11-23 09:00>订好了。还要上门修脚，明天，星期一，上午九点，对吗？",
            "<订2 pedicure 11-23 09:00>订好了。上门修脚，明天，星期一，上午九点。" + MORE,
            "好的，祝您身体健康，再见。<挂断>",
        ]

    def test_address_not_agreed_to_yet_is_read_back(self):
        said = conversation("理发，还要修脚，明天上午", "算了")[-1]
        assert said == "没有订。还要上门修脚，明天，星期一，上午九点，平江路二十八号，对吗？"

    def test_time_is_asked_for_each_if_none_was_named(self):
        assert conversation("理发，还要修脚", "明天上午", "对")[::2] == [
            "我们先订上门理发。您希望什么时候？",
            "<订1 haircut 11-23 09:00>订好了。还要上门修脚。您希望什么时候？",
        ]

    def test_second_order_after_more(self):
        assert conversation("助浴，明天上午", "对", "送餐", "后天", "上午", "对")[-1].startswith(
            "<订2 meal_delivery 11-24 09:00>"
        )

    def test_yes_to_more_asks_which(self):
        said = conversation("助浴，明天上午", "对", "对", "不用了")
        assert said[2:] == ["请问您需要什么服务？", "好的，祝您身体健康，再见。<挂断>"]

    def test_further_service_with_the_yes_waits_its_turn(self):
        said = conversation("助浴，明天上午", "对，还要送餐")[-1]
        assert said.startswith("<订1 bathing 11-23 09:00>订好了。还要送饭上门，明天")

    def test_cancelling_the_first_goes_on_with_the_second(self):
        said = conversation("理发，还要修脚", "算了")[-1]
        assert said == "没有订。还要上门修脚。您希望什么时候？"

    def test_changing_a_booked_order_is_for_a_human(self):
        assert conversation("助浴，明天上午", "对", "后天")[-1].endswith("<人工 change_booked>")


AT = {
    "service": (),
    "which": ("理发|修脚",),
    "time": ("助浴",),
    "part": ("助浴，明天",),
    "confirm": ("助浴，明天上午",),
    "change": ("助浴，明天上午", "不对"),
    "more": ("助浴，明天上午", "对"),
    "undo": ("助浴，明天上午", "对", "取消"),
}


@pytest.mark.parametrize("lines", AT.values(), ids=AT)
class TestAtEveryPoint:
    @pytest.mark.parametrize("line", ["人工", "[0]"])
    def test_a_human_on_request(self, lines, line):
        assert conversation(*lines, line)[-1] == "好的，我给您转人工。<人工 asked>"

    @pytest.mark.parametrize("line", ["再说一遍", "[*]"])
    def test_said_again(self, lines, line):
        call = Call()
        before = [call.log[-1], *map(call.says, lines)][-1]
        assert before.endswith(call.says(line))

    def test_slower_from_then_on(self, lines):
        call = Call()
        before = [call.log[-1], *map(call.says, lines)][-1]
        assert not call.slow
        assert before.endswith(call.says("慢一点"))
        assert call.slow
        call.says("嗯")
        assert call.slow

    def test_someone_who_cannot_hear_us_gets_a_human(self, lines):
        assert conversation(*lines, *["再说一遍"] * 4)[-1].endswith("<人工 repeats>")

    def test_goodbye(self, lines):
        assert conversation(*lines, "再见")[-1].endswith("再见。<挂断>")

    def test_help_at_once(self, lines):
        assert conversation(*lines, "救命")[-1] == "我马上给您接人工，请不要挂电话。<紧急>"
        assert conversation(*lines, "[9]")[-1] == "我马上给您接人工，请不要挂电话。<紧急>"

    @pytest.mark.parametrize("answer", ["对", "(静)", "嗯", "助浴", "人工", "[1]", "[0]", "[5]"])
    def test_unsure_emergency_is_asked_and_only_a_no_goes_back(self, lines, answer):
        said = conversation(*lines, "救命?", answer)
        assert said[-2] == "您是不是需要紧急救助？说是，我马上给您接人工。"
        assert said[-1] == "我马上给您接人工，请不要挂电话。<紧急>"

    @pytest.mark.parametrize("answer", ["不对", "[2]"])
    def test_no_emergency_goes_back_to_the_question(self, lines, answer):
        call = Call()
        before = [call.log[-1], *map(call.says, lines)][-1]
        stage = call.state.stage
        call.says("救命?")
        said = call.says(answer)
        assert said.startswith("那就好。")
        assert before.endswith(said.removeprefix("那就好。"))
        assert call.state.stage is stage

    def test_two_failures_in_a_row_never_go_on(self, lines):
        call = Call()
        for line in lines:
            call.says(line)
        call.says("嗯")
        call.says("嗯")
        assert "<人工" in call.log[-1] or lines == AT["part"]


class TestCancel:
    def test_nothing_is_booked(self):
        assert conversation("助浴，明天上午", "算了", "不用了") == [
            READ_BACK,
            "没有订。" + MORE,
            "好的，没有订服务，再见。<挂断>",
        ]

    def test_before_anything_was_named(self):
        assert conversation("算了") == ["好的，没有订服务，再见。<挂断>"]

    def test_of_a_booked_order_is_for_a_human(self):
        assert conversation("助浴，明天上午", "对", "取消", "对")[2:] == [
            "您是要取消刚才订的服务吗？",
            "好的，我给您转人工。<人工 cancel_booked>",
        ]

    def test_not_meant_for_the_booked_order(self):
        said = conversation("助浴，明天上午", "对", "取消", "不对")[-1]
        assert said == "好的，祝您身体健康，再见。<挂断>"

    def test_no_need_of_more_keeps_the_booked_order(self):
        said = conversation("助浴，明天上午", "对", "算了")[-1]
        assert said == "好的，刚才订的照常，再见。<挂断>"

    def test_silence_after_the_order_ends_the_call(self):
        said = conversation("助浴，明天上午", "对", "(静)")[-1]
        assert said == "好的，祝您身体健康，再见。<挂断>"


def test_emergency_denied_once_is_not_asked_at_every_murmur():
    call = Call()
    call.says("救命?")
    call.says("不对")
    assert "紧急" in call.says("救命?")  # 0.6 is still asked
    assert call.state.emergency_denied


def test_emergency_that_a_clear_answer_sounds_like_is_not_asked_about():
    """不用了 is heard for what it is, whatever else it resembles."""
    no = Meaning(Kind.ACT, Act.NO, 1.0, candidates=(Candidate(EMERGENCY, 0.4),), text="不用了")
    call = Call()
    for line in ("助浴，明天上午", "对"):
        call.says(line)
    assert isinstance(advance(call.state, Heard(no, NOW)).actions[-1], Hangup)
    murmur = Meaning(Kind.OOS, candidates=(Candidate(EMERGENCY, 0.4),))
    assert advance(call.state, Heard(murmur, NOW)).state.stage is Stage.EMERGENCY


def test_what_a_bare_answer_sounds_like_is_no_correction():
    yes = Meaning(
        Kind.ACT, Act.YES, 1.0, candidates=(Candidate("rehabilitation", 0.8),), text="要的"
    )
    no = Meaning(Kind.ACT, Act.NO, 1.0, candidates=(Candidate("elder_advisor", 0.8),), text="不对")
    call = Call()
    call.says("助浴，明天上午")
    assert isinstance(advance(call.state, Heard(yes, NOW)).actions[0], Book)
    assert advance(call.state, Heard(no, NOW)).state.stage is Stage.CHANGE


def test_order_written_while_the_caller_goes_to_a_human_is_on_the_screen():
    call = Call()
    call.answers = {}
    for line in ("助浴，明天上午", "对", "人工"):
        call.says(line)
    step = advance(call.state, Booked(1))
    assert step.actions == ()
    assert step.state.known["booked"] == "bathing"
    assert "order" not in step.state.known


def test_human_sees_what_is_known():
    call = Call()
    call.says("助浴，还要送餐")
    call.says("明天")
    assert call.state.known == {
        "surname": "王",
        "address": HOME.address,
        "service": "bathing",
        "time": "2026-11-23",
        "wanted_next": "meal_delivery",
        "order": {
            "code": "bathing",
            "scheduled_for": "2026-11-23T09:00+08:00",
            "time": "2026-11-23",
            "address": HOME.address,
        },
    }
    call.says("上午")
    assert call.state.known["time"] == "2026-11-23T09:00+08:00"
    assert call.state.known["order"]["read_back"] == "yes"
    call.says("不对，地址变了")
    assert call.state.known["order"]["address_wrong"] == "yes"
    assert "address" not in call.state.known["order"]


def test_human_sees_what_may_have_been_meant():
    call = Call()
    call.says("修脚|理发??")
    assert call.state.known["unsure_between"] == "pedicure haircut"
    call.says("送餐")
    assert "unsure_between" not in call.state.known


def test_understanding_is_told_what_was_asked():
    call = Call()
    assert (call.state.question, call.state.prompt_text) == (
        State.OPEN,
        "您好，请问您需要什么服务？",
    )
    call.says("助浴")
    assert (call.state.question, call.state.prompt_text) == (State.TIME, "您希望什么时候？")
    call.says("明天上午")
    assert call.state.question is State.CONFIRM


def test_late_events_change_nothing():
    call = Call()
    for late in (NoteRecorded(3), Booked(1)):
        assert advance(call.state, late).actions == ()
    call.says("再见")
    assert advance(call.state, Silence()).actions == ()
