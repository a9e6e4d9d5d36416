"""Whisper's vocabulary without what no Chinese is written with.

Whisper knows 52,000 tokens, of a hundred languages, and its decoder weighs all of them for each
that it writes: two fifths of its time. Some 3,000 are enough for Chinese; most characters are
written in pieces of their UTF-8 anyway.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from audio.ctranslate import Weights

if TYPE_CHECKING:
    from faster_whisper.tokenizer import Tokenizer

_CHINESE = re.compile(r" ?[\u3000-\u303f\u4e00-\u9fff\uff00-\uffef\ufffd0-9]*| ?[\x00-\x7f]")
"""Characters and their punctuation, digits, single letters. U+FFFD is what a piece reads as."""
_EMBEDDINGS = "decoder/embeddings/weight"
_NUMBERS = ("suppress_ids", "suppress_ids_begin", "lang_ids")
"""What in a model's config.json are numbers of tokens."""


class Vocabulary:
    """The tokens that are kept, and their numbers in the whole vocabulary and here."""

    def __init__(self, tokens: Tokenizer) -> None:
        texts = tokens.tokenizer.decode_batch([[n] for n in range(tokens.eot)])
        special = {tokens.eot, tokens.no_timestamps, tokens.no_speech, tokens.sot_prev}
        self._whole = [
            *(number for number, text in enumerate(texts) if _CHINESE.fullmatch(text)),
            *sorted(special.union(tokens.sot_sequence)),
        ]
        self._here = {number: n for n, number in enumerate(self._whole)}
        self.tokens = [tokens.tokenizer.id_to_token(number) for number in self._whole]

    def here(self, whole: Iterable[int]) -> list[int]:
        """Numbers of the whole vocabulary as those of this one; what was cut is left out."""
        return [self._here[number] for number in whole if number in self._here]

    def whole(self, here: Iterable[int]) -> list[int]:
        """Numbers of this vocabulary as those of the whole one."""
        return [self._whole[number] for number in here]

    def weights(self, weights: Weights) -> Weights:
        """A model that knows only these tokens, and for them tells what it told before."""
        kept = {
            name: np.ascontiguousarray(array[self._whole])
            for name, array in weights.arrays.items()
            if name.startswith(_EMBEDDINGS)  # and how each of its rows is scaled
        }
        return Weights(weights.spec, weights.revision, {**weights.arrays, **kept}, weights.aliases)

    def config(self, config: Mapping[str, Any]) -> dict[str, Any]:
        """A model's config.json for this vocabulary."""
        return {
            key: self.here(value) if key in _NUMBERS else value for key, value in config.items()
        }
