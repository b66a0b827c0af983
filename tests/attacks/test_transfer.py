"""What is made on one classifier, shown to others: the table, several at once, and what needs no labels."""

import json

import pytest
import torch
from django.core.management import call_command

from attacks.battery_services import run_battery
from attacks.engine.passes import Passes
from attacks.engine.transfer import OTHERS, made_on, table, together
from attacks.engine.universal import flipped_share, judged, random_signs, universal
from attacks.models import Transfer
from attacks.transfer_services import run_transfer
from core.errors import InvalidInput
from tests import factories
from tests.attacks.networks import hardened, patches, trained

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def networks():
    return {"standard": trained(), "again": trained(), "hardened": hardened()}


def test_the_table_counts_what_each_network_falls_for_on_the_bytes(networks):
    images, labels = patches(16, seed=9)
    passes = {name: Passes(net) for name, net in networks.items()}
    rows = table(passes, dict.fromkeys(passes, (images, labels)), norm="linf", budget=10)
    cells = {(row["source"], row["target"]): row for row in rows}
    assert set(cells) == {(source, target) for source in [*passes, OTHERS] for target in passes}
    displayed = made_on(Passes(networks["hardened"]), images, labels, norm="linf", budget=10)
    judge = passes["standard"]
    right = (judge.judge(images).argmax(1) == labels) & (passes["hardened"].judge(images).argmax(1) == labels)
    fell = (judge.judge(displayed).argmax(1) != labels) & right
    cell = cells["hardened", "standard"]
    assert (cell["flipped"], cell["of"]) == (int(fell.sum()), int(right.sum())) and cell["of"] > 0
    assert cells["again", "standard"]["flipped"] == cells["standard", "standard"]["flipped"] > 0  # the same network


def test_perturbations_of_several_at_once_fool_all_of_them(networks):
    images, labels = patches(12, seed=9)
    both = [Passes(networks["standard"]), Passes(networks["hardened"])]
    displayed = made_on(together(both, images), images, labels, norm="linf", budget=16)
    assert (displayed.int() - images.int()).abs().max() <= 16
    fell = torch.stack([one.judge(displayed).argmax(1) != labels for one in both])
    assert fell.all(0).sum() >= 6


def test_a_network_with_large_logits_has_no_larger_say():
    images, _ = patches(12, seed=9)

    class Loud(torch.nn.Module):
        def forward(self, x):
            return 1000 * hardened()(x)

    quiet, loud = (together([Passes(trained()), Passes(one.eval())], images) for one in (hardened(), Loud()))
    assert torch.allclose(quiet.judge(images), loud.judge(images), rtol=1e-3, atol=1e-4)


def test_command_page_and_battery_know_of_other_classifiers(make_classifier, capsys, client):
    first, other = make_classifier(test=6), make_classifier(name="other", test=6)
    call_command("transfer", "small", "other", json=True, norm="linf", budget=16, patches=4, name="t")
    report = json.loads(capsys.readouterr().out)
    assert [(row["target"], row["source"]) for row in report["rows"]] == [
        ("small", "small"), ("small", "other"), ("other", "small"), ("other", "other"),
    ]  # fmt: skip
    assert all(row["low"] <= row["share"] <= row["high"] and row["of"] <= 4 for row in report["rows"])
    stored = Transfer.objects.get(name="t")
    assert stored.settings["weights_sha256"]["other"] == other.weights_sha256 and stored.code_version
    client.force_login(factories.user("rhea", "researcher"))
    page = client.get(f"/transfers/{stored.pk}/").content.decode()
    assert f"{report['rows'][1]['flipped']} of {report['rows'][1]['of']}" in page
    battery = run_battery(classifier=first, others=[other], norm="linf", budget=16, steps=5, queries=5, every=True)
    row = next(row for row in battery.summary["rows"] if row["attack"] == "transfer")
    assert row["flipped"] > 0 and "another classifier" in row["title"]  # of the same weights


def test_wrong_requests_are_refused_before_anything_is_computed(make_classifier):
    classifier = make_classifier(test=4)
    with pytest.raises(InvalidInput, match="two classifiers or more"):
        run_transfer(classifiers=[classifier], norm="linf", budget=8)
    other = make_classifier(name="other", test=4)
    run_transfer(classifiers=[classifier, other], norm="linf", budget=8, patches=2, name="t")
    with pytest.raises(InvalidInput, match="called 't' already"):
        run_transfer(classifiers=[classifier, other], norm="linf", budget=8, patches=2, name="t")


def test_a_universal_perturbation_needs_no_labels():
    images, labels = patches(100, seed=21)
    seen, unseen = slice(0, 60, 2), slice(60, 100, 2)
    options = {"norm": "linf", "budget": 32, "loss": "features", "passes": 5}
    learned = universal(trained(), images[seen], labels[seen], **options)
    assert learned.settings["loss"] == "features" and learned.delta.abs().max() <= 32
    target = Passes(trained())
    ours, noise = (
        flipped_share(judged(target, images[unseen], labels[unseen], one))["share"]
        for one in (learned, random_signs(learned, seed=0))
    )
    assert ours >= noise + 0.3
    blind = universal(trained(), images[seen], 1 - labels[seen], **options)
    assert torch.equal(blind.delta, learned.delta)
