"""sherpa-onnx: the home of the dialect models. A folder says by its files which kind it is.

A model sherpa-onnx cannot use makes it end the whole process. So what a folder holds is read from
the model's own metadata first, and a new model is loaded by another process before it is here.
"""

from __future__ import annotations

import contextlib
import json
import mmap
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from audio.models import kind_of
from audio.recogniser import TELEPHONE_HZ, Hypothesis, RecogniserError, Samples
from audio.sound import resample, spoken_part
from audio.text import plain
from audio.whisper import collapsed

SHERPA_HZ = 16000
TAIL_S = 0.3
"""Silence after the speech, so that the last syllable is not cut."""
TRIAL_SECONDS = 180
"""The largest models take most of a minute to load on a slow disk."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of model sherpa-onnx can run, and what its folder holds."""

    method: str
    """Of sherpa_onnx.OfflineRecognizer."""
    parts: dict[str, str]
    """Argument of the method: the pattern of its ONNX file's name, or TOKENS, or TOKENIZER."""
    word: str
    """What tells it, in its metadata or in its folder's name."""
    options: dict[str, Any] = field(default_factory=dict)
    writes_freely: bool = False
    """A language model writes the text, so it can repeat itself or make something up."""


TOKENS = "*tokens.txt"
TOKENIZER = "vocab.json"
ENCODER = {"encoder": "*encoder*.onnx", "decoder": "*decoder*.onnx"}
ONE_FILE = {"model": "*.onnx", "tokens": TOKENS}

KINDS = {
    "sense-voice": Kind("from_sense_voice", ONE_FILE, "sense", {"language": "zh"}),
    "paraformer": Kind("from_paraformer", {"paraformer": "*.onnx", "tokens": TOKENS}, "paraformer"),
    "telespeech": Kind("from_telespeech_ctc", ONE_FILE, "tele"),
    "dolphin": Kind("from_dolphin_ctc", ONE_FILE, "dolphin"),
    "fire-red-ctc": Kind("from_fire_red_asr_ctc", ONE_FILE, "fire"),
    "wenet": Kind("from_wenet_ctc", ONE_FILE, "wenet"),
    "zipformer-ctc": Kind("from_zipformer_ctc", ONE_FILE, "zipformer"),
    "nemo-ctc": Kind("from_nemo_ctc", ONE_FILE, "encdec"),
    "omnilingual": Kind("from_omnilingual_asr_ctc", ONE_FILE, "omnilingual"),
    "transducer": Kind(
        "from_transducer", {**ENCODER, "joiner": "*joiner*.onnx", "tokens": TOKENS}, "transducer"
    ),
    "fire-red": Kind("from_fire_red_asr", {**ENCODER, "tokens": TOKENS}, "fire"),
    "whisper": Kind(
        "from_whisper", {**ENCODER, "tokens": TOKENS}, "whisper", {"language": "zh"}, True
    ),
    "qwen3-asr": Kind(
        "from_qwen3_asr",
        {"conv_frontend": "*conv_frontend*.onnx", **ENCODER, "tokenizer": TOKENIZER},
        "qwen3",
        {},
        True,
    ),
    "fun-asr-nano": Kind(
        "from_funasr_nano",
        {
            "encoder_adaptor": "*encoder_adaptor*.onnx",
            "llm": "*llm*.onnx",
            "embedding": "*embedding*.onnx",
            "tokenizer": TOKENIZER,
        },
        "nano",
        {"itn": False, "max_new_tokens": 128},
        True,
    ),
}


class SherpaRecogniser:
    name = "sherpa-onnx"

    def __init__(self, folder: Path, *, threads: int = 2) -> None:
        """Loads any offline model of sherpa-onnx from its folder. Raises RecogniserError."""
        kind, arguments = usable(folder)
        self._kind = KINDS[kind]
        try:
            self._recogniser = _load(kind, arguments, threads)
        except (RuntimeError, ValueError) as error:
            raise RecogniserError(f"{folder} cannot be loaded by sherpa-onnx: {error}") from error
        self.version = f"{folder.name}/sherpa-onnx-{version('sherpa-onnx')}"

    def recognise(
        self, samples: Samples, *, question: str = "", n_best: int = 5
    ) -> list[Hypothesis]:
        """One hypothesis at most: these models give no alternatives and take no prompt.

        Its score is the mean log-probability of a token where the model tells them, else 0.
        """
        clean = spoken_part(samples)
        if clean is None:
            return []
        sound = resample(clean, TELEPHONE_HZ, SHERPA_HZ)
        try:
            result = _decode(self._recogniser, np.pad(sound, (0, int(TAIL_S * SHERPA_HZ))))
        except (RuntimeError, ValueError) as error:
            raise RecogniserError(f"{self.version} failed on this sound: {error}") from error
        text = plain(result.text)
        if not text or (
            self._kind.writes_freely and collapsed(text, len(clean) / TELEPHONE_HZ, question)
        ):
            return []
        probabilities = result.ys_log_probs
        score = float(np.mean(probabilities)) if len(probabilities) else 0.0
        return [Hypothesis(text, min(0.0, score))]


def _load(kind: str, arguments: dict[str, str], threads: int) -> Any:
    import sherpa_onnx

    method = getattr(sherpa_onnx.OfflineRecognizer, KINDS[kind].method)
    return method(**arguments, **KINDS[kind].options, num_threads=threads)


def _decode(recogniser: Any, sound: Samples) -> Any:
    stream = recogniser.create_stream()
    stream.accept_waveform(SHERPA_HZ, sound)
    recogniser.decode_stream(stream)
    return stream.result


def usable(folder: Path) -> tuple[str, dict[str, str]]:
    """Kind and files of a model that sherpa-onnx has been seen to run. Raises RecogniserError.

    Another process loads it and decodes a second of silence: a model that lacks something makes
    sherpa-onnx end the process, and callers would hear nothing. That is not repeated while neither
    the files nor sherpa-onnx have changed.
    """
    kind, arguments = detect(folder)
    files = [Path(path) for path in arguments.values()]
    stamps = [[file.name, file.stat().st_size, file.stat().st_mtime_ns] for file in files]
    tried = json.dumps([version("sherpa-onnx"), kind, stamps])
    note = folder / ".tried"
    if note.is_file() and note.read_text("utf-8") == tried:
        return kind, arguments
    command = [sys.executable, "-m", "audio.sherpa", kind, json.dumps(arguments)]
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=TRIAL_SECONDS,
            check=False,
            cwd=Path(__file__).parent.parent,
        )
    except subprocess.TimeoutExpired as error:
        raise RecogniserError(f"{folder} was not loaded within {TRIAL_SECONDS} s") from error
    if done.returncode:
        said = [line.strip() for line in done.stderr.splitlines() if line.strip()]
        raise RecogniserError(
            f"{folder} cannot be used as a {kind} model by sherpa-onnx:"
            f" {said[-1] if said else f'it ended with status {done.returncode}'}"
        )
    with contextlib.suppress(OSError):  # a folder that cannot be written is tried every time
        note.write_text(tried, "utf-8")
    return kind, arguments


def detect(folder: Path) -> tuple[str, dict[str, str]]:
    """Kind of the model in a folder, and its files by argument. Raises RecogniserError.

    What was said of the kind when the model was installed goes before what its files tell.
    """
    kind = kind_of(folder) or _told_by_files(folder)
    if kind not in KINDS:
        raise RecogniserError(
            f"{folder} holds a model of a kind not known here ({kind}); say which with"
            f" `yihu models install NAME --folder {folder} --kind` one of {', '.join(KINDS)}"
        )
    found = {argument: _file(folder, pattern) for argument, pattern in KINDS[kind].parts.items()}
    missing = [KINDS[kind].parts[argument] for argument, path in found.items() if path is None]
    if missing:
        raise RecogniserError(f"{folder} is no whole {kind} model: {' and '.join(missing)} missing")
    for path in found.values():
        if path is not None and path.suffix == ".onnx":
            metadata(path)
    return kind, {
        argument: str(path.parent if argument == "tokenizer" else path)
        for argument, path in found.items()
        if path is not None
    }


def _file(folder: Path, pattern: str) -> Path | None:
    """The file of this name; the int8 one where there are both, never one for streaming."""
    found = [path for path in folder.rglob(pattern) if "streaming" not in path.name]
    return min(found, key=lambda path: ("int8" not in path.name, str(path)), default=None)


def _told_by_files(folder: Path) -> str:
    """Kind by the names of the files, by the model's metadata, or by the folder's name."""
    if _file(folder, "*conv_frontend*.onnx"):
        return "qwen3-asr"
    if _file(folder, "*encoder_adaptor*.onnx"):
        return "fun-asr-nano"
    if _file(folder, "*joiner*.onnx"):
        return "transducer"
    several = _file(folder, ENCODER["encoder"]) or _file(folder, ENCODER["decoder"])
    model = several or _file(folder, "*.onnx")
    if model is None:
        raise RecogniserError(f"{folder} is no sherpa-onnx model: no .onnx file in it")
    told = metadata(model)
    for text in (told.get("model_type", ""), folder.resolve().name, " ".join(told.values())):
        for name, kind in KINDS.items():
            if ("encoder" in kind.parts) == bool(several) and kind.word in text.lower():
                return name
    return "whisper" if several else told.get("model_type") or folder.resolve().name


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


if __name__ == "__main__":  # the other process of usable(): KIND, ARGUMENTS as JSON
    _decode(_load(sys.argv[1], json.loads(sys.argv[2]), 1), np.zeros(SHERPA_HZ, np.float32))
