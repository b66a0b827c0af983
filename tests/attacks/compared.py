"""A comparison of two classifiers, and an attack of natural changes, as they are stored: no network was asked."""

import numpy as np
from django.utils import timezone

from attacks.comparing import BUDGETS, summarise
from attacks.models import Attack, Comparison
from model.models import Classifier, Patch


def made_comparison(
    classifier: Classifier, *, name: str = "twins", norms: tuple[str, ...] = ("linf", "l2")
) -> Comparison:
    """Of a classifier and a copy of it that withstands more, on all patches of its data set."""
    twin = Classifier.objects.get(pk=classifier.pk)
    twin.pk, twin.name = None, f"{classifier.name} defended"
    twin.save()
    patches = list(Patch.objects.filter(dataset=classifier.dataset).order_by("index"))
    draw, answers = np.random.default_rng(0), {}
    for side, strength in (("first", 1.0), ("second", 2.5)):
        given = [float(np.clip(0.85 * one.tumour + 0.1 * draw.random(), 0, 1)) for one in patches]
        norms_found = {norm: [round(strength * draw.exponential(), 3) for _ in patches] for norm in norms}
        answers[side] = {"p_tumour": given, "norms": norms_found}
    return Comparison.objects.create(
        name="twins",
        first=classifier,
        second=twin,
        settings={
            "norms": list(norms), "patches": [one.pk for one in patches], "seed": 0, "device": "cpu",
            "budgets": {norm: BUDGETS[norm] for norm in norms},
        },
        settings_sha256="0" * 64,
        answers=answers,
        result=summarise(answers, patches, norms),
        code_version="t",
        completed_at=timezone.now(),
    )  # fmt: skip


def made_worst_case(classifier: Classifier, *, name: str = "worst") -> Attack:
    """Its table, without patches."""
    rows = [
        {
            "change": change, "of": 40, "worst": worst, "worst_low_high": [worst - 0.1, worst + 0.12], "random": drawn,
            "random_low_high": [max(0.0, drawn - 0.05), drawn + 0.1], "difference": worst - drawn,
            "low": worst - drawn - 0.1, "high": worst - drawn + 0.1, "l2": 9.5, "l2_random": 4.5,
        }
        for change, worst, drawn in (("stain", 0.55, 0.1), ("blur", 0.2, 0.1), ("any of them", 0.6, 0.15))
    ]  # fmt: skip
    return Attack.objects.create(
        name=name,
        classifier=classifier,
        kind=Attack.Kind.WORST,
        norm="none",
        seed=0,
        settings={"kinds": ["stain", "blur"], "bounds": {"eosin gain": [0.82, 1.21], "blur": [0.05, 1.0]},
                  "measured": ["eosin gain"]},
        summary={"worst": rows, "random": f"{name}-random", "attacked": 40, "already_wrong": 3, "flipped": 24,
                 "flipped_float": 24, "flipped_positives": 11, "warnings": []},
        code_version="t",
        completed_at=timezone.now(),
    )  # fmt: skip
