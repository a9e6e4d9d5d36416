"""Vosk: listens while the caller speaks, and can be told which phrases there are to hear."""

from __future__ import annotations

import json
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import structlog

from audio.recogniser import TELEPHONE_HZ, Hypothesis, RecogniserError, Samples
from audio.sound import Doubler, to_speech
from audio.text import plain

VOSK_HZ = 16000
FLUSH_S = 0.3
"""Silence after the last sample, so that the last sound is decided."""
UNKNOWN = ("[unk]", "<unk>", "<UNK>")
"""Names of the word a grammar hears when it is none of its phrases; each model has one."""

log = structlog.get_logger()


class VoskRecogniser:
    """May make streams for several calls at once; each stream is used by one."""

    name = "vosk"

    def __init__(self, folder: Path) -> None:
        """Loads a Vosk model folder. Raises RecogniserError."""
        import vosk

        vosk.SetLogLevel(-1)
        if not (folder / "am" / "final.mdl").exists():
            raise RecogniserError(f"{folder} is no Vosk model: am/final.mdl is missing")
        try:
            self._model = vosk.Model(str(folder))
        except Exception as error:  # vosk raises nothing more exact
            raise RecogniserError(f"{folder} cannot be loaded by Vosk: {error}") from error
        self.version = f"{folder.name}/vosk-{version('vosk')}"

    def recognise(
        self, samples: Samples, *, question: str = "", n_best: int = 5
    ) -> list[Hypothesis]:
        """`question` is not used: Vosk has no prompt."""
        stream = self.stream(n_best=n_best)
        stream.accept(samples)
        return stream.finish()

    def stream(self, phrases: Sequence[str] = (), *, n_best: int = 5) -> VoskStream:
        """Starts an utterance; with `phrases`, only these (or nothing) can be heard."""
        import vosk

        arguments = [self._model, VOSK_HZ]
        if phrases:
            spoken = [words for phrase in phrases if (words := self._words(phrase))]
            if not spoken:
                raise RecogniserError("this Vosk model knows no word of any of the phrases")
            unknown = [word for word in UNKNOWN if self._knows(word)]
            grammar = [*dict.fromkeys(spoken), *unknown]
            arguments.append(json.dumps(grammar, ensure_ascii=False))
        recogniser = vosk.KaldiRecognizer(*arguments)
        recogniser.SetMaxAlternatives(n_best)
        return VoskStream(recogniser)

    def _words(self, phrase: str) -> str:
        """The phrase in words of the model's vocabulary, spaces between; "" if that fails.

        Chinese is written without spaces, so the longest known words are taken from the left.
        """
        words = []
        for part in phrase.split():
            start = 0
            while start < len(part):
                ends = range(len(part), start, -1)
                end = next((e for e in ends if self._knows(part[start:e])), None)
                if end is None:
                    log.warning("phrase left out of the grammar", phrase=phrase, at=part[start:])
                    return ""
                words.append(part[start:end])
                start = end
        return " ".join(words)

    def _knows(self, word: str) -> bool:
        return bool(self._model.vosk_model_find_word(word) >= 0)


class VoskStream:
    """One utterance. Results of its parts are joined where Vosk itself finds a pause."""

    def __init__(self, recogniser: Any) -> None:
        self._recogniser = recogniser
        self._double = Doubler()
        self._parts: list[list[Hypothesis]] = []

    def accept(self, samples: Samples) -> str:
        """Takes samples at 8000 Hz; gives the text so far."""
        data = to_speech(self._double(samples)).tobytes()
        if self._recogniser.AcceptWaveform(data):
            self._keep(self._recogniser.Result())
            return self._text_so_far()
        partial = json.loads(self._recogniser.PartialResult()).get("partial", "")
        return self._text_so_far() + _text(partial)

    def finish(self) -> list[Hypothesis]:
        self.accept(np.zeros(int(FLUSH_S * TELEPHONE_HZ), np.float32))
        self._keep(self._recogniser.FinalResult())
        if not self._parts:
            return []
        # Alternatives of the last part differ most from each other; earlier ones stay as heard.
        before = "".join(part[0].text for part in self._parts[:-1])
        return [Hypothesis(before + h.text, h.score) for h in self._parts[-1]]

    def _text_so_far(self) -> str:
        return "".join(part[0].text for part in self._parts)

    def _keep(self, result: str) -> None:
        """Vosk's confidences are likelihoods of a whole lattice path: only differences count.

        The best alternative scores 0, the others how much less likely a character of them is.
        """
        found: dict[str, float] = {}
        alternatives = json.loads(result).get("alternatives", [])
        for row in alternatives:
            text = _text(row["text"])
            if text and text not in found:
                found[text] = (row["confidence"] - alternatives[0]["confidence"]) / len(text)
        if found:
            ranked = sorted(found.items(), key=lambda item: -item[1])
            self._parts.append([Hypothesis(text, min(0.0, score)) for text, score in ranked])


def _text(words: str) -> str:
    return plain(" ".join(word for word in words.split() if word not in UNKNOWN))
