"""The whole way by commands, on few patches: from generated files to Table 1b and the tidy CSV."""

import io
import json
from pathlib import Path

import pandas as pd
import pytest
from django.core.management import CommandError, call_command

from attacks.models import Perturbation
from study.models import Response, Study

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]


def run(command: str, *args: str, **options) -> dict:
    out = io.StringIO()
    call_command(command, *args, json=True, stdout=out, stderr=io.StringIO(), **options)
    return json.loads(out.getvalue())


def test_from_patches_to_table_1b(tmp_path: Path):
    made = run("synthesise", str(tmp_path / "fold"), patches=48, seed=3, name="few")
    assert made["positives"] >= 15 and made["negatives"] >= 15

    trained = run("train", "few", name="few", preset="quick", epochs=3, seed=1)
    assert trained["test_patches"] + trained["train_patches"] == made["patches"]
    assert 0 <= trained["test"]["auc"] <= 1

    attacked = run("attack", "few", norm="none", name="few-none", steps=200)
    assert attacked["attacked"] + attacked["already_wrong"] == trained["test_patches"]
    assert attacked["flipped"] == Perturbation.objects.filter(flipped=True).count() > 0

    pool = Perturbation.objects.filter(flipped=True, patch__tumour=True).count()
    negatives = Perturbation.objects.filter(flipped=True, patch__tumour=False).count()
    cases = min(2, pool)
    others = min(2, negatives)
    built = run(
        "build_study", attack="few-none", name="Few", cases=cases, negatives=others, arm_order="paper", min_gap=1,
        washout_hours=0.0,
    )  # fmt: skip
    assert built["presentations_per_reader"] == (cases + others) * 2 * 2

    with pytest.raises(CommandError, match="results stay closed"):
        run("analyse", "few")

    rehearsed = run("rehearse", "few", readers=2, seed=0)
    assert rehearsed["answered"] == 2 * built["presentations_per_reader"] == Response.objects.count()
    assert {reader["images_checked"] for reader in rehearsed["readers"]} == {built["presentations_per_reader"]}
    assert Study.objects.get().state == Study.State.UNBLINDED

    analysed = run("analyse", "few")
    assert analysed["n"]["presentations"] == Response.objects.count()
    if cases:
        assert {row["original"]["n"] for row in analysed["table_1b"]} == {cases}

    run("export_study", "few", str(tmp_path / "out"))
    table = pd.read_csv(tmp_path / "out" / "presentations.csv")
    assert len(table) == table["presentation_id"].nunique() == Response.objects.count()
    dictionary = pd.read_csv(tmp_path / "out" / "data_dictionary.csv")
    assert set(table.columns) <= set(dictionary["name"])
