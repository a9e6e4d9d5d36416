"""The adapter, with a model small enough to be made here: it hears low and high tones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from audio.recogniser import RecogniserError, Samples
from audio.sherpa import SherpaRecogniser, detect, metadata


@pytest.fixture
def tones(tmp_path: Path) -> Path:
    """A CTC model over 80 mel bands: 低 where the lower are louder, 高 where the upper are."""
    weight = np.zeros((80, 3), np.float32)
    weight[5:25, 1] = weight[40:60, 2] = 1 / 20
    bias = np.array([0.0, 12.0, 12.0], np.float32)  # quieter than this is blank
    graph = helper.make_graph(
        [
            helper.make_node("MatMul", ["x", "weight"], ["scores"]),
            helper.make_node("Add", ["scores", "bias"], ["logits"]),
            helper.make_node("LogSoftmax", ["logits"], ["log_probs"], axis=-1),
            helper.make_node("Identity", ["x_lens"], ["log_probs_len"]),
        ],
        "tones",
        [
            helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", "T", 80]),
            helper.make_tensor_value_info("x_lens", TensorProto.INT64, ["N"]),
        ],
        [
            helper.make_tensor_value_info("log_probs", TensorProto.FLOAT, ["N", "T", 3]),
            helper.make_tensor_value_info("log_probs_len", TensorProto.INT64, ["N"]),
        ],
        [numpy_helper.from_array(weight, "weight"), numpy_helper.from_array(bias, "bias")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    helper.set_model_props(
        model, {"model_type": "zipformer2_ctc", "subsampling_factor": "1", "vocab_size": "3"}
    )
    onnx.save(model, str(tmp_path / "model.onnx"))
    (tmp_path / "tokens.txt").write_text("<blk> 0\n低 1\n高 2\n", "utf-8")
    return tmp_path


def chord(lowest_hz: float, highest_hz: float, seconds: float) -> Samples:
    at = np.arange(int(8000 * seconds)) / 8000
    hz = np.linspace(lowest_hz, highest_hz, 12)[:, None]
    sound = 0.05 * np.sin(2 * np.pi * hz * at + hz).sum(axis=0)
    return (sound * np.hanning(len(at))).astype(np.float32)


def test_model_of_a_folder_is_recognised_loaded_and_decodes(tones: Path) -> None:
    assert metadata(tones / "model.onnx")["model_type"] == "zipformer2_ctc"
    assert detect(tones)[0] == "from_zipformer_ctc"
    quiet = np.zeros(3000, np.float32)
    sound = np.concatenate([quiet, chord(250, 500, 0.4), quiet, chord(1800, 3200, 0.4), quiet])
    [hypothesis] = SherpaRecogniser(tones, threads=1).recognise(sound)
    assert hypothesis.text == "低高"
    assert hypothesis.score <= 0


def test_silence_gives_no_text(tones: Path) -> None:
    assert SherpaRecogniser(tones, threads=1).recognise(np.zeros(8000, np.float32)) == []


def test_int8_model_is_preferred(tones: Path) -> None:
    (tones / "model.int8.onnx").write_bytes((tones / "model.onnx").read_bytes())
    assert detect(tones)[1]["model"] == str(tones / "model.int8.onnx")


@pytest.mark.parametrize(
    ("files", "method"),
    [
        (["encoder.int8.onnx", "decoder.onnx", "joiner.onnx", "tokens.txt"], "from_transducer"),
        (["base-encoder.onnx", "base-decoder.onnx", "base-tokens.txt"], "from_whisper"),
    ],
)
def test_models_of_several_files_are_told_by_their_names(
    tmp_path: Path, files: list[str], method: str
) -> None:
    for name in files:
        (tmp_path / name).write_bytes(b"\x08\x08")
    assert detect(tmp_path)[0] == method


@pytest.mark.parametrize(
    ("model_type", "method"),
    [
        ("sense_voice_ctc", "from_sense_voice"),
        ("paraformer", "from_paraformer"),
        ("telespeech_ctc", "from_telespeech_ctc"),
        ("dolphin", "from_dolphin_ctc"),
        ("wenet_ctc", "from_wenet_ctc"),
        ("EncDecCTCModelBPE", "from_nemo_ctc"),
    ],
)
def test_dialect_models_are_told_by_what_they_say_of_themselves(
    tones: Path, model_type: str, method: str
) -> None:
    model = onnx.load(str(tones / "model.onnx"))
    helper.set_model_props(model, {"model_type": model_type})
    onnx.save(model, str(tones / "model.onnx"))
    assert detect(tones)[0] == method


def test_folder_without_a_model_says_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(RecogniserError, match=r"tokens\.txt is missing"):
        SherpaRecogniser(tmp_path)


def test_damaged_model_is_refused_before_it_can_end_the_process(tones: Path) -> None:
    whole = (tones / "model.onnx").read_bytes()
    (tones / "model.onnx").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(RecogniserError, match="no ONNX file"):
        SherpaRecogniser(tones)
