"""The text of a reminder to a reader."""

from django.urls import reverse

from core.errors import InvalidInput
from study.models import Assignment
from study.reading.progress import Stage, progress_of

REMINDER = """There are {left} images left for you in the current set of the study “{study}”.

You can go on where you stopped:
{link}
"""


WASHOUT = """The next set of the study “{study}”, set {set}, opens for you on {opens}:
{link}
"""


def reminder(*, assignment: Assignment, address: str) -> str:
    """What is left to do, with a link. ``address`` is the site's.

    Raises:
        InvalidInput: there is nothing to do for this reader now.
    """
    progress = progress_of(assignment, ahead=0)
    name = assignment.study.name
    if progress.stage in (Stage.WITHDRAWN, Stage.NOT_OPEN, Stage.CLOSED, Stage.FINISHED):
        raise InvalidInput(
            f"{assignment.code} has nothing to do now ({progress.stage.replace('_', ' ')}).", field="reader"
        )
    link = address.rstrip("/") + reverse("reading:study", args=[assignment.study.slug])
    if progress.stage is Stage.WASHOUT and progress.opens_at is not None and progress.reading_set is not None:
        opens = f"{progress.opens_at:%d %B %Y, %H:%M} UTC"
        return WASHOUT.format(study=name, set=progress.reading_set.number, opens=opens, link=link)
    left = progress.count - progress.answered if progress.reading_set else 0
    return REMINDER.format(study=name, left=left, link=link)
