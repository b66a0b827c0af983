"""Tables as CSV that is safe to open in a spreadsheet."""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import pandas as pd

_DANGEROUS = ("=", "+", "-", "@", "\t", "\r")
_ROWS_PER_CHUNK = 500


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


def csv_chunks(columns: Sequence[str], rows: Iterable[dict[str, Any]]) -> Iterator[str]:
    """The CSV's text in pieces of a few hundred rows: as much memory for ten rows as for a million."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(columns)
    for number, row in enumerate(rows, start=1):
        writer.writerow([neutral(row.get(column)) for column in columns])
        if number % _ROWS_PER_CHUNK == 0:
            yield buffer.getvalue()
            buffer.seek(0)
            buffer.truncate()
    if buffer.tell():
        yield buffer.getvalue()


def csv_of(table: pd.DataFrame) -> str:
    """A whole data frame as pandas writes it, its texts neutral: patch names come from anybody's folder."""

    def safe(value: Any) -> Any:
        return neutral(value) if isinstance(value, str) else value

    return table.map(safe).rename(columns=safe).to_csv(index=False)
