"""A second encoder for a recogniser, taught to hear dialects: its own with a little added.

Each matrix of the upper layers has the product of two thin ones added to it (Hu et al., "LoRA:
Low-Rank Adaptation of Large Language Models", 2021): three megabytes beside the model's hundred
and fifty. The first encoder stays as it is, since the decoder writes words from no other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from audio import ctranslate

Matrix = NDArray[np.float32]

TAIL, STEP = 40, 40
"""Frames of 10 ms: what it is given ends so far behind the speech, or a little later, so that a few
lengths are all there are."""
LONGEST = 3000
"""Frames of 10 ms that Whisper has positions for."""
_TOKENS = ("<|endoftext|>", "<|startoftranscript|>", *"abcdef")
"""All that is left of the vocabulary: it never decodes."""
_EMBEDDINGS = "decoder/embeddings/weight"
_LEFT_OUT = "decoder/layer_"
_KEPT = ("decoder/layer_0/", "decoder/layer_norm/")
"""CTranslate2 loads no model without a layer to decode with."""


@dataclass(frozen=True, slots=True, eq=False)
class Change:
    """What is added to a matrix of shape (outputs, inputs): the product of two."""

    up: Matrix
    """Shape (outputs, rank)."""
    down: Matrix
    """Shape (rank, inputs)."""


def window(frames: int) -> int:
    """Frames of 10 ms that are encoded to hear `frames` of 20 ms."""
    return min(LONGEST, -(-(2 * frames + TAIL) // STEP) * STEP)


def cut(mel: Matrix, frames: int) -> Matrix:
    """A spectrogram of shape (bands, frames of 10 ms), as long as `window` says."""
    short = max(0, frames - mel.shape[1])
    return np.pad(mel[:, :frames], ((0, 0), (0, short)), constant_values=mel.min())


class AdaptedEncoder:
    """Encodes what a recogniser is given, with changed weights."""

    def __init__(self, folder: Path, changes: Mapping[str, Change], *, threads: int) -> None:
        """Loads a CTranslate2 Whisper model; `changes` by the names of its matrices.

        Raises OSError, RuntimeError as CTranslate2 does, and ValueError for another model than
        the changes were learned for.
        """
        import ctranslate2

        weights = ctranslate.read(folder / ctranslate.MODEL)
        arrays = {
            name: array
            for name, array in weights.arrays.items()
            if name.startswith(_KEPT) or not name.startswith(_LEFT_OUT)
        }
        arrays[_EMBEDDINGS] = arrays[_EMBEDDINGS][: len(_TOKENS)]
        for name, change in changes.items():
            shape = (len(change.up), change.down.shape[1])
            matrix = arrays.get(name)
            if matrix is None or matrix.dtype.kind != "f" or matrix.shape != shape:
                raise ValueError(f"{folder} has no {name} of shape {shape}")
            arrays[name] = (matrix + change.up @ change.down).astype(matrix.dtype)
        model = ctranslate.Weights(weights.spec, weights.revision, arrays, weights.aliases)
        with TemporaryDirectory(prefix="yihu-") as made:  # given in memory, it would stay there
            ctranslate.write(Path(made), model, _TOKENS, {})
            self._model = ctranslate2.models.Whisper(
                made, device="cpu", compute_type="int8", intra_threads=threads
            )

    def states(self, mel: Matrix, frames: int) -> Matrix:
        """Of the first `frames` of 20 ms of a spectrogram, shape (frames, dimension).

        `mel` has shape (bands, frames of 10 ms), silent behind the speech.
        """
        from ctranslate2 import StorageView

        heard = np.ascontiguousarray(cut(mel, window(frames))[None], np.float32)
        encoded = self._model.encode(StorageView.from_array(heard))
        return np.asarray(encoded)[0, :frames].astype(np.float32)
