"""What recognisers have made of phrases: mined from synthetic speech, or learned from calls.

One table for a dialect and an engine, `<dialect>/heard_as/<engine>.tsv`, in grammars/ and in a
site's own folder alike: code, phrase, heard, count. Lines that begin with # say where it is from.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ivr.understanding.grammar import GrammarError, Topic
from ivr.understanding.meaning import Act
from ivr.understanding.syllables import han

SHORTEST, LONGEST = 2, 14
"""Characters of what can be listened for: a single syllable is heard in everything, and a story is
repeated by nobody."""
COLUMNS = ("code", "phrase", "heard", "count")
FOLDER = "heard_as"


@dataclass(frozen=True, slots=True)
class HeardAs:
    """A phrase as an engine has written it."""

    code: str
    """Service code, act, or "1" to "5"; empty for everyday talk."""
    phrase: str
    """What was said; empty where nobody knows, as in most calls."""
    heard: str
    """What the engine wrote, characters only: read as Mandarin, whatever the speaker's dialect."""
    count: int
    """How often."""
    dialect: str
    """Of the speaker."""

    @property
    def topic(self) -> Topic:
        """What the phrase is about."""
        if not self.code:
            return Topic.EVERYDAY
        if self.code in set(Act):
            return Topic.ACT
        return Topic.RATING if self.code in set("12345") else Topic.SERVICE


def read(text: str, dialect: str, source: str) -> list[HeardAs]:
    """The rows of one table; `source` names it in errors. Raises GrammarError."""
    found = []
    header: Sequence[str] = ()
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        fields = line.split("\t")
        if not header:
            header = fields
            if tuple(header) != COLUMNS:
                raise GrammarError(f"{source}:{number}: columns must be {', '.join(COLUMNS)}")
            continue
        if len(fields) != len(COLUMNS) or not fields[3].isdecimal() or not han(fields[2]):
            raise GrammarError(f"{source}:{number}: a code, a phrase, characters and a number")
        code, phrase, heard, count = fields
        found.append(HeardAs(code, phrase, han(heard), int(count), dialect))
    return found


def written(rows: Iterable[HeardAs], about: Sequence[str] = ()) -> str:
    """A table as text, sorted, the same phrases and texts added up; `about`: lines on its origin.

    The dialect is not in it: it is the folder's name.
    """
    counts: dict[tuple[str, str, str], int] = {}
    for row in rows:
        key = (row.code, row.phrase, row.heard)
        counts[key] = counts.get(key, 0) + row.count
    lines = [*(f"# {line}" for line in about), "\t".join(COLUMNS)]
    lines += ["\t".join((*key, str(count))) for key, count in sorted(counts.items())]
    return "\n".join(lines) + "\n"


def table(root: Path, dialect: str, engine: str) -> Path:
    """Where the table of a dialect and an engine is kept below `root`."""
    return root / dialect / FOLDER / f"{engine}.tsv"


def load(root: Path, engines: Collection[str] | None = None) -> list[HeardAs]:
    """Every table below `root`, of these engines or of all; none where there is no such folder.

    Raises GrammarError naming the file and line that is wrong.
    """
    rows: list[HeardAs] = []
    for path in sorted(root.glob(f"*/{FOLDER}/*.tsv")):
        if engines is not None and path.stem not in engines:
            continue
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise GrammarError(f"{path}: cannot be read: {error}") from error
        rows += read(text, path.parent.parent.name, str(path))
    return rows
