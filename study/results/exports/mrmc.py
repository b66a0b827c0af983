"""Files for the programs that multi-reader analysts already use: iMRMC, MRMCaov, MRMCbinary, RJafroc.

The endpoint in all of them is the TPF. Programs made for ROC areas get five dummy negatives rated 0.5 by everybody:
the area under the curve of positives rated 0 or 1 against them is then the TPF. They add no variance where covariances
come by DeLong's method; the jackknife leaves them out one by one, too, and spreads its sum over n + 5 cases.

A patch that a reader read twice in an arm is rated by the mean of the two answers, and the area is still the mean TPF
(0.5 is a tie). With three readings or more it would not be (1/3 loses to 0.5 as 0 does), so that each reading gets a
file of its own.
"""

import io
import re
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from openpyxl import Workbook

from core.errors import InvalidInput
from core.spreadsheet import csv_chunks
from study.statistics.readings import reading

DUMMIES = 5
DUMMY_RATING = 0.5
_DUMMIES = [f"dummy{i + 1}" for i in range(DUMMIES)]
MODALITIES = ("original", "perturbed")
AVERAGED = 2
"""So many readings of a stimulus may stand in one file as their mean."""


@dataclass(frozen=True)
class Readings:
    """Positives answered in the two compared arms: columns reader_id, patch_id, arm, reading, correct.

    ``reading`` counts how often the reader has been shown this stimulus: the set where every set shows all arms. Where
    arms cross over between sets, it pairs the k-th reading of the original with the k-th of the perturbed patch.
    """

    rows: pd.DataFrame
    name: str

    @property
    def readers(self) -> list[str]:
        return sorted(self.rows["reader_id"].unique())

    @property
    def patches(self) -> list[str]:
        return sorted(self.rows["patch_id"].unique())

    @property
    def numbers(self) -> list[int]:
        """Of the readings: 1, 2, ..."""
        return sorted(int(number) for number in self.rows["reading"].unique())

    def ratings(self) -> pd.DataFrame:
        """Mean over readings: reader_id, patch_id, arm, rating."""
        mean = self.rows.groupby(["reader_id", "patch_id", "arm"], sort=True)["correct"].mean()
        return mean.rename("rating").reset_index()

    def split(self) -> list[tuple[str, "Readings"]]:
        """Itself where a mean over readings keeps the area a TPF, else one part per reading with its suffix."""
        return [("", self)] if max(self.numbers) <= AVERAGED else self.per_reading()

    def per_reading(self) -> list[tuple[str, "Readings"]]:
        return [
            (suffix(number), Readings(self.rows[self.rows["reading"] == number], f"{self.name}, reading {number}"))
            for number in self.numbers
        ]

    def complete(self, program: str) -> "Readings":
        """The patches that every reader answered in both arms, for a ``program`` that refuses anything else.

        Raises :class:`InvalidInput` where there is no such patch.
        """
        stimuli = self.rows.drop_duplicates(["reader_id", "patch_id", "arm"])
        answered = stimuli.groupby("patch_id").size()
        whole = answered.index[answered == len(self.readers) * len(MODALITIES)]
        if whole.empty:
            raise InvalidInput(
                f"{program} refuses unbalanced data, and no patch was answered in both arms by every one of "
                f"{', '.join(self.readers)}"
            )
        return Readings(self.rows[self.rows["patch_id"].isin(whole)], self.name)


def suffix(number: int) -> str:
    """What the name of a reading's own file ends in."""
    return f"-reading{number}"


def readings(table: pd.DataFrame, perturbed_arm: str, name: str) -> Readings:
    """The readings of a checked tidy table. Raises :class:`InvalidInput` where there are none to compare."""
    rows = table[(table["truth"] == 1) & table["arm"].isin(["original", perturbed_arm])]
    rows = rows.assign(
        arm=np.where(rows["arm"] == "original", *MODALITIES),
        # Counted before unanswered rows go: a reader who skipped set 1 still answered the second reading.
        reading=reading(rows),
    )
    rows = rows[rows["correct"].notna()]
    if rows["arm"].nunique() < len(MODALITIES):
        raise InvalidInput("no positives were answered in both arms, so that there is no TPF to compare")
    return Readings(rows[["reader_id", "patch_id", "arm", "reading", "correct"]], name)


def holes(data: Readings) -> str:
    """How much of the readings the files for MRMCbinary and RJafroc hold; empty where they hold everything."""
    files = [(f"mrmcbinary{ending}.csv", part) for ending, part in data.per_reading()]
    files += [(f"rjafroc{ending}.xlsx", part) for ending, part in data.split()]
    said = []
    for name, part in files:
        try:
            kept = len(part.complete("").patches)
        except InvalidInput:
            kept = 0
        readers = "" if part.readers == data.readers else f" of {len(part.readers)} readers"
        if kept < len(data.patches) or readers:
            said.append(f"{name} {kept}{readers}")
    if not said:
        return ""
    return (
        "MRMCbinary and RJafroc refuse unbalanced data: their files hold the patches that every reader answered in "
        f"both arms. Of {len(data.patches)} patches: {'; '.join(said)}. The files for iMRMC and MRMCaov hold every "
        "answer."
    )


def _names(wanted: Iterable[str]) -> dict[str, str]:
    """Names without what these programs split at, quote or take for something else; different ones stay different."""
    taken = {"truth", "-1", "NA", *_DUMMIES}
    names = {}
    for name in wanted:
        plain = re.sub(r"[\s,;\"'#]+", "_", str(name)).strip("_") or "_"
        chosen, number = plain, 1
        while chosen in taken:
            number += 1
            chosen = f"{plain}.{number}"
        taken.add(chosen)
        names[name] = chosen
    return names


def imrmc(data: Readings) -> Iterator[str]:
    """An `.imrmc` file: description, NR, N0, N1, NM, BEGIN DATA:, rows of truth, then the readings.

    Rows of truth are `truth,CASE,truth,0 or 1`: R's iMRMC knows no others, the Java program reads these, too.
    """
    readers, patches = _names(data.readers), _names(data.patches)
    title = " ".join(data.name.replace(",", " ").split())
    yield f"{title}: TPF of original and perturbed patches\n"
    yield f"Readings {data.numbers}; {DUMMIES} dummy negatives rated {DUMMY_RATING} make the area the TPF\n"
    yield f"NR: {len(readers)}\nN0: {DUMMIES}\nN1: {len(patches)}\nNM: {len(MODALITIES)}\nBEGIN DATA:\n"
    yield "".join(f"truth,{case},truth,0\n" for case in _DUMMIES)
    yield "".join(f"truth,{case},truth,1\n" for case in patches.values())
    for (reader, arm), part in data.ratings().groupby(["reader_id", "arm"], sort=True):
        yield "".join(f"{readers[reader]},{case},{arm},{DUMMY_RATING}\n" for case in _DUMMIES)
        yield "".join(
            f"{readers[reader]},{patches[row.patch_id]},{arm},{row.rating:.10g}\n" for row in part.itertuples()
        )


def mrmcaov(data: Readings) -> Iterator[str]:
    """CSV for `mrmc(empirical_auc(truth, rating), test, reader, case, data = ..., cov = DeLong)`."""

    readers, patches = _names(data.readers), _names(data.patches)

    def rows():
        for (name, arm), part in data.ratings().groupby(["reader_id", "arm"], sort=True):
            shown = {"reader": readers[name], "test": arm}
            for case in _DUMMIES:
                yield {**shown, "case": case, "truth": 0, "rating": DUMMY_RATING}
            for row in part.itertuples():
                yield {**shown, "case": patches[row.patch_id], "truth": 1, "rating": row.rating}

    return csv_chunks(("reader", "test", "case", "truth", "rating"), rows())


def mrmcbinary(data: Readings) -> Iterator[str]:
    """CSV for `MRMCbinary(data, Modality, Reader, Case, D, Y, measure = "Sensitivity", ...)`: one reading, complete."""
    kept = data.complete("MRMCbinary").rows.sort_values(["arm", "reader_id", "patch_id"])
    readers, patches = _names(data.readers), _names(data.patches)
    rows = (
        {
            "Modality": row.arm,
            "Reader": readers[row.reader_id],
            "Case": patches[row.patch_id],
            "D": 1,
            "Y": int(row.correct),
        }
        for row in kept.itertuples()
    )
    return csv_chunks(("Modality", "Reader", "Case", "D", "Y"), rows)


def cases(data: Readings) -> Iterator[str]:
    """Which case number of the RJafroc workbook is which patch."""
    rows = [{"CaseID": i + 1, "patch_id": "dummy negative"} for i in range(DUMMIES)]
    patches = data.complete("RJafroc").patches
    rows += [{"CaseID": DUMMIES + i, "patch_id": patch} for i, patch in enumerate(patches, start=1)]
    return csv_chunks(("CaseID", "patch_id"), rows)


def rjafroc(data: Readings) -> bytes:
    """The workbook RJafroc reads by `DfReadDataFile(file, newExcelFileFormat = TRUE)`: TRUTH, TP, FP; ROC, factorial.

    A factorial ROC set has no holes: it holds the patches that every reader answered in both arms.
    """
    data = data.complete("RJafroc")
    number = {patch: DUMMIES + i for i, patch in enumerate(data.patches, start=1)}
    readers = _names(data.readers)
    everyone, both = ", ".join(readers.values()), ", ".join(MODALITIES)
    book = Workbook(write_only=True)
    truth = book.create_sheet("TRUTH")
    truth.append(["CaseID", "LesionID", "Weight", "ReaderID", "ModalityID", "Paradigm"])
    for case in range(1, DUMMIES + len(number) + 1):
        lesion = int(case > DUMMIES)
        paradigm = {1: "ROC", 2: "FCTRL"}.get(case)
        truth.append([case, lesion, lesion, everyone, both, paradigm])
    positives = book.create_sheet("TP")
    positives.append(["ReaderID", "ModalityID", "CaseID", "LesionID", "TP_Rating"])
    for row in data.ratings().itertuples():
        positives.append([readers[row.reader_id], row.arm, number[row.patch_id], 1, float(row.rating)])
    negatives = book.create_sheet("FP")
    negatives.append(["ReaderID", "ModalityID", "CaseID", "FP_Rating"])
    for reader in readers.values():
        for arm in MODALITIES:
            for case in range(1, DUMMIES + 1):
                negatives.append([reader, arm, case, DUMMY_RATING])
    buffer = io.BytesIO()
    book.save(buffer)
    return _timeless(buffer.getvalue())


def _timeless(workbook: bytes) -> bytes:
    """The same workbook without the time at which it was written: equal data make equal files, and equal hashes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(workbook)) as old, zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            part = re.sub(rb"(?<=>)\d{4}-\d\d-\d\dT[\d:]+Z", b"1980-01-01T00:00:00Z", old.read(name))
            new.writestr(zipfile.ZipInfo(name), part)
    return buffer.getvalue()
