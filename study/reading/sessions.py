"""Django's database sessions; the look-up, which every request does, is composed once (see ``prepared``)."""

from django.contrib.sessions.backends.db import SessionStore as DatabaseSessions
from django.contrib.sessions.models import Session
from django.utils import timezone

from study.reading.prepared import Columns, Prepared

_COLUMNS = Columns(Session)
_session = Prepared(lambda key: Session.objects.filter(session_key=key).values_list(*_COLUMNS), str)


class SessionStore(DatabaseSessions):
    def _get_session_from_db(self):
        for row in _session(self.session_key):
            session = _COLUMNS(row)
            if session.expire_date > timezone.now():
                return session
        self._session_key = None
        return None
