"""`yihu grammar explain`: from a sentence or a recording to the reasons."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from audio import models
from audio.engines import make_cache
from audio.sound import write_wav
from ivr.commands import utterance as command
from ivr.commands.grammar import grammar
from ivr.config import ROOT, load_settings
from ivr.understanding.match import Matcher


@pytest.fixture(scope="module")
def matcher() -> Matcher:
    return Matcher.load(ROOT / "grammars")


@pytest.fixture(autouse=True)
def loaded_once(matcher: Matcher, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command.Matcher, "load", lambda *folders: matcher)


def test_reasons_can_be_read_and_parsed() -> None:
    shown = CliRunner().invoke(grammar, ["explain", "--text", "明天下午来给我理发"])
    assert shown.exit_code == 0, shown.output
    assert shown.stdout.startswith("service haircut ")
    assert "time in 1: 明天 is day:1" in shown.stdout
    assert "talk that orders nothing" in shown.stdout
    printed = CliRunner().invoke(grammar, ["explain", "--text", "明天下午来给我理发", "--json"])
    document = json.loads(printed.stdout)
    assert document["code"] == "haircut"
    best = document["reasons"][0]
    assert (best["code"], best["confidence"]) == ("haircut", document["confidence"])
    assert {"said", "said_phones", "heard_phones", "distance", "adds"} <= best["steps"][0].keys()


def test_a_recording_is_explained_from_all_that_was_heard(tmp_path: Path) -> None:
    settings = load_settings()
    for name in ("whisper-base", "kokoro"):
        models.install(name, settings.models, report=lambda line: print(line, file=sys.stderr))
    voice = make_cache("kokoro", "zf_xiaoxiao", settings.models, settings.cache_dir)
    write_wav(tmp_path / "said.wav", voice.make("我想请人来家里理发", speed=0.85))
    run = CliRunner().invoke(grammar, ["explain", "--wav", str(tmp_path / "said.wav"), "--json"])
    assert run.exit_code == 0, run.output
    document = json.loads(run.stdout)
    assert document["reasons"][0]["code"] == "haircut"
    assert sum(one["weight"] for one in document["looked_at"]) == pytest.approx(1, abs=0.001)


@pytest.mark.parametrize("arguments", [[], ["--text", "理发", "--wav", "a.wav"]])
def test_either_a_text_or_a_recording_is_needed(arguments: list[str]) -> None:
    assert CliRunner().invoke(grammar, ["explain", *arguments]).exit_code == 2


def test_a_recording_that_is_not_there_is_told(tmp_path: Path) -> None:
    run = CliRunner().invoke(grammar, ["explain", "--wav", str(tmp_path / "no.wav")])
    assert run.exit_code == 1
    assert "no.wav" in run.stderr
