"""Mail: what cannot be sent is reported as not sent. The page that wrote the mail shows its text, to be passed on."""

import logging
from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core.mail import EmailMessage, get_connection
from django.core.mail.backends.base import BaseEmailBackend

log = logging.getLogger(__name__)


class Backend(BaseEmailBackend):
    """Django's mail backend of ``MAIL_BACKEND``, which never raises: it answers with the number of mails handed over.

    An invitation's link is shown once. A mail server that is away, slow or refuses an address must not lose it.
    """

    def __init__(self, fail_silently: bool = False, **kwargs: Any) -> None:
        super().__init__(fail_silently=fail_silently)
        self.options = kwargs

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        return sum(self._send(message) for message in email_messages)

    def _send(self, message: EmailMessage) -> int:
        # The name of a study may hold a line break, which no header may.
        message.subject = " ".join(str(message.subject).split())
        try:
            connection = get_connection(settings.MAIL_BACKEND, fail_silently=False, **self.options)
            return int(connection.send_messages([message]) or 0)
        except Exception as error:  # whatever the server, the network or the address comes up with
            log.error("a mail was not sent: %s: %s", type(error).__name__, error)
            return 0
