"""A rehearsal: simulated readers sign in and answer through the real pages, over HTTP, as forms without JavaScript."""

import hashlib
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from django.contrib.auth.hashers import make_password
from django.db import transaction
from django.urls import resolve, reverse

from core.errors import InvalidInput, Progress, no_progress
from core.models import User
from study.blinding.browser import Form, Page, PageClient
from study.design.simulate import SimulatedAnswer, SimulatedReader, answer
from study.models import Assignment, Presentation, Response, Study
from study.protocol.life import assign_reader

Answerer = Callable[[Presentation], SimulatedAnswer]


class RehearsalFailed(RuntimeError):
    """The pages did not behave as a reader would need."""


@dataclass
class Walk:
    """One simulated reader's way through a study's pages."""

    client: PageClient
    study: Study
    seat: Assignment
    answerer: Answerer
    answered: int = 0
    images: int = 0

    def read_on(self, on_answer: Callable[[], None]) -> str:
        """Follow the pages until there is nothing to do; ends ``finished``, or ``waiting`` for a wash-out."""
        page = self.client.get(reverse("reading:study", args=[self.study.slug]))
        for _ in range(200_000):
            if page.status != 200:
                raise RehearsalFailed(f"{page.address} answered {page.status}")
            name = resolve(urlsplit(page.address).path).url_name
            before = self.answered
            following = getattr(self, f"_on_{name}", self._lost)(page)
            if following is None:
                return "waiting" if self.seat.sets.filter(completed_at=None).exists() else "finished"
            if self.answered > before:
                on_answer()
            page = following
        raise RehearsalFailed(f"still not at the end after {self.answered} answers")

    def _lost(self, page: Page) -> Page:
        raise RehearsalFailed(f"a reader was led to {page.address}")

    def _url(self, name: str, *args: object) -> str:
        return reverse(f"reading:{name}", args=[self.study.slug, *args])

    def _on_study(self, page: Page) -> Page | None:
        """Go where the page's one button leads."""
        for name in ("consent", "instructions", "viewing", "questionnaire", "read"):
            if f'role="button" href="{self._url(name)}"' in page.text:
                return self.client.get(self._url(name))
        return None

    def _on_consent(self, page: Page) -> Page:
        return self.client.submit(page, _form(page, "agree"), agree="on")

    def _on_instructions(self, page: Page) -> Page:
        return self.client.get(self._url("viewing"))

    def _on_viewing(self, page: Page) -> Page:
        # A sitting without JavaScript sends no measurements.
        return self.client.submit(page, _form_to(page, self._url("viewing")))

    def _on_practice(self, page: Page) -> Page:
        if page.form_with("answer"):
            page = self.client.submit(page, _form(page, "answer"), answer="tumour")
        number = int(page.address.rstrip("/").rsplit("/", 1)[-1])
        following = self._url("practice", number + 1)
        if f'href="{following}"' in page.text:
            return self.client.get(following)
        return self.client.submit(page, _form_to(page, self._url("practice_end")))

    def _on_read(self, page: Page) -> Page:
        form = page.form_with("answer")
        if form is None or not form.fields.get("token"):
            return self.client.submit(page, _form(page, "set"))
        presentation = Presentation.objects.select_related("stimulus__case", "second", "reading_set").get(
            token=form.fields["token"], reading_set__assignment__study=self.study
        )
        self._look(page, presentation)
        following = self.client.submit(page, form, **_chosen(form, presentation, self.answerer(presentation)))
        self.answered += 1
        return following

    def _look(self, page: Page, presentation: Presentation) -> None:
        """Fetch what a reader would see, and check that it is the stimulus of the protocol."""
        expected = [presentation.stimulus.sha256, *([presentation.second.sha256] if presentation.second else [])]
        shown = [address for address in page.images if "/reading/image/" in address]
        seen = [hashlib.sha256(self.client.image(address, page)).hexdigest() for address in shown]
        if seen != expected:
            raise RehearsalFailed(f"the images of {page.address} are not the stimuli of the protocol")
        self.images += len(seen)

    def _on_questionnaire(self, page: Page) -> Page:
        return self.client.submit(page, _form(page, "noticed"), noticed="unsure", repeats="unsure")


def _form(page: Page, name: str) -> Form:
    if form := page.form_with(name):
        return form
    raise RehearsalFailed(f"no form with '{name}' at {page.address}")


def _form_to(page: Page, action: str) -> Form:
    here = urlsplit(page.address).path
    for form in page.forms:
        if (form.action or here) == action and form.method == "post":
            return form
    raise RehearsalFailed(f"no form to {action} at {page.address}")


def _chosen(form: Form, presentation: Presentation, simulated: SimulatedAnswer) -> dict[str, str]:
    """The simulated answer in the words of the page's form."""
    if presentation.second_id is None:
        chosen = {"answer": Response.Answer.TUMOUR if simulated.tumour else Response.Answer.NO_TUMOUR}
    else:
        altered_first = presentation.stimulus.arm != "original"
        first = simulated.chose_altered == altered_first
        chosen = {"answer": Response.Answer.FIRST if first else Response.Answer.SECOND}
    if form.values("confidence"):
        chosen["confidence"] = str(simulated.confidence)
    if form.values("perturbed_response"):
        chosen["perturbed_response"] = "true" if simulated.thinks_altered else "false"
    if "tumour_cell_count" in form.fields:
        chosen["tumour_cell_count"] = str(simulated.tumour_cells)
    return chosen


@transaction.atomic
def seat_simulated_readers(*, study: Study, readers: int, named: list[str], actor: str) -> list[Assignment]:
    """The seats to be rehearsed: those named, and ``readers`` in all, with new simulated users where needed.

    Raises:
        InvalidInput: the study is not open, a person has answered in it, or a named reader has no seat.
    """
    if study.state != Study.State.OPEN:
        raise InvalidInput(f"Study '{study.slug}' is {study.get_state_display()}: only an open study can be rehearsed.")
    human = Response.objects.filter(
        presentation__reading_set__assignment__study=study, presentation__reading_set__assignment__simulated=False
    )
    if human.exists():
        raise InvalidInput(f"Study '{study.slug}' holds people's answers: a rehearsal would mix simulated ones in.")
    seats = []
    for name in named:
        assignment = study.assignments.filter(reader__username=name).first()
        if assignment is None:
            raise InvalidInput(f"--reader: '{name}' has no seat in study '{study.slug}'.")
        seats.append(assignment)
    for number in range(1, readers - len(seats) + 1):
        user, _ = User.objects.get_or_create(
            username=f"simulated-{study.slug}-{number}",
            defaults={"role": User.Role.READER, "password": make_password(None)},
        )
        seat = study.assignments.filter(reader=user).first()
        seats.append(seat or assign_reader(study=study, reader=user, actor=actor, simulated=True))
    Assignment.objects.filter(pk__in=[seat.pk for seat in seats]).update(simulated=True)
    return seats


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


def rehearse(
    *,
    study: Study,
    seats: list[Assignment],
    address: str,
    seed: int,
    reader: SimulatedReader | None = None,
    progress: Progress = no_progress,
) -> list[dict[str, Any]]:
    """Let every seat's simulated reader answer at ``address`` until nothing is left to do."""
    skill = reader or SimulatedReader()
    todo = Presentation.objects.filter(reading_set__assignment__in=seats, responses=None).count()
    done = 0
    results = []

    def one_more() -> None:
        nonlocal done
        done += 1
        progress(done, todo)

    for seat in seats:

        def simulated(presentation: Presentation, code: str = seat.code) -> SimulatedAnswer:
            case = presentation.stimulus.case
            return answer(
                skill,
                seed=seed,
                reader_id=code,
                patch_id=case.patch_id,
                set_number=presentation.reading_set.number,
                altered=presentation.stimulus.arm != "original",
                truth=case.truth,
            )

        client = PageClient(address)
        with _borrowed_password(seat.reader) as password:
            client.sign_in(seat.reader.username, password)
            walk = Walk(client=client, study=study, seat=seat, answerer=simulated)
            ended = walk.read_on(one_more)
        results.append({"reader": seat.code, "answered": walk.answered, "images_checked": walk.images, "ended": ended})
    return results
