from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from kokoro_onnx.config import DEFAULT_VOCAB
from typer.testing import CliRunner

from audio.kokoro_alphabet import spell
from audio.phones import PhoneHead
from audio.recogniser import Hypothesis, Samples
from audio.sound import write_wav
from ivr.cli import app
from ivr.commands import mine as command
from ivr.config import ROOT
from ivr.mining.mine import (
    Hearing,
    MiningError,
    Planned,
    apart,
    heard_as,
    keep_hearing,
    keep_plan,
    kept_plan,
    make_plan,
    on_the_line,
    sound_of,
)
from ivr.understanding import heard
from ivr.understanding.grammar import Grammar, load
from ivr.understanding.heard import HeardAs
from ivr.understanding.match import Matcher
from ivr.understanding.syllables import Syllable, from_pinyin, pinyin_of

VERSION = "whisper-toy/1"


@pytest.fixture(scope="module")
def grammar() -> Grammar:
    return load(ROOT / "grammars")


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout with Mandarin only."""
    root = tmp_path_factory.mktemp("small")
    shutil.copytree(ROOT / "grammars" / "mandarin", root / "grammars" / "mandarin")
    shutil.copy(ROOT / "grammars" / "catalog.yaml", root / "grammars")
    return root


def syllables(text: str) -> tuple[Syllable, ...]:
    return tuple(from_pinyin(pinyin) for pinyin in pinyin_of(text))


def said(number: int, text: str, code: str) -> Planned:
    return Planned(number, "mandarin", text, code, "zf_xiaoni", 1.0, syllables(text), "")


@pytest.mark.parametrize(
    "name", sorted(p.parent.name for p in ROOT.glob("grammars/*/dialect.yaml"))
)
def test_every_sound_of_a_dialect_can_be_spoken(grammar: Grammar, name: str) -> None:
    dialect = grammar.dialects[name]
    base = grammar.dialects[dialect.base].phrases if dialect.base else ()
    characters = sorted({c for phrase in dialect.phrases + base for c in phrase.text})
    texts = [*characters, *(phrase.text for phrase in dialect.phrases[::5])]
    read = dialect.pronunciation.read
    ways = {way for text in texts for reading in read(text) for way, _ in reading}
    pitches = {pitch for text in characters for pitch in dialect.pronunciation.pitches(text)}
    assert len(ways) > 300
    written = {spell(way, "", nasal=nasal) for way in ways for nasal in (True, False)}
    written |= {spell(("a",), pitch) for pitch in pitches}
    assert {sign for one in written for sign in one} <= set(DEFAULT_VOCAB)


def test_seed_decides_what_is_spoken_and_how_it_arrives(grammar: Grammar, tmp_path: Path) -> None:
    def plan(seed: int) -> list[Planned]:
        return make_plan(grammar, ["suzhou", "lanzhou"], ["zf_xiaoni", "zm_yunxi"], 30, seed)

    assert plan(5) == plan(5) != plan(6)
    assert len(plan(5)) == 30
    assert {one.dialect for one in plan(5)[:10]} == {"suzhou", "lanzhou"}
    keep_plan(tmp_path, plan(5))
    assert kept_plan(tmp_path) == plan(5)
    sound = np.sin(np.arange(8000) / 3).astype(np.float32)
    assert np.array_equal(on_the_line(sound, 4, 5), on_the_line(sound, 4, 5))
    assert not np.array_equal(on_the_line(sound, 4, 5)[:999], on_the_line(sound, 4, 6)[:999])


def test_plan_that_is_no_plan_is_told(tmp_path: Path) -> None:
    (tmp_path / "plan.json").write_text("[{}]", encoding="utf-8")
    with pytest.raises(MiningError, match="delete"):
        kept_plan(tmp_path)


def test_hearing_is_near_what_it_sounds_like() -> None:
    assert apart(syllables("洗澡"), syllables("洗澡")) == 0
    near, far = (apart(syllables("洗澡"), syllables(text)) for text in ("西早了", "国家"))
    assert 0 < near < far <= 1


def test_only_what_tells_something_new_is_kept(small: Path) -> None:
    heard_texts = {
        said(0, "我想洗澡", "bathing"): ("我想喜枣", "我想西扫"),  # the same sound; a new one
        said(1, "理发", "haircut"): ("李", "国家政策", "泥发"),  # too short; a guess; a new one
        said(2, "想要剃头", "haircut"): ("我想洗早",),  # another service's
    }
    hearings = [
        Hearing(saying, tuple(Hypothesis(text, -0.5) for text in texts), ())
        for saying, texts in heard_texts.items()
    ]
    assert heard_as(hearings, Matcher(load(small / "grammars"))) == {
        "mandarin": [
            HeardAs("bathing", "我想洗澡", "我想西扫", 1, "mandarin"),
            HeardAs("haircut", "理发", "泥发", 1, "mandarin"),
        ]
    }


class Toy:
    """A recogniser that writes 泥发 for everything."""

    name = "toy"
    version = VERSION

    def __init__(self) -> None:
        self.asked: list[str] = []

    def recognise(
        self, samples: Samples, *, question: str = "", n_best: int = 5
    ) -> list[Hypothesis]:
        self.asked.append(question)
        return [Hypothesis("泥发", -0.3)]


def test_mining_goes_on_where_it_was_and_gives_the_same_again(
    small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    toy = Toy()
    monkeypatch.setenv("YIHU_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(command, "ROOT", small)
    monkeypatch.setattr(command, "load_recogniser", lambda chosen, settings: toy)
    folder = tmp_path / "cache" / "mining" / "2"
    plan = [said(number, "理发", "haircut") for number in range(6)]
    keep_plan(folder, plan)
    chance = np.random.default_rng(1)
    (folder / "whisper-toy").mkdir()
    for one in plan:
        write_wav(sound_of(folder, one), chance.integers(-9999, 9999, 4000).astype(np.int16))
        if one.number < 4:  # heard before the interruption
            states = chance.standard_normal((60, 8)).astype(np.float32)
            hearing = Hearing(one, (Hypothesis("你发", -0.2),), (states, states[::2]))
            keep_hearing(folder / "whisper-toy" / f"{one.number:05}.npz", hearing, VERSION)

    def run() -> dict[str, bytes]:
        to = tmp_path / "to"
        arguments = ["grammar", "mine", "--seed", "2", "--model", "whisper-toy", "--to", str(to)]
        result = CliRunner().invoke(app, arguments)
        assert result.exit_code == 0, result.output
        return {str(p.relative_to(to)): p.read_bytes() for p in to.rglob("*") if p.is_file()}

    files = run()
    assert set(files) == {"mandarin/heard_as/whisper-toy.tsv", "sounds/whisper-toy.npz"}
    assert toy.asked == ["您好，请问您需要什么服务？"] * 2
    assert heard.load(tmp_path / "to") == [
        HeardAs("haircut", "理发", "你发", 4, "mandarin"),
        HeardAs("haircut", "理发", "泥发", 2, "mandarin"),
    ]
    assert VERSION in files["mandarin/heard_as/whisper-toy.tsv"].decode()
    assert "seed 2" in str(PhoneHead.load(tmp_path / "to" / "sounds" / "whisper-toy.npz").about)
    assert run() == files
    assert len(toy.asked) == 2


def test_more_than_was_planned_is_refused(
    small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("YIHU_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(command, "ROOT", small)
    keep_plan(tmp_path / "mining" / "2", [said(0, "理发", "haircut")])
    for arguments in (["--count", "5"], ["--dialect", "klingon"], ["--voices", "zf_xiaobei"]):
        result = CliRunner().invoke(app, ["grammar", "mine", "--seed", "2", *arguments])
        assert result.exit_code == 1
        assert "yihu grammar mine: " in result.output
