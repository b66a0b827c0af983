"""Every file that can leave a study: its name, what it is, and how it is written."""

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.core.cache import cache
from django.db.models import Count, Min

from core.errors import InvalidInput
from core.spreadsheet import csv_chunks
from study import blinds as selectors
from study.blinding.auditing import latest_report
from study.models import Study
from study.protocol.documents import disclosed
from study.results import tidy as rows
from study.results.analysis import analysis_of, what_is_analysed
from study.results.exports import mrmc, visibility
from study.results.exports.extra_columns import EXTRA
from study.results.exports.readme import readme
from study.results.exports.report import report_html
from study.results.exports.rscript import r_script
from study.results.exports.tables import TABLE_COLUMNS, latex, markdown, table_1_rows
from study.results.verified import demand_verified, verification_of
from study.statistics.schema import COLUMNS, DICTIONARY_COLUMNS, data_dictionary
from study.statistics.table import check

Chunks = Iterable[str | bytes]


@dataclass
class Source:
    """A study on its way out; the analysis and the frame are made once, and only when a file needs them."""

    study: Study
    unverified: bool = False
    """Whether a study leaves that is not as it was fixed. What was found is then said in README and analysis."""

    def __post_init__(self) -> None:
        selectors.demand_arms_open(self.study)

    def write(self, export: "Export") -> Chunks:
        """One file's pieces.

        Raises:
            NotVerified: something is not as it was fixed.
            InvalidInput: the study cannot fill this file.
        """
        if not self.unverified:
            demand_verified(self.study)
        return export.write(self)

    @cached_property
    def analysis(self) -> dict[str, Any]:
        return analysis_of(self.study).to_json()

    @cached_property
    def readings(self) -> mrmc.Readings:
        table = check(rows.tidy_table(self.study), f"study {self.study.slug}")
        return mrmc.readings(table, self.analysis["perturbed_arm"], self.study.name)

    def holes(self) -> str:
        """What the files for other programs could not take; empty where they hold everything, or do not exist."""
        if not self.analysis["flow"]["presentations"]["unanswered_of_started"]:
            return ""  # the page of a complete study needs no table
        key = f"holes:{what_is_analysed(self.study)}"
        said = cache.get(key)
        if said is None:
            try:
                said = mrmc.holes(self.readings)
            except InvalidInput:
                said = ""
            cache.set(key, said, 3600)
        return said


@dataclass(frozen=True)
class Export:
    """One file. ``write`` yields its pieces and raises :class:`InvalidInput` where the study cannot fill it."""

    filename: str
    content_type: str
    title: str
    write: Callable[[Source], Chunks]
    lacking: Callable[[Study], str] = lambda study: ""
    """Why this study has no such file yet, and what to do; empty where it has, or where writing has to tell."""

    @property
    def group(self) -> str:
        """The heading it stands under on the results page."""
        if self.filename.startswith(("README", "report", "table_1", "analysis", "protocol", "blinding")):
            return "To read and to publish"
        if self.filename.endswith(".imrmc") or self.filename.startswith(("mrmc", "rjafroc")):
            return "For other programs"
        return "Data"


def _json(document: Any) -> Iterator[str]:
    yield json.dumps(document, indent=2, ensure_ascii=False, default=str) + "\n"


def _protocol(source: Source) -> Chunks:
    study = source.study
    if study.protocol is None:
        raise InvalidInput(f"Study '{study.slug}' was never frozen and has no protocol.")
    return _json(disclosed(study))


def _readme(source: Source) -> Chunks:
    files = [(export.filename, export.title) for export in exports(source.study)]
    return readme(source.study, verification_of(source.study), files)


def _blinding(source: Source) -> Chunks:
    report = latest_report(source.study)
    if report is None:
        raise InvalidInput(_not_audited(source.study))
    return _json(report)


def _not_audited(study: Study) -> str:
    audited = latest_report(study) is not None
    return "" if audited else f"the blinding was not audited; manage.py audit_blinding {study.slug} does it"


def _not_scaled(study: Study) -> str:
    scaled = study.ladder != Study.Ladder.NONE
    return "" if scaled else "no change is shown at several sizes in this study"


def _not_labelled(study: Study) -> str:
    labelled = study.task == Study.Task.LABELLING
    return "" if labelled else "these programs compare labels of single images, and this study shows pairs"


CSV, TEXT = "text/csv; charset=utf-8", "text/plain; charset=utf-8"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

_FIXED = (
    Export("README.md", "text/markdown; charset=utf-8", "What these files are, and the anchor of the log", _readme),
    Export("presentations.csv", CSV, "The tidy table: one row per presentation",
           lambda s: csv_chunks(COLUMNS, rows.presentation_rows(s.study))),
    Export("responses.csv", CSV, "Every revision of every answer",
           lambda s: csv_chunks(rows.RESPONSE_COLUMNS, rows.response_rows(s.study))),
    Export("readers.csv", CSV, "Readers by pseudonym, with the closing questionnaire",
           lambda s: csv_chunks(rows.READER_COLUMNS, rows.reader_rows(s.study))),
    Export("stimuli.csv", CSV, "Every stimulus with the model's answer and its norms",
           lambda s: csv_chunks(rows.STIMULUS_COLUMNS, rows.stimulus_rows(s.study))),
    Export("data_dictionary.csv", CSV, "What every column means",
           lambda s: csv_chunks((*DICTIONARY_COLUMNS, "file"), _dictionary())),
    Export("audit_log.csv", CSV, "What was done, by whom: exactly what is hashed",
           lambda s: csv_chunks(rows.AUDIT_COLUMNS, rows.audit_rows(s.study))),
    Export("protocol.json", "application/json", "The frozen protocol with its SHA-256, and the secret of its schedules",
           _protocol),
    Export("blinding_audit.json", "application/json", "The newest report of the blinding audit", _blinding,
           lacking=_not_audited),
    Export("analysis.json", "application/json", "Every number of the analysis", lambda s: _json(s.analysis)),
    Export("table_1.csv", CSV, "Table 1b as CSV",
           lambda s: csv_chunks(TABLE_COLUMNS, table_1_rows(s.analysis), for_people=True)),
    Export("blind_spot.csv", CSV, "The blind spot: one row per change that was scaled, and model",
           lambda s: csv_chunks(visibility.COLUMNS, visibility.rows(s.analysis), for_people=True),
           lacking=_not_scaled),
    Export("thresholds.csv", CSV, "What each reader sees, per change that was scaled",
           lambda s: csv_chunks(visibility.READER_COLUMNS, visibility.reader_rows(s.analysis), for_people=True),
           lacking=_not_scaled),
    Export("table_1.md", "text/markdown; charset=utf-8", "Table 1 as Markdown", lambda s: markdown(s.analysis)),
    Export("table_1.tex", TEXT, "Table 1 as LaTeX", lambda s: latex(s.analysis)),
    Export("report.html", "text/html; charset=utf-8", "The report: one file to print",
           lambda s: [report_html(s.study, s.analysis)]),
    Export("analysis.R", TEXT, "R script: Table 1b, McNemar, mixed model, the programs below",
           lambda s: [r_script(s.study.name, s.analysis)]),
)  # fmt: skip


def _dictionary() -> Iterator[dict[str, str]]:
    for row in data_dictionary():
        yield {"file": "presentations.csv", **row}
    for file, columns in EXTRA.items():
        for column in columns:
            yield {"file": file, **column.dictionary_row()}


PER_STIMULI: tuple[tuple[str, str, str, str, Callable[[mrmc.Readings], Chunks]], ...] = (
    ("study", ".imrmc", TEXT, "iMRMC file", mrmc.imrmc),
    ("mrmcaov", ".csv", CSV, "MRMCaov file; covariances by DeLong", mrmc.mrmcaov),
    ("rjafroc", ".xlsx", XLSX, "RJafroc workbook: patches that every reader answered in both arms",
     lambda data: [mrmc.rjafroc(data)]),
    ("rjafroc_cases", ".csv", CSV, "Case numbers of the workbook", mrmc.cases),
)  # fmt: skip
"""Stem, ending, type, title and writer of the files that hold the mean of up to two readings."""


def exports(study: Study) -> list[Export]:
    """The files of one study: one each of the fixed ones, and the MRMC files, which may come per reading."""
    files = list(_FIXED)
    numbers = range(1, _readings_planned(study) + 1)
    endings = [""] if len(numbers) <= mrmc.AVERAGED else [mrmc.suffix(number) for number in numbers]
    for stem, extension, content_type, title, write in PER_STIMULI:
        files += [
            Export(
                f"{stem}{ending}{extension}",
                content_type,
                title,
                _part(write, ending, averaged=True),
                lacking=_not_labelled,
            )
            for ending in endings
        ]
    title = "MRMCbinary file: patches that every reader answered in both arms"
    files += [
        Export(
            f"mrmcbinary{ending}.csv", CSV, title, _part(mrmc.mrmcbinary, ending, averaged=False), lacking=_not_labelled
        )
        for ending in map(mrmc.suffix, numbers)
    ]
    return files


def _readings_planned(study: Study) -> int:
    """How often a reader meets one stimulus: in every set, or, where the arms cross over, once in as many sets."""
    if study.arm_order != Study.ArmOrder.TWIN_SPLIT:
        return study.copies
    cases = study.cases.annotate(arms=Count("stimuli")).filter(arms__gte=2)
    return -(-study.copies // (cases.aggregate(fewest=Min("arms"))["fewest"] or 1))


def _part(write: Callable[[mrmc.Readings], Chunks], ending: str, *, averaged: bool) -> Callable[[Source], Chunks]:
    def written(source: Source) -> Chunks:
        data = source.readings
        parts = dict(data.split() if averaged else data.per_reading())
        if ending not in parts and averaged:  # three were planned and fewer read: still one file per reading
            parts = dict(data.per_reading())
        if ending not in parts:
            raise InvalidInput(f"nobody answered {ending.removeprefix('-').replace('reading', 'reading ')}")
        return write(parts[ending])

    return written


def find(study: Study, filename: str) -> Export | None:
    return next((export for export in exports(study) if export.filename == filename), None)
