"""A table of readers to be invited at once: a CSV file with a column ``username``, as any spreadsheet saves it."""

from typing import Any

from core.errors import InvalidInput
from core.requests import check, fields_of
from core.scratch import scratch_folder
from core.tables import Table
from study.protocol.requests import InviteRequest

COLUMNS = tuple(fields_of(InviteRequest))
MAX_READERS = 500


def invitations_in(data: bytes, *, called: str, **otherwise: Any) -> list[dict[str, Any]]:
    """Settings of ``InviteRequest`` for each row, with its ``line``.

    ``otherwise`` (days, language) holds where the table names none.

    Raises:
        InvalidInput: not such a table; or, naming every line that is wrong, settings that no invitation can have.
    """
    with scratch_folder("readers-") as folder:
        path = folder / "readers.csv"
        path.write_bytes(data)
        try:
            return _rows(Table(path, ("username",)), called, otherwise)
        except InvalidInput as error:
            text = error.message.replace(str(path), called)
            raise InvalidInput(f"Nobody was invited. {text}", field="table") from error


def _rows(table: Table, called: str, otherwise: dict[str, Any]) -> list[dict[str, Any]]:
    unknown = [name for name in table.columns if name not in COLUMNS]
    if unknown:
        raise InvalidInput(f"{called}: unknown column{'s' * (len(unknown) > 1)} {', '.join(unknown)}. "
                           f"There are: {', '.join(COLUMNS)}.")  # fmt: skip
    found: list[dict[str, Any]] = []
    problems: dict[int, str] = {}
    for line, cells in table.rows():
        if len(found) + len(problems) >= MAX_READERS:
            raise InvalidInput(f"{called} has more than {MAX_READERS} readers; divide it.")
        try:
            found.append(_row(cells, otherwise) | {"line": line})
        except InvalidInput as error:
            problems[line] = str(error)
    if problems:
        lines = [f"line {line}: {text}" for line, text in sorted(problems.items())]
        raise InvalidInput(f"{called}, " + "\n".join(lines))
    if not found:
        raise InvalidInput(f"{called} names no reader.")
    return found


def _row(cells: dict[str, str] | None, otherwise: dict[str, Any]) -> dict[str, Any]:
    if cells is None:
        raise InvalidInput("more or fewer cells than the first line has columns.")
    given = {name: value for name, value in cells.items() if value}
    return check(InviteRequest, {"username": "", **otherwise} | given)
