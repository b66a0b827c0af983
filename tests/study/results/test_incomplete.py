"""A study may be closed and unblinded at any moment of its reading: page, report, analysis and export stand it."""

import io
import json

import pytest
from django.core.management import CommandError, call_command
from django.urls import reverse

from core.models import User
from study.models import Study
from study.results.exports.registry import exports
from tests.study.answered import answer_until, open_study_of, unblinded

pytestmark = pytest.mark.django_db

DESIGNS = {
    "positives": {"positives": 4},
    "negatives, asked": {"positives": 4, "negatives": 3, "questions": ["perturbed_response"]},
    "three sets": {"positives": 4, "copies": 3},
    "one set": {"positives": 4, "copies": 1},
    "pairs": {"positives": 4, "task": Study.Task.PAIR},
}
RIGHT = {"mixed": (0.8, 0.6), "all right": (1.0, 1.0), "all wrong": (0.0, 0.0)}


def prefixes(readers: int, per_set: int, sets: int) -> list[dict[str, int]]:
    """How far every reader has come, growing from nothing to everything."""
    whole, half, codes = per_set * sets, per_set // 2, [f"R{number + 1:02d}" for number in range(readers)]
    first = [{codes[0]: n} for n in (0, 1, 2, half, per_set, per_set + 1, per_set + half)]
    if readers == 1:
        return [*first, {codes[0]: whole}]
    others = [
        {codes[0]: whole, codes[1]: 1},
        {codes[0]: whole, codes[1]: half},
        {codes[0]: whole, codes[1]: per_set},
        {codes[0]: whole, codes[1]: whole},
        dict.fromkeys(codes, whole),
    ]
    return first + others


def check_everything(client, study: Study, folder, where: str) -> None:
    """The page, its figures, every download, the command and the export: an answer, or a reason in plain words."""
    answers = study.assignments.filter(sets__presentations__responses__isnull=False).exists()
    page = client.get(reverse("results:results", args=[study.slug]))
    assert page.status_code == (200 if answers else 409), where
    for name in ("forest", "flow"):
        drawn = client.get(reverse("results:figure", args=[study.slug, name]))
        assert drawn.status_code == (200 if answers else 409), f"{where}: {name}"
    for export in exports(study):
        file = client.get(reverse("results:file", args=[study.slug, export.filename]))
        assert file.status_code in (200, 409), f"{where}: {export.filename}"
        if file.status_code == 200:
            assert b"".join(file.streaming_content)
        assert answers or file.status_code == 409 or export.filename not in ("report.html", "analysis.json"), where
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


@pytest.mark.parametrize("readers", [1, 3])
@pytest.mark.parametrize("design", DESIGNS)
@pytest.mark.parametrize("right", RIGHT)
def test_every_prefix_of_a_reading_has_a_page_a_report_and_an_export(client, tmp_path, readers, design, right):
    if right != "mixed" and design in ("three sets", "one set"):
        pytest.skip("these designs add nothing to readers who are always right or always wrong")
    client.force_login(User.objects.create_user("rita", role=User.Role.RESEARCHER))
    study = unblinded(open_study_of(readers=readers, **DESIGNS[design]))
    stimuli = study.cases.count() * (1 if design == "pairs" else 2)
    for step, counts in enumerate(prefixes(readers, stimuli, study.copies)):
        answer_until(study, counts, right=RIGHT[right], seed=step)
        check_everything(client, study, tmp_path / f"out-{step}", f"{design}, {right}, {counts}")
