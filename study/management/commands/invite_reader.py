"""``invite_reader STUDY USERNAME``: a single-use link by which a reader sets a password and comes in."""

from typing import Any

from django.urls import reverse

from core.commands import JsonCommand
from study import blinds as selectors
from study.protocol.readers import VALID_DAYS, invite


class Command(JsonCommand):
    help = "Make a single-use, expiring link for a reader. The link is printed once; only its hash is kept."

    def add_arguments(self, parser):
        parser.add_argument("study", help="the study's short name in its address")
        parser.add_argument("username", help="the name under which the reader signs in; made if it is new")
        parser.add_argument("--email", default="", help="kept with the user; no mail is sent")
        parser.add_argument(
            "--days", type=int, default=VALID_DAYS, help=f"how long the link holds (default {VALID_DAYS})"
        )
        parser.add_argument("--address", default="http://127.0.0.1:8000", help="where the reader reaches this server")
        parser.add_argument("--by", default="command line", help="the name under which this is logged")

    def run(self, **options: Any) -> dict[str, Any]:
        invitation, secret = invite(
            study=selectors.get_study(options["study"]),
            username=options["username"],
            actor=options["by"],
            email=options["email"],
            days=options["days"],
        )
        link = options["address"].rstrip("/") + reverse("reading:join", args=[secret])
        return {
            "study": options["study"],
            "reader": options["username"],
            "code": invitation.assignment.code,
            "link": link,
            "expires_at": invitation.expires_at,
        }
