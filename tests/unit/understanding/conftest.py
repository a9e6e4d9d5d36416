from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from audio.recogniser import Hypothesis
from ivr.config import ROOT
from ivr.understanding.match import Matcher, understand
from ivr.understanding.meaning import Meaning, State

NOW = datetime(2026, 11, 18, 10, 30, tzinfo=ZoneInfo("Asia/Shanghai"))
"""A Wednesday morning."""

Listen = Callable[..., Meaning]


@pytest.fixture(scope="session")
def matcher() -> Matcher:
    return Matcher.load(ROOT / "grammars")


@pytest.fixture(scope="session")
def listen(matcher: Matcher) -> Listen:
    """What a caller means who is heard as one or more texts, the likeliest first."""

    def understood(*texts: str, state: State = State.OPEN) -> Meaning:
        heard = [Hypothesis(text, -0.2 * number) for number, text in enumerate(texts)]
        return understand(heard, state, matcher, NOW)

    return understood
