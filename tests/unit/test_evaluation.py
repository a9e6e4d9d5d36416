"""`yihu eval`: manifests in, figures out."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from ivr.config import ROOT
from ivr.evaluation import ManifestError, evaluate, read_manifest, summary
from ivr.understanding.match import Matcher

HEAD = "file\texpected\tdialect\taccent\tvoice\tspeed\tsnr_db\ttext\n"


def manifest(folder: Path, *rows: tuple[str, str, str]) -> Path:
    path = folder / "manifest.tsv"
    lines = (
        f"{name}\t{expected}\tmandarin\tstandard\t\t\t\t{text}\n" for name, expected, text in rows
    )
    path.write_text(HEAD + "".join(lines), encoding="utf-8")
    return path


def test_rows_without_sound_are_understood_from_their_text(tmp_path: Path) -> None:
    rows = read_manifest(
        manifest(
            tmp_path,
            ("", "haircut", "我要理发"),
            ("", "haircut", "今天星期几"),
            ("", "act:yes", "对的"),
            ("", "rating:5", "很满意"),
            ("", "time", "明天上午九点"),
            ("", "oos", "今天天气真不错"),
        )
    )
    now = datetime(2026, 11, 18, 10, 30, tzinfo=ZoneInfo("Asia/Shanghai"))
    document = summary(list(evaluate(rows, None, Matcher.load(ROOT / "grammars"), now)))
    assert document["rows"] == 6
    assert document["by_expected"]["haircut"] == {"n": 2, "accuracy": 0.5}
    assert document["by_accent"]["standard"]["accuracy"] == round(5 / 6, 4)
    assert document["false_accept_rate"] == 0
    assert document["missed_emergencies"] == 0
    assert document["seconds"]["recognise"] == {"p50": 0.0, "p95": 0.0}
    assert document["seconds"]["understand"]["p95"] > 0


@pytest.mark.parametrize(
    ("row", "told"),
    [
        (("missing.wav", "oos", ""), "missing.wav"),
        (("", "oos", ""), "line 2"),
        (("", "", "对"), "line 2"),
    ],
)
def test_a_wrong_row_is_named(tmp_path: Path, row: tuple[str, str, str], told: str) -> None:
    with pytest.raises(ManifestError, match=told):
        read_manifest(manifest(tmp_path, row))


def test_a_manifest_without_its_columns_is_told(tmp_path: Path) -> None:
    path = tmp_path / "m.tsv"
    path.write_text("wav\ttext\na.wav\t对\n")
    with pytest.raises(ManifestError, match="expected"):
        read_manifest(path)
