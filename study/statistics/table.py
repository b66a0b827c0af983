"""Reads and checks a tidy table. What it lets through, every method may rely on."""

from pathlib import Path

import numpy as np
import pandas as pd

from model.learning.errors import BadInput
from study.statistics.schema import BY_NAME, REQUIRED, arm_family

_TRUE_FALSE = {"true": 1, "false": 0, "yes": 1, "no": 0}
_NAMED = 5  # so many offending rows are named; the rest are counted


def read_csv(path: Path | str) -> pd.DataFrame:
    """The tidy table in a CSV file (comma, UTF-8 with or without mark), checked by :func:`check`.

    Raises :class:`BadInput` naming file, row and column. Row numbers are the file's own lines (header = 1).
    """
    path = Path(path)
    try:
        # Text first: pandas' guesses would turn reader "007" into 7 and hide what was wrong in a number column.
        frame = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig")
    except FileNotFoundError:
        raise BadInput(f"{path}: no such file") from None
    except IsADirectoryError:
        raise BadInput(f"{path}: is a folder; name a CSV file") from None
    except UnicodeDecodeError as error:
        raise BadInput(f"{path}: not UTF-8 text ({error.reason} at byte {error.start}); save it as CSV UTF-8") from None
    except pd.errors.EmptyDataError:
        raise BadInput(f"{path}: empty; expected a header with {', '.join(REQUIRED)}") from None
    except pd.errors.ParserError as error:
        raise BadInput(f"{path}: not a readable CSV: {str(error).strip()}") from None
    return check(frame, source=str(path))


def check(frame: pd.DataFrame, source: str = "table") -> pd.DataFrame:
    """A checked copy of ``frame``: known columns with their types, unknown ones kept, ``copy`` renamed ``set``.

    After it: ``reader_id``, ``patch_id``, ``arm`` are text, ``set`` int, ``truth`` int 0/1, ``label`` and ``correct``
    float with NaN where unanswered, ``excluded`` bool; no reader sees an arm of a patch twice in one set; a patch has
    one truth. Raises :class:`BadInput` naming ``source``, row and column.
    """
    table = frame.copy()
    table.columns = [str(name).strip() for name in table.columns]
    twice = table.columns[table.columns.duplicated()]
    if len(twice):
        raise BadInput(f"{source}: column {twice[0]} stands in the header twice; keep one")
    if "set" not in table and "copy" in table:
        table = table.rename(columns={"copy": "set"})
    missing = [name for name in REQUIRED if name not in table]
    if missing:
        raise BadInput(
            f"{source}: column {', '.join(missing)} missing ({len(table)} rows read; "
            f"columns found: {', '.join(table.columns) or 'none'}); required are {', '.join(REQUIRED)}"
        )
    if table.empty:
        raise BadInput(f"{source}: 0 rows; there is nothing to analyse")
    table = table.reset_index(drop=True)
    for name in table.columns:
        if name in BY_NAME:
            table[name] = _column(table[name], name, source)
    for name in ("reader_id", "patch_id", "set", "truth", "arm"):
        _refuse(table[name].isna(), table[name], source, name, "is empty; every row needs one")
    known = table["arm"].map(lambda arm: arm_family(arm) is not None)
    _refuse(~known, table["arm"], source, "arm", f"is not a known arm; known are {BY_NAME['arm'].allowed_values}")
    for name in ("set", "truth"):
        table[name] = table[name].astype(int)
    _refuse_duplicates(table, source)
    _refuse_two_truths(table, source)
    derived = (table["label"] == table["truth"]).astype(float).where(table["label"].notna())
    if "correct" in table:
        wrong = table["correct"].notna() & (table["correct"] != derived)
        _refuse(wrong, table["correct"], source, "correct", "disagrees with label and truth; leave it out or mend it")
    table["correct"] = derived
    excluded = table["excluded"] if "excluded" in table else pd.Series(0.0, index=table.index)
    table["excluded"] = excluded.fillna(0).astype(bool)
    return table


def _column(values: pd.Series, name: str, source: str) -> pd.Series:
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
    _refuse(~empty & numbers.isna(), values, source, name, f"is not {_kind(column.type)}")
    finite = numbers.notna()
    _refuse(finite & ~np.isfinite(numbers), values, source, name, "is not finite")
    if column.type == "boolean":
        _refuse(finite & ~numbers.isin([0, 1]), values, source, name, "is neither 0 nor 1")
    if column.type == "integer":
        _refuse(finite & (numbers != np.floor(numbers)), values, source, name, "is not a whole number")
    if column.minimum is not None:
        _refuse(finite & (numbers < column.minimum), values, source, name, f"is below {column.minimum:g}")
    if column.maximum is not None:
        _refuse(finite & (numbers > column.maximum), values, source, name, f"is above {column.maximum:g}")
    return numbers


def _kind(kind: str) -> str:
    return {"boolean": "0 or 1", "integer": "a whole number", "number": "a number"}[kind]


def _refuse(bad: pd.Series, values: pd.Series, source: str, name: str, what: str) -> None:
    """Raise for the rows where ``bad``; the header is line 1, so row i of the frame stands on line i + 2."""
    rows = np.flatnonzero(bad.to_numpy(dtype=bool, na_value=False))
    if len(rows) == 0:
        return
    named = "; ".join(f"row {row + 2}: {name} {str(values.iloc[row])!r}" for row in rows[:_NAMED])
    more = f" (and {len(rows) - _NAMED} more)" if len(rows) > _NAMED else ""
    raise BadInput(f"{source}: {named}{more} {what}")


def _refuse_duplicates(table: pd.DataFrame, source: str) -> None:
    key = ["reader_id", "set", "patch_id", "arm"]
    repeated = table.duplicated(key, keep=False)
    if not repeated.any():
        return
    first = table.loc[repeated, key].iloc[0]
    rows = np.flatnonzero((table[key] == first).all(axis=1)) + 2
    raise BadInput(
        f"{source}: rows {', '.join(map(str, rows))} are the same presentation (reader {first['reader_id']}, "
        f"set {first['set']}, patch {first['patch_id']}, arm {first['arm']}); {int(repeated.sum())} rows are "
        "repeated in all. Keep one row each (the latest revision), or number the sets"
    )


def _refuse_two_truths(table: pd.DataFrame, source: str) -> None:
    labelled = table[table["arm"].map(arm_family) != "pair"]
    truths = labelled.groupby("patch_id")["truth"].nunique()
    both = truths.index[truths > 1]
    if len(both):
        rows = np.flatnonzero(table["patch_id"] == both[0]) + 2
        raise BadInput(
            f"{source}: patch {both[0]} has truth 0 and 1 (rows {', '.join(map(str, rows[:_NAMED]))}); "
            "a patch has one reference label"
        )
