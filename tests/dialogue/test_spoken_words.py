"""Times, numbers and addresses by ear, and the prompts they stand in."""

from datetime import date, datetime, time

import pytest
from talk import CATALOG, PROMPTS

from ivr.dialogue import spoken
from ivr.dialogue.conversation import Caller
from ivr.dialogue.pieces import caller_pieces, fixed_pieces
from ivr.dialogue.prompts import PromptError, load_prompts, parse_prompts, plain, seconds
from ivr.dialogue.step import Piece

TODAY = date(2026, 11, 22)


@pytest.mark.parametrize(
    ("moment", "said"),
    [
        (datetime(2026, 11, 22, 14), "今天，星期日，下午两点"),
        (datetime(2026, 11, 23, 9, 30), "明天，星期一，上午九点半"),
        (datetime(2026, 11, 24, 12, 15), "后天，星期二，中午十二点一刻"),
        (datetime(2026, 11, 25, 8, 45), "大后天，星期三，早上八点三刻"),
        (datetime(2026, 11, 28, 18, 5), "十一月二十八号，星期六，晚上六点零五分"),
        (datetime(2026, 12, 10, 0, 20), "十二月十号，星期四，夜里十二点二十分"),
    ],
)
def test_moment(moment, said):
    assert plain(spoken.moment(moment, TODAY)) == said


@pytest.mark.parametrize(
    ("value", "said"), [(1, "一"), (10, "十"), (11, "十一"), (20, "二十"), (31, "三十一")]
)
def test_number(value, said):
    assert spoken.number(value) == said


@pytest.mark.parametrize("value", [0, 100, -1])
def test_number_outside_is_refused(value):
    with pytest.raises(ValueError, match="between 1 and 99"):
        spoken.number(value)


def test_clock_is_said_by_part_and_hour():
    assert plain(spoken.clock(time(13, 0))) == "下午一点"


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("苏州市姑苏区平江路28号", "平江路二十八号"),
        ("江苏省苏州市姑苏区平江路128号3幢501室", "幺二八号三幢五零幺室"),
        ("桃花坞大街12号", "桃花坞大街十二号"),
        ("西安市碑林区兴庆小区6号楼2单元", "兴庆小区六号楼二单元"),
        ("兰州市城关区雁滩路 100 号", "雁滩路幺零零号"),
        ("西安市碑林区友谊东路兴庆小区16号楼2单元", "十六号楼二单元"),
        ("园区", "园区"),
        ("7", "七"),
    ],
)
def test_address_is_short_and_its_numbers_are_said(written, said):
    assert spoken.address(written) == said


def test_address_without_end_is_cut():
    assert len(spoken.address("很长很长的没有门牌也没有街道名字的一个地方")) <= spoken.MAX_ADDRESS


def test_a_prompt_lasts_as_long_as_its_words_and_its_pauses():
    assert seconds((Piece("您好。", pause_ms=300), Piece("好的，再见。", pause_ms=300))) == 1.92


def test_phrases_made_in_advance_are_few_and_the_first_needed_come_first():
    pieces = fixed_pieces(CATALOG, PROMPTS)
    assert pieces[0] == "您好。"
    assert len(pieces) == len(set(pieces)) <= 260
    assert pieces.index("上门帮忙洗澡") < pieces.index("明天")


def test_a_known_caller_adds_two_phrases():
    assert caller_pieces(Caller("王", "平江路28号")) == ["王老师", "平江路二十八号"]
    assert caller_pieces(Caller()) == []


class TestPromptFile:
    def document(self):
        rows = {
            name: [part.text if isinstance(part, Piece) else f"{{{part.name}}}" for part in row]
            for name, row in PROMPTS.rows.items()
        }
        return {"prompts": rows, "contexts": PROMPTS.contexts, "topics": PROMPTS.topics}

    def test_missing_prompt_is_named(self):
        document = self.document()
        del document["prompts"]["goodbye"]
        with pytest.raises(PromptError, match="'goodbye' is missing"):
            parse_prompts(document)

    def test_read_back_must_name_the_time(self):
        document = self.document()
        document["prompts"]["read_back"].remove("{time}")
        with pytest.raises(PromptError, match="'read_back' needs these variables: address, serv"):
            parse_prompts(document)

    def test_variable_inside_a_phrase_is_refused(self):
        document = self.document()
        document["prompts"]["goodbye"] = ["再见{caller}"]
        with pytest.raises(PromptError, match="a piece is either"):
            parse_prompts(document)

    def test_missing_section_is_named(self):
        with pytest.raises(PromptError, match="'prompts' is missing"):
            parse_prompts(None)

    def test_missing_file_is_named(self, tmp_path):
        with pytest.raises(PromptError, match=r"none\.yaml"):
            load_prompts(tmp_path / "none.yaml")
