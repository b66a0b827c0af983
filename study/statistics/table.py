"""Reads and checks a tidy table. What it lets through, every method may rely on."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from core.errors import InvalidInput
from study.statistics.schema import BY_NAME, REQUIRED, arm_family

_TRUE_FALSE = {"true": 1, "false": 0, "yes": 1, "no": 0}
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
    """The tidy table in a CSV file (comma or semicolon, UTF-8 with or without mark), checked by :func:`check`.

    Raises :class:`InvalidInput` naming file, row and column. Row numbers are the file's own lines (header = 1).
    """
    path = Path(path)
    try:
        # Text first: pandas' guesses would turn reader "007" into 7 and hide what was wrong in a number column.
        with path.open(encoding="utf-8-sig", newline="") as file:
            header = file.readline()
        frame = pd.read_csv(
            path,
            dtype=str,
            keep_default_na=False,
            encoding="utf-8-sig",
            sep=";" if header.count(";") > header.count(",") else ",",
            skip_blank_lines=False,
        )
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
    except pd.errors.ParserError as error:
        raise InvalidInput(f"{path}: not a readable CSV: {str(error).strip()}") from None
    blank = (frame.fillna("") == "").all(axis=1)  # blank lines, as at the end of many files, still count as lines
    return check(frame[~blank], source=str(path), lines=np.flatnonzero(~blank) + 2)


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
    labelled = table[table["arm"].map(arm_family) != "pair"]
    truths = labelled.groupby("patch_id")["truth"].nunique()
    both = truths.index[truths > 1]
    if len(both):
        rows = where.lines[table["patch_id"] == both[0]]
        raise InvalidInput(
            f"{where.source}: patch {both[0]} has truth 0 and 1 (rows {', '.join(map(str, rows[:_NAMED]))}); "
            "a patch has one reference label"
        )
