"""Spoken pieces on disk: what has been said once need not be made again.

A file is named by everything that shapes its sound, so a new voice, speed or pronunciation never
finds an old file. The folder may be deleted at any time.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Protocol

import structlog

from audio.sound import SoundError, read_wav, to_speech, write_wav
from audio.synthesiser import Speech, SynthesiserError

log = structlog.get_logger()


class Voice(Protocol):
    """Speaks a text, or phonemes where it was made for them. Raises SynthesiserError."""

    def __call__(self, text: str, /, *, speed: float) -> Speech: ...


class PromptCache:
    """May be used from several threads; the voice itself is used by one at a time."""

    def __init__(self, folder: Path, identity: str, make_voice: Callable[[], Voice]) -> None:
        """`identity` names engine, voice and versions without loading them; `make_voice` loads."""
        self._folder = folder
        self._identity = identity
        self._make_voice = make_voice
        self._voice: Voice | None = None
        self._lock = threading.Lock()

    def get(self, text: str, *, speed: float) -> Speech | None:
        """The piece if it has been made: a file is read, nothing is synthesised."""
        path = self._path(text, speed)
        if not path.exists():
            return None
        try:
            speech = to_speech(read_wav(path))
        except (SoundError, OSError) as error:
            log.warning("cached prompt unreadable, made anew", file=path.name, error=str(error))
            return None
        return speech if len(speech) else None

    def make(self, text: str, *, speed: float) -> Speech:
        """The piece, made if need be: about a second of work. Raises SynthesiserError."""
        with self._lock:
            speech = self.get(text, speed=speed)
            if speech is not None:
                return speech
            if self._voice is None:
                self._voice = self._make_voice()
            speech = self._voice(text, speed=speed)
            try:
                self._folder.mkdir(parents=True, exist_ok=True)
                write_wav(self._path(text, speed), speech)
            except OSError as error:  # the caller still hears it, only the next one waits again
                log.warning("prompt not cached", folder=str(self._folder), error=str(error))
            return speech

    def warm(
        self,
        texts: Iterable[str],
        *,
        speed: float,
        progress: Callable[[int, int, str], None] = lambda done, total, text: None,
    ) -> list[str]:
        """Makes what is missing; gives the texts that could not be spoken.

        progress: called after each piece with how many are done, how many there are, and which.
        """
        wanted = list(dict.fromkeys(texts))
        failed = []
        for done, text in enumerate(wanted, start=1):
            try:
                self.make(text, speed=speed)
            except SynthesiserError as error:
                log.warning("prompt cannot be spoken", text=text, error=str(error))
                failed.append(text)
            progress(done, len(wanted), text)
        return failed

    def _path(self, text: str, speed: float) -> Path:
        key = f"{self._identity}\n{speed:.3f}\n{text}"
        return self._folder / f"{hashlib.sha256(key.encode()).hexdigest()[:40]}.wav"
