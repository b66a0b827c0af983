"""By night: where the system asks for it the dashboard is dark, readable, and readers' pages stay as they are."""

import pytest

from core.models import User
from jobs.models import Job
from tests import factories
from tests.browser.conftest import no_fault, sign_in
from tests.pool import attacked_pool

GROUND = "getComputedStyle(document.documentElement).backgroundColor"


def brightness(page) -> float:
    return sum(int(part) for part in page.evaluate(GROUND)[4:-1].split(",")[:3]) / 3


@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_the_dashboard_follows_the_system_and_axe_finds_nothing(window, transactional_db, scheme):
    attack = attacked_pool()
    factories.open_study()
    factories.user("ada", User.Role.ADMIN)
    given = {"code_version": "test", "requester": "ada"}
    failed = Job.objects.create(kind="train", title="Lost", state="failed", error="There is no such data set.", **given)
    page = window(color_scheme=scheme)
    page.goto("/sign-in/")
    no_fault(page, f"{scheme} sign-in")
    sign_in(page, "ada")
    for address in (
        "/", "/datasets/", f"/datasets/{attack.classifier.dataset_id}/", "/classifiers/", f"/attacks/{attack.pk}/",
        "/new-study/", "/studies/small/", "/studies/small/readers/", "/jobs/", f"/jobs/{failed.pk}/",
        "/help/", "/about/", "/help/glossary/", "/account/", "/nowhere/",
    ):  # fmt: skip
        page.goto(address)
        assert (brightness(page) < 60) == (scheme == "dark"), address
        no_fault(page, f"{scheme} {address}")


def test_readers_pages_are_the_same_by_day_and_by_night(window, transactional_db):
    factories.open_study()
    page = window(color_scheme="dark")
    sign_in(page)
    for address in ("/reading/", "/reading/study/small/", "/reading/help/"):
        page.goto(address)
        assert brightness(page) > 240, address


def test_a_time_is_shown_in_the_viewers_zone(window, transactional_db):
    study = factories.open_study()
    factories.user("ada", User.Role.ADMIN)
    page = window(timezone_id="Asia/Kolkata")
    sign_in(page, "ada")
    page.goto("/studies/small/")
    frozen = page.locator("p:has-text('Protocol frozen') time")
    assert frozen.get_attribute("title") == f"{study.frozen_at:%Y-%m-%d %H:%M} UTC"
    assert "GMT+5:30" in frozen.text_content()
