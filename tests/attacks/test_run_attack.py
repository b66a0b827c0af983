"""Attacks in the database: what is stored can be shown, and a killed run goes on with the same bytes."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from django.core.management import CommandError, call_command

from attacks import services
from attacks.deletion import delete_attack
from attacks.models import Attack, Perturbation
from attacks.selectors import displayed_pixels, flipped_positives, perturbation_table
from attacks.services import run_attack
from core.errors import InvalidInput
from core.images import read_pixels
from model.learning.network import load_weights


def run_command(capsys, *args, **options):
    call_command(*args, json=True, **options)
    return json.loads(capsys.readouterr().out)


def test_command_reports_and_stores_what_a_fresh_model_finds_in_the_files(make_classifier, capsys):
    classifier = make_classifier()
    report = run_command(capsys, "attack", "small", norm="linf", budget=24, name="a", seed=3)
    rows = list(Attack.objects.get(name="a").perturbations.select_related("patch"))
    assert report["images"] == 24 == len(rows) and report["attacked"] + report["already_wrong"] == 24
    assert report["weights_sha256"] == classifier.weights_sha256 and report["seed"] == 3 and report["code_version"]
    assert report["flipped"] == sum(row.flipped for row in rows) > 12
    network = load_weights("resnet18", classifier.weights.path, sha256=classifier.weights_sha256)
    for row in rows:
        if row.already_wrong:
            assert not row.image
            continue
        shown = read_pixels(row.image.name, sha256=row.sha256)
        with torch.inference_mode():  # one at a time, whatever the batch was
            prob = network(torch.tensor(shown / 255).float().permute(2, 0, 1)[None]).softmax(1)[0, 1].item()
        assert row.prob_after == pytest.approx(prob, abs=1e-4)
        assert row.flipped == ((prob > 0.5) != row.patch.tumour)
        change = shown.astype(int) - read_pixels(row.patch.image.name, sha256=row.patch.sha256)
        assert row.linf == np.abs(change).max() <= 24
        assert row.l2 == pytest.approx(np.sqrt((change**2).mean()))
        assert row.l0 == (change != 0).any(2).mean()


def test_original_and_perturbed_files_have_equal_length_in_a_study(make_classifier):
    attack = run_attack(classifier=make_classifier(), norm="linf", budget=24)
    sizes = {row.image.size for row in attack.perturbations.exclude(image="")}
    assert len(sizes) == 1


def test_flipped_positives_are_positives_that_were_right_and_are_now_wrong(make_classifier):
    attack = run_attack(classifier=make_classifier(), norm="linf", budget=24)
    pool = list(flipped_positives(attack))
    assert pool and all(row.patch.tumour and row.prob_before > 0.5 > row.prob_after for row in pool)
    assert len(pool) == attack.summary["flipped_positives"] < attack.summary["flipped"]
    table = perturbation_table(attack)
    assert table["flipped"].sum() == attack.summary["flipped"] and list(table["index"]) == sorted(table["index"])


def test_killed_run_goes_on_where_it_stopped_and_gives_the_same_bytes(make_classifier, monkeypatch):
    classifier = make_classifier()
    options = {"classifier": classifier, "norm": "l2", "budget": 8, "random_start": True, "chunk": 7}
    whole = run_attack(name="whole", **options)
    store, calls = services.store_chunk, []

    def die_on_third(**arguments):
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        store(**arguments)

    monkeypatch.setattr(services, "store_chunk", die_on_third)
    with pytest.raises(KeyboardInterrupt):
        run_attack(name="cut", **options)
    cut = Attack.objects.get(name="cut")
    assert cut.completed_at is None and cut.perturbations.count() == 14
    first = dict(cut.perturbations.values_list("patch_id", "pk"))
    monkeypatch.setattr(services, "store_chunk", store)
    again = run_attack(name="cut", **options)
    assert again.pk == cut.pk and again.completed_at
    assert first.items() <= dict(again.perturbations.values_list("patch_id", "pk")).items()
    assert list(again.perturbations.values_list("sha256", "prob_after")) == list(
        whole.perturbations.values_list("sha256", "prob_after")
    )


def test_shares_done_apart_are_the_whole(make_classifier):
    classifier = make_classifier()
    options = {"classifier": classifier, "norm": "linf", "budget": 8, "chunk": 7}
    whole = run_attack(name="whole", **options)
    for share in (1, 0):
        run_attack(name="shared", part=(share, 2), **options)
    shared = run_attack(name="shared", **options)
    assert shared.completed_at and shared.summary["images"] == 24
    hashes = [list(attack.perturbations.values_list("sha256", flat=True)) for attack in (whole, shared)]
    assert hashes[0] == hashes[1]


def test_a_chunk_is_at_least_one_patch(make_classifier):
    with pytest.raises(InvalidInput, match="chunk: 0 is too small"):
        run_attack(classifier=make_classifier(), norm="linf", budget=8, chunk=0)
    assert not Attack.objects.exists()


def test_same_attack_again_changes_nothing_and_a_taken_name_is_refused(make_classifier):
    classifier = make_classifier()
    attack = run_attack(classifier=classifier, norm="linf", budget=8, name="a")
    again = run_attack(classifier=classifier, norm="linf", budget=8, name="a")
    assert again.pk == attack.pk and again.completed_at == attack.completed_at
    with pytest.raises(InvalidInput, match="Another attack is called 'a'"):
        run_attack(classifier=classifier, norm="linf", budget=4, name="a")


def test_positives_only_leaves_negatives_alone(make_classifier):
    attack = run_attack(classifier=make_classifier(), norm="linf", budget=8, positives_only=True)
    assert set(attack.perturbations.values_list("patch__tumour", flat=True)) == {True}


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"norm": "l0", "budget": 2.0}, "share of pixels"),
        ({"norm": "linf", "budget": 300.0}, "--budget: .*less than or equal to 255"),
        ({"norm": "l2", "budget": None}, "needs a budget"),
        ({"norm": "none", "budget": 3.0}, "no budget"),
        ({"norm": "linf", "budget": 8.0, "steps": 0}, "--steps: .*greater than or equal to 1"),
        ({"norm": "linf", "budget": 8.0, "confidence": 1.0}, "confidence"),
    ],
)
def test_settings_out_of_range_are_refused_and_nothing_is_stored(make_classifier, options, says):
    make_classifier()
    with pytest.raises(CommandError, match=says):
        call_command("attack", "small", **options)
    assert not Attack.objects.exists() and not Perturbation.objects.exists()


def test_unknown_classifier_is_named_with_those_that_exist(make_classifier):
    make_classifier()
    with pytest.raises(CommandError, match=r"No classifier called 'other'\. There are: small"):
        call_command("attack", "other", norm="linf", budget=8)


def test_weights_that_were_exchanged_are_refused(make_classifier):
    classifier = make_classifier()
    with Path(classifier.weights.path).open("ab") as file:
        file.write(b"x")
    with pytest.raises(InvalidInput, match="SHA-256"):
        run_attack(classifier=classifier, norm="linf", budget=8)
    assert not Perturbation.objects.exists()


def test_stored_picture_that_was_changed_is_not_shown(make_classifier):
    attack = run_attack(classifier=make_classifier(), norm="linf", budget=24)
    row = flipped_positives(attack)[0]
    assert displayed_pixels(row).shape == (32, 32, 3)
    with Path(row.image.path).open("ab") as file:
        file.write(b"x")
    with pytest.raises(InvalidInput, match="has changed"):
        displayed_pixels(row)


def test_deleting_an_attack_removes_its_pictures(make_classifier, own_files, django_capture_on_commit_callbacks):
    attack = run_attack(classifier=make_classifier(), norm="linf", budget=24)
    assert list((own_files / "perturbed").rglob("*.png"))
    with django_capture_on_commit_callbacks(execute=True):
        delete_attack(attack=attack)
    assert not list((own_files / "perturbed").rglob("*.png")) and not Perturbation.objects.exists()


def test_an_attack_on_a_network_that_hides_its_gradient_says_so_in_summary_page_and_report(
    make_classifier, monkeypatch, admin_client, capsys
):
    classifier = make_classifier()
    given = services.network_of(classifier)

    class Rounded(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.network = given

        def forward(self, x):
            return self.network((x * 15).round() / 15)

    monkeypatch.setattr(services, "network_of", lambda classifier: Rounded().eval())
    report = run_command(capsys, "attack", "small", norm="linf", budget=6, steps=10, name="hidden")
    names = [one["name"] for one in report["warnings"]]
    assert "gradients vanish" in names and "input rounded" in names and report["flipped"] == 0
    page = admin_client.get(f"/attacks/{Attack.objects.get(name='hidden').pk}/").content.decode()
    assert "Gradients vanish." in page and "no evidence of robustness" in page


def test_an_attack_on_a_sound_network_names_no_warning(make_classifier):
    assert run_attack(classifier=make_classifier(), norm="linf", budget=4).summary["warnings"] == []
