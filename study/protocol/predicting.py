"""What readers are predicted to see on their displays, for the study's stimuli: an optional extra (cvvdp)."""

from collections.abc import Sequence
from typing import Any

from attacks.engine.predictor import lost_quality
from core.errors import Progress, no_progress
from core.extras import CVVDP
from core.images import read_pixels
from study.models import Stimulus, Study
from study.protocol.prediction_requests import demand_displays


def predict_study(
    *, study: Study, sizes: Sequence[int] | None = None, progress: Progress = no_progress
) -> dict[str, Any]:
    """Predict the visibility of every stimulus at these ``sizes`` (pixels per degree), or at those of the readers'
    displays. What is there already is kept.

    Raises:
        InvalidInput: no size is known, cvvdp is not installed, or an image cannot be read.
    """
    wanted = list(sizes) if sizes else demand_displays(study)
    CVVDP.load()  # asked for before anything is read
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
