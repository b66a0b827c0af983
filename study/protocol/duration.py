"""How long a reading takes, in words: for readers' pages and for the invitation."""

from django.db.models import Count
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from study.models import Assignment, Study

SECONDS: dict[str, int] = {Study.Task.LABELLING: 15, Study.Task.PAIR: 20, Study.Task.BIAS: 15}
"""About how long a reader looks at one image or pair, for what the pages announce."""


def minutes(task: str, count: int) -> str:
    """About how many minutes ``count`` images or pairs take."""
    number = max(1, round(count * SECONDS[task] / 60))
    return ngettext("%(number)d minute", "%(number)d minutes", number) % {"number": number}


def pause(hours: float) -> str:
    """A wash-out: days where it is whole days."""
    if hours >= 48 and hours % 24 == 0:
        days = int(hours // 24)
        return ngettext("%(days)d day", "%(days)d days", days) % {"days": days}
    return ngettext("%(hours)s hour", "%(hours)s hours", 1 if hours == 1 else 2) % {"hours": f"{hours:g}"}


def length(study: Study, *, sets: int, count: int) -> str:
    """How many sets and images there are and how long they take; "" where there is none yet."""
    if not sets or not count:
        return ""
    told = {"sets": sets, "count": count, "minutes": minutes(study.task, count), "pause": pause(study.washout_hours)}
    if sets == 1 and study.paired:
        return _("There is one set of %(count)d pairs, about %(minutes)s.") % told
    if sets == 1:
        return _("There is one set of %(count)d images, about %(minutes)s.") % told
    if study.paired:
        lead = _("There are %(sets)d sets with %(count)d pairs each, about %(minutes)s per set.") % told
    else:
        lead = _("There are %(sets)d sets with %(count)d images each, about %(minutes)s per set.") % told
    if study.washout_hours:
        return f"{lead} {_('Between two sets lies a pause of %(pause)s.') % told}"
    return f"{lead} {_('One set may follow the other directly.')}"


def length_for(assignment: Assignment) -> str:
    """What one reader will read, from their own schedule."""
    shown = "slots" if assignment.study.adaptive else "presentations"
    counts = list(assignment.sets.annotate(count=Count(shown)).values_list("count", flat=True))
    return length(assignment.study, sets=len(counts), count=max(counts, default=0))
