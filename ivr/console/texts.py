"""The pages' texts in each language: data, in texts/*.yaml."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

FOLDER = Path(__file__).parent / "texts"
LANGUAGES = ("zh", "en")
DEFAULT = "zh"


class TextError(Exception):
    """A file of texts is wrong; names the file, the text and the reason."""


class Texts:
    """`say("zh", "duty.pause")`; {names} in a text are filled in."""

    def __init__(self, texts: Mapping[str, Mapping[str, str]]) -> None:
        self._texts = texts

    @property
    def keys(self) -> frozenset[str]:
        return frozenset(self._texts)

    def say(self, language: str, key: str, **values: object) -> str:
        """Raises KeyError for a text that does not exist: a mistake in a page."""
        return self._texts[key][language].format(**values)


def load_texts(folder: Path = FOLDER) -> Texts:
    """Raises TextError."""
    texts: dict[str, dict[str, str]] = {}
    for path in sorted(folder.glob("*.yaml")):
        try:
            content = yaml.safe_load(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            raise TextError(f"{path}: {error}") from error
        for key, text in _flat(content, path, ""):
            if key in texts:
                raise TextError(f"{path}: {key} is there twice")
            texts[key] = text
    if not texts:
        raise TextError(f"{folder}: no texts")
    return Texts(texts)


def _flat(content: Any, path: Path, prefix: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Sections within sections end in the languages."""
    if not isinstance(content, dict) or not content:
        raise TextError(f"{path}: {prefix or 'the file'} holds no texts")
    if set(content) & set(LANGUAGES):
        if set(content) != set(LANGUAGES) or not all(isinstance(v, str) for v in content.values()):
            raise TextError(f"{path}: {prefix} needs a text in each of {', '.join(LANGUAGES)}")
        yield prefix, content
        return
    for name, below in content.items():
        yield from _flat(below, path, f"{prefix}.{name}" if prefix else str(name))
