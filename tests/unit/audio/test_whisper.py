"""Hears what our own voice says on a telephone line, and does not make things up."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tokenizers
from faster_whisper import WhisperModel
from faster_whisper.tokenizer import Tokenizer
from pypinyin import lazy_pinyin
from rapidfuzz.distance import Levenshtein

from audio import models
from audio.cache import PromptCache
from audio.recogniser import RecogniserError, Samples, Utterance
from audio.synthesiser import Speech
from audio.text import plain
from audio.vocabulary import Vocabulary
from audio.whisper import WhisperRecogniser, collapsed
from ivr.config import load_settings

QUESTION = "您好，请问您需要什么服务？"
SPOKEN = "请人来家里打扫一下卫生"


@pytest.fixture(scope="module")
def sound(voice: PromptCache, on_the_line: Callable[[Speech], Samples]) -> Samples:
    return on_the_line(voice.make(SPOKEN, speed=0.85))


@pytest.fixture(scope="module")
def whisper_model(whisper: WhisperRecogniser) -> Path:
    return models.require("whisper-base", load_settings().models)


def heard_wrong(text: str, spoken: str) -> float:
    """Toneless syllable error rate."""
    reference = lazy_pinyin(spoken)
    return Levenshtein.distance(reference, lazy_pinyin(text)) / len(reference)


def test_sentence_on_the_line_is_understood(whisper: WhisperRecogniser, sound: Samples) -> None:
    found = whisper.recognise(sound, question=QUESTION)
    assert heard_wrong(found[0].text, SPOKEN) <= 0.2
    assert [h.score for h in found] == sorted((h.score for h in found), reverse=True)
    assert all(h.score <= 0 for h in found)
    assert len({h.text for h in found}) == len(found) <= 5


def test_prompts_are_intelligible(
    whisper: WhisperRecogniser, voice: PromptCache, on_the_line: Callable[[Speech], Samples]
) -> None:
    prompts = ["您希望什么时候上门？", "请您说一下家里的地址。", "您是不是需要紧急救助？"]
    wrong = []
    for prompt in prompts:
        found = whisper.recognise(on_the_line(voice.make(prompt, speed=0.85)))
        wrong.append(heard_wrong(found[0].text, prompt[:-1]))
    assert np.mean(wrong) <= 0.1


def test_heard_together_every_caller_gets_what_they_would_have_got_alone(
    whisper: WhisperRecogniser, voice: PromptCache, on_the_line: Callable[[Speech], Samples]
) -> None:
    """Also where one says much more than the others, is asked something else, or says nothing."""
    sounds = [
        on_the_line(voice.make(text, speed=0.85))
        for text in ("请您说一下家里的地址。", "您希望什么时候上门？", SPOKEN)
    ]
    said = [
        Utterance(sounds[0], QUESTION),
        Utterance(np.concatenate([sounds[1], sounds[2], sounds[0]]), QUESTION),
        Utterance(sounds[2], QUESTION),
        Utterance(sounds[1], "您要几个人来？"),
        Utterance(np.zeros(16000, np.float32), QUESTION),
        Utterance(sounds[0][:4000], QUESTION),
    ]
    together = whisper.recognise_all(said)
    assert together == [whisper.recognise(one.samples, question=one.question) for one in said]
    assert together[0][0].text and together[3][0].text


def test_noise_silence_and_clicks_give_no_text(whisper: WhisperRecogniser) -> None:
    assert whisper.recognise(np.zeros(0, np.float32)) == []
    assert whisper.recognise(np.zeros(16000, np.float32), question=QUESTION) == []
    assert whisper.recognise(np.full(400, 0.5, np.float32), question=QUESTION) == []


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("鸡鸡鸡鸡", 3.0),
        ("好不好好不好好不好", 3.0),
        ("您好请问您需要什么服务", 3.0),
        ("请问您需要什么服务请问你需要什么任何服劳", 4.0),
        ("请不吝点赞订阅转发打赏", 4.0),
        ("我想请人来家里打扫一下卫生再帮我洗衣服", 0.8),
    ],
)
def test_collapsed_text_is_not_believed(text: str, seconds: float) -> None:
    assert collapsed(text, seconds, QUESTION)


@pytest.mark.parametrize(
    "text", ["对对对", "好好好", "不不不", "我需要有人帮我洗澡", "谢谢", "请人来看看水管", "要"]
)
def test_ordinary_answers_are_believed(text: str) -> None:
    assert not collapsed(text, 2.0, QUESTION)


def test_all_that_is_said_in_chinese_can_be_written(whisper_model: Path) -> None:
    tokens = Tokenizer(
        tokenizers.Tokenizer.from_file(str(whisper_model / "tokenizer.json")),
        True,
        task="transcribe",
        language="zh",
    )
    vocabulary = Vocabulary(tokens)
    assert len(vocabulary.tokens) < 3500
    for text in (
        "您好，请问您需要什么服务？",
        "屋里向龌龊煞",
        "囥、覅、嗲、齆",
        "120 打 A 座 3 单元 16 号",
    ):
        whole = tokens.encode(text)
        assert vocabulary.whole(vocabulary.here(whole)) == whole
    assert len(vocabulary.here(tokens.encode("ねこ, кошка"))) < len(tokens.encode("ねこ, кошка"))
    assert vocabulary.whole(vocabulary.here(tokens.sot_sequence)) == tokens.sot_sequence


def test_with_fewer_tokens_each_is_as_likely_as_before(
    whisper: WhisperRecogniser, whisper_model: Path, sound: Samples
) -> None:
    """The texts of a decoder that chooses among all tokens, and how likely it finds them."""
    (told, *_) = whisper.recognise(sound)
    mel = whisper.mel(sound)
    assert mel is not None
    model = WhisperModel(str(whisper_model), device="cpu", compute_type="int8")
    result = model.model.generate(
        model.encode(mel),
        [["<|startoftranscript|>", "<|zh|>", "<|transcribe|>", "<|notimestamps|>"]],
        beam_size=5,
        return_scores=True,
        repetition_penalty=1.15,
        no_repeat_ngram_size=3,
    )[0]
    assert plain(model.hf_tokenizer.decode(result.sequences_ids[0])) == told.text
    assert result.scores[0] == pytest.approx(told.score, abs=0.05)


def test_a_model_that_is_not_whole_is_refused_and_left_as_it_is(
    whisper_model: Path, tmp_path: Path
) -> None:
    for name in ("tokenizer.json", "model.bin", "config.json"):
        shutil.copytree(whisper_model, tmp_path / name)
        (tmp_path / name / name).write_bytes((whisper_model / name).read_bytes()[:1000])
        with pytest.raises(RecogniserError, match="run `yihu models verify`"):
            WhisperRecogniser(tmp_path / name)
        assert (tmp_path / name / name).stat().st_size == 1000
