"""Whisper through CTranslate2, tuned for short telephone answers and for many callers.

Five things differ from the usual way of running it. Only the spoken window is encoded, padded to
one of a few lengths and not to 30 s: a quarter of the time for the same text. The decoder knows the
tokens that Chinese is written with, and no others (vocabulary.py). What it says is not believed at
once: on speech it does not know, Whisper repeats itself or its prompt, so such texts are recognised
as collapsed and the sound is decoded again another way. Utterances that wait at the same time are
decoded together where they can be: that saves a fifth of the time of each. The encoder has enough
to do with one, and gains nothing from more. And a second encoder, taught to hear dialects, tells
the sounds beside the words.
"""

from __future__ import annotations

import ctypes
import hashlib
import json
import math
import re
import zlib
from collections import defaultdict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np

from audio import ctranslate
from audio.adapter import AdaptedEncoder
from audio.phones import Matrix, PhoneHead, Sounds
from audio.recogniser import TELEPHONE_HZ, Hypothesis, RecogniserError, Samples, Utterance
from audio.sound import resample, spoken_part
from audio.text import plain
from audio.vocabulary import Vocabulary

if TYPE_CHECKING:
    from faster_whisper import WhisperModel
    from faster_whisper.tokenizer import Tokenizer

WHISPER_HZ = 16000
TOKENIZER = "tokenizer.json"
WINDOWS_S = (6, 8, 10, 15, 30)
"""Lengths the sound is padded to; few, so that buffers are reused."""
LONG_S = 15
"""From this window on, the memory an utterance took is given back: few are as long."""
TAIL_S = 1.0
"""Silence after the speech: with less, the last syllable is lost."""
AFTER_S = 0.2
"""Of the silence after the speech, what is listened to for single sounds."""
SYLLABLES_A_SECOND = 9.0
"""No elder speaks faster; a longer text was made up."""
MIN_SCORE = -1.6
"""Mean log-probability of a token below which the best text is a guess, and so are all."""
PROMPTS_KNOWN = 1000
"""Questions whose length in tokens is remembered."""
MADE_UP = re.compile(
    "字幕|点赞|订阅|打赏|明镜|栏目|独播|謝謝觀看|谢谢观看|谢谢收看|感谢观看|由.*提供|Amara|by索"
)
"""What Whisper says to noise: it was trained on subtitles."""


@dataclass(frozen=True, slots=True)
class _Encoded:
    """One utterance as the encoder gave it."""

    features: Any
    """ctranslate2.StorageView of shape (1, frames of 20 ms, dimension)."""
    mel: Matrix
    """The spectrogram it was made of, shape (bands, frames of 10 ms)."""
    seconds: float
    """Length of the speech."""
    window: int
    """One of WINDOWS_S."""

    @property
    def most_tokens(self) -> int:
        """That can have been said, and a few more."""
        return 8 + math.ceil(self.seconds * SYLLABLES_A_SECOND * 1.5)

    @property
    def frames(self) -> int:
        """Of 20 ms, of the speech and a little after it."""
        return math.ceil((self.seconds + AFTER_S) * 50)

    def states(self) -> Matrix:
        """Shape (frames, dimension)."""
        return np.asarray(self.features)[0, : self.frames].astype(np.float32)


class WhisperRecogniser:
    name = "whisper"
    workers = 1

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

        try:
            loaded, self._tokens, self._vocabulary = _loaded(folder, threads)
        except (RuntimeError, OSError, ValueError) as error:
            raise RecogniserError(
                f"{folder} cannot be loaded as a Whisper model ({error}): run `yihu models verify`"
            ) from error
        try:
            changes = phones.changes if phones else {}
            self._ear = AdaptedEncoder(folder, changes, threads=threads) if changes else None
        except (RuntimeError, OSError, ValueError) as error:
            raise RecogniserError(
                f"what was mined is not of this model ({error}): run `yihu grammar mine` again"
            ) from error
        self.version = f"{model or folder.name}/ctranslate2-{ctranslate2.__version__}"
        self._model = loaded.model
        self._encode_features = loaded.encode
        self._features = loaded.feature_extractor
        self._beam = beam
        self._phones = phones
        self._prompt_length = lru_cache(PROMPTS_KNOWN)(lambda question: len(self._start(question)))
        self._last: tuple[bytes, _Encoded | None] = (b"", None)

    def recognise(
        self, samples: Samples, *, question: str = "", n_best: int = 5
    ) -> list[Hypothesis]:
        return self.recognise_all([Utterance(samples, question)], n_best=n_best)[0]

    def alike(self, question: str) -> Hashable:
        """Of prompts as many tokens long, which is what CTranslate2 asks for."""
        return self._prompt_length(question)

    def recognise_all(
        self, utterances: Sequence[Utterance], *, n_best: int = 5
    ) -> list[list[Hypothesis]]:
        found: list[list[Hypothesis]] = [[] for _ in utterances]
        encoded = {
            index: one
            for index, utterance in enumerate(utterances)
            if (one := self._encode(utterance.samples)) is not None
        }
        doubtful = list(encoded)
        for prompted, beam in ((True, self._beam), (False, self._beam), (False, 1)):
            asked = [
                (encoded[index], utterances[index].question if prompted else "")
                for index in doubtful
            ]
            for index, texts in zip(doubtful, self._decode(asked, beam, n_best), strict=True):
                question, seconds = utterances[index].question, encoded[index].seconds
                found[index] = [h for h in texts if not collapsed(h.text, seconds, question)]
            doubtful = [i for i in doubtful if not found[i] or found[i][0].score < MIN_SCORE]
            if not doubtful:
                break
        for index, one in encoded.items():
            sounds = self._hear(one)
            if index not in doubtful:
                found[index] = [replace(found[index][0], sounds=sounds), *found[index][1:]]
            else:
                found[index] = [Hypothesis("", MIN_SCORE, sounds)] if sounds else []
        if any(one.window >= LONG_S for one in encoded.values()):
            _give_back_memory()
        return found

    def _hear(self, encoded: _Encoded) -> Sounds | None:
        if self._phones is None:
            return None
        if self._ear is None:
            return self._phones.hear(encoded.states())
        return self._phones.hear(self._ear.states(encoded.mel, encoded.frames))

    def states(self, samples: Samples) -> Matrix | None:
        """What the model's own encoder makes of the speech, shape (frames of 20 ms, dimension).

        None when nothing was said.
        """
        encoded = self._encode(samples)
        return encoded.states() if encoded else None

    def mel(self, samples: Samples) -> Matrix | None:
        """The spectrogram of what would be encoded, shape (bands, frames of 10 ms).

        None when nothing was said.
        """
        spoken = self._spoken(samples)
        return spoken[0] if spoken else None

    def _encode(self, samples: Samples) -> _Encoded | None:
        """Encodes an utterance, or gives what the last call encoded if it is the same one."""
        key = hashlib.sha256(samples.tobytes()).digest()
        last = self._last  # another thread may exchange it meanwhile
        if key != last[0]:
            last = self._last = (key, self._encode_anew(samples))
        return last[1]

    def _encode_anew(self, samples: Samples) -> _Encoded | None:
        spoken = self._spoken(samples)
        if spoken is None:
            return None
        mel, seconds, window = spoken
        return _Encoded(self._encode_features(mel), mel, seconds, window)

    def _spoken(self, samples: Samples) -> tuple[Matrix, float, int] | None:
        """The spectrogram of the speech in its window, its seconds, and those of the window."""
        clean = spoken_part(samples)
        if clean is None:
            return None
        seconds = len(clean) / TELEPHONE_HZ
        window = next((w for w in WINDOWS_S if seconds + TAIL_S <= w), WINDOWS_S[-1])
        sound = resample(clean, TELEPHONE_HZ, WHISPER_HZ)[: window * WHISPER_HZ]
        padded = np.pad(sound, (0, window * WHISPER_HZ - len(sound)))
        return self._features(padded)[:, : window * 100], seconds, window

    def _start(self, question: str) -> list[int]:
        """What the decoder goes on from."""
        before = [self._tokens.sot_prev, *self._tokens.encode(" " + question)] if question else []
        start = [*before, *self._tokens.sot_sequence, self._tokens.no_timestamps]
        return self._vocabulary.here(start)

    def _decode(
        self, asked: Sequence[tuple[_Encoded, str]], beam: int, n_best: int
    ) -> list[list[Hypothesis]]:
        """Texts for each utterance and the question to prompt it with."""
        starts = [self._start(question) for _, question in asked]
        together: dict[tuple[int, int], list[int]] = defaultdict(list)
        for index, ((encoded, _), start) in enumerate(zip(asked, starts, strict=True)):
            together[encoded.window, len(start)].append(index)
        found: dict[int, list[Hypothesis]] = {}
        for indices in together.values():
            group = [asked[index][0] for index in indices]
            results = self._generate(group, [starts[index] for index in indices], beam, n_best)
            found.update(zip(indices, map(self._texts, results), strict=True))
        return [found[index] for index in range(len(asked))]

    def _generate(
        self, group: Sequence[_Encoded], starts: Sequence[list[int]], beam: int, n_best: int
    ) -> list[Any]:
        """CTranslate2's results; all utterances of one window, all starts of one length."""
        most = max(encoded.most_tokens for encoded in group)
        results = self._model.generate(
            group[0].features if len(group) == 1 else _joined(group),
            list(starts),
            beam_size=beam,
            num_hypotheses=min(n_best, beam),
            return_scores=True,
            repetition_penalty=1.15,
            no_repeat_ngram_size=3,
            max_length=len(starts[0]) + most,
        )
        for index, (encoded, result) in enumerate(zip(group, results, strict=True)):
            # CTranslate2 stops at half of max_length, if that is sooner; what went on to there
            # for the sake of others gets what it would have got alone.
            most = min(encoded.most_tokens, (len(starts[0]) + encoded.most_tokens) // 2)
            if len(group) > 1 and max(map(len, result.sequences_ids)) >= most - 1:
                results[index] = self._generate([encoded], [starts[index]], beam, n_best)[0]
        return results

    def _texts(self, result: Any) -> list[Hypothesis]:
        best: dict[str, float] = {}
        for ids, score in zip(result.sequences_ids, result.scores, strict=True):
            text = plain(self._tokens.decode(self._vocabulary.whole(ids)))
            if text:
                best[text] = max(score, best.get(text, -math.inf))
        return [Hypothesis(text, min(0.0, score)) for text, score in best.items()]


def _loaded(folder: Path, threads: int) -> tuple[WhisperModel, Tokenizer, Vocabulary]:
    """A model that knows no tokens but those of use.

    Raises OSError, RuntimeError and ValueError.
    """
    from faster_whisper import WhisperModel
    from faster_whisper.tokenizer import Tokenizer
    from tokenizers import Tokenizer as AnyTokenizer

    whole = AnyTokenizer.from_buffer((folder / TOKENIZER).read_bytes())
    tokens = Tokenizer(whole, True, task="transcribe", language="zh")
    vocabulary = Vocabulary(tokens)
    weights = vocabulary.weights(ctranslate.read(folder / ctranslate.MODEL))
    config = vocabulary.config(json.loads((folder / ctranslate.CONFIG).read_bytes()))
    with TemporaryDirectory(prefix="yihu-") as made:
        for name in TOKENIZER, "preprocessor_config.json":
            if (folder / name).exists():
                (Path(made) / name).symlink_to((folder / name).absolute())
        ctranslate.write(Path(made), weights, vocabulary.tokens, config)
        model = WhisperModel(made, device="cpu", compute_type="int8", cpu_threads=threads)
    return model, tokens, vocabulary


def _joined(group: Sequence[_Encoded]) -> Any:
    """Encoded utterances of one window as a batch."""
    from ctranslate2 import StorageView

    return StorageView.from_array(np.concatenate([np.asarray(one.features) for one in group]))


def _give_back_memory() -> None:
    """What is free, to the system: glibc keeps 150 MB of buffers after half a minute of speech."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:  # other C libraries give back by themselves
        trim(0)


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
