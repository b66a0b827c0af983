"""Invite a reader: a link that is printed once."""

from typing import Any

from core.commands import RequestCommand
from study import blinds as selectors
from study.protocol.readers import invite, join_link
from study.protocol.requests import InviteRequest


class Command(RequestCommand):
    help = "Make a single-use, expiring link for a reader. The link is printed once; only its hash is kept."
    request = InviteRequest

    def add_arguments(self, parser):
        parser.add_argument("study", metavar="STUDY", help="the study's short name in its address")
        super().add_arguments(parser)
        parser.add_argument("--address", default="http://127.0.0.1:8000", help="where the reader reaches this server")
        parser.add_argument("--by", default="command line", help="the name under which this is logged")

    def run(self, *, study: str, address: str, by: str, **options: Any) -> dict[str, Any]:
        asked = self.settings(options)
        invitation, secret = invite(study=selectors.get_study(study), actor=by, **asked)
        return {
            "study": study,
            "reader": asked["username"],
            "code": invitation.assignment.code,
            "link": join_link(address, secret),
            "expires_at": invitation.expires_at,
        }
