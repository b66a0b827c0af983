"""Measures of how different stimuli look, for studies of before there were any. Building measures its own."""

from attacks import measuring
from core.errors import Progress, no_progress
from core.images import read_pixels
from study.models import Stimulus, Study


def measure_study(*, study: Study, progress: Progress = no_progress) -> int:
    """Measure the stimuli that have no measures, on their bytes; returns how many were measured.

    A case without its original (a catch image alone) has nothing to be compared with. Protocols that are frozen
    already do not hold these numbers: they follow from bytes whose hashes they hold.

    Raises:
        InvalidInput: images cannot be read; the others are measured all the same.
    """
    stimuli = Stimulus.objects.filter(case__study=study).order_by("pk")
    originals = {row.case_id: row for row in stimuli.filter(arm="original")}
    rows = stimuli.filter(case__in=list(originals))

    def both(row: Stimulus):
        original = originals[row.case_id]
        return tuple(read_pixels(one.image.name, sha256=one.sha256) for one in (original, row))

    return measuring.fill(rows, both, progress=progress)
