"""Assay sensitivity: could these readers have shown a loss at all? Below a floor on originals nothing is claimed."""

from dataclasses import dataclass

import pandas as pd

from study.statistics.detection import d_prime

FLOOR_TPF = 0.70
FLOOR_D_PRIME = 1.0


@dataclass(frozen=True)
class AssaySensitivity:
    """What readers reached on original images (means over readers), the floors, and why there is no verdict below."""

    tpf: float | None
    d_prime: float | None
    floor_tpf: float | None
    floor_d_prime: float | None
    reason: str | None


def assay_sensitivity(
    readings: pd.DataFrame, floor_tpf: float | None = FLOOR_TPF, floor_d_prime: float | None = FLOOR_D_PRIME
) -> AssaySensitivity:
    """From a checked tidy table without pairs. d' needs negatives; without them only the true positives count."""
    rows = readings[(readings["arm"] == "original") & readings["label"].notna()]
    positive, negative = rows[rows["truth"] == 1], rows[rows["truth"] == 0]
    tpf = float(positive.groupby("reader_id")["correct"].mean().mean()) if len(positive) else None
    sights = [
        d_prime(int(own["label"].sum()), len(own), int(other["label"].sum()), len(other)).d_prime
        for reader, own in positive.groupby("reader_id")
        if len(other := negative[negative["reader_id"] == reader])
    ]
    sight = sum(sights) / len(sights) if sights else None
    reasons = []
    if tpf is not None and floor_tpf is not None and tpf < floor_tpf:
        reasons.append(
            f"on original images the readers found {100 * tpf:.0f} % of the tumours, less than the "
            f"{100 * floor_tpf:g} % that were asked for: who does not see tumours cannot show that they are lost."
        )
    if sight is not None and floor_d_prime is not None and sight < floor_d_prime:
        reasons.append(
            f"on original images the readers told tumour from no tumour with d′ {sight:.2f}, below the "
            f"{floor_d_prime:g} that was asked for: who answers without regard to the image cannot show a loss."
        )
    return AssaySensitivity(tpf, sight, floor_tpf, floor_d_prime, " ".join(reasons) or None)
