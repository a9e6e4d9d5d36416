"""What a simulated caller does, step by step."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

TRIES = 3


@dataclass(frozen=True, slots=True)
class Speak:
    """Says something once the system has spoken and fallen silent."""

    samples: NDArray[np.int16]
    """Shape (n,), 8000 Hz."""
    label: str = ""
    """What is said, or the file it is in; for the report."""
    into_ms: int | None = None
    """Does not wait for silence: talks this long into the system's next speech (barge-in)."""
    understood: Callable[[], Awaitable[bool]] | None = None
    """Asked when it has been said. Where the system has not understood, people say it again, each
    time that they are asked, up to TRIES times; None: it is said once."""


@dataclass(frozen=True, slots=True)
class Press:
    """Presses keys (0 to 9, *, #) once the system has spoken and fallen silent."""

    keys: str
    into_ms: int | None = None
    """Does not wait for silence: presses this long into the system's next speech."""


@dataclass(frozen=True, slots=True)
class Leave:
    """Hangs up; without it the caller hears the system out after the last step."""

    into_ms: int | None = None
    """How long into the system's next speech; None: at once."""


Step = Speak | Press | Leave
