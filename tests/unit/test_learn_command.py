"""`yihu grammar learn`: from calls in the store to what is understood."""

from __future__ import annotations

import json
import stat
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import typer
from typer.testing import CliRunner, Result

from audio.recogniser import Hypothesis
from ivr.catalog import load_catalog
from ivr.catalog import services as catalog_rows
from ivr.commands import grammar as grammar_command
from ivr.commands import learn as command
from ivr.config import ROOT
from ivr.understanding import heard
from ivr.understanding.grammar import Grammar, load
from ivr.understanding.heard import HeardAs
from ivr.understanding.match import Matcher, understand
from ivr.understanding.meaning import Kind, State
from store import calls, services
from store.corrections import corrections, keep
from store.database import open_store
from store.models import Correction, Known, Review

NOW = datetime(2026, 11, 18, 2, 30, tzinfo=UTC)
app = typer.Typer()
grammar_command.add_to(app)


@pytest.fixture(scope="module")
def grammar() -> Grammar:
    return load(ROOT / "grammars")


@pytest.fixture(scope="module")
def matcher(grammar: Grammar) -> Matcher:
    return Matcher(grammar)


@pytest.fixture(autouse=True)
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, matcher: Matcher) -> Path:
    monkeypatch.setenv("YIHU_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("YIHU_CONFIG", str(tmp_path / "yihu.toml"))
    monkeypatch.delenv("YIHU_DATABASE_URL", raising=False)
    monkeypatch.setattr(command.Matcher, "load", lambda *folders: matcher)
    return tmp_path


def misheard(site: Path, *texts: str, code: str = "bathing", dialect: str = "suzhou") -> None:
    store = open_store(f"sqlite:///{site / 'yihu.sqlite3'}")
    services.sync(store, catalog_rows(load_catalog()))
    for text in texts:
        call = calls.begin_call(store, uuid4(), "13812345678", NOW)
        keep(
            store,
            [
                Correction(
                    call_id=call.id,
                    turn=1,
                    heard=text,
                    hypotheses=[{"text": text, "score": -0.4}],
                    code=code,
                    known=Known.CONFIRMED,
                    dialect=dialect,
                    engine="whisper",
                    engine_version="base",
                    at=NOW,
                )
            ],
        )
    store.close()


def decided(site: Path) -> list[tuple[str, Review, str]]:
    store = open_store(f"sqlite:///{site / 'yihu.sqlite3'}")
    rows = [(c.heard, c.review, c.reviewed_by) for c in corrections(store)]
    store.close()
    return rows


def learn(*arguments: str, said: str | None = None) -> Result:
    return CliRunner().invoke(app, ["grammar", "learn", *arguments], input=said)


def document(*arguments: str) -> Any:
    result = learn(*arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_the_same_need_in_other_frames_is_one_suggestion(site: Path) -> None:
    misheard(site, "我要打扬", "题个头", "明天上午请人来打扬")
    first, second = document()["suggestions"]
    assert (first["heard"], first["code"], first["dialect"]) == ("打扬", "bathing", "suzhou")
    assert first["utterances"] == ["我要打扬", "明天上午请人来打扬"]
    assert (first["count"], first["pending"], first["now"]["code"]) == (2, 2, None)
    assert second["count"] == 1
    shown = learn()
    assert "打扬 (suzhou, whisper) meant 助浴: 2 times" in shown.stdout
    assert not (site / "learned").exists(), "nothing is learned that nobody has approved"


def test_what_is_approved_is_understood_from_then_on(
    site: Path, grammar: Grammar, matcher: Matcher
) -> None:
    misheard(site, "我要打扬", "打扬")
    [row] = document("--approve", "1", "--by", "wang")["learned"]
    assert (row["heard"], row["code"], row["count"]) == ("打扬", "bathing", 2)
    assert {review for _, review, _ in decided(site)} == {Review.APPROVED}
    assert {by for _, _, by in decided(site)} == {"wang"}
    assert document()["suggestions"] == []
    rows = heard.load(site / "learned")
    assert rows == [HeardAs("bathing", "", "打扬", 2, "suzhou")]
    table = heard.table(site / "learned", "suzhou", "whisper")
    assert stat.S_IMODE(table.stat().st_mode) == 0o600
    after = Matcher(grammar, rows)
    for said in ("打扬", "后天下午来打扬", "打羊"):
        hypotheses = [Hypothesis(said, -0.4)]
        assert understand(hypotheses, State.OPEN, matcher, NOW).code != "bathing"
        understood = understand(hypotheses, State.OPEN, after, NOW)
        assert (understood.kind, understood.code) == (Kind.SERVICE, "bathing")
        assert understood.dialect == "suzhou"
    talk = [Hypothesis("今天天气真不错", -0.4)]
    assert understand(talk, State.OPEN, after, NOW).kind is Kind.OOS


def test_what_is_rejected_later_is_forgotten(site: Path) -> None:
    misheard(site, "打扬")
    misheard(site, "题个头", code="haircut", dialect="lanzhou")
    assert len(document("--approve", "1", "--approve", "2")["files"]) == 2
    [row] = document("--reject", "1")["learned"]
    assert row["heard"] == "题个头"
    assert [one.heard for one in heard.load(site / "learned")] == ["题个头"]
    assert [one["rejected"] for one in document("--all")["suggestions"]] == [1, 0]


def test_a_person_is_walked_through_what_is_pending(site: Path) -> None:
    misheard(site, "打扬")
    misheard(site, "题个头", code="haircut")
    misheard(site, "收则屋里", code="cleaning")
    result = learn("--review", "--by", "wang", said="x\na\nr\nq\n")
    assert result.exit_code == 0, result.output
    assert [review for _, review, _ in decided(site)] == [
        Review.APPROVED,
        Review.REJECTED,
        Review.PENDING,
    ]
    assert [one.heard for one in heard.load(site / "learned")] == ["打扬"]


def test_what_was_decided_stays_when_the_rest_is_not(site: Path) -> None:
    misheard(site, "打扬")
    misheard(site, "题个头", code="haircut")
    learn("--review", said="a\n")  # and the terminal is closed
    assert [one.heard for one in heard.load(site / "learned")] == ["打扬"]


@pytest.mark.parametrize(
    "said", ["我要", "明天上午", "啊", "我昨天跟你们讲过的呀隔壁头阿婆也用过的好得很"]
)
def test_what_names_no_need_cannot_be_learned(site: Path, said: str) -> None:
    misheard(site, said)
    assert document()["suggestions"] == []
    refused = learn("--approve", "1")
    assert refused.exit_code == 1
    assert "too short or too long" in refused.stderr
    assert [review for _, review, _ in decided(site)] == [Review.PENDING]


def test_nothing_is_decided_when_one_suggestion_does_not_exist(site: Path) -> None:
    misheard(site, "打扬")
    refused = learn("--approve", "1", "--reject", "9")
    assert refused.exit_code == 1
    assert "no suggestion 9" in refused.stderr
    assert [review for _, review, _ in decided(site)] == [Review.PENDING]


def test_a_service_that_is_no_longer_offered_is_not_listened_for(grammar: Grammar) -> None:
    rows = [HeardAs("no_such_service", "", "打扬", 3, "suzhou")]
    found = understand([Hypothesis("打扬", -0.4)], State.OPEN, Matcher(grammar, rows), NOW)
    assert "no_such_service" not in {candidate.code for candidate in found.candidates}
