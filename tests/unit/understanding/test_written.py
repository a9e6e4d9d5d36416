from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ivr.config import ROOT
from ivr.understanding.grammar import GrammarError
from ivr.understanding.written import START, STOP, Reply, Written


@pytest.fixture(scope="module")
def written() -> Written:
    return Written.load(ROOT / "grammars")


@pytest.mark.parametrize(
    ("text", "reply"),
    [
        ("５", Reply(5)),
        (" 五分！ ", Reply(5)),
        ("5️⃣", Reply(5)),
        ("布满意", Reply(1)),  # what an input method makes of 不满意
        ("2，地没拖干净", Reply(2, said="2，地没拖干净")),
        ("小张做得特别好", Reply(5, said="小张做得特别好")),
        ("很满意，就是门没关", Reply(5, said="很满意，就是门没关")),
        ("退订", Reply(wish=STOP)),
        ("5 退订", Reply(5, STOP)),
        ("恢复", Reply(wish=START)),
        ("5分，太差了", Reply(said="5分，太差了", unclear=True)),
        ("4分5分都行", Reply(said="4分5分都行", unclear=True)),
        ("3点钟来的", Reply(said="3点钟来的")),
        ("你们满意吗", Reply(said="你们满意吗")),
        ("好的", Reply(said="好的")),
        ("", Reply()),
    ],
)
def test_message_is_read_as_it_was_meant(written: Written, text: str, reply: Reply) -> None:
    assert written.read(text) == reply


def test_whatever_is_written_is_read(written: Written) -> None:
    for text in ("\x00\x01", "1" * 5000, "不" * 2000, "🧓🏽‍🦽", "'; DROP TABLE sms_in; --"):
        assert written.read(text).wish == ""


@settings(deadline=None)
@given(
    st.text(max_size=80)
    | st.text(alphabet="不很太满意好差一二三四五12345分。，没吗👍", max_size=40)
)
def test_whatever_is_written_gives_a_score_or_none(written: Written, text: str) -> None:
    reply = written.read(text)
    assert reply.score in (None, 1, 2, 3, 4, 5)
    assert reply.score is None or not reply.unclear


def test_unknown_entry_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "mandarin"
    folder.mkdir()
    (folder / "dialect.yaml").write_text("name: x")
    (folder / "written.yaml").write_text('"6":\n  - 六分\n')
    with pytest.raises(GrammarError, match="unknown entry '6'"):
        Written.load(tmp_path)
