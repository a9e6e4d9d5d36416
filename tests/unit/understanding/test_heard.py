from __future__ import annotations

from pathlib import Path

import pytest

from ivr.understanding import heard
from ivr.understanding.grammar import GrammarError, Topic
from ivr.understanding.heard import HeardAs


def test_what_was_written_is_read_again_with_counts_added_up(tmp_path: Path) -> None:
    rows = [
        HeardAs("bathing", "汏浴", "打扬", 2, "suzhou"),
        HeardAs("bathing", "汏浴", "打扬", 1, "suzhou"),
        HeardAs("haircut", "", "题头", 1, "suzhou"),
    ]
    path = heard.table(tmp_path, "suzhou", "whisper")
    path.parent.mkdir(parents=True)
    path.write_text(heard.written(rows, ["whisper base"]), encoding="utf-8")
    assert heard.load(tmp_path) == [
        HeardAs("bathing", "汏浴", "打扬", 3, "suzhou"),
        HeardAs("haircut", "", "题头", 1, "suzhou"),
    ]
    assert heard.load(tmp_path, {"vosk"}) == []
    assert heard.load(tmp_path / "nothing here") == []


@pytest.mark.parametrize(
    ("code", "topic"),
    [
        ("", Topic.EVERYDAY),
        ("yes", Topic.ACT),
        ("5", Topic.RATING),
        ("bathing", Topic.SERVICE),
    ],
)
def test_code_says_what_was_spoken_about(code: str, topic: Topic) -> None:
    assert HeardAs(code, "", "打扬", 1, "suzhou").topic is topic


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("code\theard\n", 1),
        ("code\tphrase\theard\tcount\nbathing\t\t打扬\n", 2),
        ("code\tphrase\theard\tcount\nbathing\t\t打扬\tmany\n", 2),
        ("# x\ncode\tphrase\theard\tcount\nbathing\t\tda\t1\n", 3),
    ],
)
def test_wrong_line_is_named(text: str, line: int) -> None:
    with pytest.raises(GrammarError, match=f"whisper.tsv:{line}:"):
        heard.read(text, "suzhou", "whisper.tsv")
