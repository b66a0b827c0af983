"""The text of a reminder to a reader."""

from django.urls import reverse

from core.errors import InvalidInput
from study.models import Assignment
from study.reading.progress import Stage, place_of

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
    place = place_of(assignment)
    name = assignment.study.name
    if place.stage in (Stage.WITHDRAWN, Stage.NOT_OPEN, Stage.CLOSED, Stage.FINISHED):
        raise InvalidInput(
            f"{assignment.code} has nothing to do now ({place.stage.replace('_', ' ')}).", field="reader"
        )
    link = address.rstrip("/") + reverse("reading:study", args=[assignment.study.slug])
    if place.stage is Stage.WASHOUT and place.opens_at is not None:
        opens = f"{place.opens_at:%d %B %Y, %H:%M} UTC"
        return WASHOUT.format(study=name, set=place.reading_set.number, opens=opens, link=link)
    left = place.count - place.answered if place.reading_set else 0
    return REMINDER.format(study=name, left=left, link=link)
