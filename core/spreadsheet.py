"""Tables as CSV that is safe to open in a spreadsheet."""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd

_DANGEROUS = ("=", "+", "-", "@", "\t", "\r")
_ROWS_PER_CHUNK = 500
DIGITS = 6
"""Significant ones of a number in a table that is made for people: no estimate here is known better."""
OF_NETWORKS = 9
"""Those of a network's numbers: as many as tell any two of its 32 bits apart."""
BYTE_ORDER_MARK = "\ufeff"
"""Before a table with signs such as L∞ or ±: Excel takes a CSV without it for another alphabet."""


def neutral(value: Any) -> Any:
    """A cell as it is written: None empty, booleans 0/1, text that a spreadsheet would run with a leading apostrophe.

    A study's exports state the rule in their data dictionary.
    """
    if value is None:
        return ""
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, str) and value.startswith(_DANGEROUS):
        return "'" + value
    return value


def rounded(value: Any) -> Any:
    """A number with fractions to as many digits as people read; all else as it is."""
    return float(f"{value:.{DIGITS}g}") if isinstance(value, float) else value


def csv_chunks(columns: Sequence[str], rows: Iterable[dict[str, Any]], *, for_people: bool = False) -> Iterator[str]:
    """The CSV's text in pieces of a few hundred rows: as much memory for ten rows as for a million.

    ``for_people``: numbers are rounded. Data for programs keep every digit.
    """
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(columns)
    for number, row in enumerate(rows, start=1):
        cells = (row.get(column) for column in columns)
        writer.writerow([neutral(rounded(cell) if for_people else cell) for cell in cells])
        if number % _ROWS_PER_CHUNK == 0:
            yield buffer.getvalue()
            buffer.seek(0)
            buffer.truncate()
    if buffer.tell():
        yield buffer.getvalue()


def csv_of(table: pd.DataFrame, *, digits: int = OF_NETWORKS) -> str:
    """A whole data frame, its texts neutral (patch names come from anybody's folder), booleans 0/1, numbers short."""

    def safe(value: Any) -> Any:
        return neutral(bool(value) if isinstance(value, np.bool_) else value) if value is not None else None

    return table.map(safe).rename(columns=safe).to_csv(index=False, float_format=f"%.{digits}g")
