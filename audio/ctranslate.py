"""The files in which CTranslate2 keeps a model's weights, read and written.

CTranslate2 itself neither tells the weights of a model nor takes others. The format is that of
`ctranslate2.specs.model_spec`, binary version 6.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

MODEL, CONFIG = "model.bin", "config.json"
VERSION = 6
_TYPES = {n: np.dtype(name) for n, name in enumerate(("f4", "i1", "i2", "i4", "f2"))}
_NUMBERS = {dtype: n for n, dtype in _TYPES.items()}


@dataclass(frozen=True, slots=True, eq=False)
class Weights:
    """All that a model file holds."""

    spec: str
    """The kind of model, as WhisperSpec."""
    revision: int
    arrays: Mapping[str, Array]
    """By names like encoder/layer_0/ffn/linear_0/weight."""
    aliases: Mapping[str, str]
    """Other names of some of them."""


def read(path: Path) -> Weights:
    """Its arrays stay in the file until they are looked at.

    Raises OSError, and ValueError for a file that is not one of them.
    """
    with path.open("rb") as file:
        try:
            mapped = mmap(file.fileno(), 0, access=ACCESS_READ)
            (version,) = _unpacked(mapped, "I")
            spec = _text(mapped)
            revision, count = _unpacked(mapped, "II")
            arrays = dict(_array(mapped) for _ in range(count))
            (count,) = _unpacked(mapped, "I")
            aliases = {_text(mapped): _text(mapped) for _ in range(count)}
        except (struct.error, KeyError, ValueError) as error:
            raise ValueError(f"{path} is no model of CTranslate2: {error!r}") from error
    if version != VERSION:
        raise ValueError(f"{path} is of version {version}, and only {VERSION} is known")
    return Weights(spec, revision, arrays, aliases)


def write(folder: Path, weights: Weights, tokens: Sequence[str], config: Mapping[str, Any]) -> None:
    """A model that CTranslate2 can load. Raises OSError."""
    with (folder / MODEL).open("wb") as file:
        file.writelines(_parts(weights))
    (folder / "vocabulary.json").write_text(json.dumps(tokens))
    (folder / CONFIG).write_text(json.dumps(config))


def _parts(weights: Weights) -> Iterator[bytes]:
    yield struct.pack("<I", VERSION) + _packed(weights.spec)
    yield struct.pack("<II", weights.revision, len(weights.arrays))
    for name, array in weights.arrays.items():
        yield _packed(name)
        yield struct.pack(f"<B{array.ndim}I", array.ndim, *array.shape)
        yield struct.pack("<BI", _NUMBERS[array.dtype], array.nbytes)
        yield array.tobytes()
    yield struct.pack("<I", len(weights.aliases))
    yield from (_packed(text) for pair in weights.aliases.items() for text in pair)


def _array(file: mmap) -> tuple[str, Array]:
    name = _text(file)
    (dimensions,) = _unpacked(file, "B")
    shape = _unpacked(file, f"{dimensions}I")
    number, size = _unpacked(file, "BI")
    start = file.tell()
    file.seek(start + size)
    dtype = _TYPES[number]
    return name, np.frombuffer(file, dtype, size // dtype.itemsize, start).reshape(shape)


def _text(file: mmap) -> str:
    (size,) = _unpacked(file, "H")
    return file.read(size).rstrip(b"\0").decode()


def _unpacked(file: mmap, form: str) -> tuple[Any, ...]:
    form = "<" + form
    return struct.unpack(form, file.read(struct.calcsize(form)))


def _packed(text: str) -> bytes:
    data = text.encode() + b"\0"
    return struct.pack("<H", len(data)) + data
