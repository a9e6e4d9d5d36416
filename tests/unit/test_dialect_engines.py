"""Engines for callers whose dialect is known, as the agent loads them."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from ivr import agent
from ivr.agent import AgentError, dialect_recognition
from ivr.config import EngineSettings, RecogniserSettings, Settings
from ivr.telephony.capacity import Capacity
from ivr.understanding.grammar import Grammar, load_dialect

CAPACITY = Capacity(most=1, slow_s=1.0, clock=time.monotonic)


@pytest.fixture
def grammar(tmp_path: Path) -> Grammar:
    for name in ("mandarin", "suzhou"):
        (tmp_path / name).mkdir()
    dialects = {n: load_dialect(tmp_path / n, frozenset()) for n in ("mandarin", "suzhou")}
    return Grammar(dialects)


def settings(folder: Path, dialect: str, model: str) -> Settings:
    engine = EngineSettings(engine="sherpa-onnx", model=model)
    recogniser = RecogniserSettings(dialects={dialect: engine})
    return Settings(data_dir=folder, recogniser=recogniser)


def test_callers_are_answered_without_the_model_of_their_dialect(
    tmp_path: Path, grammar: Grammar
) -> None:
    damaged = tmp_path / "model"
    damaged.mkdir()
    (damaged / "tokens.txt").write_text("<blk> 0\n")
    (damaged / "model.onnx").write_bytes(b"cut short")
    for model in (str(damaged), str(tmp_path / "nowhere"), "wenetspeech-wu"):
        assert dialect_recognition(settings(tmp_path, "suzhou", model), grammar, CAPACITY) == {}


def test_dialect_that_does_not_exist_is_named(tmp_path: Path, grammar: Grammar) -> None:
    with pytest.raises(AgentError, match=r"dialects\.suzou: no such dialect; known: .*suzhou"):
        dialect_recognition(settings(tmp_path, "suzou", "wenetspeech-wu"), grammar, CAPACITY)


def test_dialects_with_the_same_engine_share_it(
    tmp_path: Path, grammar: Grammar, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded = []

    def load(chosen: EngineSettings, _: Settings) -> object:
        loaded.append(chosen.model)
        return object()

    monkeypatch.setattr(agent, "RecogniserApart", load)
    shared, other = EngineSettings(model="one"), EngineSettings(model="two")
    dialects = {"mandarin": shared, "suzhou": shared, "lanzhou": other}
    everyone = Grammar({**grammar.dialects, "lanzhou": grammar.dialects["suzhou"]})
    chosen = Settings(data_dir=tmp_path, recogniser=RecogniserSettings(dialects=dialects))
    found = agent.dialect_recognition(chosen, everyone, CAPACITY)
    assert loaded == ["one", "two"]
    assert found["mandarin"] is found["suzhou"] is not found["lanzhou"]


def test_site_without_dialect_engines_loads_none(tmp_path: Path, grammar: Grammar) -> None:
    assert dialect_recognition(Settings(data_dir=tmp_path), grammar, CAPACITY) == {}
