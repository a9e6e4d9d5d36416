"""Tables that people hand in: CSV in UTF-8 or GB 18030, whose first line names the columns."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

import typer

from store.elders import Change

T = TypeVar("T")


class LineError(Exception):
    """What is wrong with an entry, or with the whole table."""


def text_of(file: Path) -> str:
    """Raises LineError."""
    content = file.read_bytes()
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise LineError("is neither UTF-8 nor GB 18030; save it as CSV in UTF-8")


def read_table(
    file: Path,
    needed: Sequence[str],
    optional: Sequence[str],
    read: Callable[[dict[str, str]], T],
) -> list[tuple[int, T | LineError]]:
    """All lines of a file, as `entries` gives them; ends the command where it is no such table."""
    try:
        return list(entries(text_of(file), needed, optional, read))
    except LineError as error:
        print(f"yihu: {file}: {error}", file=sys.stderr)
        raise typer.Exit(1) from error


def take_in(
    file: Path,
    lines: Iterable[tuple[int, T | LineError]],
    take: Callable[[int, T], Change],
    as_json: bool,
) -> None:
    """Registers every line that is right and names those that are not, with which it fails.

    `take` is given the number of a line and its entry, and says what came of it.
    """
    counts = dict.fromkeys(Change, 0)
    wrong = []
    for line, entry in lines:
        if isinstance(entry, LineError):
            wrong.append({"line": line, "reason": str(entry)})
            print(f"{file}:{line}: {entry}", file=sys.stderr)
        else:
            counts[take(line, entry)] += 1
    if as_json:
        print(json.dumps({**counts, "wrong": wrong}, ensure_ascii=False))
    summary = ", ".join(f"{count} {change}" for change, count in counts.items())
    print(f"yihu: {summary}, {len(wrong)} wrong", file=sys.stderr)
    if wrong:
        raise typer.Exit(1)


def entries(
    text: str,
    needed: Sequence[str],
    optional: Sequence[str],
    read: Callable[[dict[str, str]], T],
) -> Iterator[tuple[int, T | LineError]]:
    """Line number and what `read` makes of its fields, of which there are all, some empty.

    Raises LineError when the columns are not the right ones.
    """
    rows = csv.reader(io.StringIO(text, newline=""), strict=True)
    header = [name.strip().lower() for name in next(rows, [])]
    if missing := [name for name in needed if name not in header]:
        raise LineError(
            f"the first line must name the columns {','.join((*needed, *optional))};"
            f" {', '.join(missing)} is missing"
        )
    if unknown := [name for name in header if name not in (*needed, *optional)]:
        raise LineError(f"unknown column {', '.join(map(repr, unknown))}")
    while True:
        line = rows.line_num + 1
        try:
            row = next(rows)
            if any(field.strip() for field in row):
                yield line, read({**dict.fromkeys(optional, ""), **_fields(header, row)})
        except StopIteration:
            return
        except LineError as error:
            yield line, error
        except csv.Error as error:
            to = f" down to line {rows.line_num}" if rows.line_num > line else ""
            yield line, LineError(f"not readable as CSV{to}: {error}")


def _fields(header: list[str], row: list[str]) -> dict[str, str]:
    if len(row) != len(header):
        raise LineError(f"has {len(row)} fields instead of {len(header)}")
    return {name: field.strip() for name, field in zip(header, row, strict=True)}


def given(text: str, name: str) -> str:
    """Raises LineError where it is empty."""
    if not text.strip():
        raise LineError(f"{name} is empty")
    return text.strip()
