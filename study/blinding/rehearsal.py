"""A rehearsal: simulated readers sign in and read a study through the real pages, over HTTP, without JavaScript.

Each reader goes from page to page as a person does: consent, instructions, viewing check, practice, one presentation
after the other, the questionnaire. ``Walk`` has one method per page. Every image is compared with the protocol.
"""

import hashlib
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

import httpx
from django.contrib.auth.hashers import make_password
from django.db import transaction
from django.urls import resolve, reverse

from core.errors import InvalidInput, Progress, no_progress
from core.models import User
from study.blinding.browser import Browser, Form, Page, SignInFailed
from study.design.ladders import BESIDE, ladder_of
from study.design.simulate import ORIGINAL, SimulatedAnswer, SimulatedReader, answer
from study.models import Assignment, Presentation, Response, Stimulus, Study
from study.protocol import audit_log
from study.protocol.life import assign_reader
from study.reading.progress import opening_time, sets_of

Answerer = Callable[[Presentation], SimulatedAnswer]
"""What a simulated reader answers to a presentation. It may know the arm; the pages must not tell it."""
MOST_PAGES = 200_000


class RehearsalFailed(RuntimeError):
    """The pages did not behave as a reader would need."""


@dataclass
class Walk:
    """One simulated reader's way through a study's pages."""

    browser: Browser
    assignment: Assignment
    answerer: Answerer
    answered: int = 0
    images: int = 0

    def read_on(self, on_answer: Callable[[], None]) -> str:
        """Follow the pages until there is nothing to do; ends ``finished``, or ``waiting`` for a wash-out."""
        page: Page | None = self.browser.get(self._url("study"))
        for _ in range(MOST_PAGES):
            if page is None:
                return "waiting" if self.assignment.sets.filter(completed_at=None).exists() else "finished"
            if page.status != 200:
                raise RehearsalFailed(f"{page.address} answered {page.status}")
            before = self.answered
            page = self._go_on(page)
            if self.answered > before:
                on_answer()
        raise RehearsalFailed(f"not at the end after {MOST_PAGES} pages and {self.answered} answers")

    def _go_on(self, page: Page) -> Page | None:
        """Do what a reader does on this page; the page that follows, or None where there is nothing to do."""
        name = resolve(page.path).url_name
        return getattr(self, f"_on_{name}", self._lost)(page)

    def _lost(self, page: Page) -> Page:
        raise RehearsalFailed(f"a reader was led to {page.address}")

    def _url(self, name: str, *args: object) -> str:
        return reverse(f"reading:{name}", args=[self.assignment.study.slug, *args])

    def _press(self, page: Page) -> Page | None:
        """Follow the first link that looks like a button, if there is one."""
        return self.browser.get(page.buttons[0]) if page.buttons else None

    def _on_study(self, page: Page) -> Page | None:
        return self._press(page)

    def _on_consent(self, page: Page) -> Page:
        return self.browser.submit(page, _form_with(page, "agree"), agree="yes")

    def _on_instructions(self, page: Page) -> Page:
        return self._press(page) or self._lost(page)

    def _on_viewing(self, page: Page) -> Page:
        # A session without JavaScript sends no measurements.
        return self.browser.submit(page, _form_with(page, "viewing"))

    def _on_practice(self, page: Page) -> Page:
        if page.form_with("answer") is not None:
            page = self.browser.submit(page, _form_with(page, "answer"), answer="tumour")
        if following := self._press(page):
            return following
        form = page.form_to(self._url("practice_end"))
        return self.browser.submit(page, form) if form is not None else self._lost(page)

    def _on_read(self, page: Page) -> Page:
        form = page.form_with("answer")
        if form is None or not form.fields["token"]:
            return self.browser.submit(page, _form_with(page, "set"))
        presentation = Presentation.objects.select_related("stimulus__case", "second", "reading_set").get(
            token=form.fields["token"], reading_set__assignment=self.assignment
        )
        self._look(page, presentation)
        following = self.browser.submit(page, form, **_chosen(form, presentation, self.answerer(presentation)))
        self.answered += 1
        return following

    def _look(self, page: Page, presentation: Presentation) -> None:
        """Fetch what a reader would see, and check that it is the stimulus of the protocol."""
        expected = [presentation.stimulus.sha256, *([presentation.second.sha256] if presentation.second else [])]
        addresses = [address for address in page.images if "/reading/image/" in address]
        received = [hashlib.sha256(self.browser.get(address).content).hexdigest() for address in addresses]
        if received != expected:
            raise RehearsalFailed(f"the images of {page.address} are not the stimuli of the protocol")
        self.images += len(received)

    def _on_questionnaire(self, page: Page) -> Page:
        return self.browser.submit(page, _form_with(page, "noticed"), noticed="unsure", repeats="unsure")


def _form_with(page: Page, name: str) -> Form:
    form = page.form_with(name)
    if form is None:
        raise RehearsalFailed(f"no form with '{name}' at {page.address}")
    return form


def _chosen(form: Form, presentation: Presentation, simulated: SimulatedAnswer) -> dict[str, str]:
    """The simulated answer in the words of the page's form."""
    if presentation.second_id is None:
        chosen = {"answer": Response.Answer.TUMOUR if simulated.tumour else Response.Answer.NO_TUMOUR}
    else:
        altered_first = presentation.stimulus.arm not in BESIDE
        first = simulated.chose_altered == altered_first
        chosen = {"answer": Response.Answer.FIRST if first else Response.Answer.SECOND}
    further = {
        "confidence": str(simulated.confidence),
        "perturbed_response": "true" if simulated.thinks_altered else "false",
        "tumour_cell_count": str(simulated.tumour_cells),
    }
    return chosen | {name: value for name, value in further.items() if name in form.fields}


@transaction.atomic
def assign_simulated_readers(*, study: Study, readers: int, named: list[str], actor: str) -> list[Assignment]:
    """The assignments to be rehearsed: those named, and ``readers`` in all, with new simulated users where needed.

    Raises:
        InvalidInput: the study is not open, a person has answered in it, or a named reader is not assigned to it.
    """
    if study.state != Study.State.OPEN:
        raise InvalidInput(f"Study '{study.slug}' is {study.get_state_display()}: only an open study can be rehearsed.")
    human = Response.objects.filter(
        presentation__reading_set__assignment__study=study, presentation__reading_set__assignment__simulated=False
    )
    if human.exists():
        raise InvalidInput(f"Study '{study.slug}' holds people's answers: a rehearsal would mix simulated ones in.")
    assignments = []
    for name in named:
        assignment = study.assignments.filter(reader__username=name).first()
        if assignment is None:
            raise InvalidInput(f"'{name}' is not assigned to study '{study.slug}'.", field="reader")
        assignments.append(assignment)
    for number in range(1, readers - len(assignments) + 1):
        user, _ = User.objects.get_or_create(
            username=f"simulated-{study.slug}-{number}",
            defaults={"role": User.Role.READER, "password": make_password(None)},
        )
        assignment = study.assignments.filter(reader=user).first()
        assignments.append(assignment or assign_reader(study=study, reader=user, actor=actor, simulated=True))
    for assignment in assignments:
        if not assignment.simulated:
            _mark_simulated(assignment, actor)
    return assignments


@transaction.atomic
def _mark_simulated(assignment: Assignment, actor: str) -> None:
    """A reader who was assigned as a person is a program from now on, also by the log."""
    assignment.simulated = True
    assignment.save(update_fields=["simulated"])
    audit_log.record(study=assignment.study, actor=actor, action="reader_simulated", reader=assignment.code)


@contextmanager
def _borrowed_password(user: User) -> Iterator[str]:
    """A password that holds while the block runs; the user's own comes back afterwards."""
    own, password = user.password, secrets.token_urlsafe(16)
    user.set_password(password)
    user.save(update_fields=["password"])
    try:
        yield password
    finally:
        User.objects.filter(pk=user.pk).update(password=own)


def check_arms(study: Study, skill: SimulatedReader) -> None:
    """Raises InvalidInput where something is planted in an arm that the study has not."""
    altered = Stimulus.objects.filter(case__study=study).exclude(arm=ORIGINAL)
    arms = sorted(set(altered.values_list("arm", flat=True)))
    for name, planted, possible in (("effect", skill.effect, arms), ("lost", skill.lost, [ORIGINAL, *arms])):
        for arm in planted:
            if arm not in possible:
                there_are = ", ".join(possible)
                raise InvalidInput(f"there is no arm '{arm}' in study '{study.slug}'; it has {there_are}.", field=name)
    for ladder in skill.threshold:
        if ladder not in study.ladders:
            names = ", ".join(sorted(study.ladders)) or "none"
            raise InvalidInput(
                f"there is no ladder '{ladder}' in study '{study.slug}'; it has {names}.", field="threshold"
            )


def _answerer(skill: SimulatedReader, seed: int, code: str) -> Answerer:
    """The reader ``code``, who has this ``skill``."""

    def answer_to(presentation: Presentation) -> SimulatedAnswer:
        case, shown, second = presentation.stimulus.case, presentation.stimulus, presentation.second
        altered = second if second is not None and shown.arm in BESIDE else shown
        ladder = ladder_of(altered.arm)
        twin, before = _earlier_labels(presentation) if skill.recognised or skill.remembered else (None, None)
        return answer(
            skill,
            seed=seed,
            reader_id=code,
            patch_id=case.patch_id,
            group=case.group,
            set_number=presentation.reading_set.number,
            position=presentation.position,
            arm=altered.arm,
            truth=case.truth,
            twin=twin,
            before=before,
            ladder=ladder,
            level=getattr(altered, altered.norm) if ladder else 0.0,
        )

    return answer_to


def _earlier_labels(presentation: Presentation) -> tuple[bool | None, bool | None]:
    """What the reader last called this patch in the same set, and in earlier sets; None where it was not met."""
    number = presentation.reading_set.number
    given = (
        Response.objects.filter(
            presentation__reading_set__assignment=presentation.reading_set.assignment_id,
            presentation__stimulus__case=presentation.stimulus.case_id,
            answer__in=(Response.Answer.TUMOUR, Response.Answer.NO_TUMOUR),
        )
        .exclude(presentation=presentation)
        .order_by("presentation__reading_set__number", "presentation__position", "revision")
    )
    last = dict(given.values_list("presentation__reading_set__number", "answer"))  # the last of each set remains
    earlier = [answer for set_number, answer in last.items() if set_number < number]
    labels = (last.get(number), earlier[-1] if earlier else None)
    twin, before = (None if label is None else label == Response.Answer.TUMOUR for label in labels)
    return twin, before


def _sign_in(browser: Browser, user: User, password: str) -> None:
    try:
        browser.sign_in(user.username, password)
    except httpx.TransportError as error:
        raise InvalidInput(f"no server answers at {browser.address} ({error}).", field="url") from error
    except SignInFailed as error:
        raise InvalidInput(f"{error}. The server must use this database.", field="url") from error


def rehearse(
    *,
    assignments: list[Assignment],
    address: str,
    seed: int,
    skill: SimulatedReader | None = None,
    actor: str = "rehearsal",
    progress: Progress = no_progress,
) -> list[dict[str, Any]]:
    """Let every assignment's simulated reader answer at ``address`` until nothing is left to do.

    ``skill`` is what is planted in every reader. It is logged with the seed, so that the rehearsal can be repeated.

    Raises:
        InvalidInput: there is no server at ``address``, or the readers cannot sign in there; an effect in an arm that
            the study has not.
        RehearsalFailed: the pages did not behave as a reader would need.
    """
    skill = skill or SimulatedReader()
    for study in {assignment.study for assignment in assignments}:
        check_arms(study, skill)
        codes = [assignment.code for assignment in assignments if assignment.study == study]
        audit_log.record(study=study, actor=actor, action="rehearsed", seed=seed, readers=codes, planted=asdict(skill))
    todo = sum(one.count - one.answered for assignment in assignments for one in sets_of(assignment))
    done = 0

    def one_more() -> None:
        nonlocal done
        done += 1
        progress(done, todo)

    results = []
    for assignment in assignments:
        with Browser(address) as browser, _borrowed_password(assignment.reader) as password:
            _sign_in(browser, assignment.reader, password)
            walk = Walk(browser, assignment, _answerer(skill, seed, assignment.code))
            ended = walk.read_on(one_more)
        results.append(
            {"reader": assignment.code, "answered": walk.answered, "images_checked": walk.images, "ended": ended}
            | ({"waits_for": _waits_for(assignment)} if ended == "waiting" else {})
        )
    return results


def _waits_for(assignment: Assignment) -> dict[str, Any]:
    """The set that a reader cannot open yet, and when the wash-out before it ends."""
    sets = list(assignment.sets.order_by("number"))
    waiting = next(one for one in sets if one.completed_at is None)
    before = next((one for one in sets if one.number == waiting.number - 1), None)
    return {"set": waiting.number, "opens_at": opening_time(waiting, before)}


def why_waiting(study: Study, readers: list[dict[str, Any]]) -> list[str]:
    """One line for each reader of :func:`rehearse` who waits: what for, until when, and how to wait less."""
    said = []
    for row in readers:
        if waits := row.get("waits_for"):
            opens = f"{waits['opens_at']:%Y-%m-%d %H:%M} UTC" if waits["opens_at"] else "later"
            said.append(
                f"{row['reader']} waits for set {waits['set']}: it opens {opens}, after the wash-out of "
                f"{study.washout_hours:g} hours. Rehearse again then; a study that is built with --washout-hours 0 "
                "is rehearsed to its end at once."
            )
    return said
