"""Reads and checks a tidy table. What it lets through, every method may rely on."""

import csv
import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from core.errors import InvalidInput
from core.tables import body_of, encoding_of
from study.statistics.schema import BY_NAME, REQUIRED, arm_family

_TRUE_FALSE = {"true": 1, "false": 0, "yes": 1, "no": 0}
_EXACT = 2**53  # beyond it not every whole number is one of a float
_CARRIED = "seed"  # of 64 bits; nothing is computed with it
_NAMED = 5  # so many offending rows are named; the rest are counted


@dataclass(frozen=True)
class _Where:
    """The table's name and the line number of each of its rows."""

    source: str
    lines: np.ndarray

    def refuse(self, bad: pd.Series, values: pd.Series, name: str, what: str) -> None:
        """Raise for the rows where ``bad``, naming the first few."""
        rows = np.flatnonzero(bad.to_numpy(dtype=bool, na_value=False))
        if len(rows) == 0:
            return
        shown = ["" if pd.isna(values.iloc[row]) else f" {str(values.iloc[row])!r}" for row in rows[:_NAMED]]
        named = "; ".join(f"row {self.lines[row]}: {name}{value}" for row, value in zip(rows, shown))
        more = f" (and {len(rows) - _NAMED} more)" if len(rows) > _NAMED else ""
        raise InvalidInput(f"{self.source}: {named}{more} {what}")


def read_csv(path: Path | str) -> pd.DataFrame:
    """The tidy table in a CSV file as spreadsheets of any country save it, checked by :func:`check`.

    Commas, semicolons or tabs, UTF-8 or UTF-16, Excel's first line ``sep=;``, empty columns at the end; decimal commas
    where cells are not separated by commas. Raises :class:`InvalidInput` naming file, row and column. Row numbers are
    the file's own lines (header = 1).
    """
    path = Path(path)
    try:
        # Text first: pandas' guesses would turn reader "007" into 7 and hide what was wrong in a number column.
        data = path.read_bytes()
        body, delimiter, skipped = body_of(data.decode(encoding_of(data)))
        frame = _frame(body, delimiter)
    except FileNotFoundError:
        raise InvalidInput(f"{path}: no such file") from None
    except IsADirectoryError:
        raise InvalidInput(f"{path}: is a folder; name a CSV file") from None
    except UnicodeDecodeError as error:
        raise InvalidInput(
            f"{path}: not UTF-8 text ({error.reason} at byte {error.start}); save it as CSV UTF-8"
        ) from None
    except pd.errors.EmptyDataError:
        raise InvalidInput(f"{path}: empty; expected a header with {', '.join(REQUIRED)}") from None
    except (pd.errors.ParserError, csv.Error) as error:
        raise InvalidInput(f"{path}: not a readable CSV: {str(error).strip()}") from None
    except OSError as error:
        raise InvalidInput(f"{str(path)[:100]} cannot be read: {error.strerror}") from None
    if delimiter != ",":
        frame = _with_decimal_points(frame)
    blank = (frame.fillna("") == "").all(axis=1)  # blank lines, as at the end of many files, still count as lines
    return check(frame[~blank], source=str(path), lines=np.flatnonzero(~blank) + 2 + skipped)


def _frame(body: str, delimiter: str) -> pd.DataFrame:
    """Every cell as text. Empty cells beyond the header's last name are left out; others there are refused."""
    header, first = (next(csv.reader([line], delimiter=delimiter), []) for line in [*body.splitlines()[:2], "", ""][:2])
    while header and not header[-1].strip():
        header.pop()
    extra = max(0, len(first) - len(header))
    names = [name.strip() for name in header] + [f"beyond {number}" for number in range(extra)]
    if not header:
        raise pd.errors.EmptyDataError
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise pd.errors.ParserError(f"column {twice} stands in the header twice; keep one")
    frame = pd.read_csv(
        io.StringIO(body),
        names=names,
        index_col=False,
        skiprows=1,
        header=None,
        dtype=str,
        keep_default_na=False,
        sep=delimiter,
        skip_blank_lines=False,
    )
    beyond = frame[names[len(header) :]]
    if (beyond.fillna("").map(str.strip) != "").to_numpy().any():
        raise pd.errors.ParserError(f"rows have {len(header) + extra} fields, the header {len(header)}")
    return frame[names[: len(header)]]


def _with_decimal_points(frame: pd.DataFrame) -> pd.DataFrame:
    """A spreadsheet of half of Europe writes 0,99 in columns of numbers."""
    numbers = [name for name in frame if name in BY_NAME and BY_NAME[name].type not in ("text", "timestamp")]
    points = frame[numbers].apply(lambda column: column.str.replace(r"^\s*([-+]?\d*),(\d+)\s*$", r"\1.\2", regex=True))
    return frame.assign(**points)


def check(frame: pd.DataFrame, source: str = "table", lines: np.ndarray | None = None) -> pd.DataFrame:
    """A checked copy of ``frame``: known columns with their types, unknown ones kept, ``copy`` renamed ``set``.

    After it: ``reader_id``, ``patch_id``, ``arm`` are text, ``set`` int, ``truth`` int 0/1, ``label`` and ``correct``
    float with NaN where unanswered, ``excluded`` bool; no reader sees an arm of a patch twice in one set; a patch has
    one truth. Raises :class:`InvalidInput` naming ``source``, row and column; ``lines`` are the rows' line numbers
    there, 2, 3, ... unless told.
    """
    table = frame.reset_index(drop=True)
    table.columns = [str(name).strip() for name in table.columns]
    twice = table.columns[table.columns.duplicated()]
    if len(twice):
        raise InvalidInput(f"{source}: column {twice[0]} stands in the header twice; keep one")
    if "set" not in table and "copy" in table:
        table = table.rename(columns={"copy": "set"})
    missing = [name for name in REQUIRED if name not in table]
    if missing:
        raise InvalidInput(
            f"{source}: column {', '.join(missing)} missing ({len(table)} rows read; "
            f"columns found: {', '.join(table.columns) or 'none'}); required are {', '.join(REQUIRED)}"
        )
    if table.empty:
        raise InvalidInput(f"{source}: 0 rows; there is nothing to analyse")
    where = _Where(source, np.arange(2, len(table) + 2) if lines is None else lines)
    for name in table.columns:
        if name in BY_NAME:
            table[name] = _column(table[name], name, where)
    for name in ("reader_id", "patch_id", "set", "truth", "arm"):
        where.refuse(table[name].isna(), table[name], name, "is empty; every row needs one")
    known = table["arm"].map(lambda arm: arm_family(arm) is not None)
    where.refuse(~known, table["arm"], "arm", f"is not a known arm; known are {BY_NAME['arm'].allowed_values}")
    for name in ("set", "truth"):
        table[name] = table[name].astype(int)
    _refuse_duplicates(table, where)
    _refuse_two_truths(table, where)
    derived = (table["label"] == table["truth"]).astype(float).where(table["label"].notna())
    if "correct" in table:
        wrong = table["correct"].notna() & (table["correct"] != derived)
        where.refuse(wrong, table["correct"], "correct", "disagrees with label and truth; leave it out or mend it")
    table["correct"] = derived
    excluded = table["excluded"] if "excluded" in table else pd.Series(0.0, index=table.index)
    table["excluded"] = excluded.fillna(0).astype(bool)
    return table


def _column(values: pd.Series, name: str, where: _Where) -> pd.Series:
    column = BY_NAME[name]
    text = values.astype("string").str.strip()
    empty = text.isna() | text.str.lower().isin(["", "na", "nan", "none", "null"])
    if column.type in ("text", "timestamp"):
        if name == "arm":
            text = text.str.lower()
        elif name in ("reader_id", "patch_id"):
            empty = text.isna() | (text == "")  # a reader may well be called NA
        return text.astype(object).where(~empty, None)
    if column.type == "boolean":
        text = text.str.lower().replace({key: str(value) for key, value in _TRUE_FALSE.items()})
    numbers = pd.to_numeric(text.where(~empty), errors="coerce").astype(float)
    where.refuse(~empty & numbers.isna(), values, name, f"is not {_kind(column.type)}")
    finite = numbers.notna()
    where.refuse(finite & ~np.isfinite(numbers), values, name, "is not finite")
    if column.type == "boolean":
        where.refuse(finite & ~numbers.isin([0, 1]), values, name, "is neither 0 nor 1")
    if column.type == "integer":
        where.refuse(finite & (numbers != np.floor(numbers)), values, name, "is not a whole number")
        if name != _CARRIED:
            where.refuse(finite & (numbers.abs() > _EXACT), values, name, "is too large a number")
    if column.minimum is not None:
        where.refuse(finite & (numbers < column.minimum), values, name, f"is below {column.minimum:g}")
    if column.maximum is not None:
        where.refuse(finite & (numbers > column.maximum), values, name, f"is above {column.maximum:g}")
    return numbers


def _kind(kind: str) -> str:
    return {"boolean": "0 or 1", "integer": "a whole number", "number": "a number"}[kind]


def _refuse_duplicates(table: pd.DataFrame, where: _Where) -> None:
    key = ["reader_id", "set", "patch_id", "arm"]
    repeated = table.duplicated(key, keep=False)
    if "level" in table:  # a reader may meet one level of a ladder several times
        repeated &= table["level"].isna()
    if not repeated.any():
        return
    first = table.loc[repeated, key].iloc[0]
    rows = where.lines[(table[key] == first).all(axis=1)]
    raise InvalidInput(
        f"{where.source}: rows {', '.join(map(str, rows))} are the same presentation (reader {first['reader_id']}, "
        f"set {first['set']}, patch {first['patch_id']}, arm {first['arm']}); {int(repeated.sum())} rows are "
        "repeated in all. Keep one row each (the latest revision), or number the sets"
    )


def _refuse_two_truths(table: pd.DataFrame, where: _Where) -> None:
    labelled = table[~table["arm"].map(arm_family).isin(["pair", "bias"])]
    truths = labelled.groupby("patch_id")["truth"].nunique()
    both = truths.index[truths > 1]
    if len(both):
        rows = where.lines[table["patch_id"] == both[0]]
        raise InvalidInput(
            f"{where.source}: patch {both[0]} has truth 0 and 1 (rows {', '.join(map(str, rows[:_NAMED]))}); "
            "a patch has one reference label"
        )
