"""The practice: the form of the reading on images from outside the study, with what was right."""

import re

import pytest

from study.models import GuideImage, Response, Study
from study.protocol.readers import invitation_text, invite
from study.reading.progress import Stage, progress_of
from tests import factories

pytestmark = pytest.mark.django_db

BASE = "/reading/study/small/"


def practising(client, **options) -> Study:
    study = factories.open_study(cases=2, copies=1, size=16, min_gap=1, ready=False, **options)
    client.force_login(factories.assignment_of(study).reader)
    client.post(BASE + "consent/", {"agree": "yes"})
    client.post(BASE + "viewing/", {"viewing": "{}"})
    return study


def shown_on(page) -> list[str]:
    """The tokens of the images that the page shows, in order."""
    return re.search(r'data-images="([^"]*)"', page.text)[1].replace("/reading/guide/", "").split()


@pytest.mark.parametrize(
    ("display", "first", "second"), [("side", "Left", "Right"), ("alternating", "First", "Second")]
)
def test_a_pair_is_practised_with_pairs_and_the_altered_one_is_named(client, display, first, second):
    study = practising(client, task="pair", pair_display=display, guides=6)
    assert progress_of(factories.assignment_of(study)).stage is Stage.PRACTICE
    sides = set()
    for number in range(1, 7):
        address = f"{BASE}practice/{number}/"
        tokens = shown_on(client.get(address))
        kinds = [GuideImage.objects.get(token=token).kind for token in tokens]
        assert sorted(kinds) == ["altered", "practice"]
        for token in tokens:
            assert client.get(f"/reading/guide/{token}").headers["Content-Type"] == "image/png"
        answers, labels = ("first", "second"), (first, second)
        side = kinds.index("altered")
        sides.add(side)
        assert "Right." in client.post(address, {"answer": answers[side]}).text
        assert f"The altered one was: {labels[side]}." in client.post(address, {"answer": answers[1 - side]}).text
        assert shown_on(client.get(address)) == tokens  # the same at every visit
    assert sides == {0, 1}  # neither side is always right
    assert client.post(BASE + "practice/").url == BASE
    assert progress_of(factories.assignment_of(study)).stage is Stage.READING
    assert not Response.objects.exists()


def test_a_pair_study_that_has_no_pairs_to_practise_with_begins_without(client):
    study = practising(client, task="pair")
    GuideImage.objects.filter(kind="altered").delete()
    assert progress_of(factories.assignment_of(study)).stage is Stage.READING
    assert client.get(BASE + "practice/1/").status_code == 404


def test_the_practice_asks_what_the_reading_asks(client):
    practising(client, questions=["confidence", "perturbed_response", "tumour_cell_count", "note"])
    page = client.get(BASE + "practice/1/").text
    for name in ("answer", "confidence", "perturbed_response", "tumour_cell_count", "note"):
        assert f'name="{name}"' in page
    assert "You answered" not in page


def test_an_invitation_says_how_many_images_there_are_and_how_long_they_take():
    study = factories.open_study(cases=10, copies=2, size=16, washout_hours=336)
    invitation, _ = invite(study=study, username="ann", actor="office")
    text = invitation_text(invitation=invitation, link="https://x")
    assert (
        "There are 2 sets with 20 images each, about 5 minutes per set. Between two sets lies a pause of 14 days."
        in text
    )
