"""Verifying a study: whether what is stored is what was fixed, answered and logged. It writes nothing.

What it can find is what the rows, the protocol, the hashes and the log say about each other. Who can write to the
database and rewrites all of them is found by an anchor: the head of the log as it was shown or signed before.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.utils import timezone

from core.errors import NotYet
from study.models import Study
from study.protocol import audit_log, checks
from study.protocol.checks import Problem, Problems

CHECKS: dict[str, tuple[str, Callable[[Study], Problems]]] = {
    "protocol": ("The frozen protocol has its SHA-256, and the rows are what it says", checks.protocol),
    "schedules": ("Every reader's schedule follows from the protocol and the secret", checks.schedules),
    "images": ("Every image's bytes have their SHA-256", checks.files),
    "answers": ("Every answer has its hash, and none is missing or added", checks.answers),
    "history": ("State, readers and sets are what the log says", checks.history),
    "log": ("The chain of the log holds, and the database refuses changes", checks.log),
}


class NotVerified(NotYet):
    """Something about a study is not as it was fixed, so that no numbers are made of it."""


@dataclass
class Verification:
    """What was found, by check. ``head`` is the hash of the study's last event."""

    study: str
    at: datetime
    head: str
    found: dict[str, list[Problem]] = field(default_factory=dict)

    @property
    def problems(self) -> list[Problem]:
        return [problem for problems in self.found.values() for problem in problems]

    @property
    def head_short(self) -> str:
        return audit_log.short(self.head)

    def lines(self) -> list[tuple[str, list[Problem]]]:
        """Every check in words, with its problems."""
        titles = {name: title for name, (title, _) in CHECKS.items()} | {"anchors": "The log holds the given heads"}
        return [(titles[name], problems) for name, problems in self.found.items()]

    def in_a_sentence(self, most: int = 3, *, blinded: bool = False) -> str:
        """The problems for a warning; "" where there are none. ``blinded``: rows alone, as the rest may name an arm."""
        if not self.problems:
            return ""
        rest = len(self.problems) - most
        more = f" And {rest} more: `manage.py verify {self.study}` names them." if rest > 0 else ""
        count = f"{len(self.problems)} problem{'s' * (len(self.problems) != 1)}"
        told = " ".join(f"{problem.where if blinded else problem}." for problem in self.problems[:most])
        return f"Verification found {count} in what is stored of study '{self.study}'. {told}{more}"

    def to_json(self, *, blinded: bool = False) -> dict[str, Any]:
        """``blinded``: the rows that are wrong, without what is wrong with them."""
        return {
            "study": self.study,
            "ok": not self.problems,
            "at": self.at.isoformat(),
            "head": self.head,
            "head_short": self.head_short,
            "checks": {
                name: [problem.where if blinded else str(problem) for problem in problems]
                for name, problems in self.found.items()
            },
        }


def verify(study: Study, *, anchors: Sequence[str] = (), leave_out: tuple[str, ...] = ()) -> Verification:
    """Check a study. A draft has nothing fixed but its log.

    Args:
        anchors: heads of the log as they were shown, printed or mailed before; at least their first 16 digits.
        leave_out: names of ``CHECKS`` that are not made.
    """
    study = Study._base_manager.get(pk=study.pk)  # whatever its row says, such as that it was deleted
    names = [name for name in CHECKS if name not in leave_out]
    frozen = study.state != Study.State.DRAFT or study.events.filter(action="frozen").exists()
    if not frozen:
        names = [name for name in ("history", "log") if name in names]
    found = {name: list(CHECKS[name][1](study)) for name in names}
    if anchors:
        found["anchors"] = [problem for anchor in anchors for problem in checks.anchor(study, anchor)]
    return Verification(study=study.slug, at=timezone.now(), head=audit_log.head(study), found=found)


def demand_verified(study: Study) -> None:
    """Before unblinding. Raises NotVerified, naming the first rows that are not as they should be."""
    if said := verify(study).in_a_sentence(blinded=True):
        raise NotVerified(f"{said} `manage.py verify {study.slug}` says what is wrong with them.")
