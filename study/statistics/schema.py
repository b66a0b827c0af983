"""The tidy table's one description: what `presentations.csv` holds and what `analyse --csv` accepts.

One row per presentation. Everything else that speaks of columns - validation, the data dictionary, the exports -
reads this list, so that none of them can drift from another.
"""

import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass

ARMS = ("original", "perturbed", "noise", "universal", "natural", "catch", "pair", "bias")
"""The arms by family. Further arms of a family carry a suffix: ``perturbed-l2-4``, ``noise:2``.

Forced choices. ``pair``: an image beside the original of its patch, `which one was altered?`; a pair of a ladder is
named by its columns ``ladder`` and ``level``, and a level may come back in one set. ``pair-original``: two identical
images, level 0; ``correct`` then only tells the side that was chosen. ``bias``: two twins of equal energy, one pushed
toward tumour and one away, `which looks more like tumour?`; ``correct`` is 1 when the one pushed toward it was chosen.
"""

_ARM = re.compile(rf"^({'|'.join(ARMS)})([-_:.].+)?$")

FORMULA_RULE = (
    "Text cells beginning with = + - @, a tab or a carriage return are written with a leading apostrophe, "
    "so that a spreadsheet shows them instead of running them; numbers are left as they are."
)


@dataclass(frozen=True)
class Column:
    """One column: ``type`` is text, integer, number, boolean (0/1) or timestamp (ISO 8601, UTC)."""

    name: str
    type: str
    description: str
    units: str = ""
    allowed_values: str = ""
    missing_code: str = ""
    derivation: str = ""
    required: bool = False
    minimum: float | None = None
    maximum: float | None = None

    def dictionary_row(self) -> dict[str, str]:
        """This column's line of ``data_dictionary.csv``."""
        row = asdict(self)
        return {key: row[key] for key in DICTIONARY_COLUMNS}


DICTIONARY_COLUMNS = ("name", "type", "units", "allowed_values", "missing_code", "description", "derivation")


def _binary(
    name: str, description: str, missing_code: str = "empty", derivation: str = "", required: bool = False
) -> Column:
    return Column(name, "boolean", description, "", "0; 1", missing_code, derivation, required, 0, 1)


_NORMS = "computed on the displayed 8-bit bytes against the original stimulus of the same patch"

TIDY: tuple[Column, ...] = (
    Column("study_id", "text", "The study's short name.", derivation="Study.slug"),
    Column("protocol_version", "integer", "Version of the frozen protocol.", minimum=1),
    Column("presentation_id", "text", "Names this row within the study; unique.", derivation="database key"),
    Column("reader_id", "text", "The reader's pseudonym.", required=True, derivation="Assignment.code"),
    Column("session_id", "text", "The session in which the counted answer was given.", missing_code="empty"),
    Column(
        "set",
        "integer",
        "Which reading of the stimuli by this reader, from 1; `copy` is accepted in its place.",
        required=True,
        minimum=1,
    ),
    Column("position", "integer", "Place within the set, from 1, as scheduled.", minimum=1),
    Column("patch_id", "text", "The patch; the unit of inference.", required=True),
    Column("group", "text", "Slide or patient of the patch.", missing_code="empty"),
    Column(
        "arm",
        "text",
        "What was shown.",
        required=True,
        allowed_values="; ".join(ARMS) + "; further arms of a family carry a suffix after - _ : or .",
    ),
    _binary(
        "truth",
        "Reference label: 1 tumour, 0 no tumour. Pair comparison: 1 when the second was altered.",
        missing_code="",
        required=True,
    ),
    Column("truth_source", "text", "Where the reference label comes from.", missing_code="empty"),
    _binary(
        "label",
        "The reader's answer: 1 tumour, 0 no tumour. Pair comparison: 1 for the second.",
        missing_code="empty: not answered",
        derivation="latest revision",
        required=True,
    ),
    _binary("correct", "1 when label equals truth.", "empty: not answered", "label == truth"),
    Column(
        "confidence",
        "integer",
        "The reader's confidence.",
        units="1 (guess) to 5 (certain)",
        allowed_values="1; 2; 3; 4; 5",
        missing_code="empty: not asked",
        minimum=1,
        maximum=5,
    ),
    Column(
        "tumour_cell_count",
        "integer",
        "Tumour cells counted by the reader.",
        units="cells",
        missing_code="empty: not asked",
        minimum=0,
    ),
    _binary("perturbed_response", "Answer to `was this image altered?`: 1 yes, 0 no.", "empty: not asked"),
    Column(
        "rt_ms",
        "number",
        "From the image painted to the answer, time out of focus taken off.",
        units="milliseconds, client clock",
        missing_code="empty",
        minimum=0,
    ),
    Column(
        "focus_lost_ms",
        "number",
        "Time the window was out of focus during this presentation.",
        units="milliseconds",
        missing_code="empty",
        minimum=0,
    ),
    Column("shown_at_utc", "timestamp", "When the image was painted.", units="UTC, client clock", missing_code="empty"),
    Column(
        "answered_at_utc",
        "timestamp",
        "When the counted answer was given.",
        units="UTC, client clock",
        missing_code="empty",
    ),
    Column("revision", "integer", "Which revision of the answer counts; 1: never amended, 0: not answered.", minimum=0),
    _binary(
        "excluded",
        "1 when the protocol's exclusions flag this presentation; it stays in the primary analysis "
        "(intention to read) and leaves the per-protocol one.",
        missing_code="empty: 0",
    ),
    Column("exclusion_reason", "text", "Why it is flagged.", missing_code="empty"),
    Column("classifier_id", "text", "The classifier that was attacked.", missing_code="empty"),
    Column(
        "model_prob",
        "number",
        "The classifier's P(tumour) of the displayed bytes.",
        missing_code="empty",
        minimum=0,
        maximum=1,
    ),
    _binary("model_label", "The classifier's label of the displayed bytes: 1 tumour, 0 no tumour."),
    Column("attack", "text", "The attack's recipe.", missing_code="empty: original"),
    Column(
        "norm",
        "text",
        "Norm of the attack's budget.",
        allowed_values="none; l0; l1; l2; linf",
        missing_code="empty: original",
    ),
    Column(
        "budget",
        "number",
        "Limit on the perturbation.",
        missing_code="empty: original or no limit",
        units="0-255 units; l0: share of pixels",
        minimum=0,
    ),
    Column("l0", "number", "Share of pixels changed.", derivation=_NORMS, missing_code="empty", minimum=0, maximum=1),
    Column(
        "l1",
        "number",
        "Mean absolute difference.",
        units="0-255 units",
        derivation=_NORMS,
        missing_code="empty",
        minimum=0,
        maximum=255,
    ),
    Column(
        "l2",
        "number",
        "Root mean squared difference.",
        units="0-255 units",
        derivation=_NORMS,
        missing_code="empty",
        minimum=0,
        maximum=255,
    ),
    Column(
        "linf",
        "number",
        "Largest absolute difference.",
        units="0-255 units",
        derivation=_NORMS,
        missing_code="empty",
        minimum=0,
        maximum=255,
    ),
    Column(
        "ciede2000",
        "number",
        "Colour difference from the original, mean over pixels.",
        units="CIEDE2000",
        derivation="of the displayed bytes, sRGB under D65 (Sharma, Wu & Dalal 2005)",
        missing_code="empty: not measured",
        minimum=0,
    ),
    Column(
        "ms_ssim_loss",
        "number",
        "Structure lost: 1 less the multi-scale structural similarity with the original.",
        derivation="of the displayed bytes, mean over channels (Wang, Simoncelli & Bovik 2003)",
        missing_code="empty: not measured",
        minimum=0,
    ),
    Column(
        "cvvdp_loss",
        "number",
        "The lost quality that cvvdp predicts on this reader's display.",
        units="10 - JOD",
        derivation="of the displayed bytes, at the pixels per degree of card calibration, distance and scale",
        missing_code="empty: not predicted, or the display was not measured",
        minimum=0,
    ),
    Column(
        "width_mm",
        "number",
        "How wide the whole image was on this reader's screen, unmagnified.",
        units="mm",
        derivation="image pixels x screen pixels per image pixel / screen pixels per mm, from the card calibration",
        missing_code="empty: not answered, or the screen was not measured",
        minimum=0,
    ),
    Column(
        "ladder",
        "text",
        "The ladder of levels that a pair belongs to: what is scaled (an attack, noise, a natural change).",
        missing_code="empty: no ladder, or an identical pair that serves all ladders",
    ),
    Column(
        "level",
        "number",
        "The size of the change that is shown, in the ladder's norm; 0: two identical images.",
        units="0-255 units; l0: share of pixels",
        derivation=_NORMS,
        missing_code="empty: no ladder",
        minimum=0,
    ),
    Column(
        "flip",
        "number",
        "The smallest displayed change of this patch that made the classifier err, in the ladder's norm.",
        units="0-255 units; l0: share of pixels",
        derivation="the smallest found; a smaller one may exist",
        missing_code="empty: none was found up to flip_limit",
        minimum=0,
    ),
    Column(
        "flip_limit",
        "number",
        "The largest change of this patch at which a flip was looked for, in the ladder's norm.",
        units="0-255 units; l0: share of pixels",
        missing_code="empty: not known",
        minimum=0,
    ),
    Column("image_sha256", "text", "SHA-256 of the bytes that were served."),
    Column("app_version", "text", "Version of the program that took the answer."),
    Column("seed", "integer", "Seed of this reader's schedule, which is drawn from it and from the study's secret."),
)

COLUMNS: tuple[str, ...] = tuple(column.name for column in TIDY)
REQUIRED: tuple[str, ...] = tuple(column.name for column in TIDY if column.required)
BY_NAME: dict[str, Column] = {column.name: column for column in TIDY}


def arm_family(arm: str) -> str | None:
    """``perturbed-l2-4`` -> ``perturbed``; None for an arm that the table does not know."""
    match = _ARM.match(arm)
    return match.group(1) if match else None


def data_dictionary(extra: Iterable[Column] = ()) -> list[dict[str, str]]:
    """The rows of ``data_dictionary.csv``: every tidy column, ``extra`` ones, and the rule for formula cells."""
    rows = [column.dictionary_row() for column in (*TIDY, *extra)]
    rows.append(Column("(all text columns)", "text", FORMULA_RULE, derivation="applied on writing").dictionary_row())
    return rows
