"""sherpa-onnx: the home of the dialect models. A folder says by its files which kind it is.

A model sherpa-onnx cannot use makes it end the whole process, so what a folder holds is read from
the model's own metadata before it is loaded.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from audio.recogniser import TELEPHONE_HZ, Hypothesis, RecogniserError, Samples
from audio.sound import high_passed, levelled, resample, speech_edges
from audio.text import plain

SHERPA_HZ = 16000
TAIL_S = 0.3
"""Silence after the speech, so that the last syllable is not cut."""
MIN_SPEECH_S = 0.12

CTC = (
    # (in the metadata's model_type or else in the folder's name, method, its name for the model)
    ("sense", "from_sense_voice", "model"),
    ("paraformer", "from_paraformer", "paraformer"),
    ("tele", "from_telespeech_ctc", "model"),
    ("dolphin", "from_dolphin_ctc", "model"),
    ("fire", "from_fire_red_asr_ctc", "model"),
    ("wenet", "from_wenet_ctc", "model"),
    ("zipformer", "from_zipformer_ctc", "model"),
    ("encdec", "from_nemo_ctc", "model"),
    ("omnilingual", "from_omnilingual_asr_ctc", "model"),
)
"""Kinds that are one ONNX file beside tokens.txt."""


class SherpaRecogniser:
    name = "sherpa-onnx"

    def __init__(self, folder: Path, *, threads: int = 2) -> None:
        """Loads any offline model of sherpa-onnx from its folder. Raises RecogniserError."""
        import sherpa_onnx

        method, arguments = detect(folder)
        try:
            self._recogniser: Any = getattr(sherpa_onnx.OfflineRecognizer, method)(
                **arguments, num_threads=threads
            )
        except (RuntimeError, ValueError) as error:
            raise RecogniserError(f"{folder} cannot be loaded by sherpa-onnx: {error}") from error
        self.version = f"{folder.name}/sherpa-onnx-{version('sherpa-onnx')}"

    def recognise(
        self, samples: Samples, *, question: str = "", n_best: int = 5
    ) -> list[Hypothesis]:
        """One hypothesis at most: these models give no alternatives and take no prompt."""
        if len(samples) < MIN_SPEECH_S * TELEPHONE_HZ or not np.any(samples):
            return []
        clean = high_passed(np.asarray(samples, np.float32), 160.0)
        start, end = speech_edges(clean, margin_ms=200, below_peak_db=26.0)
        clean = levelled(clean[start:end], level_db=-20.0, peak_db=-1.0)
        sound = resample(clean, TELEPHONE_HZ, SHERPA_HZ)
        stream = self._recogniser.create_stream()
        stream.accept_waveform(SHERPA_HZ, np.pad(sound, (0, int(TAIL_S * SHERPA_HZ))))
        self._recogniser.decode_stream(stream)
        text = plain(stream.result.text)
        probabilities = stream.result.ys_log_probs
        score = float(np.mean(probabilities)) if len(probabilities) else 0.0
        return [Hypothesis(text, min(0.0, score))] if text else []


def detect(folder: Path) -> tuple[str, dict[str, Any]]:
    """The loader of a model folder and its arguments. Raises RecogniserError."""

    def file(stem: str) -> str:
        """The ONNX file with this in its name; the int8 one where there are both."""
        found = sorted(
            folder.glob(f"*{stem}*.onnx" if stem else "*.onnx"),
            key=lambda p: ("int8" not in p.name, p.name),
        )
        return str(found[0]) if found else ""

    tokens = next((str(path) for path in sorted(folder.glob("*tokens.txt"))), "")
    encoder, decoder, joiner = file("encoder"), file("decoder"), file("joiner")
    tokenizer = folder / "tokenizer"
    if encoder and decoder and (frontend := file("conv_frontend")) and tokenizer.is_dir():
        parts = {"conv_frontend": frontend, "encoder": encoder, "decoder": decoder}
        return "from_qwen3_asr", parts | {"tokenizer": str(tokenizer)}
    if not tokens:
        raise RecogniserError(f"{folder} is no sherpa-onnx model: tokens.txt is missing")
    parts = {"encoder": encoder, "decoder": decoder, "tokens": tokens}
    if encoder and decoder and joiner:
        return "from_transducer", parts | {"joiner": joiner}
    if encoder and decoder:
        if "fire" in _kind(Path(encoder), folder):
            return "from_fire_red_asr", parts
        return "from_whisper", parts | {"language": "zh"}
    model = file("")
    if not model:
        raise RecogniserError(f"{folder} is no sherpa-onnx model: no .onnx file in it")
    kind = _kind(Path(model), folder)
    for word, method, argument in CTC:
        if word in kind:
            return method, {argument: model, "tokens": tokens}
    raise RecogniserError(f"{folder} holds a model of a kind not known here ({kind})")


def _kind(model: Path, folder: Path) -> str:
    return (metadata(model).get("model_type") or folder.resolve().name).lower()


def metadata(model: Path) -> dict[str, str]:
    """What an ONNX file says of itself, read without loading its weights.

    Source: onnx.proto; ModelProto.metadata_props is field 14, its key and value fields 1 and 2.
    Raises RecogniserError.
    """
    try:
        with model.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            rows = [
                dict(_fields(data, *span))
                for number, span in _fields(data, 0, len(data))
                if number == 14
            ]
            return {
                data[slice(*row[1])].decode("utf-8"): data[slice(*row[2])].decode("utf-8")
                for row in rows
                if 1 in row and 2 in row
            }
    except (OSError, ValueError, IndexError) as error:
        raise RecogniserError(f"{model} is no ONNX file ({error})") from error


def _fields(data: mmap.mmap, at: int, end: int) -> Iterator[tuple[int, tuple[int, int]]]:
    """Length-delimited fields of a protobuf message: number, (start, end) of the content."""
    while at < end:
        tag, at = _varint(data, at)
        number, wire = tag >> 3, tag & 7
        if wire == 0:
            _, at = _varint(data, at)
        elif wire in (1, 5):
            at += 8 if wire == 1 else 4
        elif wire == 2:
            size, at = _varint(data, at)
            if at + size > end:
                raise ValueError("it is cut short")
            yield number, (at, at + size)
            at += size
        else:
            raise ValueError(f"unknown wire type {wire}")


def _varint(data: mmap.mmap, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at
