"""Whisper through CTranslate2, tuned for short telephone answers.

Two things differ from the usual way of running it. Only the spoken window is encoded, padded to
one of a few lengths and not to 30 s: a quarter of the time for the same text. And what it says is
not believed at once: on speech it does not know, Whisper repeats itself or its prompt, so such
texts are recognised as collapsed and the sound is decoded again another way.
"""

from __future__ import annotations

import hashlib
import math
import re
import zlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from audio.phones import Matrix, PhoneHead, Sounds
from audio.recogniser import TELEPHONE_HZ, Hypothesis, RecogniserError, Samples
from audio.sound import resample, spoken_part
from audio.text import plain

WHISPER_HZ = 16000
WINDOWS_S = (6, 8, 10, 15, 30)
"""Lengths the sound is padded to; few, so that buffers are reused."""
TAIL_S = 1.0
"""Silence after the speech: with less, the last syllable is lost."""
AFTER_S = 0.2
"""Of the silence after the speech, what is listened to for single sounds."""
SYLLABLES_A_SECOND = 9.0
"""No elder speaks faster; a longer text was made up."""
MIN_SCORE = -1.6
"""Mean log-probability of a token below which the best text is a guess, and so are all."""
MADE_UP = re.compile(
    "字幕|点赞|订阅|打赏|明镜|栏目|独播|謝謝觀看|谢谢观看|谢谢收看|感谢观看|由.*提供|Amara|by索"
)
"""What Whisper says to noise: it was trained on subtitles."""


@dataclass(frozen=True, slots=True)
class _Encoded:
    """One utterance as the encoder gave it."""

    features: Any
    """ctranslate2.StorageView of shape (1, frames of 20 ms, dimension)."""
    seconds: float
    """Length of the speech."""

    def states(self) -> Matrix:
        """Of the speech and a little after it, shape (frames, dimension)."""
        frames = math.ceil((self.seconds + AFTER_S) * 50)
        return np.asarray(self.features)[0, :frames].astype(np.float32)


class WhisperRecogniser:
    name = "whisper"

    def __init__(
        self,
        folder: Path,
        *,
        threads: int = 2,
        beam: int = 5,
        model: str = "",
        phones: PhoneHead | None = None,
    ) -> None:
        """Loads a CTranslate2 Whisper model; `phones` was trained on this very model.

        Raises RecogniserError.
        """
        import ctranslate2
        from faster_whisper import WhisperModel
        from faster_whisper.tokenizer import Tokenizer

        try:
            loaded = WhisperModel(
                str(folder), device="cpu", compute_type="int8", cpu_threads=threads
            )
        except (RuntimeError, OSError, ValueError) as error:
            raise RecogniserError(
                f"{folder} is no Whisper model ({error}): run `yihu models verify`"
            ) from error
        self.version = f"{model or folder.name}/ctranslate2-{ctranslate2.__version__}"
        self._model = loaded.model
        self._encode_features = loaded.encode
        self._features = loaded.feature_extractor
        self._tokens = Tokenizer(loaded.hf_tokenizer, True, task="transcribe", language="zh")
        self._beam = beam
        self._phones = phones
        self._last: tuple[bytes, _Encoded | None] = (b"", None)

    def recognise(
        self, samples: Samples, *, question: str = "", n_best: int = 5
    ) -> list[Hypothesis]:
        encoded = self._encode(samples)
        if encoded is None:
            return []
        for prompt, beam in ((question, self._beam), ("", self._beam), ("", 1)):
            found = self._decode(encoded, prompt, beam, n_best)
            sound = [h for h in found if not collapsed(h.text, encoded.seconds, question)]
            if sound and sound[0].score >= MIN_SCORE:
                return [replace(sound[0], sounds=self._hear(encoded)), *sound[1:]]
        sounds = self._hear(encoded)
        return [Hypothesis("", MIN_SCORE, sounds)] if sounds else []

    def _hear(self, encoded: _Encoded) -> Sounds | None:
        return self._phones.hear(encoded.states()) if self._phones else None

    def states(self, samples: Samples) -> Matrix | None:
        """What the encoder makes of the speech, shape (frames of 20 ms, dimension).

        None when nothing was said.
        """
        encoded = self._encode(samples)
        return encoded.states() if encoded else None

    def _encode(self, samples: Samples) -> _Encoded | None:
        """Encodes an utterance, or gives what the last call encoded if it is the same one."""
        key = hashlib.sha256(samples.tobytes()).digest()
        if key != self._last[0]:
            self._last = (key, self._encode_anew(samples))
        return self._last[1]

    def _encode_anew(self, samples: Samples) -> _Encoded | None:
        clean = spoken_part(samples)
        if clean is None:
            return None
        seconds = len(clean) / TELEPHONE_HZ
        window = next((w for w in WINDOWS_S if seconds + TAIL_S <= w), WINDOWS_S[-1])
        sound = resample(clean, TELEPHONE_HZ, WHISPER_HZ)[: window * WHISPER_HZ]
        padded = np.pad(sound, (0, window * WHISPER_HZ - len(sound)))
        mel = self._features(padded)[:, : window * 100]
        return _Encoded(self._encode_features(mel), seconds)

    def _start(self, question: str) -> list[int]:
        prompt = [self._tokens.sot_prev, *self._tokens.encode(" " + question)] if question else []
        return [*prompt, *self._tokens.sot_sequence, self._tokens.no_timestamps]

    def _decode(self, encoded: _Encoded, question: str, beam: int, n_best: int) -> list[Hypothesis]:
        start = self._start(question)
        result = self._model.generate(
            encoded.features,
            [start],
            beam_size=beam,
            num_hypotheses=min(n_best, beam),
            return_scores=True,
            repetition_penalty=1.15,
            no_repeat_ngram_size=3,
            max_length=len(start) + 8 + math.ceil(encoded.seconds * SYLLABLES_A_SECOND * 1.5),
        )[0]
        best: dict[str, float] = {}
        for ids, score in zip(result.sequences_ids, result.scores, strict=True):
            text = plain(self._tokens.decode(ids))
            if text:
                best[text] = max(score, best.get(text, -math.inf))
        return [Hypothesis(text, min(0.0, score)) for text, score in best.items()]


def collapsed(text: str, seconds: float, question: str) -> bool:
    """Whether a text is the decoder talking to itself and not what was said."""
    return (
        len(text) > 3 + SYLLABLES_A_SECOND * seconds
        or MADE_UP.search(text) is not None
        or _repeats(text)
        or _echoes(text, plain(question))
    )


def _repeats(text: str) -> bool:
    """鸡鸡鸡鸡, 好不好好不好好不好: a unit said four times running, or much that says little."""
    if re.search(r"(.{1,6}?)\1{3,}", text) or re.search(r"(.{3,}?)\1{2,}", text):
        return True
    data = text.encode()
    return len(text) >= 16 and len(data) / len(zlib.compress(data)) > 2.0


def _echoes(text: str, question: str) -> bool:
    """Half of the text or more are pieces of the question that was its prompt."""
    covered = 0
    i = 0
    while i < len(text):
        run = 0
        while i + run < len(text) and text[i : i + run + 1] in question:
            run += 1
        covered += run if run >= 3 else 0
        i += max(1, run)
    return covered * 2 >= len(text) > 0
