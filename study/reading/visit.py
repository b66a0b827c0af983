"""A visit: one visitor in one study, as the pages see it. The pages are the same for a reader and for a preview."""

from abc import ABC, abstractmethod
from typing import Any

from django.http import HttpRequest
from django.utils.translation import get_language

from study.models import Assignment, Presentation, Response, Study
from study.reading import answers
from study.reading import progress as selectors
from study.reading.answers import Saved, SentAnswer
from study.reading.progress import Progress


class Visit(ABC):
    """What the pages ask, and what they do. ``preview`` says that nothing of it is stored."""

    preview: bool

    @property
    @abstractmethod
    def assignment(self) -> Assignment: ...

    @property
    def study(self) -> Study:
        return self.assignment.study

    @abstractmethod
    def progress(self) -> Progress:
        """How far the visitor is now, with the window that they may name."""

    @abstractmethod
    def sets(self) -> list[dict[str, Any]]:
        """Every set, as ``progress.describe_sets``."""

    @property
    @abstractmethod
    def checked(self) -> bool:
        """Whether this browser has passed the viewing check, with which a session begins, in the present language."""

    @property
    @abstractmethod
    def pixels_per_mm(self) -> float | None:
        """Of this browser's screen, as its viewing check measured with a card."""

    @abstractmethod
    def current_response(self, presentation: Presentation) -> Response | None:
        """The latest revision of a presentation's answer."""

    @abstractmethod
    def consent(self) -> None: ...

    @abstractmethod
    def start_session(self, *, viewing: dict[str, Any], user_agent: str) -> None: ...

    @abstractmethod
    def finish_practice(self) -> None: ...

    @abstractmethod
    def record_answer(self, *, token: str, key: str, sent: SentAnswer, replaces: int = 0) -> Saved:
        """As ``answers.record_answer``."""

    @abstractmethod
    def finish_set(self, *, number: int) -> None:
        """As ``answers.finish_set``."""

    @abstractmethod
    def save_questionnaire(self, **filled: Any) -> None:
        """As ``answers.save_questionnaire``."""


class ReaderVisit(Visit):
    """A reader's own assignment. The browser's session keeps which session at the screen it is, and its language."""

    preview = False

    def __init__(self, request: HttpRequest, assignment: Assignment) -> None:
        self._assignment = assignment
        self._browser = request.session
        self._key = f"reading_session_{assignment.pk}"

    @property
    def assignment(self) -> Assignment:
        return self._assignment

    def progress(self) -> Progress:
        return selectors.progress_of(self.assignment)

    def sets(self) -> list[dict[str, Any]]:
        return selectors.describe_sets(selectors.sets_of(self.assignment), selectors.marks_of(self.assignment))

    @property
    def checked(self) -> bool:
        kept = self._browser.get(self._key)
        return isinstance(kept, dict) and kept["language"] == get_language()

    @property
    def pixels_per_mm(self) -> float | None:
        kept = self._browser.get(self._key)
        return kept.get("pixels_per_mm") if isinstance(kept, dict) else None

    def current_response(self, presentation: Presentation) -> Response | None:
        return selectors.current_response(presentation)

    def consent(self) -> None:
        answers.consent(assignment=self.assignment)

    def start_session(self, *, viewing: dict[str, Any], user_agent: str) -> None:
        language = get_language()
        session = answers.start_session(
            assignment=self.assignment, viewing=viewing, user_agent=user_agent, language=language
        )
        per_mm = answers.pixels_per_mm(viewing)
        self._browser[self._key] = {"session": session.pk, "language": language, "pixels_per_mm": per_mm}

    def finish_practice(self) -> None:
        answers.finish_practice(assignment=self.assignment)

    def record_answer(self, *, token: str, key: str, sent: SentAnswer, replaces: int = 0) -> Saved:
        # After signing in again in the same page, it is still the reader's newest session.
        kept = self._browser.get(self._key)
        session = kept["session"] if isinstance(kept, dict) else selectors.latest_session(self.assignment)
        return answers.record_answer(
            assignment=self.assignment, token=token, key=key, sent=sent, replaces=replaces, session=session
        )

    def finish_set(self, *, number: int) -> None:
        answers.finish_set(assignment=self.assignment, number=number)

    def save_questionnaire(self, **filled: Any) -> None:
        answers.save_questionnaire(assignment=self.assignment, **filled)
