"""A mistake in a grammar file is named, with what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from ivr.understanding.grammar import GrammarError, Topic, load


@pytest.fixture
def grammars(tmp_path: Path) -> Path:
    (tmp_path / "catalog.yaml").write_text("haircut: {}\nemergency: {}\n")
    folder = tmp_path / "mandarin"
    folder.mkdir()
    (folder / "dialect.yaml").write_text("name: mandarin\n")
    (folder / "rules.yaml").write_text("cut: (理|剪)\n")
    (folder / "services.yaml").write_text("haircut: ['<cut>[个]发']\n")
    return tmp_path


def test_templates_are_expanded(grammars: Path) -> None:
    phrases = load(grammars).dialects["mandarin"].phrases
    assert {phrase.text for phrase in phrases} == {"理发", "理个发", "剪发", "剪个发"}
    assert {(phrase.topic, phrase.code) for phrase in phrases} == {(Topic.SERVICE, "haircut")}


def test_a_new_dialect_is_a_new_folder(grammars: Path) -> None:
    folder = grammars / "wenzhou"
    folder.mkdir()
    (folder / "dialect.yaml").write_text("name: wenzhou\nspoken_name: 温州话\nbase: mandarin\n")
    (folder / "services.yaml").write_text("haircut: [剃头]\n")
    assert load(grammars).dialects["wenzhou"].spoken_name == "温州话"


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("services.yaml", "hairdo: [剪发]", "hairdo"),
        ("services.yaml", "haircut: 剪发", "a list"),
        ("services.yaml", "haircut: ['(理发']", "haircut"),
        ("services.yaml", "haircut: ['<nothing>发']", "haircut"),
        ("services.yaml", "haircut: [", "not valid YAML"),
        ("acts.yaml", "yes: [对]", "quote"),
        ("rules.yaml", "cut: '(理'", "mandarin"),
        ("readings.yaml", "理: [xyz1]", "xyz"),
    ],
)
def test_a_mistake_is_named(grammars: Path, name: str, content: str, told: str) -> None:
    (grammars / "mandarin" / name).write_text(content)
    with pytest.raises(GrammarError, match=told) as error:
        load(grammars)
    assert "mandarin" in str(error.value)


def test_a_folder_without_grammars_is_told(tmp_path: Path) -> None:
    with pytest.raises(GrammarError, match="mandarin"):
        load(tmp_path)
