"""Understanding, for all calls, in a process of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

from audio.recogniser import Hypothesis
from ivr.apart import Apart, ApartError
from ivr.config import ROOT
from ivr.understanding.match import Matcher, understand
from ivr.understanding.meaning import Meaning, State

HUNG_S = 10.0
"""An utterance takes 0.03 s, a long story on a busy machine 1 s."""

Asked = tuple[Sequence[Hypothesis], State, datetime, str]


class Understander:
    """`understand` with the site's grammars and what the site has learned."""

    def __init__(self, learned: Path) -> None:
        """Begins to load, which takes seconds."""
        self._apart: Apart[Asked, Meaning] = Apart(_understanding, learned)

    def wait(self) -> None:
        """Until it can be asked. Raises ApartError saying what is wrong with the grammars."""
        self._apart.wait()

    def __call__(
        self, hypotheses: Sequence[Hypothesis], state: State, now: datetime, dialect: str
    ) -> Meaning:
        """Any thread may ask. Raises ApartError where it fails twice."""
        asked = (tuple(hypotheses), state, now, dialect)
        try:
            return self._apart.ask(asked, HUNG_S)
        except ApartError:  # what it died of may have nothing to do with this utterance
            return self._apart.ask(asked, HUNG_S)


def _understanding(learned: Path) -> Callable[[Asked], Meaning]:
    matcher = Matcher.load(ROOT / "grammars", learned)

    def meaning(asked: Asked) -> Meaning:
        hypotheses, state, now, dialect = asked
        return understand(hypotheses, state, matcher, now, dialect)

    return meaning
