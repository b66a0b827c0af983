"""What the readers' own browsers know: every answer they sent, and what was acknowledged. Compared with the rows."""

from collections import Counter
from dataclasses import dataclass, field
from threading import Lock
from typing import NamedTuple

ROWS = """
    SELECT r.key, p.token, r.revision, r.answer, r.confidence, r.rt_ms
    FROM study_response r JOIN study_presentation p ON p.id = r.presentation_id
"""
FINISHED = """
    SELECT s.slug, u.username, t.number FROM study_readingset t JOIN study_assignment a ON a.id = t.assignment_id
    JOIN study_study s ON s.id = a.study_id JOIN core_user u ON u.id = a.reader_id WHERE t.completed_at IS NOT NULL
"""


class Sent(NamedTuple):
    token: str
    answer: str
    confidence: int
    rt_ms: float


class Verdict(NamedTuple):
    acknowledged: int
    lost: list[str]
    doubled: list[str]
    invented: list[str]
    wrong: list[str]

    @property
    def good(self) -> bool:
        return not (self.lost or self.doubled or self.invented or self.wrong)


@dataclass
class Ledger:
    """Written by all readers at once.

    ``wrong`` holds replies that no server may give; ``failed`` counts requests without a reply or with a 5xx, which the
    reader repeats.
    """

    sent: dict[str, Sent] = field(default_factory=dict)
    acknowledged: dict[str, int] = field(default_factory=dict)  # key: revision
    finished: set[tuple[str, str, int]] = field(default_factory=set)  # study, reader, set
    wrong: list[str] = field(default_factory=list)
    failed: Counter = field(default_factory=Counter)
    times: list[float] = field(default_factory=list)
    _lock: Lock = field(default_factory=Lock)

    def send(self, key: str, sent: Sent) -> None:
        with self._lock:
            self.sent[key] = sent

    def acknowledge(self, key: str, revision: int) -> None:
        with self._lock:
            if self.acknowledged.setdefault(key, revision) != revision:
                self.wrong.append(f"answer {key}: acknowledged as revision {self.acknowledged[key]} and {revision}")

    def fail(self, what: str) -> None:
        with self._lock:
            self.failed[what] += 1

    def compare(self, rows: list[tuple], finished: list[tuple]) -> Verdict:
        """Against all answers (``ROWS``) and finished sets (``FINISHED``) of the database.

        An answer that was sent and not acknowledged may be there or not. All else must be there once, as it was sent.
        """
        stored = {row[0]: row[1:] for row in rows}
        lost = [f"answer {key}" for key in self.acknowledged if key not in stored]
        lost += [f"end of set {row}" for row in self.finished - {tuple(row) for row in finished}]
        keys, places = Counter(row[0] for row in rows), Counter((row[1], row[2]) for row in rows)
        doubled = [f"{what}: {times} times" for what, times in (keys + places).items() if times > 1]
        invented = []
        for key, (token, revision, *answer) in stored.items():
            if key not in self.sent or self.sent[key] != (token, *answer):
                invented.append(f"answer {key} was sent as {self.sent.get(key)}, and is stored as {token}, {answer}")
            elif self.acknowledged.get(key, revision) != revision:
                invented.append(f"answer {key} is revision {revision}, not {self.acknowledged[key]}")
        most = Counter(row[1] for row in rows)
        wrong = [f"a gap before revision {row[2]} of {row[1]}" for row in rows if row[2] > most[row[1]]]
        return Verdict(len(self.acknowledged), lost, doubled, invented, [*self.wrong, *wrong])
