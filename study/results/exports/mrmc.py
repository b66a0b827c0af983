"""Files for the programs that multi-reader analysts already use: iMRMC, MRMCaov, MRMCbinary, RJafroc.

The endpoint in all of them is the TPF. Programs made for ROC areas get five dummy negatives rated 0.5 by everybody:
the area under the curve of positives rated 0 or 1 against them is then the TPF, and they add no variance. With two
sets a positive's rating is the mean of its two answers, and the area is still the mean TPF (0.5 is a tie). With three
or more it would not be, so that each set gets a file of its own.
"""

import io
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from openpyxl import Workbook

from core.errors import InvalidInput
from core.spreadsheet import csv_chunks

DUMMIES = 5
DUMMY_RATING = 0.5
MODALITIES = ("original", "perturbed")


@dataclass(frozen=True)
class Readings:
    """Positives answered in the two compared arms: columns reader_id, set, patch_id, arm, correct."""

    rows: pd.DataFrame
    name: str

    @property
    def readers(self) -> list[str]:
        return sorted(self.rows["reader_id"].unique())

    @property
    def patches(self) -> list[str]:
        return sorted(self.rows["patch_id"].unique())

    @property
    def sets(self) -> list[int]:
        return sorted(int(number) for number in self.rows["set"].unique())

    def ratings(self) -> pd.DataFrame:
        """Mean over sets: reader_id, patch_id, arm, rating."""
        mean = self.rows.groupby(["reader_id", "patch_id", "arm"], sort=True)["correct"].mean()
        return mean.rename("rating").reset_index()

    def split(self) -> list[tuple[str, "Readings"]]:
        """Itself where the mean over sets keeps the area a TPF, else one part per set with its suffix."""
        if len(self.sets) <= 2:
            return [("", self)]
        return self.per_set()

    def per_set(self) -> list[tuple[str, "Readings"]]:
        return [
            (f"-set{number}", Readings(self.rows[self.rows["set"] == number], f"{self.name}, set {number}"))
            for number in self.sets
        ]


def readings(table: pd.DataFrame, perturbed_arm: str, name: str) -> Readings:
    """The readings of a checked tidy table. Raises :class:`InvalidInput` where there are none to compare."""
    rows = table[(table["truth"] == 1) & table["arm"].isin(["original", perturbed_arm]) & table["correct"].notna()]
    if rows["arm"].nunique() < 2:
        raise InvalidInput("no positives were answered in both arms, so that there is no TPF to compare")
    rows = rows.assign(arm=np.where(rows["arm"] == "original", *MODALITIES))
    return Readings(rows[["reader_id", "set", "patch_id", "arm", "correct"]], name)


def _field(text: str) -> str:
    """iMRMC splits at commas and knows no quotes."""
    return str(text).replace(",", ";").replace("\n", " ").strip()


def imrmc(data: Readings) -> Iterator[str]:
    """An `.imrmc` file: description, NR, N0, N1, NM, BEGIN DATA:, truth rows (reader -1), then the readings."""
    dummies = [f"dummy{i + 1}" for i in range(DUMMIES)]
    yield f"{_field(data.name)}: TPF of original and perturbed patches\n"
    yield f"Mean over sets {data.sets}; {DUMMIES} dummy negatives rated {DUMMY_RATING} make the area the TPF\n"
    yield f"NR: {len(data.readers)}\nN0: {DUMMIES}\nN1: {len(data.patches)}\nNM: {len(MODALITIES)}\nBEGIN DATA:\n"
    yield "".join(f"-1,{case},0,0\n" for case in dummies)
    yield "".join(f"-1,{_field(patch)},0,1\n" for patch in data.patches)
    for (reader, arm), part in data.ratings().groupby(["reader_id", "arm"], sort=True):
        yield "".join(f"{_field(reader)},{case},{arm},{DUMMY_RATING}\n" for case in dummies)
        yield "".join(f"{_field(reader)},{_field(row.patch_id)},{arm},{row.rating:.10g}\n" for row in part.itertuples())


def mrmcaov(data: Readings) -> Iterator[str]:
    """CSV for `mrmc(empirical_auc(truth, rating), test, reader, case, data = ..., cov = jackknife)`."""

    def rows():
        for (reader, arm), part in data.ratings().groupby(["reader_id", "arm"], sort=True):
            for i in range(DUMMIES):
                yield {"reader": reader, "test": arm, "case": f"dummy{i + 1}", "truth": 0, "rating": DUMMY_RATING}
            for row in part.itertuples():
                yield {"reader": reader, "test": arm, "case": row.patch_id, "truth": 1, "rating": row.rating}

    return csv_chunks(("reader", "test", "case", "truth", "rating"), rows())


def mrmcbinary(data: Readings) -> Iterator[str]:
    """CSV for `MRMCbinary(data, Modality, Reader, Case, D, Y, measure = "Sensitivity", ...)`: one set, no averaging."""
    rows = (
        {"Modality": row.arm, "Reader": row.reader_id, "Case": row.patch_id, "D": 1, "Y": int(row.correct)}
        for row in data.rows.sort_values(["arm", "reader_id", "patch_id"]).itertuples()
    )
    return csv_chunks(("Modality", "Reader", "Case", "D", "Y"), rows)


def cases(data: Readings) -> Iterator[str]:
    """Which case number of the RJafroc workbook is which patch."""
    rows = [{"CaseID": i + 1, "patch_id": "dummy negative"} for i in range(DUMMIES)]
    rows += [{"CaseID": DUMMIES + i, "patch_id": patch} for i, patch in enumerate(data.patches, start=1)]
    return csv_chunks(("CaseID", "patch_id"), rows)


def rjafroc(data: Readings) -> bytes:
    """The workbook RJafroc reads by `DfReadDataFile(file, newExcelFileFormat = TRUE)`: TRUTH, TP, FP; ROC, factorial.

    Raises :class:`InvalidInput` naming a reader who lacks a patch: a factorial ROC set has no holes.
    """
    ratings = data.ratings()
    expected = len(data.patches) * len(MODALITIES)
    for reader, part in ratings.groupby("reader_id"):
        if len(part) < expected:
            raise InvalidInput(
                f"reader {reader} lacks {expected - len(part)} of {expected} readings; RJafroc wants all"
            )
    number = {patch: DUMMIES + i for i, patch in enumerate(data.patches, start=1)}
    everyone, both = ", ".join(data.readers), ", ".join(MODALITIES)
    book = Workbook(write_only=True)
    truth = book.create_sheet("TRUTH")
    truth.append(["CaseID", "LesionID", "Weight", "ReaderID", "ModalityID", "Paradigm"])
    for case in range(1, DUMMIES + len(number) + 1):
        lesion = int(case > DUMMIES)
        paradigm = {1: "ROC", 2: "FCTRL"}.get(case)
        truth.append([case, lesion, lesion, everyone, both, paradigm])
    positives = book.create_sheet("TP")
    positives.append(["ReaderID", "ModalityID", "CaseID", "LesionID", "TP_Rating"])
    for row in ratings.itertuples():
        positives.append([row.reader_id, row.arm, number[row.patch_id], 1, float(row.rating)])
    negatives = book.create_sheet("FP")
    negatives.append(["ReaderID", "ModalityID", "CaseID", "FP_Rating"])
    for reader in data.readers:
        for arm in MODALITIES:
            for case in range(1, DUMMIES + 1):
                negatives.append([reader, arm, case, DUMMY_RATING])
    buffer = io.BytesIO()
    book.save(buffer)
    return buffer.getvalue()
