"""Several attacks within one budget: true rows, the worst case over all, and flags where they contradict each other."""

import json

import numpy as np
import pytest
import torch
from django.core.management import call_command

from attacks import battery_services, services
from attacks.battery_services import run_battery
from attacks.deletion import delete_battery
from attacks.engine.battery import battery_recipe, first_descent, run
from attacks.engine.masking import before_attacks, within_attacks
from attacks.engine.passes import Passes
from attacks.engine.pgd import pgd
from attacks.models import Attack, Battery, Perturbation
from core.errors import InvalidInput
from core.images import read_pixels
from model.learning.network import load_weights
from tests import factories
from tests.attacks.networks import hardened, patches, trained
from tests.attacks.test_masking import FAULTY, Before

SMALL = {"norm": "linf", "budget": 2, "steps": 6, "queries": 8}


def flipped_by(attack):
    return set(attack.perturbations.filter(flipped=True).values_list("patch_id", flat=True))


def test_the_command_tells_a_true_row_per_attack_and_the_worst_case(make_classifier, capsys):
    classifier = make_classifier(test=12)
    call_command("battery", "small", json=True, every=True, **SMALL)
    report = json.loads(capsys.readouterr().out)
    battery = Battery.objects.get(name=report["battery"])
    assert [row["attack"] for row in report["rows"]] == ["pgd", "ce", "margin", "minimal", "square"]
    network = load_weights("resnet18", classifier.weights.path, sha256=classifier.weights_sha256)
    fallen = set()
    for row, attack in zip(report["rows"], battery.attacks.order_by("pk"), strict=True):
        assert (
            row["asked"]
            == report["patches"] - report["already_wrong"]
            == attack.perturbations.exclude(already_wrong=True).count()
        )
        assert row["flipped"] == len(flipped_by(attack)) and row["first"] == len(flipped_by(attack) - fallen)
        fallen |= flipped_by(attack)
        assert row["stand"] == row["asked"] - len(fallen)
        assert {"gradient": row["gradient"], "forward": row["forward"]} == attack.summary["passes"]
        assert row["cpu_seconds"] > 0 and (row["gradient"] == 0) == (row["attack"] == "square")
        for one in attack.perturbations.filter(flipped=True).select_related("patch"):
            shown = read_pixels(one.image.name, sha256=one.sha256)
            with torch.inference_mode():
                answer = network(torch.tensor(shown / 255).float().permute(2, 0, 1)[None]).argmax().item()
            assert answer != one.patch.tumour
            change = shown.astype(int) - read_pixels(one.patch.image.name, sha256=one.patch.sha256)
            assert one.linf == np.abs(change).max() <= 2
    worst = report["worst"]
    assert worst["count"] == report["rows"][-1]["stand"] and worst["of"] == report["patches"] == 12
    assert len(fallen) > 0 and worst["low"] <= worst["share"] < worst["high"]
    assert report["weights_sha256"] == classifier.weights_sha256 and report["code_version"]
    assert battery.settings["dataset_sha256"] == classifier.dataset.sha256


def test_the_interval_is_the_exact_one():
    from core.proportions import share_exactly

    known = share_exactly(4, 20)  # Clopper and Pearson 1934, by any table
    assert (known["low"], known["high"]) == (pytest.approx(0.0573, abs=1e-4), pytest.approx(0.4366, abs=1e-4))
    assert share_exactly(0, 0)["share"] is None


def test_patches_that_fell_are_not_asked_about_again_and_the_row_says_so(make_classifier):
    battery = run_battery(classifier=make_classifier(test=8), **SMALL)
    stand = battery.summary["patches"] - battery.summary["already_wrong"]
    fallen = set()
    for row, attack in zip(battery.summary["rows"], battery.attacks.order_by("pk")):
        asked = set(attack.perturbations.values_list("patch_id", flat=True))
        assert row["asked"] == stand and not asked & fallen
        assert row["withstood"]["count"] == row["asked"] - row["flipped"] and row["withstood"]["of"] == row["asked"]
        fallen |= flipped_by(attack)
        stand = row["stand"]
    assert battery.summary["worst"]["count"] == stand
    assert not Perturbation.objects.filter(flipped=False).exclude(image="").exists()  # no use to anybody


def test_attacks_that_have_nothing_left_to_do_say_so(make_classifier):
    battery = run_battery(classifier=make_classifier(test=4), norm="linf", budget=80, steps=20, queries=5)
    rows = battery.summary["rows"]
    assert rows[0]["stand"] == 0 and battery.summary["worst"]["count"] == 0
    assert [row["asked"] for row in rows[1:]] == [0, 0, 0, 0] and rows[-1]["id"] is None


def test_a_battery_that_was_killed_goes_on_and_gives_the_same_rows(make_classifier, monkeypatch):
    classifier = make_classifier(test=6)
    whole = run_battery(classifier=classifier, name="whole", every=True, **SMALL)
    store, calls = services.store_chunk, []

    def die_on_third(**arguments):
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        store(**arguments)

    monkeypatch.setattr(services, "store_chunk", die_on_third)
    with pytest.raises(KeyboardInterrupt):
        run_battery(classifier=classifier, name="cut", every=True, **SMALL)
    monkeypatch.setattr(services, "store_chunk", store)
    assert Battery.objects.get(name="cut").completed_at is None
    again = run_battery(classifier=classifier, name="cut", every=True, **SMALL)
    hashes = [
        list(
            Perturbation.objects.filter(attack__battery=one)
            .order_by("attack", "patch")
            .values_list("sha256", "flipped")
        )
        for one in (whole, again)
    ]
    assert again.completed_at and hashes[0] == hashes[1]
    counts = [[{**row, "id": 0, "cpu_seconds": 0} for row in one.summary["rows"]] for one in (whole, again)]
    assert counts[0] == counts[1]
    assert run_battery(classifier=classifier, name="cut", every=True, **SMALL).pk == again.pk
    with pytest.raises(InvalidInput, match="Another battery is called 'cut'"):
        run_battery(classifier=classifier, name="cut", **SMALL | {"budget": 7})


def test_deleting_a_battery_removes_its_attacks_and_their_pictures(
    make_classifier, own_files, django_capture_on_commit_callbacks
):
    battery = run_battery(classifier=make_classifier(test=8), **SMALL)
    assert list(own_files.glob("perturbed/*/*.png"))
    with django_capture_on_commit_callbacks(execute=True):
        delete_battery(battery=battery)
    assert not Attack.objects.exists() and not list(own_files.glob("perturbed/*/*.png"))


def test_what_cannot_be_attacked_is_refused_and_its_page_says_why(make_classifier, monkeypatch, client):
    network = Before(lambda x: x, trained())
    network.forward = lambda x: network.network(x).softmax(1)
    monkeypatch.setattr(services, "network_of", lambda classifier: network)
    with pytest.raises(InvalidInput, match="probabilities, not logits"):
        run_battery(classifier=make_classifier(test=4), name="soft", **SMALL)
    client.force_login(factories.user("rhea", "researcher"))
    page = client.get(f"/batteries/{Battery.objects.get(name='soft').pk}/").content.decode()
    assert "probabilities, not logits" in page and not Attack.objects.exists()


def test_a_faulty_network_is_flagged_before_any_attack(make_classifier, monkeypatch):
    monkeypatch.setattr(services, "network_of", lambda classifier: FAULTY["rounded input"].eval())

    def stop(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(battery_services, "_run_member", stop)
    with pytest.raises(KeyboardInterrupt):
        run_battery(classifier=make_classifier(test=4), name="rounds", **SMALL)
    [told, *_] = Battery.objects.get(name="rounds").summary["flags"]
    assert told["name"] in ("input rounded", "gradients vanish") and "no evidence of robustness" in told["text"]


def flags_of(network, *, others=()):
    """The flags of a battery of the engine on 16 patches."""
    images, labels = patches(16, seed=5)
    asked = battery_recipe(norm="linf", budget=6, steps=20, queries=150)
    passes = Passes(network)
    rows = {row["attack"]: row for row in run(passes, images, labels, asked, others=others)[0]}
    attacked = rows["pgd"]["asked"]
    fell = pgd(passes, images, labels, first_descent(asked)).flipped.tolist()
    told = before_attacks(passes, images, labels)
    told += within_attacks(
        passes,
        images,
        labels,
        fell,
        first_descent(asked),
        by_transfer=rows.get("transfer", {"first": 0})["first"],
        by_black_box=rows["square"]["first"],
        attacked=attacked,
    )
    return {one.name for one in told}


@pytest.mark.parametrize("fault", FAULTY)
def test_each_faulty_network_is_flagged(fault):
    assert flags_of(FAULTY[fault].eval())


@pytest.mark.parametrize("network", [trained, hardened])
def test_a_sound_network_is_not(network):
    assert not flags_of(network(), others=[Passes(trained())])


def test_a_black_box_and_a_transfer_that_find_more_than_gradients_are_named():
    found = flags_of(FAULTY["rounded input, other gradient"].eval())
    assert "black box beats white box" in found
    found = flags_of(FAULTY["rounded input, other gradient"].eval(), others=[Passes(trained())])
    assert "transfer beats white box" in found
