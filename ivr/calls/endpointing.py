"""When a caller's turn begins, may be over, and is over.

Knows no clock: it counts windows of 32 ms, each with the probability that it is speech and its
level. Levels keep a television behind the caller from holding the turn open: what is far softer
than the caller has been is not the caller.
"""

from __future__ import annotations

from enum import StrEnum

from ivr.config import TurnSettings

WINDOW_MS = 32
SPEECH_ON = 0.2
"""Probability from which a window is speech. After some seconds of silence the detector gives a
whole 对 or 是 of 0.3 s little more than this; hiss, breathing, tones and coughs stay below it."""
SPEECH_OFF = 0.15
"""Within speech, probability below which a window is silence; between the two nothing changes."""
START_MS = 96
"""Speech that starts a turn; shorter is a click."""
START_OVER_PROMPT_MS = 192
"""The same while a prompt is playing: a cough does not stop it."""
BEHIND_DB = 20.0
"""A window softer than the caller's voice by this much is somebody behind the caller."""
VOICE_FALL_DB = 0.02
"""How fast a caller's level is forgotten, per window: 0.6 dB/s, so that one shout passes."""


class Phase(StrEnum):
    QUIET = "quiet"
    STARTING = "starting"
    SPEAKING = "speaking"
    PAUSING = "pausing"
    ENDED = "ended"


class Signal(StrEnum):
    """What the last window changed."""

    STARTED = "started"
    """The caller is speaking."""
    PAUSED = "paused"
    """A first short pause: the turn may be over, so recognition may start."""
    RESUMED = "resumed"
    """It was not over; what was started at the pause is void."""
    ENDED = "ended"
    """The turn is over."""


class Endpointing:
    """One turn after another of one call."""

    def __init__(self, settings: TurnSettings) -> None:
        self._settings = settings
        self._voice_db: float | None = None
        self.phase = Phase.QUIET
        self.turn_windows = 0
        """Windows since the first of this turn, that one included; 0 while quiet."""
        self.silent_windows = 0
        """Windows since the last speech of this turn; all windows since `reset` while quiet."""
        self._evidence = 0.0
        self.note_ms: int | None = None
        """Where a voice note is awaited, its longest length; its pauses may be longer, too."""
        self._unfinished = False
        self._paused = False

    @property
    def silence_ms(self) -> int:
        return self.silent_windows * WINDOW_MS

    def reset(self) -> None:
        """Waits for the next turn; the caller's level is remembered."""
        self.phase = Phase.QUIET
        self.turn_windows = 0
        self.silent_windows = 0
        self._unfinished = False
        self._paused = False

    def unfinished(self) -> None:
        """What was said so far does not sound complete: this pause may be longer."""
        self._unfinished = True

    def window(
        self, probability: float, level_db: float, *, over_prompt: bool = False
    ) -> Signal | None:
        """Takes the next 32 ms.

        probability: of speech, from the VAD; level_db: relative to full scale; over_prompt: our
        own sound is playing.
        """
        speech = self._is_speech(probability, level_db)
        match self.phase:
            case Phase.QUIET:
                if speech:
                    self.phase = Phase.STARTING
                    self.turn_windows = 1
                    self._evidence = 1.0
                    self.silent_windows = 0
                else:
                    self.silent_windows += 1
                return None
            case Phase.STARTING:
                return self._starting(speech, over_prompt)
            case Phase.SPEAKING | Phase.PAUSING:
                return self._speaking(speech, level_db)
            case Phase.ENDED:
                return None

    def _is_speech(self, probability: float, level_db: float) -> bool:
        if self._voice_db is not None and level_db < self._voice_db - BEHIND_DB:
            return False
        inside = self.phase is Phase.SPEAKING
        return probability >= (SPEECH_OFF if inside else SPEECH_ON)

    def _starting(self, speech: bool, over_prompt: bool) -> Signal | None:
        self.turn_windows += 1
        self._evidence += 1.0 if speech else -0.5
        if self._evidence <= 0:
            self.reset()
            return None
        needed_ms = START_OVER_PROMPT_MS if over_prompt else START_MS
        if self._evidence * WINDOW_MS < needed_ms:
            return None
        self.phase = Phase.SPEAKING
        return Signal.STARTED

    def _speaking(self, speech: bool, level_db: float) -> Signal | None:
        self.turn_windows += 1
        if self.turn_windows * WINDOW_MS >= (self.note_ms or self._settings.max_turn_ms):
            self.phase = Phase.ENDED
            return Signal.ENDED
        if speech:
            fallen = (self._voice_db or level_db) - VOICE_FALL_DB
            self._voice_db = max(level_db, fallen)
            self.silent_windows = 0
            self._unfinished = False
            resumed = self._paused
            self._paused = False
            self.phase = Phase.SPEAKING
            return Signal.RESUMED if resumed else None
        self.phase = Phase.PAUSING
        self.silent_windows += 1
        if self.silence_ms >= self._end_ms:
            self.phase = Phase.ENDED
            return Signal.ENDED
        if not self._paused and self.silence_ms >= self._settings.speculate_ms:
            self._paused = True
            return Signal.PAUSED
        return None

    @property
    def _end_ms(self) -> int:
        if self._unfinished or self.note_ms:
            return self._settings.unfinished_silence_ms
        return self._settings.end_silence_ms
