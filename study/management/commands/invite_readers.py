"""Invite several readers at once: links that are printed once."""

from pathlib import Path
from typing import Any

from core.commands import RequestCommand
from core.errors import InvalidInput
from study import blinds as selectors
from study.protocol.reader_table import invitations_in
from study.protocol.readers import invite_all, invited_with, join_link, new_key
from study.protocol.requests import InviteTableRequest


class Command(RequestCommand):
    help = "Make a link for every reader of a CSV file with a column username; for nobody where a line is wrong."
    request = InviteTableRequest

    def add_arguments(self, parser):
        parser.add_argument("study", metavar="STUDY", help="the study's short name in its address")
        parser.add_argument("file", metavar="FILE", help="columns: username, and if wanted email, language, days")
        super().add_arguments(parser)
        parser.add_argument("--address", default="http://127.0.0.1:8000", help="where readers reach this server")
        parser.add_argument("--by", default="command line", help="the name under which this is logged")

    def run(self, *, study: str, file: str, address: str, by: str, **options: Any) -> dict[str, Any]:
        found, key = selectors.get_study(study), new_key()
        try:
            data = Path(file).read_bytes()
        except OSError as error:
            raise InvalidInput(f"{file} cannot be read: {error.strerror}.") from error
        rows = invitations_in(data, called=file, **{name: options[name] for name in ("days", "language")})
        invite_all(study=found, rows=rows, actor=by, key=key)
        invited = [
            {
                "code": invitation.assignment.code,
                "reader": invitation.assignment.reader.username,
                "link": join_link(address, secret),
                "expires_at": invitation.expires_at,
            }
            for invitation, secret in invited_with(found, key)
        ]
        return {"study": study, "invited": invited}
