"""In Chromium: from an uploaded zip to an open study that two readers read; the pages of researchers and admins."""

import csv
import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from attacks.models import Attack
from attacks.selectors import summarise
from core.models import User
from jobs.models import Job
from study.models import Response, Study
from tests import factories
from tests.browser.conftest import enter_room, follow, no_fault, pass_viewing_check, sign_in, wait_ready
from tests.jobs.conftest import crew  # noqa: F401
from tests.pool import attacked_pool

SIDE = 32
MINUTES = 240_000


def zipped_patches(path: Path, count: int = 60) -> Path:
    """Pink noise, with violet dots where there is tumour: a network learns it in seconds."""
    rng = np.random.default_rng(0)
    table = io.StringIO()
    rows = csv.writer(table)
    rows.writerow(["file", "tumour", "slide"])
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(count):
            tumour = number % 2
            pixels = np.array([225, 185, 210]) + rng.normal(0, 12, (SIDE, SIDE, 3))
            dots = tumour * np.kron(rng.random((SIDE // 4, SIDE // 4)) < 0.25, np.ones((4, 4)))[..., None]
            pixels = pixels * (1 - dots / 2) + np.array([120, 80, 160]) * dots / 2
            file = io.BytesIO()
            Image.fromarray(np.clip(pixels, 0, 255).round().astype(np.uint8)).save(file, "PNG")
            archive.writestr(f"patches/{number}.png", file.getvalue())
            rows.writerow([f"{number}.png", tumour, f"slide {number // 3}"])
        archive.writestr("patches/labels.csv", table.getvalue())
    return path


def when_done(page) -> None:
    """Watch the job's page to its end and open what it made."""
    page.wait_for_selector("#state.done, #state.failed", timeout=MINUTES)
    assert page.text_content("#state") == "done", page.text_content("main")
    follow(page, ".results-of-job a")


@pytest.mark.slow
def test_from_an_uploaded_zip_to_a_study_that_two_readers_read(crew, window, tmp_path):  # noqa: F811
    factories.user("ada", User.Role.ADMIN)
    worker = crew.start(command=("manage.py", "run_worker", "--interval", "0.2"))
    page = window()
    sign_in(page, "ada")

    follow(page, "text=Data sets")
    follow(page, "text=Upload patches")
    no_fault(page)
    page.fill("input[name=name]", "Mini")
    page.fill("input[name=size]", str(SIDE))
    page.set_input_files("input[name=upload]", zipped_patches(tmp_path / "mini.zip"))
    follow(page, "text=Import >> nth=-1")
    when_done(page)
    assert "30 positive and 30 negative patches" in page.text_content(".lead")
    no_fault(page)

    follow(page, "text=Train a classifier")
    page.fill("input[name=name]", "Mini net")
    page.select_option("select[name=preset]", "quick")
    page.select_option("select[name=init]", "random")
    follow(page, "button:has-text('Train')")
    page.wait_for_selector("#bar[value]", timeout=MINUTES)
    no_fault(page)
    when_done(page)
    no_fault(page)

    follow(page, "text=Attack it")
    page.fill("input[name=name]", "Mini 16")
    page.fill("input[name=budget]", "16")
    follow(page, "button:has-text('Attack')")
    when_done(page)
    page.wait_for_selector(".pairs figure", timeout=MINUTES // 4)
    assert page.locator(".pairs figure").count() >= 4
    no_fault(page)

    follow(page, "text=Build a study from it")
    power = page.text_content("[data-claim='crossed.different']")
    page.fill("input[name=positives]", "2")
    page.wait_for_selector("#power-error:visible")
    page.fill("input[name=positives]", "4")
    changed = "before => document.querySelector(\"[data-claim='crossed.different']\").textContent !== before"
    page.wait_for_function(changed, arg=power)
    filled = {"name": "Mini study", "negatives": "0", "copies": "1", "min_gap": "2", "washout_hours": "0"}
    for name, value in (filled | {"practice": "0"}).items():
        page.fill(f"input[name={name}]", value)
    page.uncheck("input[name=questions][value=confidence]")
    no_fault(page)
    follow(page, "text=Build the draft")
    when_done(page)
    no_fault(page)

    page.click("text=Preview >> nth=0")
    page.click("button:has-text('Begin')")
    page.check("input[name=agree]")
    page.click("main button[type=submit]")
    follow(page, "main a[role=button]")
    pass_viewing_check(page)
    follow(page, "main a[role=button]")
    wait_ready(page)
    for position in range(1, 9):
        assert page.text_content("#position").strip() == str(position)
        page.keyboard.press("t")
        wait_ready(page) if position < 8 else page.wait_for_selector("#finish:visible")
    assert not Response.objects.exists()

    links = []
    for name in ("ann", "ben"):
        page.goto("/studies/mini-study/readers/")
        page.fill("input[name=username]", name)
        follow(page, "text=Create invitation")
        links.append(page.input_value("#link"))
        no_fault(page)
    page.goto("/studies/mini-study/")
    follow(page, "text=Freeze…")
    page.fill("input[name=password]", factories.PASSWORD)
    follow(page, "button:has-text('Freeze the study')")
    when_done(page)
    frozen = Study.objects.get().protocol_sha256
    assert frozen and frozen in page.text_content("main")
    no_fault(page)
    page.goto("/studies/mini-study/")
    follow(page, "text=Open to readers")
    worker.terminate()

    for link in links:
        reader = window()
        reader.goto(link)
        reader.fill("input[name=password]", factories.PASSWORD)
        reader.fill("input[name=again]", factories.PASSWORD)
        reader.click("main button[type=submit]")
        reader.goto("/reading/study/mini-study/consent/")
        reader.check("input[name=agree]")
        reader.click("main button[type=submit]")
        enter_room(reader, "mini-study")
        reader.keyboard.press("n")
        wait_ready(reader)
    assert Response.objects.count() == 2
    page.goto("/studies/mini-study/readers/")
    assert page.text_content(".readers-table").count("1 of 8") == 2
    no_fault(page)


@pytest.mark.parametrize("width", [1280, 640])
def test_no_page_is_cut_off_and_axe_finds_nothing(window, transactional_db, width):
    attack = attacked_pool()
    searched = minimal_search()
    jobs = some_jobs()
    study = factories.open_study()
    factories.draft_study(slug="draft")
    pair = attack.perturbations.first().pk
    factories.user("ada", User.Role.ADMIN)
    page = window(width=width)
    sign_in(page, "ada")
    classifier = f"{searched.classifier_id}/"
    for address in (
        "/", "/datasets/", f"/datasets/{attack.classifier.dataset_id}/",
        "/datasets/new/pannuke/", "/classifiers/", f"/classifiers/{classifier}",
        "/attacks/", "/attacks/new/", f"/attacks/{attack.pk}/", "/jobs/",
        *(f"/jobs/{job.pk}/" for job in jobs),
        "/studies/", "/new-study/", "/studies/small/", "/studies/small/readers/",
        "/studies/draft/freeze/", "/studies/draft/edit/", "/studies/draft/delete/", "/studies/draft/team/",
        f"/studies/{study.slug}/close/", "/studies/small/readers/invited/", f"/attacks/{attack.pk}/patches/{pair}/",
        f"/attacks/{attack.pk}/patches/", f"/people/{User.objects.get(username='ada').pk}/second-factor/",
        "/studies/small/protocol/", "/studies/draft/", "/preview/study/draft/", "/pairs/",
        "/token/", "/account/", "/account/second-factor/", "/people/",
        f"/attacks/{attack.pk}/", f"/attacks/{searched.pk}/",
        "/compare-studies/?study=small&study=draft", "/compare-studies/",
        f"/attacks/side-by-side/?attack={attack.pk}&attack={searched.pk}",
        f"/classifiers/side-by-side/?classifier={attack.classifier_id}&classifier={searched.classifier_id}",
        f"/classifiers/{classifier}curves/", f"/attacks/compare/?classifier={searched.classifier_id}",
    ):  # fmt: skip
        assert page.goto(address).status == 200, address
        assert page.evaluate("document.documentElement.scrollWidth") <= width, address
        no_fault(page)


def minimal_search() -> Attack:
    """An attack from which success curves are drawn."""
    attack = attacked_pool(name="searched", seed=1)
    attack.kind, attack.settings = Attack.Kind.MINIMAL, {"search": "linf"}
    attack.summary = summarise(attack)
    attack.save()
    return attack


def some_jobs() -> list[Job]:
    """One that is divided, with a part at work, and one that failed."""
    given = {"code_version": "test", "requester": "ada"}
    whole = Job.objects.create(kind="attack", title="A whole", state="waiting", **given)
    Job.objects.create(kind="attack", title="A part", state="running", parent=whole, part=0, done=1, total=4, **given)
    failed = Job.objects.create(kind="train", title="Lost", state="failed", error="There is no such data set.", **given)
    return [whole, whole.parts.get(), failed]


def test_the_page_of_the_interface_stands_within_the_policy(window, transactional_db):
    factories.user("ada", User.Role.ADMIN)
    page = window()
    sign_in(page, "ada")
    page.goto("/api/")
    page.wait_for_selector(".opblock-tag-section, .opblock", timeout=30_000)
    assert page.locator(".opblock").count() > 20
