"""A study as a reader would see it, for those who build it: an assignment that is not saved, and nothing is stored.

The order is a schedule of its own (no reader's, and none that a seed tells), and how far the visitor is stands in
their browser's session. No arm is named anywhere; what is seen is what a reader's browser would get.
"""

import base64
import hmac
from dataclasses import replace
from functools import cached_property
from typing import Any

from django.conf import settings
from django.contrib.sessions.backends.base import SessionBase
from django.utils import timezone

from study.design.draws import Draws
from study.design.ladders import is_identical, read_slot
from study.design.schedule import StimulusKey
from study.models import Assignment, GuideImage, Presentation, ReadingSet, Response, Stimulus, Study
from study.protocol.schedules import ORIGINAL, Plan, stimuli_of, stimulus_of
from study.reading import answers
from study.reading.answers import Conflict, NotServed, Saved, SentAnswer
from study.reading.progress import CountedSet, Progress, Stage, describe_sets, progress_in
from study.reading.visit import Visit

KEY = "preview"
SHOWN_AGAIN = ("revision", "key", "answer", "confidence", "tumour_cell_count", "perturbed_response", "note")


class Preview(Visit):
    """One visitor's way through consent, viewing check, practice, the first set, and the questionnaire."""

    preview = True

    def __init__(self, session: SessionBase, study: Study) -> None:
        """Goes on where ``session`` says; from the beginning if it holds another study's preview or none."""
        self._browser = session
        stored = session.get(KEY, {})
        self._state: dict[str, Any] = stored if stored.get("study") == study.slug else {"study": study.slug}
        self._study = study

    def _remember(self, **values: Any) -> None:
        self._browser[KEY] = self._state = self._state | values

    def begin_again(self) -> None:
        self._browser[KEY] = self._state = {"study": self._study.slug}

    @property
    def assignment(self) -> Assignment:
        """Not saved. When something was done is not kept: it counts as done now."""
        done = {name: timezone.now() for name in ("consented_at", "practised_at", "questionnaire_at")
                if self._state.get(name)}  # fmt: skip
        return Assignment(study=self._study, code="R00", seed=0, **done)

    @cached_property
    def presentations(self) -> list[Presentation]:
        """Those of the first set, in order, not saved."""
        study, plan, stimuli = self._study, Plan.of(self._study), stimuli_of(self._study)
        order_key, sides = _key(f"order:{study.pk}"), Draws(_key(f"sides:{study.pk}"))
        order = plan.draw(seed=order_key, round_seed=order_key, min_gap=1).sets[0] if plan.keys else ()
        levels = Draws(_key(f"levels:{study.pk}"))
        presentations = []
        for position, keys in enumerate(plan.shown(order, sides), start=1):
            tokens = {"token": _token(study, position, "first"), "second_token": _token(study, position, "second")}
            first, second = (stimulus_of(_any_level(plan, key, levels), stimuli) if key else None for key in keys)
            presentations.append(Presentation(position=position, stimulus=first, second=second, **tokens))
        return presentations

    @property
    def _answered(self) -> int:
        return min(self._state.get("answered", 0), len(self.presentations))

    def _sets(self, assignment: Assignment) -> list[CountedSet]:
        """The later sets count as finished with the first one: nobody waits for a wash-out here."""
        completed_at = timezone.now() if self._state.get("completed") else None
        count = len(self.presentations)
        return [
            CountedSet(
                ReadingSet(assignment=assignment, number=number, completed_at=completed_at),
                count,
                count if completed_at else self._answered if number == 1 else 0,
            )
            for number in range(1, self._study.copies + 1)
        ]

    def progress(self) -> Progress:
        assignment = self.assignment
        progress = progress_in(assignment, self._sets(assignment))
        near = {row.position: row for row in self.presentations if 0 <= row.position - self._answered <= 2}
        return replace(progress, window=near) if progress.in_set else progress

    def sets(self) -> list[dict[str, Any]]:
        return describe_sets(self._sets(self.assignment))

    @property
    def checked(self) -> bool:
        return bool(self._state.get("checked"))

    @property
    def pixels_per_mm(self) -> float | None:
        return self._state.get("pixels_per_mm")

    def current_response(self, presentation: Presentation) -> Response | None:
        last = self._state.get("last")
        return Response(presentation=presentation, **last) if last and presentation.position == self._answered else None

    def consent(self) -> None:
        self._remember(consented_at=True)

    def start_session(self, *, viewing: dict[str, Any], user_agent: str) -> None:
        self._remember(checked=True, pixels_per_mm=answers.pixels_per_mm(viewing))

    def finish_practice(self) -> None:
        self._remember(practised_at=True)

    def record_answer(self, *, token: str, key: str, sent: SentAnswer, replaces: int = 0) -> Saved:
        progress = self.progress()
        presentation = next((row for row in progress.window.values() if row.token == token), None)
        if presentation is None:
            raise NotServed(token)
        latest = self.current_response(presentation)
        if latest is not None and latest.key == key:
            return Saved(latest, progress)
        revision = latest.revision if latest else 0
        answers.demand_turn(progress, presentation, revision, replaces)
        answers.check_answer(self._study, sent)
        response = answers.response_to(presentation, sent, revision=revision + 1, key=key)
        self._remember(answered=presentation.position, last={name: getattr(response, name) for name in SHOWN_AGAIN})
        return Saved(response, self.progress())

    def finish_set(self, *, number: int) -> None:
        if self.progress().stage is not Stage.SET_DONE:
            raise Conflict(f"Set {number} cannot be finished yet: some images have no answer.")
        self._remember(completed=True)

    def save_questionnaire(self, **filled: Any) -> None:
        answers.check_questionnaire(**filled)
        self._remember(questionnaire_at=True)

    def stimulus(self, token: str) -> Stimulus | None:
        """What a token names, while it lies in the window, as for a reader."""
        for presentation in self.progress().window.values():
            if token == presentation.token:
                return presentation.stimulus
            if token == presentation.second_token:
                return presentation.second
        return None


def _any_level(plan: Plan, key: StimulusKey, levels: Draws) -> StimulusKey:
    """What a place of an adaptive set shows here: one of its levels, whatever was answered before."""
    if not plan.adaptive or key.arm == ORIGINAL or is_identical(key):
        return key
    ladder, _ = read_slot(key)
    return StimulusKey(key.case_id, levels.choice(sorted(plan.levels(key.case_id, ladder))))


def _token(study: Study, position: int, side: str) -> str:
    """Opaque, as long as a real one, and the same at every visit."""
    digest = _key(f"{study.pk}:{study.seed}:{position}:{side}")
    return base64.urlsafe_b64encode(digest[:16]).decode().rstrip("=")


def _key(purpose: str) -> bytes:
    """The same at every visit, and known to the server alone: neither a study's seed nor its secret is used."""
    return hmac.digest(settings.SECRET_KEY.encode(), f"preview:{purpose}".encode(), "sha256")


def stimulus_in(session: SessionBase, token: str) -> Stimulus | None:
    """A stimulus of the study whose preview this browser is in."""
    slug = session.get(KEY, {}).get("study", "")
    study = Study.objects.defer("protocol").filter(slug=slug).first()
    return Preview(session, study).stimulus(token) if study else None


def guide(token: str) -> GuideImage | None:
    return GuideImage.objects.filter(token=token).only("image", "sha256").first()
