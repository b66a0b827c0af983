"""A study may be closed and unblinded at any moment of its reading: page, report, analysis and export stand it."""

import io
import json

import pandas as pd
import pytest
from django.core.management import CommandError, call_command
from django.db import transaction
from django.urls import reverse

from core.models import User
from study.models import Study
from study.statistics.analysis import analyse
from tests.study.answered import answer_until, open_study_of, unblinded
from tests.study.readings import simulate

pytestmark = pytest.mark.django_db

DESIGNS = {
    "positives": {"positives": 4, "copies": 1},
    "negatives, asked": {"positives": 4, "negatives": 3, "questions": ["perturbed_response"]},
    "crossed over": {"positives": 4, "negatives": 4, "arm_order": "twin-split", "questions": ["perturbed_response"]},
    "three sets": {"positives": 4, "copies": 3},
    "pairs": {"positives": 4, "task": Study.Task.PAIR},
}
CASES = [
    ("positives", 1, (0.8, 0.6)),
    ("negatives, asked", 1, (1.0, 1.0)),
    ("crossed over", 3, (0.8, 0.6)),
    ("three sets", 3, (0.8, 0.6)),
    ("pairs", 3, (1.0, 0.7)),
]


def prefixes(readers: int, per_set: int, sets: int) -> list[dict[str, int]]:
    """How far every reader has come, growing from nothing to everything."""
    whole, half, codes = per_set * sets, per_set // 2, [f"R{number + 1:02d}" for number in range(readers)]
    first = [{codes[0]: n} for n in (0, 1, half, per_set)]
    others = [{codes[0]: whole, code: n} for code in codes[1:2] for n in (1, per_set)]
    return [*first, *others, dict.fromkeys(codes, whole)]


def check_everything(client, study: Study, folder, where: str) -> None:
    """The page, the command and every file (the report holds the figures): an answer, or a reason in plain words."""
    answers = study.assignments.filter(sets__presentations__responses__isnull=False).exists()
    page = client.get(reverse("results:results", args=[study.slug]))
    assert page.status_code == (200 if answers else 409), where
    if not answers:
        assert client.get(reverse("results:figure", args=[study.slug, "forest", "svg"])).status_code == 409
    out, err = io.StringIO(), io.StringIO()
    call_command("export_study", study.slug, str(folder), json=True, stdout=out, stderr=err)
    found = json.loads(out.getvalue())
    assert {"presentations.csv", "readers.csv", "protocol.json"} <= set(found["files"]), where
    assert ("report.html" in found["files"]) == answers, where
    assert all(reason for reason in found["left_out"].values()), where
    out = io.StringIO()
    if answers:
        call_command("analyse", study.slug, json=True, stdout=out)
        assert json.loads(out.getvalue())["n"]["answered"] > 0
        call_command("analyse", study.slug, stdout=io.StringIO())
    else:
        with pytest.raises(CommandError, match="has an answer"):
            call_command("analyse", study.slug, json=True, stdout=out)


@pytest.mark.parametrize(("design", "readers", "right"), CASES)
def test_every_prefix_of_a_reading_has_a_page_a_report_and_an_export(client, tmp_path, design, readers, right):
    client.force_login(User.objects.create_user("rita", role=User.Role.RESEARCHER))
    study = open_study_of(readers=readers, **DESIGNS[design])
    per_set = study.assignments.first().sets.get(number=1).presentations.count()
    for step, counts in enumerate(prefixes(readers, per_set, study.copies)):
        answer_until(study, counts, right=right, seed=step)
        before = transaction.savepoint()
        check_everything(client, unblinded(study), tmp_path / f"out-{step}", f"{counts}")
        transaction.savepoint_rollback(before)  # an answer after the closing would be found by verifying


def test_patches_that_never_had_a_catch_image_lack_no_answer():
    table = simulate(readers=3, patches=8, sets=2)
    catch = table[(table["arm"] == "perturbed") & table["patch_id"].isin(["p001", "p004"])].assign(arm="catch")
    found = analyse(pd.concat([table, catch]))
    assert not [warning for warning in found.warnings if "lack an answer" in warning]
    assert {(row.perturbed.n, row.original.n) for row in found.controls["catch"].table} == {(2, 8)}
    unanswered = pd.concat([table, catch.assign(label=[None] * 2 + list(catch["label"][2:]))])
    assert [
        w for w in analyse(unanswered).warnings if "Arm catch" in w and "2 of 24 presentations were not answered" in w
    ]
