"""In Chromium: a study with a natural change at random and at its worst as arms, from the attacks to its results."""

import io
import json

import pytest
from django.core.management import call_command

from attacks.models import Attack
from core.models import User
from study.models import Stimulus, Study
from tests import factories
from tests.attacks.conftest import learned, make_classifier  # noqa: F401 (fixtures)
from tests.browser.conftest import follow, no_fault, sign_in
from tests.browser.test_stories import told, work_off

BOUNDS = "haematoxylin gain=0.5..1.5\neosin gain=0.5..1.5"


def run(command: str, *args, **options) -> dict:
    out = io.StringIO()
    call_command(command, *args, json=True, stdout=out, stderr=io.StringIO(), **options)
    return json.loads(out.getvalue())


def both_sizes(page, name: str) -> None:
    """No fault on a laptop's screen, nor on a large one."""
    for width, height in ((1920, 1080), (1280, 720)):
        page.set_viewport_size({"width": width, "height": height})
        no_fault(page, name)


def attacked(page, address: str, filled: dict[str, str], kinds: tuple[str, ...] = ()) -> None:
    """An attack is asked for on its page, and a worker makes it."""
    page.goto(address)
    for summary in page.query_selector_all("main form summary"):
        summary.click()
    for name, value in filled.items():
        page.fill(f"[name={name}]", value)
    for kind in kinds:
        page.check(f"[name=kinds][value={kind}]")
    follow(page, "main form button[type=submit]")
    work_off()
    page.wait_for_selector("#state.done")


@pytest.mark.slow
def test_natural_changes_at_random_and_at_their_worst_are_arms_from_the_builder_to_the_results(
    window,
    transactional_db,
    make_classifier,  # noqa: F811
    live_server,
):
    made = make_classifier("small", test=32)
    for place, patch in enumerate(made.dataset.patches.order_by("index")):
        patch.group = f"slide {place // 4}"
        patch.save()
    factories.user("ada", User.Role.ADMIN)
    page = window()
    sign_in(page, "ada")
    new = f"/attacks/new/?classifier={made.pk}"
    attacked(page, new, {"name": "gradient", "budget": "24", "steps": "20"})
    attacked(page, f"{new}&kind=worst", {"name": "natural", "bounds": BOUNDS, "steps": "4"}, ("stain",))
    assert set(Attack.objects.values_list("name", flat=True)) == {"gradient", "natural", "natural-random"}

    page.goto(f"/attacks/{Attack.objects.get(name='gradient').pk}/")
    assert "slides or patients with tumour and" in told(page)
    follow(page, "text=Build a study from it")
    offered = page.locator("#field-further_attacks label").all_inner_texts()
    assert any("natural changes at their worst, of small" in text for text in offered)
    assert any("natural changes at random, of small" in text for text in offered)
    assert "slides or patients) and" in page.inner_text("select[name=attack]")
    page.check("#field-further_attacks label:has-text('at their worst')")
    page.check("#field-further_attacks label:has-text('at random')")
    filled = {"name": "Natural arms", "positives": "4", "negatives": "3", "copies": "4", "washout_hours": "0"}
    for name, value in (filled | {"practice": "0", "examples": "0"}).items():
        page.fill(f"input[name={name}]", value)
    both_sizes(page, "arms-builder")
    follow(page, "text=Build the draft")
    work_off()
    page.wait_for_selector("#state.done")
    follow(page, ".results-of-job a")

    said = told(page)
    assert "natural-random (7), natural-worst (7), original (7), perturbed (7)" in said
    assert "natural-worst: natural (natural changes at their worst: stain; within " in said
    assert "natural-random: natural-random (natural changes at random: stain; within " in said
    for within in ("haematoxylin gain 0.5 to 1.5", "eosin gain 0.5 to 1.5"):
        assert said.count(within) == 2
    assert "4 positives from" in said and "3 negatives from" in said and "twins in different sets" in said
    both_sizes(page, "arms-study")
    follow(page, "text=Freeze…")
    page.fill("input[name=password]", factories.PASSWORD)
    follow(page, "button:has-text('Freeze the study')")
    work_off()
    page.wait_for_selector("#state.done")
    follow(page, ".results-of-job a")
    follow(page, "text=Open to readers")
    assert Study.objects.get().state == Study.State.OPEN
    for arm in ("natural-random", "natural-worst"):
        shown = Stimulus.objects.filter(arm=arm).values_list("sha256", flat=True)
        attack = Attack.objects.get(name="natural" if arm == "natural-worst" else "natural-random")
        assert set(shown) <= set(attack.perturbations.values_list("sha256", flat=True)), "the very bytes of the attack"

    planted = {"sensitivity": 1.0, "specificity": 1.0, "lapse": 0.0, "lost": ["natural-worst=1"]}
    rehearsed = run("rehearse", "natural-arms", readers=2, seed=1, url=live_server.url, **planted)
    assert (rehearsed["state"], rehearsed["answered"]) == ("unblinded", 2 * 4 * 7)
    arms = run("analyse", "natural-arms")["controls"]
    assert set(arms) == {"natural-random", "natural-worst"}
    lost = {arm: {row["perturbed"]["tp"] for row in found["table_1b"]} for arm, found in arms.items()}
    assert lost["natural-worst"] == {0} and 0 not in lost["natural-random"], "what was planted, and no more"

    page.goto("/studies/natural-arms/")
    follow(page, ".actions >> text=Results")
    said = told(page)
    assert "Simulated readers" in said and "with tumour" in said and "Cases: only" in said
    for arm, title in (("natural-worst", "at their worst"), ("natural-random", "at random")):
        rows = page.locator(f"section:has(> h2:has-text('Natural changes {title} ({arm})')) tbody tr").all_inner_texts()
        cells = [" ".join(row.split()) for row in rows]
        expected = [
            f"{row['reader']} {row['set']} {row['original']['tp']} of {row['original']['n']} "
            f"{row['perturbed']['tp']} of {row['perturbed']['n']}"
            for row in arms[arm]["table_1b"]
        ]
        assert cells == expected and len(cells) == 8
    both_sizes(page, "arms-results")
