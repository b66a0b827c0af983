"""In Chromium, as stories: a newcomer, an admin and a researcher each walk their way, and are never lost on it."""

import re

import pytest

from attacks.models import Attack
from core.models import User
from jobs.models import Job
from jobs.running import run_attempt
from model.models import Dataset
from study.models import Assignment, Study
from tests import factories
from tests.browser.conftest import follow, no_fault, sign_in
from tests.browser.test_office import zipped_patches
from tests.pool import attacked_pool
from tests.study.answered import answer_all, open_study_of, unblinded


def work_off(ends: str = "done") -> None:
    """What a worker would do now."""
    for job in Job.objects.filter(state=Job.State.QUEUED).order_by("pk"):
        assert run_attempt(job.pk, job.attempt) == ends, Job.objects.get(pk=job.pk).error


def told(page) -> str:
    """The page's text, as it is read."""
    return re.sub(r"\s+", " ", page.inner_text("main"))


def test_a_newcomers_path(window, transactional_db, own_files, tmp_path):
    """Nothing is there yet. Every empty page says how to begin, and a slip costs nothing."""
    factories.user("ada", User.Role.ADMIN, is_staff=True, is_superuser=True)
    page = window()
    sign_in(page, "ada")
    assert "From patches to a blinded study" in told(page) and "No worker is running" in told(page)
    for way in ("your token", "API’s documentation", "People", "Administration"):
        assert page.get_by_role("link", name=way).first.is_visible(), way
    no_fault(page, "newcomer-dashboard")

    for place, begin in (("Classifiers", "Train a classifier"), ("Attacks", "Attack a classifier"),
                         ("Studies", "Build a study"), ("Data sets", "Upload patches")):  # fmt: skip
        follow(page, f"header >> text={place}")
        assert page.get_by_role("button", name=begin).or_(page.get_by_role("link", name=begin)).first.is_visible()
    follow(page, "text=Upload patches")

    page.fill("input[name=name]", " ")  # the slip
    page.fill("input[name=size]", "32")
    page.set_input_files("input[name=upload]", zipped_patches(tmp_path / "mini.zip", count=60))
    page.click("button:has-text('Import')")
    page.wait_for_selector(".field.wrong")
    assert "mini.zip" in told(page) and "need not be sent again" in told(page)
    no_fault(page, "newcomer-upload")
    page.fill("input[name=name]", "Mini")
    follow(page, "button:has-text('Import')")
    work_off()
    page.wait_for_selector("#state.done")
    follow(page, ".results-of-job a")
    assert "30 positive and 30 negative patches" in told(page)
    assert Dataset.objects.get().name == "Mini"

    assert page.locator(".thumbnails img").count() == 48
    follow(page, "text=Next")
    assert page.locator(".thumbnails img").count() == 12, "every patch can be reached"
    page.select_option("select[name=tumour]", "yes")
    follow(page, "button:has-text('Show')")
    assert "30 of 60" in told(page)
    no_fault(page, "newcomer-dataset")
    page.goto("/no/such/place/")
    assert "Not found" in told(page)
    follow(page, "text=To the start")
    assert "1 imported" in told(page)


@pytest.mark.slow
def test_an_admins_path(window, transactional_db, own_files, tmp_path):
    """From a first draft with mistakes to opened arms; nothing happens that was not said before."""
    attack = attacked_pool()
    factories.user("ada", User.Role.ADMIN)
    page = window()
    sign_in(page, "ada")

    page.goto(f"/attacks/{attack.pk}/")
    follow(page, "text=Build a study from it")
    assert page.locator(f"[name=further_attacks][value='{attack.pk}']").is_hidden(), "not its own further arm"
    filled = {"name": "First try", "positives": "4", "negatives": "2", "copies": "2", "washout_hours": "0"}
    for name, value in (filled | {"practice": "0", "min_gap": "25"}).items():
        page.fill(f"input[name={name}]", value)
    follow(page, "text=Build the draft")
    assert "largest feasible gap" in page.inner_text("#id_min_gap_error"), "told before any job starts"
    assert not Job.objects.exists()
    page.fill("input[name=min_gap]", "2")
    follow(page, "text=Build the draft")
    work_off()
    page.wait_for_selector("#state.done")
    follow(page, ".results-of-job a")

    follow(page, ".actions >> text=Edit")
    page.fill("input[name=name]", "Second thought")
    page.fill("input[name=positives]", "5")
    follow(page, "text=Build the draft again")
    work_off()
    page.wait_for_selector("#state.done")
    follow(page, ".results-of-job a")
    assert "Second thought" in told(page) and "5 positives" in told(page)
    no_fault(page, "admin-draft")

    follow(page, ".actions >> text=Readers")
    page.fill("#field-username input >> nth=0", "ann")
    follow(page, "text=Create invitation >> nth=0")
    link = page.input_value("#link")
    page.reload()
    assert "Links are shown once" in told(page)
    no_fault(page, "admin-invited-again")
    ann = window()
    ann.goto(link)
    ann.wait_for_selector("input[name=password]")

    follow(page, "text=Back to the readers")
    for rows, right in (("username\nben\nb n\n", False), ("username\nben\nkim\n", True)):
        table = tmp_path / "readers.csv"
        table.write_text(rows)
        page.set_input_files("input[name=table]", table)
        follow(page, "text=Create invitations")
        if not right:
            assert "line 3" in told(page) and Assignment.objects.count() == 1
    assert "2 readers are invited" in told(page) and page.input_value("#table").count("/reading/join/#") == 2
    no_fault(page, "admin-invited")

    page.goto("/studies/first-try/")
    follow(page, "text=Freeze…")
    said = told(page)
    assert "cannot be undone" in said and "3 readers who are assigned now" in said and "5 positives" in said
    no_fault(page, "admin-freeze")
    page.fill("input[name=password]", "not mine")
    follow(page, "button:has-text('Freeze the study')")
    assert "not your password" in page.inner_text("#field-password")
    page.fill("input[name=password]", factories.PASSWORD)
    follow(page, "button:has-text('Freeze the study')")
    work_off()
    page.wait_for_selector("#state.done")
    follow(page, ".results-of-job a")
    assert "Readers cannot begin yet" in told(page)
    follow(page, "text=Open to readers")
    assert "its readers may begin" in told(page)

    answer_all(Study.objects.get(), silent=("R02", "R03"))
    follow(page, ".actions >> text=Readers")
    page.click("tr:has-text('R03') >> text=Withdraw…")
    assert "cannot be undone" in page.inner_text("tr:has-text('R03')")
    page.fill("tr:has-text('R03') input[name=reason]", "changed hospital")
    follow(page, "button:has-text('Withdraw R03')")
    page.goto("/studies/first-try/")
    assert "by 2 readers; 1 more was withdrawn" in told(page)
    follow(page, "text=Close…")
    unfinished = page.inner_text("table")
    assert "R02" in unfinished and "R01" not in unfinished and "R03" not in unfinished
    follow(page, "button:has-text('Close the study')")
    assert "Not everything is answered" in told(page) and Study.objects.get().state == "open"
    page.check("input[name=unfinished]")
    no_fault(page, "admin-close")
    follow(page, "button:has-text('Close the study')")
    follow(page, "text=Unblind…")
    page.fill("input[name=confirm]", "first-try")
    page.fill("input[name=password]", factories.PASSWORD)
    no_fault(page, "admin-unblind")
    follow(page, "button:has-text('Unblind the study')")
    assert "Second thought: results" in told(page) and "Table 1b" in told(page)


def test_a_researchers_path(window, transactional_db, own_files):
    """What was found is looked up, looked at pixel by pixel, and taken away for a paper."""
    factories.user("rex", User.Role.RESEARCHER)
    study = open_study_of(readers=2, positives=8, negatives=4)
    answer_all(study)
    unblinded(study)
    for number in range(6):
        factories.draft_study(slug=f"draft-{number}", cases=2, guides=0)
    page = window()
    sign_in(page, "rex")

    follow(page, "header >> text=Studies")
    page.select_option("select[name=state]", "unblinded")
    follow(page, "button:has-text('Show')")
    assert "1 of 7" in told(page)
    no_fault(page, "researcher-studies")
    follow(page, "td >> text=Results")
    assert "Table 1a" in told(page)

    page.goto("/studies/")
    for name in ("answered", "draft-0"):
        page.check(f"input[name=study][value={name}]")
    follow(page, "text=Compare the ticked studies")
    said = told(page)
    assert "TPF, change in points" in said and "none yet: the study is draft" in said and "differs" in said
    no_fault(page, "researcher-studies-compared")
    rows, differing = page.locator(".side-by-side tbody tr"), page.locator(".side-by-side tr.differs")
    shown, marked = rows.count(), differing.count()
    follow(page, "text=Show only settings that differ")
    assert rows.count() < shown and differing.count() == marked > 0
    with page.expect_download() as taken:
        page.click(".aside >> text=CSV")
    assert "TPF, original" in taken.value.path().read_text()
    page.goto("/studies/?state=unblinded")
    follow(page, "td >> text=Results")
    audit = page.locator("li:has-text('blinding_audit.json')")
    assert "not there" in audit.inner_text() and audit.locator("a").count() == 0, "no download that breaks off"
    with page.expect_download() as taken:
        page.click("text=report.html")
    report = taken.value.path().read_text()
    assert report.index('id="methods"') < report.index('id="readers"') and "counter(page)" in report

    attack = Attack.objects.get()
    page.goto(f"/attacks/{attack.pk}/")
    follow(page, ".sorts >> text=P after")
    follow(page, ".pairs a >> nth=0")
    page.wait_for_function("[...document.querySelectorAll('#viewer img')].every(i => i.complete && i.naturalWidth)")
    no_fault(page, "researcher-viewer")
    page.keyboard.press("b")
    assert page.locator("[data-view=original]").is_visible() and not page.locator("[data-view=altered]").is_visible()
    page.keyboard.press("b")
    assert page.locator("[data-view=altered]").is_visible() and not page.locator("[data-view=original]").is_visible()
    page.keyboard.press("+")
    page.keyboard.press("+")
    assert page.inner_text("#zoom-shown") == "4 ×"
    scale = "getComputedStyle(document.querySelector('#difference')).transform"
    assert page.evaluate(scale).startswith("matrix(4, 0, 0, 4")
    page.keyboard.press("ArrowRight")
    assert not page.evaluate(scale).endswith("0, 0)"), "moved"
    page.keyboard.press("0")
    assert page.inner_text("#zoom-shown") == "1 ×"
    page.fill("#gain", "3")
    page.press("#gain", "Tab")
    assert page.get_attribute("#difference", "src").endswith("gain=3") and page.inner_text("#gain-shown") == "3"
    place = page.inner_text("nav.pages")
    follow(page, "nav.pages >> a >> nth=0")
    assert page.inner_text("nav.pages") != place
    no_fault(page, "researcher-viewer-next")

    page.goto(f"/figures/attack/{attack.pk}/")
    page.locator("section", has_text="Pairs with probabilities").get_by_role("button").click()
    work_off()
    page.wait_for_selector(".gallery img")
    assert "in every figure of this attack" in told(page)
    no_fault(page, "researcher-figures")
    page.goto(f"/attacks/{attack.pk}/patches/")
    for ending in ("PNG", "PDF"):
        with page.expect_download() as taken:
            page.click(f".aside >> text={ending}")
        assert taken.value.path().stat().st_size > 1_000
    follow(page, "thead >> text=L2")
    assert page.locator("th[aria-sort=ascending]").inner_text().startswith("L2")
    no_fault(page, "researcher-table")
