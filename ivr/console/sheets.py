"""Tables to take away, as CSV and as a workbook for spreadsheet programs.

A cell that begins like a formula is text all the same: names come from people, and a spreadsheet
program would compute them.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import xlsxwriter
from aiohttp import web

Cell = str | int | float | None
"""None: nothing to tell."""

FORMULA = ("=", "+", "-", "@", "\t", "\r")
NAME_WIDTH = 22
NUMBER_WIDTH = 12
"""In characters of a spreadsheet."""
LONGEST_NAME = 31
"""Of a sheet, in characters."""
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


class Sheet(NamedTuple):
    name: str
    heads: Sequence[str]
    rows: Sequence[Sequence[Cell]]


def as_csv(heads: Iterable[str], rows: Iterable[Iterable[Cell]]) -> bytes:
    """With a mark by which Excel knows UTF-8."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(map(_harmless, heads))
    for row in rows:
        writer.writerow(["" if cell is None else _harmless(cell) for cell in row])
    return text.getvalue().encode("utf-8-sig")


def as_xlsx(sheets: Iterable[Sheet]) -> bytes:
    """The first row of each sheet stays in sight and can be filtered by."""
    made = io.BytesIO()
    options = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    with xlsxwriter.Workbook(made, options) as book:
        head = book.add_format({"bold": True, "text_wrap": True, "valign": "top", "bottom": 1})
        for sheet in sheets:
            page = book.add_worksheet(sheet.name[:LONGEST_NAME])
            page.write_row(0, 0, sheet.heads, head)
            for number, row in enumerate(sheet.rows, 1):
                page.write_row(number, 0, ["" if cell is None else cell for cell in row])
            page.freeze_panes(1, 1)
            page.set_column(0, 0, NAME_WIDTH)
            page.set_column(1, max(1, len(sheet.heads) - 1), NUMBER_WIDTH)
            page.autofilter(0, 0, len(sheet.rows), len(sheet.heads) - 1)
    return made.getvalue()


def download(body: bytes, name: str) -> web.Response:
    """name: ends in .csv or .xlsx."""
    workbook = name.endswith(".xlsx")
    return web.Response(
        body=body,
        content_type=XLSX if workbook else "text/csv",
        charset=None if workbook else "utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


def _harmless(cell: Cell) -> Cell:
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(FORMULA) else cell
