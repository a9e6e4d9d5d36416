"""From what was misheard in calls to what is listened for: a person decides what is learned.

Corrections in the store are gathered by what was heard and what it meant; those approved are
written as tables that the matcher reads beside the grammars (ivr/understanding/heard.py).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from audio.files import whole
from ivr.understanding import heard
from ivr.understanding.heard import HeardAs
from ivr.understanding.match import Matcher
from store.models import Correction, Known, Review


@dataclass(frozen=True, slots=True)
class Suggestion:
    """Something heard, and what it would be taken for."""

    heard: str
    """Without the frames and the time around it."""
    code: str
    dialect: str
    """Of those who said it."""
    engine: str
    """Recogniser.name."""
    corrections: tuple[Correction, ...]
    """Where it is from, the oldest first."""

    @property
    def id(self) -> int:
        """Stays the same when it is heard again."""
        assert self.corrections[0].id is not None
        return self.corrections[0].id

    @property
    def utterances(self) -> tuple[str, ...]:
        """All that was heard, in full."""
        return tuple(dict.fromkeys(correction.heard for correction in self.corrections))

    @property
    def taken_for(self) -> tuple[str, ...]:
        """What it was taken for; an empty code where it was not understood."""
        return tuple(dict.fromkeys(correction.taken_for for correction in self.corrections))

    @property
    def by_operators(self) -> int:
        """How many were filed by operators rather than confirmed by the caller."""
        return sum(correction.known is Known.OPERATOR for correction in self.corrections)

    def reviewed(self, review: Review) -> tuple[int, ...]:
        """The corrections of which this was decided."""
        found = (c.id for c in self.corrections if c.review is review)
        return tuple(id for id in found if id is not None)

    @property
    def useful(self) -> bool:
        """Whether it can be listened for: what is left is no single syllable and no story."""
        return heard.SHORTEST <= len(self.heard) <= heard.LONGEST


def suggestions(corrections: Iterable[Correction], matcher: Matcher) -> list[Suggestion]:
    """Corrections that say the same, as one; the most frequent first."""
    groups: dict[tuple[str, str, str, str], list[Correction]] = defaultdict(list)
    for correction in corrections:
        need = matcher.need(correction.heard, correction.at)
        groups[need, correction.code, correction.dialect, correction.engine].append(correction)
    found = [Suggestion(*key, tuple(group)) for key, group in groups.items()]
    return sorted(found, key=lambda one: (-len(one.corrections), one.id))


def learned(found: Iterable[Suggestion]) -> dict[tuple[str, str], list[HeardAs]]:
    """The rows of each dialect and engine that a person has approved."""
    tables: dict[tuple[str, str], list[HeardAs]] = defaultdict(list)
    for one in found:
        if one.useful and (approved := one.reviewed(Review.APPROVED)):
            row = HeardAs(one.code, "", one.heard, len(approved), one.dialect)
            tables[one.dialect, one.engine].append(row)
    return tables


def write(root: Path, found: Sequence[Suggestion]) -> list[Path]:
    """Writes what is approved below `root`, and takes away what is not any more; raises OSError.

    It is what people said, so only this user may read it. Each file changes as a whole.
    """
    tables = learned(found)
    paths = []
    for (dialect, engine), rows in sorted(tables.items()):
        path = heard.table(root, dialect, engine)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        versions = Counter(
            correction.engine_version
            for one in found
            if (one.dialect, one.engine) == (dialect, engine)
            for correction in one.corrections
            if correction.review is Review.APPROVED
        )
        about = [f"learned from calls; {version}: {n}" for version, n in sorted(versions.items())]
        with whole(path, 0o600) as to:
            to.write(heard.written(rows, about).encode())
        paths.append(path)
    for path in root.glob(f"*/{heard.FOLDER}/*.tsv"):
        if path not in paths:
            path.unlink()
    return paths
