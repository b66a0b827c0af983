"""What an event of the log says on a page."""

from study.models import AuditEvent

WORDS = {
    "built": "Draft built",
    "rebuilt": "Draft built again",
    "deleted": "Draft deleted",
    "team_changed": "Team changed",
    "frozen": "Protocol frozen",
    "open": "Opened to readers",
    "closed": "Reading closed",
    "unblinded": "Arms and results opened",
    "rehearsed": "Rehearsed by simulated readers",
    "consented": "Agreed to take part",
    "invited": "Invited",
    "invitation_written": "Invitation written as a mail",
    "protocol_taken_out": "Whole protocol with arms taken out",
}
"""For the others their own name will do: ``set_finished`` is Set finished."""


def words_of(action: str) -> str:
    return WORDS.get(action) or action.replace("_", " ").capitalize()


def in_words(event: AuditEvent) -> str:
    """Such as "Set reopened: R01, set 2 (by mistake)"."""
    said = words_of(event.action)
    detail = event.detail or {}
    about = [str(detail["reader"])] if detail.get("reader") else []
    about += [f"set {detail['set']}"] if detail.get("set") else []
    reason = f" ({detail['reason']})" if detail.get("reason") else ""
    return (f"{said}: {', '.join(about)}" if about else said) + reason
