"""The adapter, with a model small enough to be made here: it hears low and high tones."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from typer.testing import CliRunner

from audio import models
from audio.engines import make_recogniser
from audio.recogniser import RecogniserError, Samples
from audio.sherpa import SherpaRecogniser, detect, metadata
from ivr.commands.models import app

TOKENS = "<blk> 0\n低 1\n高 2\n<zh> 3\n<calm> 4\n<speech> 5\n<plain> 6\n"
BANDS = {"mean": ",".join(["0"] * 80), "deviation": ",".join(["1"] * 80)}


def make_tones(folder: Path, metadata_of: dict[str, str], *, loud: float = 12.0) -> Path:
    """A CTC model over 80 mel bands: 低 where the lower are louder, 高 where the upper are.

    Frames quieter than `loud` below zero are blank.
    """
    weight = np.zeros((80, 3), np.float32)
    weight[5:25, 1] = weight[40:60, 2] = 1 / 20
    bias = np.array([0.0, loud, loud], np.float32)
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
    return save(folder, graph, {"subsampling_factor": "1", "vocab_size": "3"} | metadata_of)


def make_sense_voice(folder: Path) -> Path:
    """The same as a SenseVoice: seven frames at once, and four tokens that are not text first."""
    weight = np.zeros((560, 7), np.float32)
    for frame in range(0, 560, 80):
        weight[frame + 5 : frame + 25, 1] = weight[frame + 40 : frame + 60, 2] = 1 / 140
    bias = np.array([0, 12, 12, -99, -99, -99, -99], np.float32)
    first = np.zeros((1, 4, 7), np.float32)
    first[0, range(4), range(3, 7)] = 99
    number = [
        helper.make_tensor_value_info(name, TensorProto.INT32, ["N"])
        for name in ("x_length", "language", "text_norm")
    ]
    graph = helper.make_graph(
        [
            helper.make_node("MatMul", ["x", "weight"], ["scores"]),
            helper.make_node("Add", ["scores", "bias"], ["heard"]),
            helper.make_node("Concat", ["first", "heard"], ["logits"], axis=1),
        ],
        "tones",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", "T", 560]), *number],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["N", "U", 7])],
        [
            numpy_helper.from_array(array, name)
            for name, array in {"weight": weight, "bias": bias, "first": first}.items()
        ],
    )
    numbers = {
        "vocab_size": 7,
        "lfr_window_size": 7,
        "lfr_window_shift": 6,
        "normalize_samples": 1,
        "with_itn": 14,
        "without_itn": 15,
        **{f"lang_{name}": n for n, name in enumerate(("auto", "zh", "en", "ja", "ko", "yue"))},
    }
    return save(
        folder,
        graph,
        {name: str(number) for name, number in numbers.items()}
        | {"model_type": "sense_voice_ctc"}
        | {"neg_mean": ",".join(["0"] * 560), "inv_stddev": ",".join(["1"] * 560)},
    )


def save(folder: Path, graph: onnx.GraphProto, metadata_of: dict[str, str]) -> Path:
    folder.mkdir(exist_ok=True)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    helper.set_model_props(model, metadata_of)
    onnx.save(model, str(folder / "model.onnx"))
    (folder / "tokens.txt").write_text(TOKENS, "utf-8")
    return folder


@pytest.fixture
def tones(tmp_path: Path) -> Path:
    return make_tones(tmp_path / "tones", {"model_type": "zipformer2_ctc"})


def chord(lowest_hz: float, highest_hz: float, seconds: float) -> Samples:
    at = np.arange(int(8000 * seconds)) / 8000
    hz = np.linspace(lowest_hz, highest_hz, 12)[:, None]
    sound = 0.05 * np.sin(2 * np.pi * hz * at + hz).sum(axis=0)
    return (sound * np.hanning(len(at))).astype(np.float32)


@pytest.fixture
def low_then_high() -> Samples:
    quiet = np.zeros(3000, np.float32)
    return np.concatenate([quiet, chord(250, 500, 0.4), quiet, chord(1800, 3200, 0.4), quiet])


def test_model_of_a_folder_is_recognised_loaded_and_decodes(
    tones: Path, low_then_high: Samples
) -> None:
    assert metadata(tones / "model.onnx")["model_type"] == "zipformer2_ctc"
    assert detect(tones)[0] == "zipformer-ctc"
    [hypothesis] = SherpaRecogniser(tones, threads=1).recognise(low_then_high, n_best=5)
    assert hypothesis.text == "低高"
    assert hypothesis.score <= 0


@pytest.mark.parametrize(
    ("kind", "metadata_of", "loud"),
    [
        ("wenet", {"model_type": "wenet_ctc"}, -8.8),
        (
            "fire-red-ctc",
            {
                "model_type": "fire-red-asr-2-ctc",
                "cmvn_mean": BANDS["mean"],
                "cmvn_inv_stddev": BANDS["deviation"],
            },
            -8.8,
        ),
        (
            "dolphin",
            {"model_type": "dolphin", "mean": BANDS["mean"], "invstd": BANDS["deviation"]},
            12.0,
        ),
    ],
)
def test_dialect_models_of_each_kind_are_heard_with(
    tmp_path: Path, kind: str, metadata_of: dict[str, str], loud: float, low_then_high: Samples
) -> None:
    folder = make_tones(tmp_path / "model", metadata_of, loud=loud)
    assert detect(folder)[0] == kind
    [hypothesis] = SherpaRecogniser(folder, threads=1).recognise(low_then_high)
    assert re.fullmatch("低+高+", hypothesis.text)


def test_sense_voice_is_heard_with(tmp_path: Path, low_then_high: Samples) -> None:
    folder = make_sense_voice(tmp_path / "model")
    assert detect(folder)[0] == "sense-voice"
    [hypothesis] = SherpaRecogniser(folder, threads=1).recognise(low_then_high)
    assert hypothesis.text == "低高"


def test_level_and_hum_of_the_line_make_no_difference(tones: Path, low_then_high: Samples) -> None:
    hum = 0.02 * np.sin(2 * np.pi * 50 * np.arange(len(low_then_high)) / 8000)
    recogniser = SherpaRecogniser(tones, threads=1)
    [hypothesis] = recogniser.recognise((0.1 * low_then_high + hum).astype(np.float32))
    assert re.fullmatch("低+高+", hypothesis.text)


def test_silence_and_clicks_give_no_text(tones: Path) -> None:
    recogniser = SherpaRecogniser(tones, threads=1)
    assert recogniser.recognise(np.zeros(8000, np.float32)) == []
    assert recogniser.recognise(np.ones(400, np.float32)) == []


def test_int8_model_is_preferred_and_the_one_for_streaming_is_not_taken(tones: Path) -> None:
    whole = (tones / "model.onnx").read_bytes()
    for name in ("model.int8.onnx", "model-streaming.int8.onnx"):
        (tones / name).write_bytes(whole)
    assert detect(tones)[1]["model"] == str(tones / "model.int8.onnx")


@pytest.mark.parametrize(
    ("files", "kind"),
    [
        (["encoder.int8.onnx", "decoder.onnx", "joiner.onnx", "tokens.txt"], "transducer"),
        (["exp/encoder.onnx", "exp/decoder.onnx", "exp/joiner.onnx", "tokens.txt"], "transducer"),
        (["base-encoder.onnx", "base-decoder.onnx", "base-tokens.txt"], "whisper"),
        (
            ["conv_frontend.onnx", "encoder.onnx", "decoder.onnx", "tokenizer/vocab.json"],
            "qwen3-asr",
        ),
        (
            ["encoder_adaptor.onnx", "llm.onnx", "embedding.onnx", "Qwen3-0.6B/vocab.json"],
            "fun-asr-nano",
        ),
    ],
)
def test_models_of_several_files_are_told_by_their_names(
    tmp_path: Path, files: list[str], kind: str
) -> None:
    for name in files:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"\x08\x08")
    assert detect(tmp_path)[0] == kind


def test_fire_red_is_told_by_the_name_of_its_folder(tmp_path: Path) -> None:
    folder = tmp_path / "sherpa-onnx-fire-red-asr2"
    folder.mkdir()
    for name in ("encoder.int8.onnx", "decoder.int8.onnx", "tokens.txt"):
        (folder / name).write_bytes(b"\x08\x08")
    assert detect(folder)[0] == "fire-red"


@pytest.mark.parametrize(
    ("model_type", "kind"),
    [
        ("sense_voice_ctc", "sense-voice"),
        ("paraformer", "paraformer"),
        ("telespeech_ctc", "telespeech"),
        ("dolphin", "dolphin"),
        ("wenet_ctc", "wenet"),
        ("EncDecCTCModelBPE", "nemo-ctc"),
    ],
)
def test_dialect_models_are_told_by_what_they_say_of_themselves(
    tmp_path: Path, model_type: str, kind: str
) -> None:
    assert detect(make_tones(tmp_path / "model", {"model_type": model_type}))[0] == kind


def test_kind_said_at_installation_goes_before_what_the_files_tell(
    tmp_path: Path, tones: Path
) -> None:
    path = models.install("mine", tmp_path / "models", source=tones, kind="wenet")
    assert detect(path)[0] == "wenet"


def test_installed_model_is_used_by_its_name_and_by_its_folder(
    tmp_path: Path, tones: Path, low_then_high: Samples
) -> None:
    path = models.install("mine", tmp_path / "models", source=tones)
    for name in ("mine", str(path)):
        recogniser = make_recogniser("sherpa-onnx", name, tmp_path / "models", threads=1)
        assert [h.text for h in recogniser.recognise(low_then_high)] == ["低高"]
    assert models.verify("mine", tmp_path / "models") == []


def test_administrator_learns_at_installation_whether_a_model_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tones: Path
) -> None:
    monkeypatch.setenv("YIHU_MODELS_DIR", str(tmp_path / "models"))
    run = CliRunner().invoke
    good = run(app, ["install", "mine", "--folder", str(tones)])
    assert good.exit_code == 0
    assert "mine: works with sherpa-onnx as zipformer-ctc" in good.stderr
    bad = run(app, ["install", "mine", "--folder", str(tones), "--kind", "sense-voice"])
    assert bad.exit_code == 1
    assert "cannot be used as a sense-voice model" in bad.stderr


def test_folder_without_a_model_says_what_is_missing(tmp_path: Path, tones: Path) -> None:
    with pytest.raises(RecogniserError, match=r"no \.onnx file"):
        SherpaRecogniser(tmp_path / "nothing")
    (tones / "tokens.txt").unlink()
    with pytest.raises(RecogniserError, match=r"no whole zipformer-ctc model: \*tokens\.txt miss"):
        SherpaRecogniser(tones)


def test_model_of_a_kind_not_known_says_how_to_say_it(tmp_path: Path) -> None:
    folder = make_tones(tmp_path / "model", {"model_type": "brand_new"})
    with pytest.raises(RecogniserError, match=r"not known here \(brand_new\).*--kind"):
        detect(folder)


def test_damaged_model_is_refused_before_it_can_end_the_process(tones: Path) -> None:
    whole = (tones / "model.onnx").read_bytes()
    (tones / "model.onnx").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(RecogniserError, match="no ONNX file"):
        SherpaRecogniser(tones)


def test_model_that_would_end_the_process_is_refused_with_the_reason(tmp_path: Path) -> None:
    folder = make_tones(tmp_path / "model", {"model_type": "telespeech_ctc"})
    with pytest.raises(RecogniserError, match="cannot be used as a telespeech model"):
        SherpaRecogniser(folder)


def test_model_is_tried_by_another_process_only_when_it_is_new(
    tones: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    SherpaRecogniser(tones, threads=1)
    monkeypatch.setattr("subprocess.run", lambda *_, **__: pytest.fail("tried again"))
    SherpaRecogniser(tones, threads=1)
