"""The audit looks at every answer of the reading room to a reader; the pages that it leaves out know no arm at all."""

import re

import pytest
from django.urls import resolve

from core.models import User
from study.blinding.servers import in_this_process
from study.blinding.walk import Reader, walk
from study.models import Presentation, Stimulus
from study.protocol import audit_log
from study.protocol.readers import invite
from study.reading import answers
from study.reading import urls as reading_urls
from study.reading.answers import SentAnswer
from tests import factories

BASE = "/reading/study/small/"

# What a reader may ask for that names no presentation and is not part of an audit's walk, and how it is asked for here.
APART = {
    "home": "/reading/",
    "help": "/reading/help/",
    "about": "/reading/about/",
    "study": BASE,
    "consent": BASE + "consent/",
    "instructions": BASE + "instructions/",
    "practice": BASE + "practice/1/",
    "practice_end": BASE + "practice/",
    "questionnaire": BASE + "questionnaire/",
    "guide": "/reading/guide/{guide}",
    "join": "/reading/join/",
    "stored": "/reading/stored/",
    "sign_in": BASE + "sign-in/",
}
POSTED = {
    "practice_end": {},
    "sign_in": {"username": "reader", "password": factories.PASSWORD, "code": "R01"},
}


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("task", ["labelling", "pair"])
def test_every_address_of_the_reading_room_is_walked_or_known_to_stand_apart(task):
    study = factories.open_study(cases=2, copies=1, size=8, min_gap=1, guides=0, task=task)
    rows = Presentation.objects.select_related("reading_set")
    tokens = {(row.reading_set.number, row.position): row.token for row in rows}
    answers = ("tumour", "no_tumour") if task == "labelling" else ("first", "second")
    asked = []
    with in_this_process() as address:
        reader = Reader("R01", "reader", factories.PASSWORD, tokens, answers=answers)
        seen = walk(address, study.slug, reader, on_request=asked.append)
    assert len(seen) == len(tokens)
    walked = {resolve(path).url_name for path in asked if path.startswith("/reading/")}
    assert walked.isdisjoint(APART)
    assert walked | set(APART) == {pattern.name for pattern in reading_urls.urlpatterns}


def finish_first_set(study) -> str:
    """The mark that the reader is shown then."""
    assignment = factories.assignment_of(study)
    for row in Presentation.objects.filter(reading_set__assignment=assignment, reading_set__number=1):
        sent = SentAnswer(answer="tumour")
        answers.record_answer(assignment=assignment, token=row.token, key=f"key of {row.token}", sent=sent)
    answers.finish_set(assignment=assignment, number=1)
    return audit_log.short(study.events.get(action="set_finished").hash)


def bodies(client, study, **names) -> dict[str, tuple[int, bytes]]:
    """Every page that stands apart, as the reader gets it now, without what is new at every visit."""
    found = {}
    User.objects.update(last_login=study.created_at)  # signing in, the last of them, changes the minute that is told
    for name, pattern in APART.items():
        address = pattern.format(**names)
        if name in POSTED:
            response = client.post(address, POSTED[name], content_type="application/json")
        else:
            response = client.get(address)
        text = re.sub(rb'(name="csrfmiddlewaretoken" value=")[^"]*', rb"\1", response.content)
        found[name] = (response.status_code, text)
    for row in Presentation.objects.order_by("pk"):
        pressed = client.post(f"/reading/image/{row.token}", headers={"accept": "text/html"})
        found[f"no page: {row.pk}"] = (pressed.status_code, pressed.content)
    opened = client.get(BASE + "answers/", headers={"accept": "text/html"})
    found["no page: answers"] = (opened.status_code, opened.content)
    return found


@pytest.mark.django_db
def test_the_pages_that_stand_apart_are_the_same_when_all_arms_are_exchanged(client):
    study = factories.open_study(cases=4, copies=2, washout_hours=0, consent_text="You agree.")
    _, secret = invite(study=study, username="newcomer", actor="office")
    reader = factories.assignment_of(study).reader
    client.force_login(reader)
    client.post(BASE + "viewing/", {"viewing": "{}"})
    mark = finish_first_set(study)
    client.post("/reading/join/", {"code": secret})
    names = {"guide": study.guide_images.first().token}
    before = bodies(client, study, **names)
    assert mark in before["study"][1].decode()  # where the log stands is shown, and told by no arm
    for stimulus in Stimulus.objects.select_related("case"):
        other = {"original": "swapped", "perturbed": "original"}[stimulus.arm]
        Stimulus.objects.filter(pk=stimulus.pk).update(arm=other, model_label=not stimulus.model_label, model_prob=0.5)
        stimulus.case.truth = False
        stimulus.case.save()
    Stimulus.objects.filter(arm="swapped").update(arm="perturbed")
    assert bodies(client, study, **names) == before
    no_page = {said for name, said in before.items() if name.startswith("no page")}
    assert {status for status, _ in no_page} == {405} and len(no_page) == 1, "one and the same page for all of them"
    assert {said[0] for name, said in before.items() if not name.startswith("no page")} <= {200, 302}
