"""Deviations from the protocol while a study ran: they are logged with a reason, and told with the results."""

from typing import Any

from study.models import AuditEvent, Study
from study.protocol import clock

ACTIONS = {
    "set_reopened": "Set {set} of reader {reader} was reopened",
    "washout_corrected": "Set {set} of reader {reader} ended at {completed_at}, not at {was_completed_at}",
    "reader_withdrawn": "Reader {reader} was withdrawn",
    "reader_replaced": "Reader {replaces} was replaced by reader {reader}",
}


def deviations(study: Study) -> list[dict[str, Any]]:
    """What was done against the plan, in order: when, by whom, what, and why."""
    events = study.events.filter(action__in=ACTIONS).order_by("pk")
    return [
        {
            "at": event.at.isoformat(),
            "by": event.actor,
            "what": _what(event),
            "reason": event.detail.get("reason") or "",
        }
        for event in events
    ]


def _what(event: AuditEvent) -> str:
    return ACTIONS[event.action].format_map(_Known(event.detail))


class _Known(dict[str, Any]):
    """An older event may lack a detail."""

    def __missing__(self, key: str) -> str:
        return "–"


def doubtful_times(study: Study) -> list[dict[str, Any]]:
    """Events whose time cannot be believed, with what is wrong; see ``protocol.clock``."""
    events = study.events.filter(detail__has_key=clock.KEY).order_by("pk")
    return [
        {"at": event.at, "action": event.action, "actor": event.actor, "doubt": event.detail[clock.KEY]}
        for event in events
    ]
