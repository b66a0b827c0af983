"""Researchers' pages of attacks: tables, curves, comparison. Readers must not learn what was done to a patch."""

import io

import pandas as pd
import pytest
from django.utils import timezone

from attacks import services
from attacks.engine.norms import MEASURED
from attacks.models import Attack
from attacks.selectors import flip_norms, perturbation_table, summarise
from tests import factories
from tests.pool import attacked_pool

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_files")]


@pytest.fixture
def attack() -> Attack:
    made = attacked_pool(positives=6, negatives=4)
    made.summary = summarise(made)
    made.save()
    return made


@pytest.fixture
def searched(attack) -> Attack:
    """The same rows as a minimal search, which is what success curves are drawn from."""
    attack.kind, attack.settings = Attack.Kind.MINIMAL, {"search": "linf"}
    for place, row in enumerate(attack.perturbations.order_by("patch__index")):
        row.linf, row.flipped = 1.0 + place % 4, place != 3
        row.save()
    attack.summary = summarise(attack)
    attack.save()
    return attack


@pytest.fixture
def researcher(client):
    client.force_login(factories.user("ora", "researcher"))
    return client


def addresses(attack: Attack) -> list[str]:
    own, classifier = f"/attacks/{attack.pk}/", f"/classifiers/{attack.classifier_id}/"
    compared = f"?classifier={attack.classifier_id}"
    return [
        own,
        f"{own}patches/", f"{own}perturbations.csv", f"{own}curve.svg", f"{classifier}curves/",
        f"{classifier}curves.svg", f"{classifier}curves.csv", "/attacks/compare/", f"/attacks/compare/{compared}",
        f"/attacks/compare.svg{compared}", f"/attacks/compare.csv{compared}",
    ]  # fmt: skip


def test_researchers_and_admins_come_in(client, searched):
    for role in ("researcher", "admin"):
        client.force_login(factories.user(role, role))
        for address in addresses(searched):
            assert client.get(address).status_code == 200, address
            assert client.post(address).status_code == 405, address


def test_readers_are_refused_and_strangers_sign_in_first(client, searched):
    for address in addresses(searched):
        answer = client.get(address)
        assert answer.status_code == 302 and answer["Location"].startswith("/sign-in/"), address
    client.force_login(factories.user("ann"))
    for address in addresses(searched):
        assert client.get(address).status_code == 403, address


def test_a_former_researcher_is_refused_too(client, searched):
    ora = factories.user("ora", "researcher")
    client.force_login(ora)
    assert client.get(addresses(searched)[0]).status_code == 200
    ora.role = "reader"
    ora.save()
    assert client.get(addresses(searched)[0]).status_code == 403


def test_the_list_of_attacks_shows_them(researcher, attack):
    text = researcher.get("/attacks/").content.decode()
    assert f'href="/attacks/{attack.pk}/"' in text and "None yet" not in text


def test_the_table_as_csv_holds_every_row_of_the_attack(researcher, attack):
    answer = researcher.get(f"/attacks/{attack.pk}/perturbations.csv")
    assert answer["Content-Type"].startswith("text/csv") and "attachment" in answer["Content-Disposition"]
    read, stored = pd.read_csv(io.BytesIO(answer.content)), perturbation_table(attack)
    assert list(read["patch"]) == list(stored["patch"]) and len(read) == 10
    for norm in MEASURED:
        assert list(read[norm]) == pytest.approx(list(stored[norm]))
    assert list(read["flipped"]) == list(stored["flipped"])


def test_a_patch_name_that_a_spreadsheet_would_run_leaves_as_text(researcher, attack):
    patch = attack.perturbations.order_by("patch__index").first().patch
    patch.name = "=HYPERLINK(1)"
    patch.save()
    read = pd.read_csv(io.BytesIO(researcher.get(f"/attacks/{attack.pk}/perturbations.csv").content))
    assert read["patch"][0] == "'=HYPERLINK(1)"
    assert list(read["patch"][1:]) == list(perturbation_table(attack)["patch"][1:])


def test_the_table_is_sorted_by_any_column_and_by_nothing_else(researcher, attack):
    rows = list(attack.perturbations.order_by("patch__index"))
    for place, row in enumerate(rows):
        row.prob_after = 0.1 + 0.05 * ((place * 7) % 10)
        row.save()
    wanted = [row.patch.name for row in sorted(rows, key=lambda row: row.prob_after)]

    def shown(sort: str) -> list[str]:
        text = researcher.get(f"/attacks/{attack.pk}/patches/?sort={sort}").content.decode()
        return sorted(wanted, key=lambda name: text.index(f">{name}</a></th>"))

    assert shown("prob_after") == wanted and shown("-prob_after") == wanted[::-1]
    assert shown("password") == [row.patch.name for row in rows]


def test_the_curve_is_an_image_with_nothing_to_run_in_it(researcher, searched):
    for address in (f"/attacks/{searched.pk}/curve.svg", f"/classifiers/{searched.classifier_id}/curves.svg"):
        answer = researcher.get(address)
        assert answer["Content-Type"] == "image/svg+xml"
        assert b"<svg" in answer.content[:1000] and b"<script" not in answer.content


def test_an_attack_without_a_norm_or_without_rows_has_no_curve(researcher, attack):
    empty = Attack.objects.create(name="empty", classifier=attack.classifier, norm="l2", seed=0, code_version="t")
    free = Attack.objects.create(name="free", classifier=attack.classifier, norm="none", seed=0, code_version="t")
    for one in (empty, free):
        assert researcher.get(f"/attacks/{one.pk}/curve.svg").status_code == 404
        page = researcher.get(f"/attacks/{one.pk}/patches/")
        assert page.status_code == 200 and "curve.svg" not in page.content.decode()


def test_the_curves_page_says_what_was_searched_and_orders_the_rest(researcher, searched):
    text = researcher.get(f"/classifiers/{searched.classifier_id}/curves/").content.decode()
    assert "largest difference (L∞)" in text and "Not searched yet: L0, L1, L1 (rescaled), L2." in text
    answer = researcher.post(f"/classifiers/{searched.classifier_id}/curves/new/")
    assert answer.status_code == 302 and answer["Location"].startswith("/jobs/")


def test_several_classifiers_stand_on_one_plot(researcher, searched):
    other = attacked_pool(positives=6, negatives=4, name="other", seed=1)
    other.kind, other.settings, other.completed_at = Attack.Kind.MINIMAL, {"search": "linf"}, timezone.now()
    other.summary = summarise(other)
    other.save()
    query = f"?classifier={searched.classifier_id}&classifier={other.classifier_id}&classifier=nonsense"
    read = pd.read_csv(io.BytesIO(researcher.get(f"/attacks/compare.csv{query}").content))
    assert set(read["classifier"]) == {"pool", "other"} and set(read["search"]) == {"linf"}
    last = read[read["classifier"] == "pool"].iloc[-1]
    norms = flip_norms(searched)
    assert (last["flipped"], last["of"]) == (sum(norms < float("inf")), len(norms))
    page = researcher.get(f"/attacks/compare/{query}").content.decode()
    assert page.count(" checked") == 2 and "compare.svg?classifier=" in page
    one, both = (researcher.get(f"/attacks/compare.svg{part}").content for part in (query.split("&")[0], query))
    assert one != both and both == researcher.get(f"/attacks/compare.svg{query}").content
    assert researcher.get("/attacks/compare.svg").status_code == 404


def test_a_real_attack_has_all_its_pages(researcher, make_classifier):
    attack = services.run_attack(
        classifier=make_classifier(test=6), name="real", norm="l2", budget=6.0, steps=4, seed=1, confidence=0.5
    )
    page = researcher.get(f"/attacks/{attack.pk}/patches/").content.decode()
    assert page.count('<th scope="row">') == 6
    read = pd.read_csv(io.BytesIO(researcher.get(f"/attacks/{attack.pk}/perturbations.csv").content))
    assert len(read) == attack.perturbations.count() == 6 and read["l2"].max() <= 6.0


@pytest.mark.parametrize(("role", "kind", "offered"), [
    ("admin", "pgd", True), ("researcher", "pgd", False), ("admin", "natural", False),
])  # fmt: skip
def test_building_a_study_is_offered_to_who_may_and_where_there_are_images_to_show(client, attack, role, kind, offered):
    Attack.objects.update(kind=kind)
    client.force_login(factories.user("somebody", role))
    assert ("Build a study from it" in client.get(f"/attacks/{attack.pk}/").content.decode()) == offered
