"""What a caller said, turn by turn, as sound for the human who takes the call over.

It stays in memory while the call lasts and is written only if a human takes over: of a call that
the agent carries to its end, no sound is kept.
"""

from __future__ import annotations

from pathlib import Path

from audio.sound import write_wav
from audio.synthesiser import Speech

MAX_S = 120.0
"""Sound kept of one call (2 MB); of a longer one the last is kept, which led to the human."""
_MAX_SAMPLES = round(MAX_S * 8000)


class KeptSound:
    """The turns of one call."""

    def __init__(self) -> None:
        self._turns: dict[int, Speech] = {}
        self._samples = 0

    def keep(self, turn: int, speech: Speech) -> None:
        """turn: Turn.index; speech: shape (n,), 8000 Hz."""
        if not len(speech):
            return
        self._turns[turn] = speech
        self._samples += len(speech)
        while self._samples > _MAX_SAMPLES and len(self._turns) > 1:
            self._samples -= len(self._turns.pop(min(self._turns)))

    def write(self, folder: Path) -> None:
        """A file a turn, `N.wav`, readable by the service's user only. Raises OSError."""
        if not self._turns:
            return
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for turn, speech in self._turns.items():
            write_wav(folder / f"{turn}.wav", speech, mode=0o600)
