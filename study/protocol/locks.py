"""What stops two writers from missing each other, on PostgreSQL; SQLite has one writer at a time in any case.

Every write for a reader (an answer, a consent, the end of a set, a withdrawal) first locks that reader's own
assignment, and reads the rest only then. Closing a study locks the study and then all of its assignments. So closing
waits for the answers under way, and an answer that waited for the closing sees a closed study. Readers hold nothing in
common: none waits for another. Locks are taken in one order, study, assignments, log, and so never in a circle.
"""

from study.models import Assignment, Study


def hold_assignment(assignment: Assignment) -> None:
    """Until the transaction ends nobody else writes for this reader. The row and its study's state are read again.

    The state comes in a statement of its own, after the lock: PostgreSQL reads a locked row again once it has waited
    for it, but not the rows that were joined with it. ``no_key``, because a new session or event that refers to the
    row need not wait.
    """
    study = assignment.study
    assignment.refresh_from_db(from_queryset=Assignment.objects.select_for_update(no_key=True))
    study.refresh_from_db(fields=["state"])
    assignment.study = study


def hold_assignments(study: Study) -> None:
    """Until the transaction ends nobody writes for any reader of the study; begins when all of them have ended."""
    held = Assignment.objects.select_for_update(no_key=True).filter(study=study).order_by("pk")
    list(held.values_list("pk", flat=True))
