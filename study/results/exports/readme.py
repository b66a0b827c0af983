"""README.md of an export: what the files are, and the anchor by which the log can be checked for good."""

from collections.abc import Iterator, Sequence
from typing import Any

from core.version import code_version
from study.models import Study
from study.protocol import signing
from study.protocol.verification import Verification


def readme(study: Study, verification: Verification, files: Sequence[tuple[str, str]]) -> Iterator[str]:
    """``files``: name and title of every file of the export."""
    signed: dict[str, Any] = signing.signed_head(study)
    yield f"# {study.name}\n\n"
    yield f"Everything that study `{study.slug}` gives out, written by Blindspot {code_version()}.\n\n"
    yield f"SHA-256 of the frozen protocol: `{study.protocol_sha256}`\n\n"
    yield "## Verification\n\n"
    if verification.problems:
        yield f"**{len(verification.problems)} problems were found** when these files were written:\n\n"
        yield from (f"- {problem}\n" for problem in verification.problems)
        yield "\n"
    else:
        yield "Protocol, schedules, images, answers and log were checked when these files were written: all hold.\n\n"
    yield f"The log stands at **{verification.head_short}**\n\n"
    for name in ("head", "events", "at", "public_key", "signature"):
        yield f"- {name}: `{signed[name]}`\n"
    yield (
        "\nThe head is the hash of the last row of `audit_log.csv`, and all rows before follow from it. Readers were "
        "shown it at the end of each set. `docs/verifying.md` of Blindspot has a script of twenty lines that checks "
        "the file with Python alone, says what the signature covers, and how the installation is asked whether it "
        f'still holds the head: `manage.py verify {study.slug} --anchor "{verification.head_short}"`.\n\n'
    )
    yield "## In a spreadsheet\n\n"
    yield (
        "CSV files are UTF-8 with commas and decimal points; import them as such (in Excel: Data, From Text/CSV). "
        "Times are UTC, a column's unit stands in `data_dictionary.csv`, an empty cell is a missing value. "
        "Text that a spreadsheet would take for a formula begins with an apostrophe. Seeds have up to 19 digits, of "
        "which spreadsheets keep 15: do not save the files over themselves.\n\n"
    )
    yield "## Files\n\n"
    yield from (f"- `{name}`: {title}\n" for name, title in files)
