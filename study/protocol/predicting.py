"""What readers are predicted to see on their displays, for the study's stimuli: an optional extra (cvvdp)."""

from collections.abc import Sequence
from typing import Any

from attacks.engine.predictor import demand_installed, lost_quality
from core.errors import InvalidInput, Progress, no_progress
from core.images import read_pixels
from study.models import Response, Stimulus, Study
from study.statistics.visibility.display import pixels_per_degree


def displays_of(study: Study) -> list[int]:
    """The sizes at which readers of the study saw its images, in pixels per degree."""
    rows = Response.objects.filter(presentation__reading_set__assignment__study=study).values_list(
        "session__viewing", "viewing"
    )
    found = {pixels_per_degree(*row) for row in rows.iterator()}
    return sorted(size for size in found if size is not None)


def predict_study(
    *, study: Study, sizes: Sequence[int] | None = None, progress: Progress = no_progress
) -> dict[str, Any]:
    """Predict the visibility of every stimulus at these ``sizes`` (pixels per degree), or at those of the readers'
    displays. What is there already is kept.

    Raises:
        InvalidInput: no size is known, cvvdp is not installed, or an image cannot be read.
    """
    wanted = list(sizes) if sizes else displays_of(study)
    if not wanted:
        raise InvalidInput(
            f"no reader of study '{study.slug}' measured screen and distance, so that the size on the retina is not "
            "known; give one.",
            field="pixels_per_degree",
        )
    demand_installed()
    stimuli = list(Stimulus.objects.filter(case__study=study).order_by("pk"))
    originals = {row.case_id: row for row in stimuli if row.arm == "original"}
    made = 0
    for number, row in enumerate(stimuli, start=1):
        missing = [size for size in wanted if str(size) not in row.predicted]
        if missing and row.case_id in originals:
            original, shown = (read_pixels(one.image.name, sha256=one.sha256) for one in (originals[row.case_id], row))
            for size in missing:
                same = row.arm == "original"
                row.predicted[str(size)] = 0.0 if same else lost_quality(original, shown, size)
            row.save(update_fields=["predicted"])
            made += len(missing)
        progress(number, len(stimuli))
    return {"study": study.slug, "pixels_per_degree": wanted, "predicted": made}
