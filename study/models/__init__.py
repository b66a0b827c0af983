"""The blinded study.

Study          cases, arms, copies and questions; draft -> frozen -> open -> closed -> unblinded
Case           a patch chosen for a study
Stimulus       a case in one arm, as exact bytes; the study does not know how a perturbation was made
Assignment     one reader in one study, under a pseudonymous code
Slot           a place in an adaptive set: a case, a ladder and a side, of which the level is chosen when its turn comes
Presentation   one stimulus, shown to one reader, in one set, at one position; named by an opaque random token
Response       what the reader answered; append-only, the latest revision counts
AuditEvent     what was done and by whom; each event carries the hash of the one before it
ScheduleSecret what every schedule is drawn from besides the study's seed; in a table of its own, which no page shows
"""

from study.models.cases import Case, GuideImage, Stimulus, guide_path, stimulus_path
from study.models.readers import Assignment, Invitation, ReadingSession, ReadingSet
from study.models.reading import Presentation, Response, Slot
from study.models.records import AuditEvent, ScheduleSecret
from study.models.studies import Study
from study.models.tokens import new_token

__all__ = [
    "Assignment",
    "AuditEvent",
    "Case",
    "GuideImage",
    "Invitation",
    "Presentation",
    "ReadingSession",
    "ReadingSet",
    "Response",
    "ScheduleSecret",
    "Slot",
    "Stimulus",
    "Study",
    "guide_path",
    "new_token",
    "stimulus_path",
]
