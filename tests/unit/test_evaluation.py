"""`yihu eval`: manifests in, figures out."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from audio.recogniser import Hypothesis, Samples
from audio.sound import write_wav
from ivr.commands import evaluate as command
from ivr.config import ROOT
from ivr.evaluation import ManifestError, Result, Row, evaluate, read_manifest
from ivr.figures import missed_emergency, summary
from ivr.understanding.heard import HeardAs
from ivr.understanding.match import Matcher
from ivr.understanding.meaning import Candidate, Kind, Meaning

HEAD = "file\texpected\tdialect\taccent\tvoice\tspeed\tsnr_db\ttext\n"
NOW = datetime(2026, 11, 18, 10, 30, tzinfo=ZoneInfo("Asia/Shanghai"))
SERVICES = frozenset({"haircut", "bathing", "emergency"})


class Mishears:
    """A recogniser that hears what it is given, one utterance after the other."""

    name, version = "mishears", "1"

    def __init__(self, *texts: str) -> None:
        self._texts = iter(texts)

    def recognise(
        self, samples: Samples, *, question: str = "", n_best: int = 5
    ) -> list[Hypothesis]:
        return [Hypothesis(next(self._texts), -0.1)]


@pytest.fixture(scope="module")
def matcher() -> Matcher:
    return Matcher.load(ROOT / "grammars")


def manifest(folder: Path, *rows: tuple[str, str, str], dialect: str = "mandarin") -> Path:
    path = folder / f"{dialect}.tsv"
    lines = (f"{name}\t{expected}\t{dialect}\t\t\t\t\t{text}\n" for name, expected, text in rows)
    path.write_text(HEAD + "".join(lines), encoding="utf-8")
    return path


@pytest.fixture
def sound(tmp_path: Path) -> str:
    write_wav(tmp_path / "a.wav", np.zeros(4000, np.int16))
    return "a.wav"


def test_rows_without_sound_are_understood_from_their_text(
    tmp_path: Path, matcher: Matcher
) -> None:
    rows = read_manifest(
        manifest(
            tmp_path,
            ("", "haircut", "我要理发"),
            ("", "haircut", "今天星期几"),
            ("", "act:yes", "对的"),
            ("", "rating:5", "很满意"),
            ("", "time", "明天上午九点"),
            ("", "oos", "今天天气真不错"),
        ),
        SERVICES,
    )
    document = summary(list(evaluate(rows, None, matcher, NOW)))
    assert document["rows"] == 6
    assert document["by_expected"]["haircut"] == {"n": 2, "accuracy": 0.5}
    assert document["by_service"]["haircut"] == {"n": 2, "accuracy": 0.5, "top2": 0.5}
    assert {kind: group["n"] for kind, group in document["by_kind"].items()} == {
        "service": 2, "act": 1, "rating": 1, "time": 1, "oos": 1,
    }  # fmt: skip
    assert document["by_accent"]["mandarin"]["accuracy"] == round(5 / 6, 4)
    assert document["false_accept_rate"] == 0
    assert document["missed_emergencies"] == 0
    assert document["seconds"]["recognise"] == {"p50": 0.0, "p95": 0.0, "sum": 0.0}
    assert document["seconds"]["understand"]["p95"] > 0
    assert document["by_stage"] == {}
    (confusion,) = document["confusions"]
    assert (confusion["expected"], confusion["n"]) == ("haircut", 1)
    assert [heard["heard"] for heard in confusion["heard"]] == ["今天星期几"]


def test_what_the_recogniser_lost_is_told_from_what_matching_lost(
    tmp_path: Path, matcher: Matcher, sound: str
) -> None:
    path = manifest(
        tmp_path,
        (sound, "haircut", "我要理发"),  # heard well
        (sound, "haircut", "我要理发"),  # lost by the recogniser
        (sound, "haircut", "今天星期几"),  # lost by the matcher whatever is heard
        (sound, "haircut", "今天星期几"),  # found by luck
    )
    recogniser = Mishears("我要理发", "今天天气", "今天星期几", "我要理发")
    results = list(evaluate(read_manifest(path, SERVICES), recogniser, matcher, NOW))
    stages = summary(results)["by_stage"]["mandarin"]
    assert stages == {
        "n": 4,
        "sound": 0.5,
        "text": 0.5,
        "lost_in_recognition": 0.25,
        "lost_in_matching": 0.25,
        # 我要理发 as 今天天气: 4 of 4 wrong; 今天星期几 as 我要理发: 5 of 5; of 18 in all
        "syllable_error_rate": 0.5,
    }


def test_syllables_are_not_counted_where_the_text_is_dialect(
    tmp_path: Path, matcher: Matcher, sound: str
) -> None:
    path = manifest(tmp_path, (sound, "bathing", "我要汏浴"), dialect="suzhou")
    results = list(evaluate(read_manifest(path, SERVICES), Mishears("我要打扬"), matcher, NOW))
    assert summary(results)["by_stage"]["suzhou"]["syllable_error_rate"] is None


@pytest.mark.parametrize(
    ("meaning", "missed"),
    [
        (Meaning(Kind.SERVICE, "emergency", 0.3), False),
        (Meaning(Kind.OOS, candidates=(Candidate("emergency", 0.05),)), True),
        (Meaning(Kind.SERVICE, "haircut", 0.5,
                 candidates=(Candidate("haircut", 0.5), Candidate("emergency", 0.4))), False),
        (Meaning(Kind.SERVICE, "haircut", 0.97,
                 candidates=(Candidate("haircut", 0.97), Candidate("emergency", 0.02))), True),
    ],
)  # fmt: skip
def test_an_emergency_is_missed_when_the_caller_is_not_even_asked(
    meaning: Meaning, missed: bool
) -> None:
    row = Row(None, "emergency", "standard", "我胸口痛")
    assert missed_emergency(Result(row, meaning, (), False, False, 0.0, 0.0)) is missed


@pytest.mark.parametrize(
    ("row", "told"),
    [
        (("missing.wav", "oos", ""), "line 2: there is no file .*missing.wav"),
        (("", "oos", ""), "line 2: neither"),
        (("", "", "对"), "line 2: nothing is expected"),
        (("", "act:maybe", "对"), "line 2: 'act:maybe' is not .*yes|no"),
        (("", "rating:6", "好"), "line 2: 'rating:6'"),
        (("", "hair_cut", "理发"), "line 2: 'hair_cut' is not a service"),
        (("a.wav", "time", ""), "line 2: a text is needed to know the time"),
    ],
)
def test_a_wrong_row_is_named(
    tmp_path: Path, sound: str, row: tuple[str, str, str], told: str
) -> None:
    with pytest.raises(ManifestError, match=told):
        read_manifest(manifest(tmp_path, row), SERVICES)


def test_text_alone_needs_a_text_in_every_row(tmp_path: Path, sound: str) -> None:
    path = manifest(tmp_path, (sound, "oos", ""))
    assert len(read_manifest(path, SERVICES)) == 1
    with pytest.raises(ManifestError, match="a text is needed"):
        read_manifest(path, SERVICES, text_only=True)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("wav\ttext\na.wav\t对\n", "no column file, expected"),
        ("", "no column"),
        (HEAD, "no rows"),
        ("file\texpected\ttext\n\toos\t好\t多\n", "line 2: more fields"),
    ],
)
def test_a_manifest_without_columns_or_rows_is_told(
    tmp_path: Path, content: str, told: str
) -> None:
    path = tmp_path / "m.tsv"
    path.write_text(content)
    with pytest.raises(ManifestError, match=told):
        read_manifest(path, SERVICES)


def test_rows_may_leave_out_what_follows_their_text(tmp_path: Path) -> None:
    path = tmp_path / "m.tsv"
    path.write_text('text\texpected\tfile\taccent\n我要"理发"\thaircut\n')
    assert read_manifest(path, SERVICES) == [Row(None, "haircut", "unknown", '我要"理发"')]


def test_text_option_listens_to_nothing_and_draws_the_curve(
    tmp_path: Path, sound: str, matcher: Matcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command.Matcher, "load", lambda *folders: matcher)
    monkeypatch.setattr(command, "load_recogniser", None)  # calling it would fail
    app = typer.Typer()
    app.callback()(lambda: None)
    command.add_to(app)
    path = manifest(tmp_path, (sound, "haircut", "我要理发"), (sound, "act:yes", "对的"))
    chart = tmp_path / "curve.png"
    arguments = ["eval", str(path), "--text", "--chart", str(chart)]
    shown = CliRunner().invoke(app, arguments)
    assert shown.exit_code == 0, shown.output
    assert "2 rows, 1.000 right" in shown.stdout
    assert chart.read_bytes().startswith(b"\x89PNG")
    printed = CliRunner().invoke(app, [*arguments, "--json"])
    assert json.loads(printed.stdout)["calibration"]["services"]["n"] == 1
    wrong = CliRunner().invoke(app, [*arguments[:-1], str(tmp_path / "curve.doc")])
    assert wrong.exit_code == 2


def test_what_sounds_alike_is_taken_for_what_it_means_in_the_caller_s_dialect(
    tmp_path: Path, matcher: Matcher
) -> None:
    heard = [
        HeardAs("bathing", "", "库麻波", 1, "suzhou"),
        HeardAs("haircut", "", "库麻波", 1, "lanzhou"),
    ]
    learned = Matcher(matcher.grammar, heard)
    rows = [
        *read_manifest(manifest(tmp_path, ("", "bathing", "库麻波"), dialect="suzhou"), SERVICES),
        *read_manifest(manifest(tmp_path, ("", "haircut", "库麻波"), dialect="lanzhou"), SERVICES),
    ]
    known = list(evaluate(rows, None, learned, NOW, dialect_known=True))
    assert [result.meaning.code for result in known] == ["bathing", "haircut"]
    assert summary(list(evaluate(rows, None, learned, NOW)))["accuracy"] == 0.5
