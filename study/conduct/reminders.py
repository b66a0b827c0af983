"""The text of a reminder to a reader, in their language."""

from django.urls import reverse
from django.utils import translation
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from core.errors import InvalidInput
from study.models import Assignment
from study.protocol import readers
from study.reading.progress import Stage, progress_of


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
    with translation.override(readers.language_for(assignment)):
        if progress.stage is Stage.WASHOUT and progress.opens_at is not None and progress.reading_set is not None:
            opens = f"{date_format(progress.opens_at, 'DATETIME_FORMAT')} UTC"
            told = {"study": name, "set": progress.reading_set.number, "opens": opens}
            said = _("The next set of the study “%(study)s”, set %(set)s, opens for you on %(opens)s:") % told
            return f"{said}\n{link}\n"
        left = progress.count - progress.answered if progress.reading_set else 0
        said = ngettext(
            "There is %(left)d image left for you in the current set of the study “%(study)s”.",
            "There are %(left)d images left for you in the current set of the study “%(study)s”.", left,
        ) % {"left": left, "study": name}  # fmt: skip
        return f"{said}\n\n{_('You can continue where you stopped:')}\n{link}\n"


def subject_of(assignment: Assignment) -> str:
    with translation.override(readers.language_for(assignment)):
        return _("Reminder: %(study)s") % {"study": assignment.study.name}
